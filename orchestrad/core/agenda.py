"""Where a rule asks whether a deadline has passed; a "no" sets the alarm that wakes the reactor."""

from orchestrad.core.ids import Now


class Agenda:
    """One look at the clocks, shared by all rules of a batch."""

    def __init__(self, now: Now) -> None:
        self.now = now
        self.wake_at: int | None = None

    def passed(self, at: int) -> bool:
        """Whether `at`, on the elapsed clock, has come; if not, the reactor wakes then."""
        return self._passed(self.now.elapsed, at)

    def passed_wall(self, at: int) -> bool:
        """Whether `at`, on the wall clock, has come; if not, the reactor wakes when that much time has elapsed."""
        return self._passed(self.now.elapsed, at - self.now.wall + self.now.elapsed)

    def _passed(self, now: int, at: int) -> bool:
        if now >= at:
            return True
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)
        return False
