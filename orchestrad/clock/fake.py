"""A clock that stands still until it is told to go on."""

from orchestrad.core.ids import Micros, Now


class FakeClock:
    """Time as an argument."""

    def __init__(self, wall: int = 1_800_000_000_000_000, elapsed: int = 1_000_000) -> None:
        self._wall = wall
        self._elapsed = elapsed

    def now(self) -> Now:
        """See Clock."""
        return Now(Micros(self._wall), Micros(self._elapsed))

    def advance(self, *, microseconds: int) -> None:
        """Lets time pass on both clocks."""
        self._wall += microseconds
        self._elapsed += microseconds

    def jump(self, *, microseconds: int) -> None:
        """Sets the wall clock by so much, as an administrator or a sleep of the machine does."""
        self._wall += microseconds
