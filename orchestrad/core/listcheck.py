"""What is wrong with the lists taken together: shown in status and told to the Manager, while the rest works on."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrad.core.identity import list_order
from orchestrad.core.tasklist import SHARED_LIST, ListItem, ListProblem, TaskList, quoted, worker_of

# An item and the list it stands in.
_Place = tuple[str, ListItem]


def check_lists(lists: Mapping[str, TaskList], *, worker_count: int) -> tuple[ListProblem, ...]:
    """Every problem of the lists, their own ones included, list by list and line by line."""
    places = [(name, item) for name in sorted(lists, key=list_order) for item in lists[name].items]
    by_id: dict[str, _Place] = {}
    for name, item in places:
        if item.id is not None:
            by_id.setdefault(item.id, (name, item))
    found = [problem for task_list in lists.values() for problem in task_list.problems]
    found += _without_worker(lists, worker_count)
    found += _duplicates(places, by_id)
    found += _unknown(places, by_id)
    found += _cycles(by_id)
    return tuple(sorted(found, key=lambda problem: (list_order(problem.list_name), problem.line)))


def _without_worker(lists: Mapping[str, TaskList], worker_count: int) -> Iterator[ListProblem]:
    for name, task_list in lists.items():
        worker = worker_of(name)
        left = sum(not item.checked for item in task_list.items)
        if worker is not None and worker > worker_count and left:
            tasks = "its open task has" if left == 1 else f"its {left} open tasks have"
            said = f"there is no worker-{worker} (workerCount is {worker_count}), so {tasks} no worker of their own."
            yield ListProblem(name, 0, f"{said} Move them to another list or {SHARED_LIST}, or raise `workerCount`.")


def _duplicates(places: Sequence[_Place], by_id: Mapping[str, _Place]) -> Iterator[ListProblem]:
    for name, item in places:
        if item.id is None or by_id[item.id][1] is item:
            continue
        first, where = by_id[item.id][1], by_id[item.id][0]
        said = f"{quoted(item.text)}: the id `{item.id}` belongs to {where} line {first.line}, so this one goes by its text."
        yield ListProblem(name, item.line, f"{said} Give it an id of its own.")


def _unknown(places: Sequence[_Place], by_id: Mapping[str, _Place]) -> Iterator[ListProblem]:
    for name, item in places:
        if item.checked:
            continue
        for wanted in item.after:
            if wanted not in by_id:
                said = f"{quoted(item.text)}: `after` names `{wanted}`, and no item has that id."
                yield ListProblem(name, item.line, f"{said} Give the item that is meant `{{#{wanted}}}`, or take it out.")


def _cycles(by_id: Mapping[str, _Place]) -> Iterator[ListProblem]:
    """Each circle of items that wait for each other once, told at the first of its items; a ticked one waits no more."""
    waits = {
        id_: [wanted for wanted in item.after if wanted in by_id and not by_id[wanted][1].checked]
        for id_, (_, item) in by_id.items()
        if not item.checked
    }
    while waits := _without_free_ends(waits):
        # Everything left waits for something left, so a walk along it must come back on itself.
        walk: dict[str, None] = {}
        here = next(iter(waits))
        while here not in walk:
            walk[here] = None
            here = waits[here][0]
        circle = list(walk)[list(walk).index(here) :]
        start = min(range(len(circle)), key=lambda n: _reading_order(by_id[circle[n]]))
        circle = circle[start:] + circle[:start]
        name, item = by_id[circle[0]]
        chain = " waits for ".join(f"`{id_}`" for id_ in [*circle, circle[0]])
        yield ListProblem(name, item.line, f"{chain}, so none of them can start. Take one of them out of an `after`.")
        waits = {id_: wanted for id_, wanted in waits.items() if id_ not in circle}


def _without_free_ends(waits: Mapping[str, list[str]]) -> dict[str, list[str]]:
    left = dict(waits)
    while True:
        kept = {id_: [wanted for wanted in after if wanted in left] for id_, after in left.items()}
        kept = {id_: after for id_, after in kept.items() if after}
        if len(kept) == len(left):
            return kept
        left = kept


def _reading_order(place: _Place) -> tuple[tuple[int, str], int]:
    return list_order(place[0]), place[1].line
