"""The store in SQLite: WAL, synchronous=FULL, one thread that writes."""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from orchestrad.core.events import Event
from orchestrad.core.ids import FleetId
from orchestrad.core.world import Entity, Removed, key_of
from orchestrad.store.port import CommitFailed, HistoryRow, Identity, StoreUnusable
from orchestrad.store.records import NAMES, dump, load_entity

T = TypeVar("T")

KEEP_HISTORY: Final = 400 * 24 * 3600 * 1_000_000  # microseconds; a year and a bit, for reports by season

MIGRATIONS: Final = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE entities (kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY, wall INTEGER NOT NULL, elapsed INTEGER NOT NULL,
        kind TEXT NOT NULL, agent TEXT, task TEXT, reason TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX events_by_agent ON events (agent, seq) WHERE agent IS NOT NULL;
    CREATE INDEX events_by_task ON events (task, seq) WHERE task IS NOT NULL;
    CREATE INDEX events_by_wall ON events (wall);
    """,
)
"""Each brings a store from the version of its index to the next; `PRAGMA user_version` says which it has."""


class SqliteStore:
    """A store in one file. `open` before use, `aclose` after."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._db: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Opens the file, makes or upgrades it. Raises StoreUnusable."""
        try:
            await self._do(self._open)
        except sqlite3.DatabaseError as error:
            raise StoreUnusable(
                f"the store {self._path} can't be used: {error}. Move it away to begin anew; task lists and work are in git."
            ) from error

    async def identity(self) -> Identity:
        """See Store."""
        return await self._do(self._identity)

    async def setting(self, name: str) -> str | None:
        """See Store."""

        def read(db: sqlite3.Connection) -> str | None:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row[0])

        return await self._do(read)

    async def keep(self, name: str, value: str) -> None:
        """See Store."""

        def write(db: sqlite3.Connection) -> None:
            with db:
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

        await self._committed(write)

    async def load(self) -> Sequence[Entity]:
        """See Store."""

        def read(db: sqlite3.Connection) -> list[Entity]:
            return [self._entity(*row) for row in db.execute("SELECT kind, key, body FROM entities")]

        return await self._do(read)

    async def commit(self, changed: Sequence[Entity | Removed], events: Sequence[Event]) -> None:
        """See Store."""
        rows = [(NAMES[type(e)], key_of(e), dump(e)) for e in changed if not isinstance(e, Removed)]
        gone = [(NAMES[e.kind], e.key) for e in changed if isinstance(e, Removed)]
        history = [
            (e.now.wall, e.now.elapsed, type(e).__name__, getattr(e, "agent", None), getattr(e, "task", None), e.reason, dump(e))
            for e in events
        ]

        def write(db: sqlite3.Connection) -> None:
            with db:
                db.executemany("INSERT OR REPLACE INTO entities VALUES (?, ?, ?)", rows)
                db.executemany("DELETE FROM entities WHERE kind = ? AND key = ?", gone)
                db.executemany(
                    "INSERT INTO events (wall, elapsed, kind, agent, task, reason, body) VALUES (?, ?, ?, ?, ?, ?, ?)", history
                )

        await self._committed(write)

    async def history(
        self, *, after: int = 0, limit: int = 500, agent: str | None = None, task: str | None = None
    ) -> list[HistoryRow]:
        """See Store."""

        def read(db: sqlite3.Connection) -> list[HistoryRow]:
            where, values = "WHERE seq > ?", [max(after, -1) if after >= 0 else -1]
            conditions: list[Any] = list(values)
            for column, value in (("agent", agent), ("task", task)):
                if value is not None:
                    where += f" AND {column} = ?"
                    conditions.append(value)
            newest = after < 0
            order = "DESC" if newest else "ASC"
            sql = f"SELECT seq, wall, elapsed, kind, agent, task, reason, body FROM events {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608  # fixed words only
            found = [HistoryRow(*row) for row in db.execute(sql, (*conditions, limit))]
            return found[::-1] if newest else found

        return await self._do(read)

    async def latest_elapsed(self) -> int:
        """See Store."""
        return await self._do(
            lambda db: (
                int(db.execute("SELECT elapsed FROM events ORDER BY seq DESC LIMIT 1").fetchone()[0])
                if db.execute("SELECT 1 FROM events LIMIT 1").fetchone()
                else 0
            )
        )

    async def aclose(self) -> None:
        """See Store."""
        if self._db is not None:
            await self._do(lambda db: db.close())
            self._db = None
        self._writer.shutdown()

    # ---- on the writer's thread

    def _open(self, _: sqlite3.Connection) -> None:
        db = sqlite3.connect(self._path, check_same_thread=False)
        self._db = db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise StoreUnusable(
                f"the store {self._path} was written by a newer orchestrad (store version {version}; this one knows "
                f"{len(MIGRATIONS)}). Install that version again, or give another `stateDirectory`."
            )
        for number in range(version, len(MIGRATIONS)):
            db.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
        with db:
            db.execute("DELETE FROM events WHERE wall < (SELECT max(wall) FROM events) - ?", (KEEP_HISTORY,))

    def _identity(self, db: sqlite3.Connection) -> Identity:
        with db:
            for name, value in (("fleet", secrets.token_hex(6)), ("secret", secrets.token_hex(32))):
                db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, value))
        found = dict(db.execute("SELECT name, value FROM settings WHERE name IN ('fleet', 'secret')"))
        return Identity(FleetId(found["fleet"]), bytes.fromhex(found["secret"]))

    def _entity(self, kind: str, key: str, body: str) -> Entity:
        try:
            return load_entity(kind, body)
        except (ValueError, KeyError) as error:
            raise StoreUnusable(
                f"the store {self._path} can't be used: its row {kind} {key} can't be read ({error}). "
                "Move it away to begin anew; task lists and work are in git."
            ) from error

    async def _committed(self, write: Callable[[sqlite3.Connection], None]) -> None:
        try:
            await self._do(write)
        except sqlite3.Error as error:
            raise CommitFailed(f"the store {self._path} did not take a commit: {error}. Is the disk full or read-only?") from error

    async def _do(self, work: Callable[[Any], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, lambda: work(self._db))
