"""Commands to a running daemon: what they print, and how they end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrad.core.observations import EndAsked, ResumeAsked, RetryAsked
from orchestrad.core.world import SECOND
from orchestrad.daemon import registry
from tests.support.people import Daemon
from tests.unit.cli.conftest import Run


async def test_status_groups_by_who_must_act(daemon: Daemon, run: Run) -> None:
    result = await run("status")
    assert result.exit_code == 0
    groups = result.output.split("\n\n")
    assert groups[0].startswith("demo  running  0 of 3 tasks done, 1 blocked  main aaaaaaaaaa, upstream has it")
    assert groups[1].startswith("Needs you\n  worker-2 is failed, since 14:00 (5 min): 8 in a row; it stays so until")
    assert groups[2].startswith("With the Manager\n  t2 «T2» of WORKER_1_TASK_LIST.md is blocked")
    assert groups[3] == "At work\n  worker-1  working        5 min  t1 «T1»"
    assert groups[4].splitlines()[0] == "Goes on by itself"
    assert "its credential pool-1 has reached a limit; it goes on by itself at 17:30 (in 3 h 25 min)" in groups[4]
    assert groups[5] == "Merge queue\n  t3"
    assert groups[6] == "Notices\n  model: not in use yet"


async def test_status_lists_the_tasks_when_asked(daemon: Daemon, run: Run) -> None:
    assert "[ ] t1  assigned (worker-1)  T1" in (await run("status", "--tasks")).output


async def test_status_as_json_is_the_document(daemon: Daemon, run: Run) -> None:
    document = json.loads((await run("status", "--json")).output)
    assert (document["version"], document["fleet"]["name"], document["counts"]["blocked"]) == (1, "demo", 1)


async def test_why_says_one_sentence_of_an_agent_or_a_task(daemon: Daemon, run: Run) -> None:
    assert (await run("why", "worker-2")).output.startswith("worker-2 is failed, since 14:00 (5 min): 8 in a row; ")
    assert (await run("why", "t2")).output.startswith("t2 «T2» of WORKER_1_TASK_LIST.md is blocked")
    assert "t2 «T2»" in json.loads((await run("why", "--json", "t2")).output)["text"]


async def test_an_unknown_name_is_one_line_with_the_nearest_and_status_1(daemon: Daemon, run: Run) -> None:
    result = await run("why", "worker-22")
    assert (result.exit_code, result.output) == (
        1,
        "orchestrad: There is no agent or task 'worker-22'. Did you mean 'worker-2'?\n",
    )


async def test_resume_and_retry_reach_the_daemon(daemon: Daemon, run: Run) -> None:
    assert (await run("resume", "worker-2")).output.startswith("worker-2 is stopped, since 14:05")
    assert (await run("task", "retry", "t2")).output.startswith("t2 «T2»")
    assert daemon.asked == [ResumeAsked("worker-2"), RetryAsked("t2")]  # type: ignore[arg-type]  # their names
    assert (await run("resume", "worker-1")).exit_code == 1


async def test_down_says_what_it_waits_for(daemon: Daemon, run: Run) -> None:
    result = await run("down", "--no-wait")
    assert (result.exit_code, result.output) == (0, "waiting for 1 turn to end (worker-1)\n")
    await run("down", "--now", "--no-wait")
    assert [o.grace for o in daemon.asked if isinstance(o, EndAsked)] == [30 * SECOND, 0]


async def test_without_a_daemon_the_status_is_3_and_the_line_says_how_to_start_one(tmp_path: Path, run: Run) -> None:
    result = await run("status")
    assert (result.exit_code, result.output) == (3, "orchestrad: no fleet is running. Start one: orchestrad --config DIR\n")
    result = await run("status", "--config", str(tmp_path))
    assert (result.exit_code, result.output) == (
        3,
        f"orchestrad: no daemon runs for {tmp_path}. Start it: orchestrad --config {tmp_path}\n",
    )
    assert (await run("status", "--config", str(tmp_path / "absent"))).exit_code == 2


async def test_of_several_fleets_one_must_be_named(daemon: Daemon, run: Run, tmp_path: Path) -> None:
    state, config = tmp_path / "other", tmp_path / "other-config"
    state.mkdir()
    config.mkdir()
    other = Daemon(daemon.world, daemon.time, state, config)
    async with other.served():
        registry.register("other", state, config)
        result = await run("status")
        assert result.exit_code == 3
        assert f"2 fleets are running: demo ({daemon.config_directory}), other ({config})." in result.output
        assert (await run("status", "--config", str(config))).exit_code == 0
        assert (await run("--config", str(config), "status")).exit_code == 0
        assert (await run("status", env={"ORCHESTRAD_CONFIG": str(config)})).exit_code == 0
    assert [fleet.name for fleet in registry.running()] == ["demo"]
    registry.unregister(state)


async def test_wrong_words_are_usage_errors(run: Run) -> None:
    assert (await run("nope")).exit_code == 2
    assert (await run("why")).exit_code == 2
    assert (await run("--until-done", "status")).exit_code == 2
    assert (await run()).exit_code == 2
    assert (await run("--help")).exit_code == 0


def test_the_version_is_told() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "orchestrad.cli.main", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.startswith("orchestrad 0.")


@pytest.mark.parametrize("command", ["status", "why", "attach", "logs", "down"])
def test_a_command_starts_without_the_heavy_libraries(command: str, tmp_path: Path) -> None:
    """`orchestrad status` is to start in a quarter of a second: each of these alone takes longer."""
    program = (
        "import sys; from click.testing import CliRunner; from orchestrad.cli.main import cli\n"
        f"result = CliRunner().invoke(cli, [{command!r}, *(['x'] if {command!r} == 'why' else [])])\n"
        "assert result.exit_code == 3, result.output\n"
        "heavy = {'aiohttp', 'asyncio', 'docker', 'libtmux', 'pydantic', 'rich', 'structlog'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[3],
        env={"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
