"""What orchestrad needs of a store: rows and history in one transaction, durable before anything of it is visible."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrad.core.events import Event
from orchestrad.core.ids import FleetId
from orchestrad.core.world import Entity, Removed
from orchestrad.errors import Refused, Unreachable


class StoreUnusable(Refused):
    """The store can't be used: written by a newer version, or damaged; the text says what to do."""


class CommitFailed(Unreachable):
    """A commit failed, or its result is unknown: to be handled as a crash, by loading anew."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a fleet drew once: its id, and the secret that its run tokens are made with."""

    fleet: FleetId
    secret: bytes

    def __repr__(self) -> str:
        return f"Identity(fleet={self.fleet!r})"


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One event of the past; `wall` and `elapsed` in microseconds, `body` its JSON."""

    seq: int
    wall: int
    elapsed: int
    kind: str
    agent: str | None
    task: str | None
    reason: str
    body: str


class Store(Protocol):
    """The present records and the events of the past."""

    async def identity(self) -> Identity:
        """The fleet's id and secret, drawn at the first call."""
        ...

    async def setting(self, name: str) -> str | None:
        """A small value of an adapter's own (the clock's offset, a port number)."""
        ...

    async def keep(self, name: str, value: str) -> None:
        """Keeps such a value. Raises CommitFailed."""
        ...

    async def load(self) -> Sequence[Entity]:
        """All rows. Raises StoreUnusable."""
        ...

    async def commit(self, changed: Sequence[Entity | Removed], events: Sequence[Event]) -> None:
        """Writes both, or neither; returns when they are on disk. Raises CommitFailed."""
        ...

    async def history(
        self, *, after: int = 0, limit: int = 500, agent: str | None = None, task: str | None = None
    ) -> list[HistoryRow]:
        """Events with a number above `after`, oldest first; with a negative `after`, the newest ones, that many at most."""
        ...

    async def latest_elapsed(self) -> int:
        """The newest instant on the elapsed clock that was ever committed; 0 for a new store."""
        ...

    async def aclose(self) -> None:
        """Closes it."""
        ...
