"""What happened, in words for a person who looks on: only what they may want to follow."""

from orchestrad.core import events as e
from orchestrad.core.events import Event
from orchestrad.core.ids import TaskId
from orchestrad.core.states import AgentState
from orchestrad.core.why.words import plain, title
from orchestrad.core.world import World


def happened(world: World, event: Event) -> str:
    """One line on this event; "" for one that need not be followed. `world` is the one that it led to."""
    return plain(_words(world, event))


def _words(world: World, event: Event) -> str:
    match event:
        case e.TaskAssigned():
            return f"{event.attempt.agent} begins {_task(world, event.task)}"
        case e.TaskSubmitted():
            return f"{_task(world, event.task)} is to be merged: {event.reason}"
        case e.TaskDone(merged=None):
            return f"{_task(world, event.task)} is done: {event.reason}"
        case e.TaskDone():
            return f"{_task(world, event.task)} is merged"
        case e.TaskBlocked():
            return f"{_task(world, event.task)} is blocked: {event.reason}"
        case e.TaskOpened():
            return f"{_task(world, event.task)} is open again: {event.reason}"
        case e.TaskCancelled():
            return f"{_task(world, event.task)} is withdrawn: {event.reason}"
        case e.ConflictFound(task=None):
            return f"conflict: {event.reason}"
        case e.ConflictFound(task=task):
            return f"{_task(world, task)} can't be merged yet: {event.reason}" if task else ""
        case e.RunEnded(state=AgentState.BACKING_OFF | AgentState.FAILED):
            return f"{event.agent} stopped working: {event.reason}"
        case e.TurnBroken() | e.TurnInterrupted() | e.PersonLeft() | e.AgentGivenBack():
            return f"{event.agent}: {event.reason}"
        case e.UpstreamTrouble() if event.text:
            return f"upstream: {event.text}"
        case e.FleetEnding() | e.FleetFinished():
            return f"the fleet ends: {event.reason}"
    return ""


def _task(world: World, task: TaskId) -> str:
    return title(world.tasks[task]) if task in world.tasks else task
