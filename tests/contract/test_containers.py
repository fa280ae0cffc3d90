"""What every engine of runs promises: one suite for docker, process and the fake."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrad.containers.docker_run import ContainerSettings
from orchestrad.containers.port import CannotStart, EngineUnreachable, NameTaken, RunSeen, RunState
from orchestrad.core.ids import AgentName, Epoch
from orchestrad.errors import Gone
from tests.support.engines import (
    DEAF,
    FORGOTTEN_SOCKETS,
    OBEDIENT,
    SUSPENDED,
    DockerEngine,
    Ear,
    Engine,
    FakeEngine,
    ProcessEngine,
    RealEngine,
    until,
)
from tests.support.pseudo_terminal import PseudoTerminal

SOON = timedelta(milliseconds=300)
LONG = timedelta(seconds=20)


class ContainersContract:
    """`engine` is prepared; see tests/support/engines.py."""

    async def test_nothing_runs_at_first(self, engine: Engine) -> None:
        assert await engine.containers.list() == ()

    async def test_preparing_twice_is_harmless_and_names_the_same_listener(self, engine: Engine) -> None:
        first = await engine.containers.prepare(lambda line: None)

        again = await engine.containers.prepare(lambda line: None)

        assert again == first

    async def test_a_started_run_is_listed_with_its_agent_and_epoch(self, engine: Engine) -> None:
        run = await engine.begin(engine.spec(OBEDIENT, agent="worker-2", epoch=7))

        assert await engine.containers.list() == (RunSeen(AgentName("worker-2"), Epoch(7), run, RunState.RUNNING),)

    async def test_a_second_run_of_an_agent_is_refused_and_the_refusal_names_the_first(self, engine: Engine) -> None:
        first = await engine.begin(engine.spec(OBEDIENT, epoch=1))

        with pytest.raises(NameTaken) as refusal:
            await engine.containers.start(engine.spec(OBEDIENT, epoch=2))

        assert first[:12] in str(refusal.value)
        assert [run.epoch for run in await engine.containers.list()] == [1]

    async def test_a_dead_run_holds_its_agents_name_until_it_is_removed(self, engine: Engine) -> None:
        first = await engine.begin(engine.spec(OBEDIENT, epoch=1))
        await engine.containers.stop(first, grace=LONG)

        with pytest.raises(NameTaken):
            await engine.containers.start(engine.spec(OBEDIENT, epoch=2))
        await engine.containers.remove(first)
        second = await engine.begin(engine.spec(OBEDIENT, epoch=2))

        assert [(run.id, run.state) for run in await engine.containers.list()] == [(second, RunState.RUNNING)]

    async def test_a_missing_mount_is_refused_by_name_and_nothing_is_left(self, engine: Engine) -> None:
        with pytest.raises(CannotStart, match="not-there"):
            await engine.containers.start(engine.spec(OBEDIENT, mounts=(engine.missing_mount(),)))

        assert await engine.containers.list() == ()

    async def test_a_killed_run_is_heard_of_with_its_epoch_and_exit_code(self, engine: Engine) -> None:
        async with Ear(engine.containers) as ear:
            run = await engine.begin(engine.spec(OBEDIENT, epoch=4))

            await engine.kill(run)

            dead = RunSeen(AgentName("worker-1"), Epoch(4), run, RunState.EXITED, exit_code=137)
            assert (await ear.death()).run == dead
            assert await engine.containers.list() == (dead,)

    async def test_a_stop_ends_an_obedient_run_within_its_grace(self, engine: Engine) -> None:
        run = await engine.begin(engine.spec(OBEDIENT))
        began = time.monotonic()

        await engine.containers.stop(run, grace=LONG)

        assert time.monotonic() - began < LONG.total_seconds() / 2
        assert [(seen.state, seen.exit_code) for seen in await engine.containers.list()] == [(RunState.EXITED, 143)]

    async def test_a_stop_kills_a_run_that_ignores_term_after_the_grace(self, engine: Engine) -> None:
        run = await engine.begin(engine.spec(DEAF))
        began = time.monotonic()

        await engine.containers.stop(run, grace=SOON)

        assert time.monotonic() - began >= SOON.total_seconds()
        assert [(seen.state, seen.exit_code) for seen in await engine.containers.list()] == [(RunState.EXITED, 137)]

    async def test_stopping_a_dead_or_absent_run_succeeds(self, engine: Engine) -> None:
        run = await engine.begin(engine.spec(OBEDIENT))
        await engine.containers.stop(run, grace=LONG)

        await engine.containers.stop(run, grace=LONG)
        await engine.containers.remove(run)
        await engine.containers.stop(run, grace=LONG)

        assert await engine.containers.list() == ()

    async def test_removing_ends_a_living_run_and_an_absent_one_is_no_problem(self, engine: Engine) -> None:
        async with Ear(engine.containers) as ear:
            run = await engine.begin(engine.spec(DEAF))

            await engine.containers.remove(run)
            await engine.containers.remove(run)

            assert await engine.containers.list() == ()
            assert (await ear.death()).run.id == run

    async def test_a_removal_by_an_old_id_leaves_the_agents_new_run_alone(self, engine: Engine) -> None:
        old = await engine.begin(engine.spec(OBEDIENT, epoch=1))
        await engine.containers.remove(old)
        new = await engine.begin(engine.spec(OBEDIENT, epoch=2))

        await engine.containers.stop(old, grace=SOON)
        await engine.containers.remove(old)

        assert [(run.id, run.state) for run in await engine.containers.list()] == [(new, RunState.RUNNING)]

    async def test_a_suspended_run_goes_on_when_woken(self, engine: Engine) -> None:
        async with Ear(engine.containers) as ear:
            run = await engine.begin(engine.spec(SUSPENDED))

            async with asyncio.timeout(LONG.total_seconds()):
                while not ear.deaths:  # it may not be suspended yet when it is first woken
                    try:
                        await engine.containers.wake(run)
                    except Gone:
                        break
                    await asyncio.sleep(0.02)

            assert (await ear.death()).run.exit_code == 3

    async def test_waking_a_dead_or_absent_run_says_that_it_is_gone(self, engine: Engine) -> None:
        run = await engine.begin(engine.spec(OBEDIENT))
        await engine.containers.stop(run, grace=LONG)

        with pytest.raises(Gone):
            await engine.containers.wake(run)
        await engine.containers.remove(run)
        with pytest.raises(Gone):
            await engine.containers.wake(run)

    async def test_an_engine_that_cannot_be_asked_gives_no_empty_list(self, engine: Engine) -> None:
        await engine.begin(engine.spec(OBEDIENT))

        await engine.cut()

        with pytest.raises(EngineUnreachable):
            await engine.containers.list()
        await engine.mend()
        assert len(await engine.containers.list()) == 1

    async def test_a_listener_begins_in_doubt(self, engine: Engine) -> None:
        async with Ear(engine.containers) as ear:
            assert len(ear.doubts) == 1

    async def test_a_death_while_the_engine_was_away_is_told_or_doubted(self, engine: Engine) -> None:
        run = await engine.begin(engine.spec(OBEDIENT))
        async with Ear(engine.containers) as ear:
            await engine.cut()
            await engine.kill(run)
            await engine.mend()

            await until(lambda: ear.deaths or len(ear.doubts) > 1)

            assert [(seen.state, seen.exit_code) for seen in await engine.containers.list()] == [(RunState.EXITED, 137)]

    async def test_ten_agents_start_and_stop_at_once(self, engine: Engine) -> None:
        specs = [engine.spec(OBEDIENT, agent=f"worker-{number}") for number in range(1, 11)]

        runs = await asyncio.gather(*(engine.begin(spec) for spec in specs))
        assert [run.state for run in await engine.containers.list()] == [RunState.RUNNING] * 10
        await asyncio.gather(*(engine.containers.stop(run, grace=LONG) for run in runs))

        assert {run.exit_code for run in await engine.containers.list()} == {143}

    async def test_two_listeners_both_hear_of_a_death(self, engine: Engine) -> None:
        async with Ear(engine.containers) as one, Ear(engine.containers) as other:
            run = await engine.begin(engine.spec(OBEDIENT))

            await engine.kill(run)

            assert (await one.death()) == (await other.death())

    async def test_closing_ends_listening(self, engine: Engine) -> None:
        async with Ear(engine.containers) as ear:
            await engine.containers.aclose()

            await until(ear.has_ended)


class RealEngineContract:
    """Of the engines whose runs outlive the daemon and have a screen."""

    async def test_runs_go_on_when_the_adapter_closes_and_the_next_one_finds_them(self, engine: RealEngine) -> None:
        run = await engine.begin(engine.spec(OBEDIENT, epoch=3))

        await engine.containers.aclose()

        successor = engine.make()
        assert await successor.list() == (RunSeen(AgentName("worker-1"), Epoch(3), run, RunState.RUNNING),)
        await successor.aclose()

    async def test_the_terminal_shows_the_runs_output_and_takes_its_input(self, engine: RealEngine) -> None:
        run = await engine.containers.start(engine.spec('echo "$GREETING"; exec cat'))
        terminal = await engine.open_terminal(run)

        await type_until(terminal, "are you there\r", shown="are you there\r\nare you there")  # the tty's echo, then cat's

    async def test_the_runs_program_is_told_of_the_terminals_size(self, engine: RealEngine) -> None:
        run = await engine.containers.start(
            engine.spec('while [ "$(stty size)" = "0 0" ]; do sleep 0.05; done; stty size; exec cat')
        )

        terminal = await engine.open_terminal(run)

        await until(lambda: "40 120" in terminal.text)

    async def test_ctrl_c_reaches_the_runs_program_and_nothing_else(self, engine: RealEngine) -> None:
        run = await engine.containers.start(engine.spec("trap 'echo got INT; exit 5' INT; while :; do echo ready; sleep 0.1; done"))
        terminal = await engine.open_terminal(run)
        async with Ear(engine.containers) as ear:
            await until(lambda: "ready" in terminal.text)

            await type_until(terminal, "\x03", shown="got INT")

            assert (await ear.death()).run.exit_code == 5


async def type_until(terminal: PseudoTerminal, keys: str, *, shown: str) -> None:
    """Types until the answer shows: an attach that has not come up yet may lose what is typed."""
    async with asyncio.timeout(15):
        while shown not in terminal.text:
            terminal.type(keys)
            await asyncio.sleep(0.2)


class TestFakeContainers(ContainersContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[FakeEngine]:
        engine = FakeEngine()
        await engine.containers.prepare(lambda line: None)
        yield engine
        await engine.aclose()


class TestProcessContainers(ContainersContract, RealEngineContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[ProcessEngine]:
        engine = ProcessEngine(tmp_path)
        await engine.containers.prepare(lambda line: None)
        yield engine
        await engine.aclose()


@pytest.mark.docker
@pytest.mark.filterwarnings(FORGOTTEN_SOCKETS)
class TestDockerContainers(ContainersContract, RealEngineContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path, docker_host: str, base_image: str) -> AsyncIterator[DockerEngine]:
        engine = DockerEngine(tmp_path, docker_host, ContainerSettings(image=base_image))
        await engine.mend()
        await engine.containers.prepare(lambda line: None)
        yield engine
        await engine.aclose()
