"""What real git brings in a push, searched for secrets while it is in quarantine."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrad.hub import scan
from tests.support.git_server import GitServer, agent_git, clone, commit, serving
from tests.support.hubs import GitBench

KEY = "sk-ant-api03-" + "aB3_x-" * 15


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    hub = GitBench(tmp_path, {"a.txt": b"a\n"}).hub
    await hub.prepare(lambda _: None)
    async with serving(hub) as server:
        yield server


async def push(workspace: Path, refspec: str) -> tuple[int, str]:
    said = await agent_git("push", "origin", refspec, at=workspace)
    return said.status, said.err


async def test_a_large_push_is_searched_in_its_pack(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    server.secrets = (KEY,)
    files = {f"d{n % 7}/f{n}.txt": f"{n}\n".encode() for n in range(300)}  # more than receive.unpackLimit
    assert (await push(w, f"{await commit(w, 'worker-1/t1', files)}:refs/heads/worker-1/t1"))[0] == 0
    await commit(w, "worker-1/t1", {"big.txt": b"a line\n" * 1_000_000 + KEY.encode(), **{f"e{n}": b"%d!" % n for n in range(300)}})
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 1
    assert "big.txt, line 1000001" in err


async def test_what_a_pack_is_completed_with_is_not_new(tmp_path: Path) -> None:
    lines = [f"line {os.urandom(8).hex()}\n" for n in range(500)]
    hub = GitBench(tmp_path, {"old.txt": "".join([KEY, *lines]).encode()}).hub
    await hub.prepare(lambda _: None)
    async with serving(hub) as server:
        w = await clone(server, "worker-1", tmp_path / "w")
        server.secrets = (KEY,)
        await commit(w, "worker-1/t1", {"old.txt": "".join(lines).encode(), **{f"e{n}": b"%d" % n for n in range(300)}})
        status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
        assert status == 0, err


async def test_secrets_outside_of_files_are_found_and_not_repeated(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    server.secrets = (KEY,)
    await commit(w, "worker-1/t1", {f"{KEY}.txt": KEY.encode()})
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 1
    assert "a file's name; the blob" in err
    await agent_git("reset", "-q", "--hard", "origin/main", at=w)
    await agent_git("commit", "-q", "--allow-empty", "-m", f"Use {KEY}", at=w)
    said = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert said[0] == 1
    assert "the text of commit" in said[1]
    assert KEY not in err + said[1]
    assert (await push(w, f"origin/main:refs/heads/worker-1/{KEY}"))[0] == 1
    assert await server.hub.refs("refs/heads/worker-") == {}


async def test_a_push_that_cannot_be_searched_in_time_is_refused_with_what_to_do(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    server.secrets = (KEY,)
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    monkeypatch.setattr(scan, "TIME_LIMIT", timedelta(0))
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 1
    assert "Push it in parts" in err
    monkeypatch.undo()
    assert (await push(w, "HEAD:refs/heads/worker-1/t1"))[0] == 0


async def test_secrets_that_cannot_be_told_refuse(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})

    async def broken() -> tuple[str, ...]:
        raise RuntimeError(KEY)

    monkeypatch.setattr(server, "forbidden", broken)
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 1
    assert "could not be judged" in err
    assert KEY not in err


async def test_a_ref_is_removed_while_secrets_are_live(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    server.secrets = (KEY,)
    assert (await push(w, "HEAD:refs/heads/worker-1/t1"))[0] == 0
    assert (await push(w, ":refs/heads/worker-1/t1"))[0] == 0
