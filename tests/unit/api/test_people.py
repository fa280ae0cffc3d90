"""The routes for people, on a real Unix socket."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrad.core.observations import EndAsked, ResumeAsked, RetryAsked
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import SECOND
from tests.support.people import Daemon
from tests.support.worlds import a_world, at, task, worker

WORLD = a_world(
    worker("worker-1", AgentState.WORKING, task="t1"),
    worker("worker-2", AgentState.FAILED, reason="8 in a row"),
    task("t2", TaskState.BLOCKED, reason="no server"),
)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(WORLD, at("14:05"), tmp_path)


@pytest.fixture
async def session(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with daemon.served() as socket:
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        connector = aiohttp.UnixConnector(str(socket))
        async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
            yield session


async def got(session: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with session.get(path) as response:
        return response.status, await response.json()


async def posted(session: aiohttp.ClientSession, path: str, body: str = "") -> tuple[int, Any]:
    async with session.post(path, data=body) as response:
        return response.status, await response.json()


async def test_status_is_the_document(session: aiohttp.ClientSession) -> None:
    code, document = await got(session, "/status")
    assert (code, document["version"], [a["name"] for a in document["agents"]]) == (200, 1, ["worker-1", "worker-2"])


async def test_why_is_a_sentence_and_an_unknown_name_is_not_found(session: aiohttp.ClientSession) -> None:
    code, told = await got(session, "/why?of=worker-2")
    assert (code, told["text"].split(",")[0]) == (200, "worker-2 is failed")
    code, told = await got(session, "/why?of=worker-22")
    assert (code, told["error"]) == (404, "There is no agent or task 'worker-22'. Did you mean 'worker-2'?")


async def test_down_lets_turns_end_and_says_which(session: aiohttp.ClientSession, daemon: Daemon) -> None:
    assert await posted(session, "/down", '{"graceSeconds": 12}') == (200, {"text": "waiting for 1 turn to end (worker-1)"})
    assert daemon.asked == [EndAsked(12 * SECOND, "a person asked for it")]
    assert (await got(session, "/health"))[1] == {
        "version": 1,
        "state": "ending",
        "ending": "waiting for 1 turn to end (worker-1)",
    }


@pytest.mark.parametrize("body", ['{"graceSeconds": -1}', "[]", "no JSON", '{"graceSeconds": "soon"}'])
async def test_a_body_that_is_no_command_is_refused_and_does_nothing(
    session: aiohttp.ClientSession, daemon: Daemon, body: str
) -> None:
    code, told = await posted(session, "/down", body)
    assert (code, set(told), daemon.asked) == (400, {"error"}, [])


async def test_a_failed_agent_is_resumed_and_what_it_does_then_is_told(session: aiohttp.ClientSession, daemon: Daemon) -> None:
    code, told = await posted(session, "/resume/worker-2")
    assert (code, daemon.asked) == (200, [ResumeAsked("worker-2")])  # type: ignore[arg-type]  # its name
    assert told["text"].startswith("worker-2 is stopped, since 14:05 (0 s): a person resumed it; it starts in a moment")


async def test_an_agent_at_work_has_nothing_to_resume(session: aiohttp.ClientSession) -> None:
    code, told = await posted(session, "/resume/worker-1")
    assert (code, told["error"].split(":")[0]) == (409, "There is nothing to resume")


async def test_a_blocked_task_is_given_out_again_and_another_is_not(session: aiohttp.ClientSession, daemon: Daemon) -> None:
    assert (await posted(session, "/retry/t2"))[0] == 200
    assert daemon.asked == [RetryAsked("t2")]  # type: ignore[arg-type]  # its id
    code, told = await posted(session, "/retry/t1")
    assert (code, told["error"].split(":")[0]) == (409, "Only a blocked task can be given out again")


async def test_events_are_json_lines_from_a_number_on(session: aiohttp.ClientSession, daemon: Daemon) -> None:
    daemon.happened("TurnEnded", agent="worker-1", reason="its turn ended")
    daemon.happened("TaskDone", task="t1", merged="abc")
    async with session.get("/events?after=1") as response:
        rows = [json.loads(line) for line in (await response.text()).splitlines()]
    assert [(row["seq"], row["kind"], row["at"], row["data"]) for row in rows] == [
        (2, "TaskDone", "2030-01-01T14:05:00.000+00:00", {"merged": "abc"})
    ]
    assert (await got(session, "/events?after=soon"))[0] == 400


async def test_events_are_followed_until_the_daemon_ends(daemon: Daemon) -> None:
    daemon.happened("TurnEnded", agent="worker-1")
    read: list[dict[str, Any]] = []

    async def follow(socket: Path, begun: asyncio.Event) -> None:
        async with (
            aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(str(socket))) as session,
            session.get("/events?after=-1&limit=1&follow=1") as response,
        ):
            async for line in response.content:
                read.append(json.loads(line))
                begun.set()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        begun = asyncio.Event()
        async with daemon.served() as socket:
            group.create_task(follow(socket, begun), name="follow")
            await begun.wait()
            begun.clear()
            daemon.happened("RunEnded", agent="worker-2")
            await begun.wait()
    assert [row["kind"] for row in read] == ["TurnEnded", "RunEnded"]
