"""What every store promises: rows and history together or not at all, durable when commit returns, in the order of commits."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrad.core.events import AgentAdded, Event, TaskAdded, TaskBlocked
from orchestrad.core.ids import AgentName, CredentialLabel, Micros, TaskId
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import (
    Agent,
    Credential,
    Entity,
    Hand,
    Move,
    MoveKind,
    Note,
    Post,
    Refuse,
    Removed,
    Say,
    Text,
    Word,
)
from orchestrad.store.fake import FakeStore
from orchestrad.store.port import CommitFailed, Store, StoreUnusable
from orchestrad.store.records import load_event
from orchestrad.store.sqlite import MIGRATIONS, SqliteStore
from tests.support.worlds import LATER, TIP, a_fleet, a_hub, at, at_work, manager, oid, task, worker

Reopen = Callable[[], Awaitable[Store]]


def added(name: str, *, now: str = "14:02") -> Event:
    return AgentAdded(now=at(now), agent=AgentName(name), reason="the config asks for it")


ROWS: list[Entity] = [
    a_fleet(workers=2),
    a_hub(move=Move(MoveKind.TASK, TIP, oid("b"), (TaskId("t1"),), "T1\n\nTask: t1", LATER.wall, task=TaskId("t1"), oid=oid("c"))),
    at_work("worker-1", "t1", word=Word("done", "grün \u2028 \x1b[0m"), post=Post(at_work("worker-1", "t1").epoch, 7, Hand("n"))),  # type: ignore[arg-type]  # a nonce
    worker("worker-2", AgentState.BACKING_OFF, start_at=LATER.elapsed, prompt_answer=Refuse("sent before")),
    manager(post=Post(manager().epoch, 3, Say(Text("reminder", {"problem": "2 paths"})))),
    task("t1", TaskState.ASSIGNED, by="worker-1", after=("t0",), priority=2),
    Credential(CredentialLabel("pool-1"), "token", "0" * 12),
    Note("00000001", "low", "nearly empty", LATER.wall, about="1"),
]


class StoreContract:
    """One suite for every adapter."""

    async def test_a_new_store_has_nothing(self, store: Store) -> None:
        assert list(await store.load()) == []
        assert await store.history() == []
        assert await store.latest_elapsed() == 0

    async def test_every_kind_of_row_is_read_as_it_was_written_also_after_reopening(self, store: Store, reopen: Reopen) -> None:
        await store.commit(ROWS, [])
        assert sorted(map(repr, await store.load())) == sorted(map(repr, ROWS))
        again = await reopen()
        assert sorted(map(repr, await again.load())) == sorted(map(repr, ROWS))

    async def test_a_row_of_the_same_key_takes_the_place_of_the_old_one(self, store: Store) -> None:
        await store.commit([worker("worker-1", deaths=1)], [])
        await store.commit([worker("worker-1", deaths=2)], [])
        assert list(await store.load()) == [worker("worker-1", deaths=2)]

    async def test_a_row_that_was_removed_is_gone(self, store: Store) -> None:
        note = Note("00000001", "low", "nearly empty", 0)
        await store.commit([note], [])
        await store.commit([Removed(Note, note.id), Removed(Note, "never there")], [])
        assert list(await store.load()) == []

    async def test_history_is_in_the_order_of_commits_with_what_happened_and_why(self, store: Store, reopen: Reopen) -> None:
        events = [added("worker-1"), TaskAdded(now=LATER, task=TaskId("t1"), item=task("t1"), reason="a new item")]
        await store.commit([], events)
        await store.commit([], [TaskBlocked(now=at("14:03"), task=TaskId("t1"), reason="no key")])
        for again in (False, True):
            one = await reopen() if again else store
            found = await one.history()
            assert [(row.seq, row.kind, row.agent, row.task, row.reason) for row in found] == [
                (1, "AgentAdded", "worker-1", None, "the config asks for it"),
                (2, "TaskAdded", None, "t1", "a new item"),
                (3, "TaskBlocked", None, "t1", "no key"),
            ]
            assert [load_event(row.kind, row.body) for row in found[:2]] == events
            assert [row.elapsed for row in found] == [LATER.elapsed, LATER.elapsed, at("14:03").elapsed]
            assert await one.latest_elapsed() == at("14:03").elapsed

    async def test_history_can_be_asked_for_in_parts(self, store: Store) -> None:
        names = ["worker-1", "worker-2", "worker-1", "worker-2", "worker-1"]
        await store.commit([], [added(name) for name in names])
        assert [row.seq for row in await store.history(after=3)] == [4, 5]
        assert [row.seq for row in await store.history(limit=2)] == [1, 2]
        assert [row.seq for row in await store.history(agent="worker-1")] == [1, 3, 5]
        assert [row.seq for row in await store.history(agent="worker-1", after=1, limit=1)] == [3]
        assert [row.seq for row in await store.history(after=-1, limit=2)] == [4, 5]
        assert [row.seq for row in await store.history(after=-1, limit=2, agent="worker-1")] == [3, 5]
        assert await store.history(task="t1") == []

    async def test_commits_at_once_end_in_the_order_in_which_they_were_given(self, store: Store) -> None:
        await asyncio.gather(*(store.commit([worker("worker-1", deaths=n)], [added(f"worker-{n}")]) for n in range(20)))
        assert [row.agent for row in await store.history()] == [f"worker-{n}" for n in range(20)]
        assert list(await store.load()) == [worker("worker-1", deaths=19)]

    async def test_a_fleet_is_drawn_once(self, store: Store, reopen: Reopen) -> None:
        first = await store.identity()
        assert len(first.secret) == 32
        assert await store.identity() == first
        assert await (await reopen()).identity() == first
        assert first.secret.hex() not in repr(first)

    async def test_small_values_are_kept(self, store: Store, reopen: Reopen) -> None:
        assert await store.setting("port") is None
        await store.keep("port", "1")
        await store.keep("port", "2")
        assert await store.setting("port") == "2"
        assert await (await reopen()).setting("port") == "2"


class TestFakeStore(StoreContract):
    @pytest.fixture
    def store(self) -> FakeStore:
        return FakeStore()

    @pytest.fixture
    def reopen(self, store: FakeStore) -> Reopen:
        async def again() -> Store:
            return store

        return again

    async def test_a_commit_that_was_told_to_fail_changes_nothing(self, store: FakeStore) -> None:
        store.fail_commits()
        with pytest.raises(CommitFailed):
            await store.commit(ROWS, [added("worker-1")])
        assert list(await store.load()) == []
        assert await store.history() == []
        await store.commit(ROWS, [])


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def opened(self) -> AsyncIterator[list[SqliteStore]]:
        stores: list[SqliteStore] = []
        yield stores
        for store in stores:
            await store.aclose()

    @pytest.fixture
    async def store(self, tmp_path: Path, opened: list[SqliteStore]) -> SqliteStore:
        opened.append(SqliteStore(tmp_path / "store.db"))
        await opened[0].open()
        return opened[0]

    @pytest.fixture
    def reopen(self, tmp_path: Path, opened: list[SqliteStore]) -> Reopen:
        async def again() -> Store:
            await opened[-1].aclose()
            opened.append(SqliteStore(tmp_path / "store.db"))
            await opened[-1].open()
            return opened[-1]

        return again

    async def test_a_commit_that_fails_changes_nothing_and_says_so(self, store: SqliteStore, tmp_path: Path) -> None:
        await store.commit([worker("worker-1")], [added("worker-1")])
        other = sqlite3.connect(tmp_path / "store.db")
        other.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        other.close()
        with pytest.raises(CommitFailed, match="disk is full"):
            await store.commit([worker("worker-1", deaths=9)], [added("worker-2")])
        assert list(await store.load()) == [worker("worker-1")]
        assert len(await store.history()) == 1

    async def test_a_store_of_a_newer_version_is_refused_with_a_clear_word_and_left_alone(
        self, tmp_path: Path, opened: list[SqliteStore]
    ) -> None:
        path = tmp_path / "newer.db"
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        db.close()
        opened.append(SqliteStore(path))
        with pytest.raises(StoreUnusable, match="newer orchestrad"):
            await opened[-1].open()
        db = sqlite3.connect(path)
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        db.close()

    @pytest.mark.parametrize(
        "content", [b"this is no database, and longer than a header has to be" * 40, b"SQLite format 3\x00" + b"\xff" * 500]
    )
    async def test_a_damaged_store_is_refused_with_what_to_do(
        self, content: bytes, tmp_path: Path, opened: list[SqliteStore]
    ) -> None:
        path = tmp_path / "damaged.db"
        path.write_bytes(content)
        opened.append(SqliteStore(path))
        with pytest.raises(StoreUnusable, match="Move it away"):
            await opened[-1].open()

    async def test_a_row_that_cannot_be_read_is_named(self, store: SqliteStore, tmp_path: Path) -> None:
        await store.commit([worker("worker-1")], [])
        with sqlite3.connect(tmp_path / "store.db") as db:
            db.execute('UPDATE entities SET body = \'{"name": "worker-1", "state": "dancing"}\'')
        db.close()
        with pytest.raises(StoreUnusable, match="worker-1"):
            await store.load()

    async def test_rows_written_before_a_field_was_added_are_read_with_its_default(
        self, store: SqliteStore, tmp_path: Path
    ) -> None:
        await store.commit([worker("worker-1", deaths=0)], [])
        with sqlite3.connect(tmp_path / "store.db") as db:
            db.execute("UPDATE entities SET body = json_remove(body, '$.deaths')")
        db.close()
        assert list(await store.load()) == [worker("worker-1", deaths=0)]

    async def test_what_is_committed_is_synced_to_the_disk(self, store: SqliteStore) -> None:
        def pragmas(db: sqlite3.Connection) -> list[object]:
            return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

        assert await store._do(pragmas) == ["wal", 2]

    async def test_history_that_is_too_old_goes_when_the_store_is_opened(self, store: SqliteStore, reopen: Reopen) -> None:
        old, new = added("worker-1"), added("worker-2")
        long_ago = old.now._replace(wall=Micros(old.now.wall - 500 * 24 * 3600 * 1_000_000))
        await store.commit([], [replace(old, now=long_ago), new])
        assert [row.agent for row in await (await reopen()).history()] == ["worker-2"]


def test_the_contract_speaks_of_every_kind_of_row() -> None:
    assert {type(row) for row in ROWS} >= {Agent, Credential, Note}
    assert len({type(row) for row in ROWS}) == 6
