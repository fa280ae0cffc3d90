"""The store in memory, under the same contract; with knobs for trouble."""

from collections.abc import Sequence

from orchestrad.core.events import Event
from orchestrad.core.ids import FleetId
from orchestrad.core.world import Entity, Removed, key_of
from orchestrad.store.port import CommitFailed, HistoryRow, Identity
from orchestrad.store.records import NAMES, dump, load_entity


class FakeStore:
    """Rows and history as a file would have them: what was committed survives, whoever holds the object."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}
        self.events: list[HistoryRow] = []
        self.settings: dict[str, str] = {}
        self._fails = 0

    def fail_commits(self, count: int = 1) -> None:
        """The next commits fail, and change nothing."""
        self._fails = count

    async def identity(self) -> Identity:
        """See Store."""
        return Identity(FleetId("f" * 12), b"s" * 32)

    async def setting(self, name: str) -> str | None:
        """See Store."""
        return self.settings.get(name)

    async def keep(self, name: str, value: str) -> None:
        """See Store."""
        self.settings[name] = value

    async def load(self) -> Sequence[Entity]:
        """See Store."""
        return [load_entity(kind, body) for (kind, _), body in self.rows.items()]

    async def commit(self, changed: Sequence[Entity | Removed], events: Sequence[Event]) -> None:
        """See Store."""
        if self._fails:
            self._fails -= 1
            raise CommitFailed("the fake store was told to fail")
        for entity in changed:
            if isinstance(entity, Removed):
                self.rows.pop((NAMES[entity.kind], entity.key), None)
            else:
                self.rows[NAMES[type(entity)], key_of(entity)] = dump(entity)
        for e in events:
            agent, task = getattr(e, "agent", None), getattr(e, "task", None)
            number = len(self.events) + 1
            self.events.append(HistoryRow(number, e.now.wall, e.now.elapsed, type(e).__name__, agent, task, e.reason, dump(e)))

    async def history(
        self, *, after: int = 0, limit: int = 500, agent: str | None = None, task: str | None = None
    ) -> list[HistoryRow]:
        """See Store."""
        found = [
            row
            for row in self.events
            if row.seq > after and (agent is None or row.agent == agent) and (task is None or row.task == task)
        ]
        return found[-limit:] if after < 0 else found[:limit]

    async def latest_elapsed(self) -> int:
        """See Store."""
        return self.events[-1].elapsed if self.events else 0

    async def aclose(self) -> None:
        """See Store."""
