"""What a fleet survives: the daemon's death, people's signals, an upstream that is away, a spent credential.

Engine `process`, where the engine does not matter; the real CLI everywhere.
"""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import MakeFleet
from tests.end_to_end.outcome import each_tool_ran_once, everything_is_merged_once
from tests.support.attached_client import attached
from tests.support.clones import Clone
from tests.support.eventually import eventually
from tests.support.fleets import EngineName, FleetUnderTest
from tests.support.scripted_model import FleetModel, Gate, Job
from tests.support.source_project import git
from tests.support.standin import Error, Standin

pytestmark = [pytest.mark.cli, pytest.mark.tmux]

NO_MANAGER = {"enabled": False}


async def a_fleet(make_fleet: MakeFleet, model: Standin, *jobs: Job, **more: Any) -> tuple[FleetUnderTest, FleetModel]:
    """One worker, whose list is there already, and no Manager."""
    script = FleetModel(jobs)
    model.script(script.answer)
    fleet = await make_fleet(dict(script.lists()), workerCount=1, manager=NO_MANAGER, **more)
    return fleet, script


def all_is_well(fleet: FleetUnderTest, script: FleetModel, directory: Path) -> None:
    everything_is_merged_once(Clone.of(fleet.upstream, directory), script)
    each_tool_ran_once(fleet, script)


async def test_a_killed_daemon_loses_nothing_and_its_agent_works_on(make_fleet: MakeFleet, model: Standin, tmp_path: Path) -> None:
    held = Gate()
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1, wait=held.wait), Job("two", "Do the second", 1))
    killed = await fleet.start("--until-done")
    await held.has_come()

    killed.kill()
    await killed.wait()
    held.open()
    await eventually(lambda: "one/done" in fleet.ran(), within=20)  # said into the void, and said again
    status = await fleet.ended(await fleet.start("--until-done"), 40)

    assert status == 0, fleet.story()
    all_is_well(fleet, script, tmp_path)
    assert {request.session for request in script.requests["worker-1"]} == {script.requests["worker-1"][0].session}
    assert fleet.said.count("run.ordered") == 1  # the run that was found went on


async def test_a_second_daemon_is_refused_with_the_pid_of_the_first(make_fleet: MakeFleet, model: Standin) -> None:
    held = Gate()
    fleet, _ = await a_fleet(make_fleet, model, Job("one", "Do the first", 1, wait=held.wait))
    first = await fleet.start()
    await held.has_come()

    second = await fleet.start()
    status = await fleet.ended(second, 20)

    assert status == 2
    assert f"(pid {first.pid})" in fleet.said
    assert first.returncode is None


async def test_ctrl_c_lets_the_turn_end_and_the_next_daemon_does_the_rest(
    make_fleet: MakeFleet, model: Standin, tmp_path: Path
) -> None:
    held = Gate()
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1, wait=held.wait), Job("two", "Do the second", 1))
    first = await fleet.start()
    await held.has_come()

    first.send_signal(signal.SIGINT)
    await eventually(lambda: "waiting for 1 turn to end (worker-1); Ctrl-C again stops them now" in fleet.said)
    held.open()
    status = await fleet.ended(first, 20)

    assert status == 0
    assert fleet.ran() == ["one/edit", "one/commit", "one/done"]
    await eventually(lambda: not fleet.leftovers(), within=5)
    assert await fleet.ended(await fleet.start("--until-done"), 40) == 0, fleet.story()
    all_is_well(fleet, script, tmp_path)


async def test_a_second_ctrl_c_ends_the_fleet_at_once_and_its_work_is_saved(
    make_fleet: MakeFleet, model: Standin, tmp_path: Path
) -> None:
    held = Gate()
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1), Job("two", "Do the second", 1, wait=held.wait))
    first = await fleet.start()
    await held.has_come()
    for _ in range(2):
        first.send_signal(signal.SIGINT)
        await eventually(lambda: "waiting for 1 turn" in fleet.said)

    assert await fleet.ended(first, 20) == 0
    await eventually(lambda: not fleet.leftovers(), within=5)
    held.open()
    assert await fleet.ended(await fleet.start("--until-done"), 40) == 0, fleet.story()
    all_is_well(fleet, script, tmp_path)


async def test_term_leaves_agents_at_work_and_the_next_daemon_adopts_them(
    make_fleet: MakeFleet, model: Standin, tmp_path: Path
) -> None:
    held = Gate()
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1, wait=held.wait), Job("two", "Do the second", 1))
    first = await fleet.start("--until-done")
    await held.has_come()
    agent = fleet.cli_of("worker-1")

    first.terminate()
    assert await fleet.ended(first, 20) == 0
    assert fleet.cli_of("worker-1") == agent
    second = await fleet.start("--until-done")
    held.open()

    assert await fleet.ended(second, 40) == 0, fleet.story()
    assert fleet.said.count("run.ordered") == 1
    all_is_well(fleet, script, tmp_path)


