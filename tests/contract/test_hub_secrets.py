"""One suite for what a push must not bring: the hub in memory, and git's own with git pushing over HTTP."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from orchestrad.core.ids import Oid
from orchestrad.hub.port import RefUpdate, Verdict
from tests.support.git_server import GitServer, agent_git, clone, commit, serving
from tests.support.hubs import FakeBench, Files, GitBench

KEY = "sk-ant-api03-" + "aB3_x-" * 15
TOKEN = "worker-2.7." + "0123456789abcdef" * 4
REF = "refs/heads/worker-1/t1"
RESCUE = "refs/rescue/worker-1/1"


class Pusher(Protocol):
    """worker-1 with commits on top of the shared branch. Live are KEY and TOKEN, until others are."""

    @property
    def asked(self) -> list[tuple[RefUpdate, ...]]: ...
    def live_are(self, *secrets: str) -> None: ...
    async def push(self, files: Files, *, rescue: bool = False) -> str | None:
        """Commits the files on top of what is pushed or committed already, and pushes: None, or the refusal."""
        ...

    async def pushed(self, *, rescue: bool = False) -> bool:
        """Whether its last commit is there."""
        ...


class FakePusher:
    def __init__(self, bench: FakeBench) -> None:
        self._secrets: tuple[str, ...] = (KEY, TOKEN)
        self.asked: list[tuple[RefUpdate, ...]] = []
        self._hub, self._bench = bench.hub, bench
        self._head = bench.hub.hub_refs["refs/heads/main"]

    async def _authorize(self, updates: tuple[RefUpdate, ...]) -> Verdict:
        self.asked.append(updates)
        return None

    async def _forbidden(self) -> tuple[str, ...]:
        return self._secrets

    def live_are(self, *secrets: str) -> None:
        self._secrets = secrets

    async def push(self, files: Files, *, rescue: bool = False) -> str | None:
        self._head = self._bench.commit({**self._bench.files(self._head), **files}, self._head)
        ref = RESCUE if rescue else REF
        old = (self._hub.rescue_refs if rescue else self._hub.hub_refs).get(ref)
        update = RefUpdate(ref, old, self._head)
        return await self._hub.agent_pushes([update], rescue=rescue, authorize=self._authorize, forbidden=self._forbidden)

    async def pushed(self, *, rescue: bool = False) -> bool:
        refs = self._hub.rescue_refs if rescue else self._hub.hub_refs
        return refs.get(RESCUE if rescue else REF) == self._head


class GitPusher:
    def __init__(self, server: GitServer, workspace: Path, rescue: Path) -> None:
        server.secrets = (KEY, TOKEN)
        self._server, self._workspace, self._rescue = server, workspace, rescue
        self._head = ""

    def live_are(self, *secrets: str) -> None:
        self._server.secrets = secrets

    @property
    def asked(self) -> list[tuple[RefUpdate, ...]]:
        return [updates for _, updates in self._server.asked]

    async def push(self, files: Files, *, rescue: bool = False) -> str | None:
        self._head = await commit(self._workspace, "work", files)
        remote, ref = (f"{self._server.url}/worker-1/rescue.git", RESCUE) if rescue else ("origin", REF)
        said = await agent_git("push", "-q", remote, f"+HEAD:{ref}", at=self._workspace)
        return said.err if said.status else None

    async def pushed(self, *, rescue: bool = False) -> bool:
        if rescue:
            said = await agent_git("rev-parse", RESCUE, at=self._rescue)
            return said.out.strip() == self._head
        return await self._server.hub.ref(REF) == Oid(self._head)


@pytest.fixture(params=["fake", "git"])
async def pusher(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pusher]:
    first = {"a.txt": b"a\n", "old.env": b"KEY=" + KEY.encode() + b"\n"}
    if request.param == "fake":
        bench = FakeBench(first)
        await bench.hub.prepare(lambda _: None)
        yield FakePusher(bench)
        return
    hub = GitBench(tmp_path, first).hub
    await hub.prepare(lambda _: None)
    async with serving(hub) as server:
        yield GitPusher(server, await clone(server, "worker-1", tmp_path / "w"), tmp_path / "state" / "rescue.git")


async def test_a_push_without_secrets_lands(pusher: Pusher) -> None:
    assert await pusher.push({"b.txt": b"sk-ant-api03-your-key-here\n"}) is None
    assert await pusher.pushed()


@pytest.mark.parametrize("secret", [KEY, TOKEN])
async def test_a_live_secret_is_refused_with_file_and_line_and_is_not_repeated(pusher: Pusher, secret: str) -> None:
    refusal = await pusher.push({"deep/my settings.env": f"a=1\nb={secret}\n".encode(), "b.txt": b"b\n"})
    assert refusal is not None
    assert "deep/my settings.env, line 2" in refusal
    assert "b.txt" not in refusal
    assert secret not in refusal
    assert "commit --amend" in refusal
    assert not await pusher.pushed()
    assert pusher.asked == []


async def test_a_secret_in_base64_is_refused(pusher: Pusher) -> None:
    refusal = await pusher.push({"secret.yaml": b"data:\n  token: " + b64encode(f"Bearer {TOKEN}".encode()) + b"\n"})
    assert refusal is not None
    assert "secret.yaml, line 2" in refusal


async def test_a_secret_that_a_later_commit_of_the_push_removes_is_refused(pusher: Pusher) -> None:
    assert await pusher.push({"b.env": KEY.encode() + b"!"})
    refusal = await pusher.push({"b.env": b"nothing\n"})
    assert refusal is not None
    assert "b.env, line 1" in refusal


async def test_what_was_there_before_stops_no_push(pusher: Pusher) -> None:
    assert await pusher.push({"a.txt": b"b\n"}) is None
    assert await pusher.push({"moved.env": b"KEY=" + KEY.encode() + b"\n"}) is None
    assert await pusher.pushed()


async def test_a_secret_that_is_not_live_any_more_lands(pusher: Pusher) -> None:
    assert await pusher.push({"b.env": TOKEN.encode()})
    pusher.live_are(KEY)
    assert await pusher.push({"c.txt": b"c\n"}) is None
    assert await pusher.pushed()


async def test_rescued_work_is_kept_with_what_it_holds(pusher: Pusher) -> None:
    assert await pusher.push({"b.env": TOKEN.encode()}, rescue=True) is None
    assert await pusher.pushed(rescue=True)
