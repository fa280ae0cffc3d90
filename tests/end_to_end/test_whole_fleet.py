"""A fleet's whole job on either engine: a Manager that writes the lists, three workers that do them, and what goes wrong.

All is real but the model: the CLI, its hooks, tmux, git, the engine. What became of it is read from a fresh clone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.conftest import MakeFleet
from tests.end_to_end.outcome import each_tool_ran_once, everything_is_merged_once, secrets_were_not_written_down
from tests.support.clones import Clone
from tests.support.eventually import eventually
from tests.support.fleets import EngineName, FleetUnderTest
from tests.support.scripted_model import FleetModel, Job, Meeting
from tests.support.standin import Standin

pytestmark = [pytest.mark.cli, pytest.mark.tmux, pytest.mark.timeout(240)]

DIRECTION: Final = "# Where this project goes\n\nEvery part gets a file that says who was there.\n"
BOTH_ENGINES: Final = pytest.mark.parametrize("engine", ["process", pytest.param("docker", marks=pytest.mark.docker)])

# As many files as agents, of all kinds that are in use; and fewer, which agents then share.
CREDENTIALS: Final[Mapping[EngineName, Mapping[str, Mapping[str, str]]]] = {
    "process": {
        "one": {"ANTHROPIC_AUTH_TOKEN": "sk-ant-test-auth-one"},
        "two": {"ANTHROPIC_API_KEY": "sk-ant-api03-test-key-two-0123456789"},
        "three": {"ANTHROPIC_AUTH_TOKEN": "sk-ant-test-auth-three"},
        "four": {"ANTHROPIC_API_KEY": "sk-ant-api03-test-key-four-0123456789"},
    },
    "docker": {
        "one": {"ANTHROPIC_API_KEY": "sk-ant-api03-test-key-one-0123456789"},
        "two": {"ANTHROPIC_AUTH_TOKEN": "sk-ant-test-auth-two"},
    },
}


def plan() -> list[Job]:
    """Three lists, one of twelve tasks, with one of everything that can happen to a task."""
    both = Meeting(2)
    readme = "README.md"
    first = [
        Job("title-a", "Name the project as a tool", 1, path=readme, line="A tool for command lines", wait=both.arrive("a")),
        Job("silent", "Think before the work", 1, talks_first=True),
        *(Job(f"part-{n:02}", f"Visit part {n}", 1) for n in range(1, 11)),
    ]
    second = [
        Job("title-b", "Name the project as a library", 2, path=readme, line="A library of commands", wait=both.arrive("b")),
        Job("asked", "Settle how to greet", 2, asks="Which greeting is it to be?", answer="hello, in lower case"),
        *(Job(f"greet-{n}", f"Greet part {n}", 2) for n in range(1, 4)),
    ]
    third = [
        Job("behind", "Wait for a long program", 3, background=True),
        Job("killed", "Survive an accident", 3, lingers=True),
        *(Job(f"check-{n}", f"Check part {n}", 3) for n in range(1, 4)),
    ]
    return [*first, *second, *third]


@BOTH_ENGINES
async def test_a_manager_and_three_workers_get_all_of_it_merged_once(
    engine: EngineName, make_fleet: MakeFleet, model: Standin, tmp_path: Path
) -> None:
    script = FleetModel(plan())
    model.script(script.answer)
    logins = CREDENTIALS[engine]
    fleet = await make_fleet({"PROJECT_DIRECTION.md": DIRECTION}, workerCount=3, credentials=logins)

    daemon = await fleet.start("--until-done")
    async with killing(fleet, "worker-3", "killed/linger", script) as killed_at:
        status = await fleet.ended(daemon, 150)

    assert status == 0, fleet.story()
    clone = Clone.of(fleet.upstream, tmp_path)
    everything_is_merged_once(clone, script)
    each_tool_ran_once(fleet, script)
    the_conversation_went_on(script, killed_at)
    secrets = {secret for env in logins.values() for secret in env.values()}
    assert {request.credential for request in model.requests} == secrets
    secrets_were_not_written_down(fleet, secrets)
    await eventually(lambda: not fleet.leftovers(), within=5)


@contextlib.asynccontextmanager
async def killing(fleet: FleetUnderTest, agent: str, step: str, script: FleetModel) -> AsyncIterator[list[int]]:
    """Kills the agent as soon as its tool has begun this step; gives how many requests it had made by then."""
    killed_at: list[int] = []

    async def kill() -> None:
        await eventually(lambda: step in fleet.ran(), within=120)
        killed_at.append(len(script.requests[agent]))
        await fleet.kill_agent(agent)

    task = asyncio.create_task(kill(), name=f"kill {agent}")
    try:
        yield killed_at
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def the_conversation_went_on(script: FleetModel, killed_at: list[int]) -> None:
    """The first request after the kill has the conversation of the one before, and all that was said in it."""
    assert len(killed_at) == 1
    before, after = script.requests["worker-3"][killed_at[0] - 1 : killed_at[0] + 1]
    assert after.session == before.session
    for kind in ("user_texts", "tool_calls"):
        earlier, later = getattr(before, kind), getattr(after, kind)
        assert later[: len(earlier)] == earlier
    assert any("killed/linger" in str(call) for call in after.tool_calls)
