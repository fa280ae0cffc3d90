"""What a run of engine `process` leaves behind: nothing, however it ends."""

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrad.containers.port import CannotStart, RunState
from orchestrad.containers.runner import REFUSED, Process
from orchestrad.core.ids import ContainerId
from tests.support.engines import OBEDIENT, Ear, ProcessEngine, until
from tests.support.pseudo_terminal import PseudoTerminal

LONG = timedelta(seconds=20)

# A background job, a daemon in a session of its own, and an orphan of that daemon; all write their pids.
FAMILY = """
cd "$FAMILY"
sleep 1000 & echo $! >job
setsid sh -c 'trap "" HUP TERM; echo $$ >daemon; (sleep 1000 & echo $! >orphan); sleep 1000' &
while ! [ -s orphan ]; do sleep 0.01; done
echo ready
"""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    engine = ProcessEngine(tmp_path)
    await engine.containers.prepare(lambda line: None)
    yield engine
    await engine.aclose()


async def begin_family(engine: ProcessEngine, then: str) -> tuple[ContainerId, list[int]]:
    """A run with descendants, and their pids."""
    directory = engine.directory / "family"
    directory.mkdir()
    spec = engine.spec(FAMILY + then)
    run = await engine.begin(replace(spec, environment={"FAMILY": str(directory)}))
    return run, [int((directory / name).read_text()) for name in ("job", "daemon", "orphan")]


def none_lives(pids: list[int]) -> bool:
    return not any(Process.alive(pid) for pid in pids)


async def test_a_command_that_ends_takes_its_descendants_along(engine: ProcessEngine) -> None:
    async with Ear(engine.containers) as ear:
        _, family = await begin_family(engine, "sleep 0.2; exit 6")

        assert (await ear.death()).run.exit_code == 6

        assert none_lives(family)


async def test_a_killed_command_takes_its_descendants_along(engine: ProcessEngine) -> None:
    async with Ear(engine.containers) as ear:
        run, family = await begin_family(engine, "exec sleep 1000")

        await engine.kill(run)

        assert (await ear.death()).run.exit_code == 137
        assert none_lives(family)


async def test_a_killed_runner_takes_command_and_descendants_along_and_how_they_ended_is_unknown(engine: ProcessEngine) -> None:
    async with Ear(engine.containers) as ear:
        run, family = await begin_family(engine, "exec sleep 1000")
        command = engine.command_pid(run)

        os.kill(engine.runner_pid(run), signal.SIGKILL)

        assert (await ear.death()).run.exit_code is None
        assert none_lives([command, *family])


async def test_descendants_of_a_killed_runner_that_nobody_watched_end_with_the_next_list(engine: ProcessEngine) -> None:
    run, family = await begin_family(engine, "exec sleep 1000")
    runner = engine.runner_pid(run)
    os.kill(runner, signal.SIGKILL)
    await until(lambda: none_lives([runner]))

    seen = await engine.containers.list()

    assert [(each.state, each.exit_code) for each in seen] == [(RunState.EXITED, None)]
    assert none_lives(family)


async def test_a_killed_runners_command_ends_also_when_nobody_looks_and_it_ignores_the_hangup(engine: ProcessEngine) -> None:
    run = await engine.begin(engine.spec("trap '' HUP TERM; echo ready; exec sleep 1000"))
    command = engine.command_pid(run)

    os.kill(engine.runner_pid(run), signal.SIGKILL)

    await until(lambda: none_lives([command]))


async def test_a_terminal_that_goes_away_ends_the_run(engine: ProcessEngine) -> None:
    async with Ear(engine.containers) as ear:
        run, family = await begin_family(engine, "exec sleep 1000")

        engine.terminals[run].hang_up()

        assert (await ear.death()).run.exit_code in (128 + signal.SIGHUP, 128 + signal.SIGTERM)
        assert none_lives(family)


async def test_a_run_begins_only_once(engine: ProcessEngine) -> None:
    run = await engine.begin(engine.spec(OBEDIENT))

    second = await PseudoTerminal.run(engine.containers.terminal(run), os.environ)

    assert await second.ended() == REFUSED
    assert "begun before" in second.text
    assert (await engine.containers.list())[0].state is RunState.RUNNING
    await second.close()


