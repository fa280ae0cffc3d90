"""Which orders are being carried out: one per key at a time, and after failures not before a doubling wait."""

from dataclasses import dataclass
from typing import Final

from orchestrad.core.actions import (
    Action,
    FetchUpstream,
    MakeCommit,
    MoveBranch,
    PushUpstream,
    ReadBranch,
    StartRun,
    StopRun,
)
from orchestrad.core.agenda import Agenda

FIRST_WAIT: Final = 200_000  # microseconds
LONGEST_WAIT: Final = 30_000_000
TIME_LIMITS: Final[dict[type, float]] = {
    StartRun: 120.0,
    StopRun: 60.0,
    MakeCommit: 180.0,
    MoveBranch: 60.0,
    ReadBranch: 120.0,
    FetchUpstream: 300.0,
    PushUpstream: 300.0,
}
USUAL_TIME_LIMIT: Final = 30.0


def time_limit(action: Action) -> float:
    """How many seconds an order may take."""
    return TIME_LIMITS.get(type(action), USUAL_TIME_LIMIT)


@dataclass(slots=True)
class _Trouble:
    failures: int
    not_before: int


class Orders:
    """The keys in hand, and those that wait after a failure."""

    def __init__(self) -> None:
        self._in_hand: dict[str, Action] = {}
        self._trouble: dict[str, _Trouble] = {}

    @property
    def in_hand(self) -> list[Action]:
        """What is being carried out."""
        return list(self._in_hand.values())

    def take(self, action: Action, agenda: Agenda) -> bool:
        """Whether this order may be carried out now; then its key is taken."""
        trouble = self._trouble.get(action.key)
        if action.key in self._in_hand or (trouble is not None and not agenda.passed(trouble.not_before)):
            return False
        self._in_hand[action.key] = action
        return True

    def end(self, action: Action, *, failed: bool, elapsed: int) -> None:
        """The outcome is being decided: the key is free again, after a failure not at once."""
        self._in_hand.pop(action.key, None)
        if not failed:
            self._trouble.pop(action.key, None)
            return
        before = self._trouble.get(action.key)
        failures = before.failures + 1 if before else 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 20))
        self._trouble[action.key] = _Trouble(failures, elapsed + wait)
