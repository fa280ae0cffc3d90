"""Agents' real git against the hub over HTTP."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from orchestrad.core.ids import Oid
from orchestrad.errors import Unreachable
from orchestrad.hub.git import GitHub
from orchestrad.hub.port import GitRequest, RefUpdate, Verdict
from tests.support.git_server import GitServer, agent_git, clone, commit, serving
from tests.support.hubs import GitBench, git

FIRST = {"TASK_LIST.md": b"- [ ] Sweep\n", "a.txt": b"a\n"}


@pytest.fixture
async def hub(tmp_path: Path) -> GitHub:
    hub = GitBench(tmp_path, FIRST).hub
    await hub.prepare(lambda _: None)
    return hub


@pytest.fixture
async def server(hub: GitHub) -> AsyncIterator[GitServer]:
    async with serving(hub) as server:
        yield server


async def push(workspace: Path, *refspecs: str, remote: str = "origin", options: tuple[str, ...] = ()) -> tuple[int, str]:
    said = await agent_git("push", *options, remote, *refspecs, at=workspace)
    return said.status, said.err


async def until_no_git_serves() -> None:
    for _ in range(500):
        if not [task for task in asyncio.all_tasks() if task.get_name().startswith("git /")]:
            return
        await asyncio.sleep(0.01)
    pytest.fail("an exchange still runs")


async def test_a_worker_clones_and_pushes_its_branch(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    assert (w / "a.txt").read_bytes() == b"a\n"
    head = await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 0, err
    assert await server.hub.ref("refs/heads/worker-1/t1") == head
    assert server.asked == [("worker-1", (RefUpdate("refs/heads/worker-1/t1", None, Oid(head)),))]


async def test_authorize_is_asked_once_for_all_refs_of_a_push_and_a_refusal_moves_none(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1", "HEAD:refs/heads/worker-2/t1")
    assert status == 1
    assert "refs/heads/worker-2/t1 is not yours. Push your own branch" in err
    assert len(server.asked) == 1
    assert len(server.asked[0][1]) == 2
    assert await server.hub.refs("refs/heads/worker-") == {}


async def test_nobody_moves_the_shared_branch_and_the_manager_is_told_how(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "manager", tmp_path / "w")
    head = await commit(w, "main", {"b.txt": b"b\n"})
    before = await server.hub.ref("refs/heads/main")
    status, err = await push(w, "HEAD:refs/heads/main")
    assert status == 1
    assert "git push origin HEAD:refs/for/main" in err
    assert await server.hub.ref("refs/heads/main") == before
    assert (await push(w, "HEAD:refs/for/main"))[0] == 0
    assert await server.hub.ref("refs/for/main") == head


async def test_a_worker_rewrites_and_removes_its_own_branch(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    assert (await push(w, "HEAD:refs/heads/worker-1/t1"))[0] == 0
    await agent_git("reset", "-q", "--hard", "origin/main", at=w)
    other = await commit(w, "worker-1/t1", {"c.txt": b"c\n"})
    assert (await push(w, "+HEAD:refs/heads/worker-1/t1"))[0] == 0
    assert await server.hub.ref("refs/heads/worker-1/t1") == other
    assert (await push(w, ":refs/heads/worker-1/t1"))[0] == 0
    assert await server.hub.ref("refs/heads/worker-1/t1") is None


async def test_rescued_work_goes_to_the_rescue_repository(server: GitServer, hub: GitHub, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    head = await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    rescue = f"{server.url}/worker-1/rescue.git"
    status, err = await push(w, "HEAD:refs/rescue/worker-1/3", remote=rescue)
    assert status == 0, err
    assert (await push(w, "HEAD:refs/rescue/worker-2/3", remote=rescue))[0] == 1
    assert (await push(w, "HEAD:refs/heads/worker-1/t1", remote=rescue))[0] == 1
    assert (await push(w, "HEAD:refs/rescue/worker-1/3"))[0] == 1
    repository = tmp_path / "state" / "rescue.git"
    assert git("rev-parse", "refs/rescue/worker-1/3", repository=repository).decode().strip() == head
    assert await hub.refs("refs/rescue/") == {}


async def test_an_authorize_that_raises_refuses(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})

    async def broken(user: str, updates: tuple[RefUpdate, ...], *, rescue: bool) -> Verdict:
        raise RuntimeError("the store is on fire")

    monkeypatch.setattr(server, "authorize", broken)
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 1
    assert "could not be judged, nothing was changed. Push again" in err
    assert "fire" not in err
    assert await server.hub.refs("refs/heads/worker-") == {}


async def test_a_reason_with_control_characters_arrives_on_one_line(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})

    async def rude(user: str, updates: tuple[RefUpdate, ...], *, rescue: bool) -> Verdict:
        return "no\nyes\x1b[2J $(touch /tmp/never) " + "x" * 100_000

    monkeypatch.setattr(server, "authorize", rude)
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 1
    assert "no yes [2J $(touch /tmp/never) xxx" in err
    assert await server.hub.refs("refs/heads/worker-") == {}


async def test_what_the_hook_says_is_asked_at_the_moment_of_the_update(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    head = await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(user: str, updates: tuple[RefUpdate, ...], *, rescue: bool) -> Verdict:
        asked.set()
        await go.wait()
        return None

    monkeypatch.setattr(server, "authorize", slow)
    pushing = asyncio.create_task(push(w, "HEAD:refs/heads/worker-1/t1"))
    await asked.wait()
    assert await server.hub.ref("refs/heads/worker-1/t1") is None
    go.set()
    assert (await pushing)[0] == 0
    assert await server.hub.ref("refs/heads/worker-1/t1") == head


async def test_parallel_pushes_of_several_agents_all_arrive(server: GitServer, tmp_path: Path) -> None:
    async def work(agent: str) -> str:
        w = await clone(server, agent, tmp_path / agent)
        for n in range(3):
            head = await commit(w, f"{agent}/t{n}", {f"{agent}-{n}.txt": agent.encode()})
            status, err = await push(w, f"HEAD:refs/heads/{agent}/t{n}")
            assert status == 0, err
        return head

    heads = await asyncio.gather(*(work(f"worker-{n}") for n in range(1, 5)))
    assert [await server.hub.ref(f"refs/heads/worker-{n}/t2") for n in range(1, 5)] == heads
    assert len(server.asked) == 12


async def test_a_push_of_20_mb_arrives_and_is_read_by_another_agent(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    data = os.urandom(20 << 20)
    await commit(w, "worker-1/big", {"big.bin": data})
    status, err = await push(w, "HEAD:refs/heads/worker-1/big")
    assert status == 0, err
    other = await clone(server, "worker-2", tmp_path / "other")
    said = await agent_git("checkout", "-q", "origin/worker-1/big", at=other)
    assert said.status == 0, said.err
    assert (other / "big.bin").read_bytes() == data


async def test_a_request_that_git_compressed_is_understood(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    for n in range(60):  # so many "have" lines that git gzips its request
        await commit(w, "side", {f"s{n}": b"x"})
    at = await commit(await clone(server, "worker-2", tmp_path / "o"), "worker-2/t", {"n": b"n"})
    assert (await push(tmp_path / "o", "HEAD:refs/heads/worker-2/t"))[0] == 0
    said = await agent_git("-c", "protocol.version=0", "fetch", "-q", "origin", at=w)
    assert said.status == 0, said.err
    assert "gzip" in server.encodings
    assert (await agent_git("rev-parse", "origin/worker-2/t", at=w)).out.strip() == at


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/HEAD"),
        ("GET", "/objects/info/packs"),
        ("GET", "/config"),
        ("GET", "/info/refs"),
        ("GET", "/info/refs?service=git-upload-archive"),
        ("POST", "/git-upload-archive"),
        ("GET", "/%2e%2e/rescue.git/HEAD"),
        ("PUT", "/git-receive-pack"),
    ],
)
async def test_nothing_but_the_smart_protocol_is_served(server: GitServer, method: str, path: str) -> None:
    url = f"{server.url}/worker-1/hub.git{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url) as response:
        assert response.status == 404


async def test_a_pusher_that_is_killed_leaves_no_process_and_no_ref(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    asked = asyncio.Event()

    async def never(user: str, updates: tuple[RefUpdate, ...], *, rescue: bool) -> Verdict:
        asked.set()
        await asyncio.Event().wait()
        return None

    server.authorize = never  # type: ignore[method-assign]  # the test's own server
    pushing = asyncio.create_task(push(w, "HEAD:refs/heads/worker-1/t1"))
    await asked.wait()
    pushing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await pushing
    await server.hub.close()
    await until_no_git_serves()
    assert await server.hub.refs("refs/heads/worker-") == {}


async def test_a_reply_that_nobody_reads_ends_its_process(hub: GitHub) -> None:
    reply = await hub.serve(advertisement(), rescue=False, authorize=allow, forbidden=no_secrets)
    assert reply.status == 200
    del reply
    await until_no_git_serves()


async def test_a_request_whose_client_goes_away_ends_its_process(hub: GitHub) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"00"
        raise ConnectionResetError("the client is gone")

    request = post(body())
    with pytest.raises(Unreachable):
        await hub.serve(request, rescue=False, authorize=allow, forbidden=no_secrets)
    await until_no_git_serves()


async def test_a_caller_that_is_cancelled_ends_its_process(hub: GitHub) -> None:
    begun = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    serving = asyncio.create_task(hub.serve(post(body()), rescue=False, authorize=allow, forbidden=no_secrets))
    await begun.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await until_no_git_serves()


async def test_the_hook_refuses_when_nobody_answers_it(hub: GitHub, tmp_path: Path) -> None:
    hook = tmp_path / "state" / "hub.git" / "hooks" / "pre-receive"
    alone = await asyncio.create_subprocess_exec(
        hook, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    )
    _, err = await alone.communicate(b"a b refs/heads/x\n")
    assert alone.returncode == 1
    assert b"moved by the daemon only" in err

    (question, asks), (hears, verdict) = os.pipe(), os.pipe()
    environment = {"PATH": os.environ["PATH"], "ORCHESTRAD_ASK": str(asks), "ORCHESTRAD_ANSWER": str(hears)}
    orphan = await asyncio.create_subprocess_exec(
        hook, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment, pass_fds=(asks, hears)
    )
    os.write(verdict, b"ye")  # the daemon dies in the middle of its word
    for end in (asks, hears, verdict):
        os.close(end)
    _, err = await orphan.communicate(b"a b refs/heads/x\n")
    os.close(question)
    assert orphan.returncode == 1
    assert b"the daemon went away, nothing was changed. Push again" in err


async def test_a_daemon_killed_while_it_is_asked_leaves_the_ref_alone(tmp_path: Path, server: GitServer) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    daemon = await asyncio.create_subprocess_exec(
        os.environ.get("PYTHON", "python"), "-c", DAEMON, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout is not None
    url = (await daemon.stdout.readline()).decode().strip()
    pushing = asyncio.create_task(push(w, "HEAD:refs/heads/worker-1/t1", remote=f"{url}/worker-1/hub.git"))
    assert await daemon.stdout.readline() == b"asked\n"
    daemon.send_signal(signal.SIGKILL)
    await daemon.communicate()
    assert (await pushing)[0] != 0
    assert await server.hub.refs("refs/heads/worker-") == {}
    status, err = await push(w, "HEAD:refs/heads/worker-1/t1")
    assert status == 0, err


DAEMON = """
import asyncio, sys
from pathlib import Path
from orchestrad.hub.git import GitHub
from tests.support.git_server import serving

