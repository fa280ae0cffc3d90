"""The states of agents and tasks, the moves between them, and names for the sets that several places ask about."""

from enum import Enum
from typing import Final


class AgentState(Enum):
    """Where an agent is; one at a time."""

    STOPPED = "stopped"  # no run
    STARTING = "starting"  # run ordered, conversation not yet seen
    READY = "ready"  # waits for input
    WORKING = "working"  # in a turn
    WAITING = "waiting"  # turn ended, its background work runs on
    ATTENDED = "attended"  # a person is talking to it
    LIMITED = "limited"  # credential spent or refused
    STOPPING = "stopping"  # end ordered, container not yet gone
    BACKING_OFF = "backing_off"  # waits for the next start
    FAILED = "failed"  # breaker open, or hooks not running
    PAUSED = "paused"  # held by a person


_S = AgentState
_ENDS: Final = {_S.STOPPING, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}

AGENT_MOVES: Final = {
    _S.STOPPED: {_S.STARTING, _S.FAILED, _S.PAUSED},
    _S.STARTING: {_S.READY, _S.WORKING, _S.ATTENDED, _S.LIMITED} | _ENDS,
    _S.READY: {_S.WORKING, _S.WAITING, _S.ATTENDED, _S.LIMITED, _S.PAUSED} | _ENDS,
    _S.WORKING: {_S.READY, _S.WAITING, _S.ATTENDED, _S.LIMITED, _S.PAUSED} | _ENDS,
    _S.WAITING: {_S.READY, _S.WORKING, _S.ATTENDED, _S.LIMITED, _S.PAUSED} | _ENDS,
    _S.ATTENDED: {_S.READY, _S.WORKING, _S.WAITING, _S.LIMITED, _S.PAUSED} | _ENDS,
    _S.LIMITED: {_S.READY, _S.WORKING, _S.WAITING, _S.ATTENDED, _S.PAUSED} | _ENDS,
    _S.STOPPING: {_S.STOPPED, _S.BACKING_OFF, _S.FAILED},
    _S.BACKING_OFF: {_S.STARTING, _S.STOPPED, _S.FAILED, _S.PAUSED},
    _S.FAILED: {_S.STARTING, _S.STOPPED, _S.BACKING_OFF, _S.PAUSED, _S.STOPPING},
    _S.PAUSED: {_S.READY, _S.WORKING, _S.ATTENDED} | _ENDS,
}

IN_CONVERSATION: Final = frozenset({_S.READY, _S.WORKING, _S.WAITING, _S.ATTENDED, _S.LIMITED, _S.PAUSED})
"""States in which the run's Claude Code has been seen and not yet been told to end."""

HOLDS_RUN: Final = IN_CONVERSATION | {_S.STARTING, _S.STOPPING}
"""States in which a run exists or has been ordered."""

IN_TURN: Final = frozenset({_S.WORKING, _S.WAITING, _S.ATTENDED})
"""States in which ending the run now would cut something off."""

NEEDS_A_PERSON: Final = frozenset({_S.FAILED, _S.PAUSED})
"""States that no rule of the daemon ends."""


class TaskState(Enum):
    """Where a task is; one at a time."""

    OPEN = "open"  # nobody has it
    ASSIGNED = "assigned"  # one worker has it
    SUBMITTED = "submitted"  # said, proven, in the merge queue
    DONE = "done"  # merged
    BLOCKED = "blocked"  # needs a person or the Manager
    CANCELLED = "cancelled"  # withdrawn


_T = TaskState

TASK_MOVES: Final = {
    _T.OPEN: {_T.ASSIGNED, _T.DONE, _T.BLOCKED, _T.CANCELLED},
    _T.ASSIGNED: {_T.OPEN, _T.SUBMITTED, _T.DONE, _T.BLOCKED, _T.CANCELLED},
    _T.SUBMITTED: {_T.OPEN, _T.DONE, _T.BLOCKED, _T.CANCELLED},
    _T.DONE: {_T.OPEN},
    _T.BLOCKED: {_T.OPEN, _T.DONE, _T.CANCELLED},
    _T.CANCELLED: {_T.OPEN, _T.DONE},
}

UNFINISHED: Final = frozenset({_T.OPEN, _T.ASSIGNED, _T.SUBMITTED})
"""Tasks that the fleet itself still has to do something about."""


class FleetState(Enum):
    """What the fleet as a whole is about."""

    RUNNING = "running"  # runs are started and tasks given out
    ENDING = "ending"  # turns may end until the deadline, then all runs are stopped
    ENDED = "ended"  # no run is left
