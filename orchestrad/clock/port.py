"""The time: what the daemon reads it from."""

from typing import Protocol

from orchestrad.core.ids import Now


class Clock(Protocol):
    """Two clocks read together."""

    def now(self) -> Now:
        """The present instant. `elapsed` never goes back, also not across boots and restarts of the daemon."""
        ...