async def main():
    place = Path(sys.argv[1])
    async with serving(GitHub(place / "state", url=str(place / "upstream.git"), branch="main")) as server:
        async def never(user, updates, *, rescue):
            print("asked", flush=True)
            await asyncio.Event().wait()
        server.authorize = never
        print(server.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_lock_left_by_a_killed_push_is_removed_when_it_is_old(server: GitServer, tmp_path: Path) -> None:
    w = await clone(server, "worker-1", tmp_path / "w")
    head = await commit(w, "worker-1/t1", {"b.txt": b"b\n"})
    lock = tmp_path / "state" / "hub.git" / "refs" / "heads" / "worker-1" / "t1.lock"
    lock.parent.mkdir()
    lock.touch()
    assert (await push(w, "HEAD:refs/heads/worker-1/t1"))[0] == 1
    os.utime(lock, (1, 1))
    assert (await push(w, "HEAD:refs/heads/worker-1/t1"))[0] == 0
    lock.touch()
    os.utime(lock, (1, 1))
    assert await server.hub.move("refs/heads/worker-1/t1", new=None, expected=Oid(head))


async def allow(updates: tuple[RefUpdate, ...]) -> Verdict:
    return None


async def no_secrets() -> tuple[str, ...]:
    return ()


def advertisement() -> GitRequest:
    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    return GitRequest("GET", "/info/refs", "service=git-upload-pack", "", "", "", nothing(), "worker-1")


def post(body: AsyncIterator[bytes]) -> GitRequest:
    return GitRequest("POST", "/git-receive-pack", "", "application/x-git-receive-pack-request", "", "", body, "worker-1")
