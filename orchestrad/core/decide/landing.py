"""What follows when the shared branch has moved as ordered."""

from collections.abc import Iterator

from orchestrad.core.events import BranchMoved, Event, TaskDone
from orchestrad.core.ids import Now, Oid
from orchestrad.core.states import TaskState
from orchestrad.core.world import Move, Task, World


def landed(world: World, move: Move, tip: Oid, now: Now, why: str) -> Iterator[Event]:
    """The move is done: its task is merged, and the boxes that it set are set."""
    yield BranchMoved(now=now, tip=tip, reason=why)
    for name in dict.fromkeys((*move.ticks, *([move.task] if move.task else ()))):
        task = world.tasks[name]
        if task.state is TaskState.SUBMITTED or (task.state is TaskState.DONE and not task.checked):
            yield done(task, task.merged or tip, now, checked=name in move.ticks)


def done(task: Task, merged: Oid | None, now: Now, *, checked: bool, why: str = "merged") -> TaskDone:
    """The task's work is in the shared branch."""
    return TaskDone(now=now, task=task.id, merged=merged, checked=checked, reason=why)
