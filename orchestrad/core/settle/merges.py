"""What moves the shared branch next: one move at a time, the Manager's pushes first."""

from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import Event, MoveOrdered
from orchestrad.core.ids import Oid
from orchestrad.core.states import TaskState
from orchestrad.core.world import Move, MoveKind, Task, World


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Orders the next move when none is under way and the branch is known as it stands."""
    hub = world.hub
    if hub.move is not None or hub.tip is None or hub.read != hub.tip:
        return
    move = _next(world, agenda, hub.tip)
    if move is not None:
        about = f" of {move.task}" if move.task else ""
        yield MoveOrdered(now=agenda.now, move=move, reason=f"next in the merge queue: {move.kind.value}{about}")


def _next(world: World, agenda: Agenda, tip: Oid) -> Move | None:
    hub = world.hub
    wall = agenda.now.wall
    branch = world.settings.branch
    if hub.offers:
        message = f"Merge the Manager's work into {branch}"
        return Move(MoveKind.MANAGER, tip, hub.offers[0], (), message, wall)
    if hub.upstream is not None and hub.upstream != hub.upstream_taken and not hub.upstream_conflict:
        return Move(MoveKind.UPSTREAM, tip, hub.upstream, (), f"Merge upstream's {branch}", wall)
    for task in sorted(world.tasks.values(), key=lambda t: t.submission):
        if task.state is TaskState.SUBMITTED and not task.conflict and not _waits_below(world, task):
            return _of_task(world, task, tip, wall)
    unticked = tuple(t.id for t in world.tasks.values() if t.state is TaskState.DONE and not t.checked and t.listed)
    if unticked:
        trailers = "\n".join(f"Task: {name}" for name in unticked)
        return Move(MoveKind.TICK, tip, None, unticked, f"Tick what is merged\n\n{trailers}", wall)
    return None


def _waits_below(world: World, task: Task) -> bool:
    below = task.attempt and task.attempt.above and world.tasks.get(task.attempt.above)
    return bool(below and below.state is TaskState.SUBMITTED)


def _of_task(world: World, task: Task, tip: Oid, wall: int) -> Move:
    attempt = task.attempt
    trailers = [f"Task: {task.id}"]
    if attempt:
        trailers.append(f"Attempt: {attempt.number} by {attempt.agent}")
    if task.no_change:
        trailers.append("No-Change: yes")
    body = f"{task.note}\n\n" if task.note else ""
    message = f"{task.text[:72]}\n\n{body}" + "\n".join(trailers)
    source = attempt.head if attempt and not task.no_change else None
    return Move(MoveKind.TASK, tip, source, (task.id,) if task.listed else (), message, wall, task=task.id)
