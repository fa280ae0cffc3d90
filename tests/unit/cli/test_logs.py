"""Logs are read from files, with a daemon or without."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from orchestrad.config.places import Places
from tests.support.people import Daemon
from tests.unit.cli.conftest import Run


def write(path: Path, *events: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        for event in events:
            file.write(json.dumps({"timestamp": "2030-01-01T14:02:11.5Z", "level": "info", **event}) + "\n")


ENDED = {"event": "turn.ended", "agent": "worker-1", "why": "its turn ended"}
MERGED = {"event": "task.done", "task": "t1", "title": "Fix\x1b[2J it", "why": "merged"}


async def test_the_daemons_log_is_shown_for_people(daemon: Daemon, run: Run) -> None:
    write(Places(daemon.state_directory).log, ENDED, MERGED)
    result = await run("logs", env={"TZ": "UTC"})
    assert result.exit_code == 0
    lines = [line.partition("  ")[2] for line in result.output.splitlines()]
    assert lines == ["turn.ended          worker-1  its turn ended", "task.done           t1  merged  title=Fix?[2J it"]


async def test_the_last_lines_are_shown_and_as_they_are_with_json(daemon: Daemon, run: Run) -> None:
    write(Places(daemon.state_directory).log, ENDED, MERGED)
    result = await run("logs", "-n", "1", "--json")
    assert json.loads(result.output)["event"] == "task.done"


async def test_an_agents_log_is_its_own(daemon: Daemon, run: Run) -> None:
    write(Places(daemon.state_directory).agent_log("worker-1"), ENDED)
    assert "turn.ended" in (await run("logs", "worker-1")).output
    assert "Did you mean" in (await run("logs", "wroker-1")).output
    result = await run("logs", "worker-3")
    assert (result.exit_code, result.output.split(":")[1]) == (
        1,
        " there is no log at " + str(daemon.state_directory / "logs/worker-3.log"),
    )


async def test_a_line_that_is_no_event_is_shown_as_it_is(daemon: Daemon, run: Run) -> None:
    path = Places(daemon.state_directory).log
    path.parent.mkdir()
    path.write_bytes(b"  cut off \x1b[31m\xff\n")
    assert (await run("logs")).output == "  cut off ?[31m\ufffd\n"


async def test_a_log_is_followed_into_the_file_that_takes_its_place(daemon: Daemon) -> None:
    path = Places(daemon.state_directory).log
    write(path, ENDED)
    follower = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrad.cli.main", "logs", "-f", "--json"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert follower.stdout is not None
        async with asyncio.timeout(20):
            assert b"turn.ended" in await follower.stdout.readline()
            path.rename(path.with_suffix(".log.1"))
            write(path, MERGED)
            assert b"task.done" in await follower.stdout.readline()
    finally:
        follower.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            assert await follower.wait() == 0
