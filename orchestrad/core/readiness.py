"""Which tasks may be worked on now, in which order; which never will be as things stand."""

from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.identity import list_order
from orchestrad.core.states import TaskState
from orchestrad.core.tasklist import SHARED_LIST, worker_of
from orchestrad.core.world import Task, World


def waits_for(world: World, task: Task) -> list[str]:
    """The ids in `after` that are not merged yet, and the names of those that no list has."""
    return [name for name in task.after if not _is_merged(world, name)]


def _is_merged(world: World, name: str) -> bool:
    named = _named(world, name)
    return named is not None and named.state is TaskState.DONE


def _named(world: World, name: str) -> Task | None:
    for task in world.tasks.values():
        if task.given_id == name and task.state is not TaskState.CANCELLED:
            return task
    return None


def is_hopeless(world: World, task: Task) -> bool:
    """Whether nothing that the fleet does by itself brings this task further.

    It waits, directly or not, for one that is blocked or does not exist; it has no worker; or there is no Manager to
    settle its conflict.
    """
    if task.state is TaskState.SUBMITTED:
        return _is_held(world, task)
    if task.state is not TaskState.OPEN:
        return False
    number = worker_of(task.list)
    if number is not None and number > world.settings.workers:
        return True
    return _is_stuck(world, task, frozenset())


def _is_held(world: World, task: Task) -> bool:
    if world.settings.manager:
        return False
    below = world.tasks.get(task.attempt.above) if task.attempt and task.attempt.above else None
    return bool(task.conflict) or (below is not None and below.state is TaskState.SUBMITTED and _is_held(world, below))


def _is_stuck(world: World, task: Task, above: frozenset[str]) -> bool:
    for name in waits_for(world, task):
        named = _named(world, name)
        if named is None or named.state is TaskState.BLOCKED or named.id in above:
            return True
        if named.state is TaskState.SUBMITTED and _is_held(world, named):
            return True
        if named.state is TaskState.OPEN and _is_stuck(world, named, above | {task.id}):
            return True
    return False


def candidates(world: World, agenda: Agenda, number: int) -> Iterator[Task]:
    """The open tasks that worker `number` may begin now, the first one first: its own list, then the shared one."""
    mine = [t for t in world.tasks.values() if t.state is TaskState.OPEN and worker_of(t.list) in (number, None)]
    mine = [t for t in mine if t.list == SHARED_LIST or worker_of(t.list) == number]
    for task in sorted(mine, key=lambda t: (list_order(t.list), -t.priority, t.order, t.id)):
        if not waits_for(world, task) and agenda.passed(task.not_before):
            yield task


def open_count(world: World, number: int) -> int:
    """How many tasks worker `number` still has before it, the one in its hands left out."""
    return sum(
        1 for t in world.tasks.values() if t.state is TaskState.OPEN and (worker_of(t.list) == number or t.list == SHARED_LIST)
    )