async def test_a_terminal_opened_again_after_the_end_does_not_run_the_command_again(engine: ProcessEngine) -> None:
    run = await engine.begin(engine.spec(OBEDIENT))
    await engine.containers.stop(run, grace=LONG)

    second = await PseudoTerminal.run(engine.containers.terminal(run), os.environ)

    assert await second.ended() == REFUSED
    await second.close()


@pytest.mark.parametrize("order", ["stop", "remove"])
async def test_a_run_that_was_ended_before_its_terminal_opened_never_begins(engine: ProcessEngine, order: str) -> None:
    run = await engine.containers.start(engine.spec("echo it runs"))
    assert (await engine.containers.list())[0].state is RunState.CREATED

    await (engine.containers.stop(run, grace=LONG) if order == "stop" else engine.containers.remove(run))

    terminal = await PseudoTerminal.run(engine.containers.terminal(run), os.environ)
    assert await terminal.ended() == REFUSED
    assert "it runs" not in terminal.text
    assert [each.state for each in await engine.containers.list()] == ([RunState.EXITED] if order == "stop" else [])
    await terminal.close()


async def test_a_terminal_of_an_old_run_does_not_begin_the_new_one(engine: ProcessEngine) -> None:
    old = await engine.containers.start(engine.spec(OBEDIENT, epoch=1))
    await engine.containers.remove(old)
    await engine.containers.start(engine.spec(OBEDIENT, epoch=2))

    terminal = await PseudoTerminal.run(engine.containers.terminal(old), os.environ)

    assert await terminal.ended() == REFUSED
    assert [(each.epoch, each.state) for each in await engine.containers.list()] == [(2, RunState.CREATED)]
    await terminal.close()


async def test_a_pid_that_another_process_has_now_is_not_taken_for_the_run(engine: ProcessEngine) -> None:
    run = await engine.begin(engine.spec(OBEDIENT))
    os.kill(engine.runner_pid(run), signal.SIGKILL)
    record = engine.registry / "worker-1" / "pid"

    record.write_text(f"{os.getpid()} 1@another-boot\n")

    assert (await engine.containers.list())[0].state is RunState.EXITED
    await engine.containers.stop(run, grace=LONG)  # and does not reach this process


async def test_the_command_sees_its_own_environment_and_the_terminals_name_and_nothing_of_the_daemons(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-secret-of-the-user")

    run = await engine.begin(engine.spec("env; echo ready; exec sleep 1000"))

    shown = engine.terminals[run].text
    assert "GREETING=hello" in shown
    assert "TERM=xterm-256color" in shown
    assert "a-secret-of-the-user" not in shown


async def test_the_record_of_a_run_is_for_the_daemons_user_only(engine: ProcessEngine) -> None:
    await engine.containers.start(engine.spec(OBEDIENT, epoch=5))

    record = engine.directory / "worker-1" / "process" / "5" / "spec.json"

    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert json.loads(record.read_text())["command"] == ["sh", "-c", OBEDIENT]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"command": ("no-such-program",)}, "no-such-program"), ({"working_directory": "/no-such-place"}, "/no-such-place")],
)
async def test_what_cannot_run_is_refused_by_name(engine: ProcessEngine, change: dict[str, object], named: str) -> None:
    with pytest.raises(CannotStart, match=named):
        await engine.containers.start(replace(engine.spec(OBEDIENT), **change))  # type: ignore[arg-type]  # from parameters

    assert await engine.containers.list() == ()


async def test_the_terminal_shows_a_command_that_vanished_before_it_began(engine: ProcessEngine) -> None:
    program = engine.directory / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    run = await engine.containers.start(replace(engine.spec(OBEDIENT), command=(str(program),)))
    program.unlink()

    terminal = await engine.open_terminal(run)

    await until(lambda: "cannot run" in terminal.text)
    async with asyncio.timeout(10):
        assert await terminal.ended() == 127
    assert (await engine.containers.list())[0].exit_code == 127
