"""What the Manager is told, and when it is woken: one digest per wake-up, never for nothing."""

from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import DeliveryOrdered, Event, NoteAdded, NoteDropped
from orchestrad.core.ids import MANAGER
from orchestrad.core.readiness import open_count
from orchestrad.core.settle.deliveries import answer, next_nonce
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.tasklist import list_name
from orchestrad.core.world import SECOND, Delivery, DeliveryKind, Note, Task, World

GATHER = 2 * SECOND  # what comes together is told together
KEEP = 200  # told notes that are kept for `why`


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Notes what there is to tell, wakes the Manager when it is idle, and answers its Stop."""
    if not world.settings.manager:
        return
    news = list(_notes(world, agenda))
    yield from news
    if news:
        return  # asked again in the next pass, with these notes among the rest
    agent = world.agents.get(MANAGER)
    if agent is None or agent.run is None or agent.state is not AgentState.READY:
        return
    delivery = agent.delivery
    if delivery is None and world.fleet.state is FleetState.RUNNING and agenda.passed(agent.start_at or 0):
        waiting = sorted((n for n in world.notes.values() if n.nonce is None), key=lambda n: n.id)
        first = [n for n in waiting if n.wakes]
        if first and ((agent.post and agent.post.answer is None) or agenda.passed(first[0].at + _gather(first[0]))):
            ids = tuple(note.id for note in waiting)
            delivery = Delivery(next_nonce(world, agent), DeliveryKind.DIGEST, agenda.now.elapsed, notes=ids)
            kinds = ", ".join(sorted({note.kind for note in first}))
            yield DeliveryOrdered(now=agenda.now, agent=MANAGER, delivery=delivery, reason=f"there is news: {kinds}")
    if agent.post and agent.post.answer is None:
        yield from answer(agent, agent.post.n, delivery if world.fleet.state is FleetState.RUNNING else None, agenda)


def _gather(note: Note) -> int:
    return 0 if note.kind in ("direction", "conflict", "upstream") else GATHER


def _notes(world: World, agenda: Agenda) -> Iterator[Event]:
    wanted = dict(_wanted(world))
    have = {(note.kind, note.about): note for note in world.notes.values()}
    number = world.fleet.notes
    for (kind, about), text in wanted.items():
        if (kind, about) in have:
            continue
        number += 1
        note = Note(f"{number:08d}", kind, text, agenda.now.wall, about=about, at=agenda.now.elapsed)  # type: ignore[arg-type]  # kinds of _wanted
        yield NoteAdded(now=agenda.now, note=note, reason=text)
    told = sorted((n for n in have.values() if (n.kind, n.about) not in wanted), key=lambda n: n.id)
    for note in told:
        passing = note.kind in ("low", "conflict", "upstream")
        if passing or (note.nonce is not None and note in told[: max(0, len(told) - KEEP)]):
            yield NoteDropped(now=agenda.now, note=note.id, reason="it is so no more")


def _wanted(world: World) -> Iterator[tuple[tuple[str, str], str]]:
    """What is to be told as things stand; the second part of a key tells one occasion from the next."""
    hub = world.hub
    if hub.read is None:
        return
    if hub.direction is not None:
        yield ("direction", hub.direction), "PROJECT_DIRECTION.md is new or has changed: read it and write the lists."
    for problem in hub.problems:
        yield ("problem", problem), problem
    for number in range(1, world.settings.workers + 1):
        count = open_count(world, number)
        if count < world.settings.low_water:
            left = "no open task" if count == 0 else f"{count} open task{'s' if count > 1 else ''}"
            yield ("low", f"{number}"), f"{list_name(number)} has {left} left."
    if hub.offer_conflict:
        yield (
            ("conflict", f"{hub.offer_refused}"),
            (
                f"Conflict: your push was not taken, as {world.settings.branch} differs in {', '.join(hub.offer_conflict)}. "
                f"`git pull --no-rebase origin {world.settings.branch}`, keep what both sides meant, commit, `git push`."
            ),
        )
    if hub.upstream_conflict:
        paths = ", ".join(hub.upstream_conflict)
        yield (
            ("upstream", f"{hub.upstream}"),
            (
                f"Upstream's {world.settings.branch} conflicts with ours in {paths}. Pushes to upstream wait for you: "
                f"`git fetch origin && git merge origin/{world.settings.branch}`, "
                f"`git fetch origin refs/upstream/{world.settings.branch} && git merge FETCH_HEAD`, "
                "keep what both sides meant, commit, `git push`."
            ),
        )
    for task in sorted(world.tasks.values(), key=lambda t: (t.list, t.order)):
        yield from _about(world, task)


def _about(world: World, task: Task) -> Iterator[tuple[tuple[str, str], str]]:
    occasion = f"{task.id} {task.generation}.{task.attempts}"
    title = f"{task.text!r} ({task.list})"
    if task.state is TaskState.BLOCKED and task.asks:
        ask = f"Question about {title}: {task.reason}. Answer by editing the item's text; it is then given out again."
        yield ("question", occasion), ask
    elif task.state is TaskState.BLOCKED:
        yield ("blocked", occasion), f"Blocked: {title}: {task.reason}. Editing the item's text gives it out again."
    elif task.state is TaskState.SUBMITTED and task.conflict and task.attempt:
        paths = ", ".join(task.conflict)
        yield (
            ("conflict", f"{occasion} {task.attempt.head}"),
            (
                f"Conflict: {title}, branch {task.attempt.branch}, conflicts with {world.settings.branch} in {paths}. "
                f"Settle it: `git fetch origin && git merge origin/{world.settings.branch}`, "
                f"`git merge origin/{task.attempt.branch}`, "
                "keep what both sides meant, commit, `git push`."
            ),
        )
    elif task.state is TaskState.DONE and task.merged is not None:
        note = f": {task.note}" if task.note else ""
        yield ("merged", f"{task.id} {task.generation}"), f"Merged: {title}{note}"
