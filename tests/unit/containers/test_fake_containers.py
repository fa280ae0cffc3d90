"""The knobs of the engine in memory; what it has in common with the real ones is in tests/contract."""

import asyncio

import pytest

from orchestrad.containers.fake import FakeContainers
from orchestrad.containers.port import CannotStart, RunSpec, RunState
from orchestrad.core.ids import AgentName, Epoch
from tests.support.engines import Ear


def a_spec(epoch: int = 1) -> RunSpec:
    return RunSpec(agent=AgentName("worker-1"), epoch=Epoch(epoch), command=("claude",), environment={}, working_directory="/")


async def test_a_death_that_is_not_told_shows_in_the_list_only() -> None:
    containers = FakeContainers()
    await containers.start(a_spec())
    async with Ear(containers) as ear:
        containers.die(AgentName("worker-1"), exit_code=1, told=False)

        await asyncio.sleep(0)

        assert ear.deaths == []
        assert [(run.state, run.exit_code) for run in await containers.list()] == [(RunState.EXITED, 1)]


async def test_a_death_for_lack_of_memory_is_told_as_such() -> None:
    containers = FakeContainers()
    await containers.start(a_spec())
    async with Ear(containers) as ear:
        containers.die(AgentName("worker-1"), out_of_memory=True)

        assert (await ear.death()).run.out_of_memory


async def test_an_order_whose_caller_went_away_lands_when_the_engine_flows_again() -> None:
    containers = FakeContainers()
    containers.hang()
    order = asyncio.create_task(containers.start(a_spec()))
    await asyncio.sleep(0)
    order.cancel()
    await asyncio.gather(order, return_exceptions=True)

    containers.flow()

    assert [run.epoch for run in await containers.list()] == [1]


async def test_a_run_that_begins_in_its_terminal_is_created_until_then() -> None:
    containers = FakeContainers(begins_in_terminal=True)
    run = await containers.start(a_spec())
    assert [run.state for run in await containers.list()] == [RunState.CREATED]

    containers.begin(run)

    assert [run.state for run in await containers.list()] == [RunState.RUNNING]


async def test_a_refused_start_says_why() -> None:
    containers = FakeContainers()
    containers.refusals[AgentName("worker-1")] = "no room"

    with pytest.raises(CannotStart, match="no room"):
        await containers.start(a_spec())