@pytest.mark.parametrize(("engine", "runs"), [("process", 2), pytest.param("docker", 1, marks=pytest.mark.docker)])
async def test_a_killed_terminal_server_comes_back_with_its_agents(
    engine: EngineName, runs: int, make_fleet: MakeFleet, model: Standin, tmp_path: Path
) -> None:
    """In a container the agent works on unseen; a process of this machine ends with its terminal, and is resumed."""
    held = Gate()
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1, wait=held.wait), Job("two", "Do the second", 1))
    daemon = await fleet.start("--until-done")
    await held.has_come()

    fleet.kill_tmux()
    await eventually(lambda: fleet.said.count("terminal.opened") == 2, within=30)
    assert fleet.sessions() == [f"{fleet.name}-worker-1"]
    held.open()

    assert await fleet.ended(daemon, 60) == 0, fleet.story()
    assert fleet.said.count("run.ordered") == runs
    assert len({request.session for request in script.requests["worker-1"]}) == 1
    all_is_well(fleet, script, tmp_path)


async def test_an_agent_that_ends_again_and_again_is_started_no_more(make_fleet: MakeFleet, model: Standin) -> None:
    fleet, _ = await a_fleet(
        make_fleet, model, Job("one", "Do the first", 1),
        agent={"command": ["false"], "restart": {"first": 0, "factor": 1, "max": 0.1, "breaker": 3}},
    )  # fmt: skip
    daemon = await fleet.start()

    async def has_failed() -> bool:
        agents = (await fleet.status()).get("agents", [])
        return [agent["state"] for agent in agents] == ["failed"]

    await eventually(has_failed, within=30)
    why = await fleet.command("why", "worker-1")
    assert "ended by itself with status 1; 3 in a row" in why
    assert "orchestrad resume worker-1" in why
    assert fleet.said.count("run.ordered") == 3
    await fleet.command("down")
    assert await fleet.ended(daemon, 20) == 0
    await eventually(lambda: not fleet.leftovers(), within=5)


async def test_upstream_may_be_away_and_may_have_moved_meanwhile(make_fleet: MakeFleet, model: Standin, tmp_path: Path) -> None:
    held = Gate()
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1, wait=held.wait), Job("two", "Do the second", 1))
    daemon = await fleet.start("--until-done")
    await held.has_come()

    away = fleet.upstream.rename(fleet.upstream.with_name("away.git"))
    held.open()
    await eventually(lambda: "upstream.trouble" in fleet.said, within=30)
    theirs = Clone.of(away, tmp_path / "upstream").path
    (theirs / "theirs.txt").write_text("a person was here\n")
    git(theirs, "add", "-A")
    git(theirs, "commit", "-q", "-m", "Work of a person")
    git(theirs, "push", "-q", "origin", "main")
    away.rename(fleet.upstream)

    assert await fleet.ended(daemon, 60) == 0, fleet.story()
    clone = Clone.of(fleet.upstream, tmp_path)
    assert clone.read("theirs.txt") == "a person was here\n"
    assert clone.commits()["A Person", "Work of a person"] == 1
    assert clone.merged() == {"one": 1, "two": 1}
    each_tool_ran_once(fleet, script)


async def test_a_spent_credential_makes_its_agent_limited_until_the_reset(
    make_fleet: MakeFleet, model: Standin, tmp_path: Path
) -> None:
    token = "sk-ant-oat01-test-token-0123456789"
    fleet, script = await a_fleet(
        make_fleet, model, Job("one", "Do the first", 1), credentials={"pool-1": {"CLAUDE_CODE_OAUTH_TOKEN": token}}
    )
    resets_at = int(time.time()) + 12
    model.refuse(token, Error.usage_limit(resets_at))
    daemon = await fleet.start("--until-done")

    async def is_limited() -> bool:
        agents = (await fleet.status()).get("agents", [])
        return [agent["state"] for agent in agents] == ["limited"]

    await eventually(is_limited, within=30)
    status = await fleet.status()
    model.accept(token)

    (agent,) = status["agents"]
    assert agent["credential"] == "pool-1"
    assert agent["task"] == "one"
    assert agent["limitedUntil"] is not None
    assert await fleet.ended(daemon, 40) == 0, fleet.story()
    assert time.time() >= resets_at
    all_is_well(fleet, script, tmp_path)


async def test_a_person_may_talk_to_an_idle_agent(make_fleet: MakeFleet, model: Standin) -> None:
    fleet, script = await a_fleet(make_fleet, model, Job("one", "Do the first", 1))
    await fleet.start()

    async def worker_is(state: str) -> bool:
        agents = (await fleet.status()).get("agents", [])
        return [agent["state"] for agent in agents] == [state]

    await eventually(lambda: "task.done" in fleet.said, within=30)
    with attached(fleet.tmux_socket, f"{fleet.name}-worker-1") as person:
        await eventually(lambda: person.sees("worker-1"))
        person.type("What are you doing?")
        person.type("\r")
        asked = await model.wait_for(lambda exchange: exchange.request.last_user_text == "What are you doing?")
        await eventually(lambda: worker_is("attended"))
        answered = await model.wait_for(lambda exchange: exchange is asked and exchange.ended is not None)
        person.type("\x02d")
        await eventually(person.has_left)

    assert answered.request.session == script.requests["worker-1"][0].session
    assert await worker_is("attended")
    await fleet.command("resume", "worker-1")
    assert await worker_is("ready")
    await fleet.command("down")
    assert await fleet.ended(fleet.daemons[0], 20) == 0
    await eventually(lambda: not fleet.leftovers(), within=5)
