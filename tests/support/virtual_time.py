"""An event loop in which time passes only while all wait: what takes hours takes milliseconds, and the same each time."""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from orchestrad.clock.fake import FakeClock

T = TypeVar("T")


class AllWaitForEver(Exception):
    """Nothing is due, so nothing would ever happen again."""


class _Clockwork(selectors.SelectSelector):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AllWaitForEver
        if timeout > 0:
            self._clock.advance(microseconds=math.ceil(timeout * 1_000_000))
        return []


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop whose time is that of `clock`, which it moves on itself. No sockets, threads or processes."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_Clockwork(clock))

    def time(self) -> float:
        """Seconds of the clock."""
        return self._clock.now().elapsed / 1_000_000


def run(main: Coroutine[Any, Any, T], clock: FakeClock) -> T:
    """Runs `main` to its end in the time of `clock`. Raises AllWaitForEver."""
    with asyncio.Runner(loop_factory=lambda: VirtualTime(clock)) as runner:
        return runner.run(main)
