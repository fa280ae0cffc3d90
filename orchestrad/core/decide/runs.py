"""What the engine and the terminals tell: runs launched, dead, nobody's; screens lost."""

from collections.abc import Iterator

from orchestrad.core.actions import CloseTerminal, ListRuns, OpenTerminal, RemoveRun, StartRun, StopRun
from orchestrad.core.backoff import restart_wait
from orchestrad.core.decide import Events, on, on_outcome
from orchestrad.core.events import Event, Glimpsed, RunEnded, RunLaunched, TerminalLost, TerminalOpened
from orchestrad.core.ids import Now
from orchestrad.core.observations import (
    EngineAway,
    Failed,
    RunDead,
    RunListed,
    RunsListed,
    SessionsListed,
    TerminalDead,
)
from orchestrad.core.states import AgentState, FleetState
from orchestrad.core.world import Agent, Run, World


@on(RunsListed)
def runs_listed(world: World, o: RunsListed, now: Now) -> Iterator[Event]:
    """A list answers for when it was asked: absence counts only for runs launched before."""
    listed = {(run.agent, run.epoch): run for run in o.runs}
    strays = dict.fromkeys(world.glimpses.strays)  # one that a later death told of may be missing in this list
    for run in o.runs:
        agent = world.agents.get(run.agent)
        if agent is None or agent.run is None or agent.run.epoch != run.epoch or not run.alive:
            strays[run.container, run.agent] = None
    yield Glimpsed(now=now, changes={"runs_at": o.asked_at, "strays": tuple(strays), "engine_trouble": ""})
    for agent in world.agents.values():
        mine = agent.run
        if mine is None:
            continue
        seen = listed.get((agent.name, mine.epoch))
        if seen is None:
            if mine.launched_at is not None and mine.launched_at < o.asked_at:
                yield run_ended(world, agent, mine, None, now, "it is gone from the engine")
        elif not seen.alive:
            yield run_ended(world, agent, mine, seen, now)
        elif mine.container is None:
            yield RunLaunched(now=now, agent=agent.name, epoch=mine.epoch, container=seen.container, reason="found running")


@on(RunDead)
def run_dead(world: World, o: RunDead, now: Now) -> Iterator[Event]:
    """The engine told of a death; only that of the present run counts."""
    agent = world.agents.get(o.run.agent)
    if agent is not None and agent.run is not None and agent.run.epoch == o.run.epoch:
        yield run_ended(world, agent, agent.run, o.run, now)
    stray = (o.run.container, o.run.agent)
    if stray not in world.glimpses.strays:
        yield Glimpsed(now=now, changes={"strays": (*world.glimpses.strays, stray)})


@on(EngineAway)
def engine_away(world: World, o: EngineAway, now: Now) -> Iterator[Event]:
    """The engine could not be asked: what runs is unknown, not nothing."""
    if world.glimpses.engine_trouble != o.why:
        yield Glimpsed(now=now, changes={"engine_trouble": o.why})


def run_ended(world: World, agent: Agent, run: Run, seen: RunListed | None, now: Now, why: str = "") -> RunEnded:
    """What follows the death of the present run: stopped as ordered, left by a person, or a crash that is counted."""
    unseen = run.begun_at is None
    if run.left or (run.told_to_end and not unseen) or _is_ending(world, agent):
        return RunEnded(
            now=now,
            agent=agent.name,
            epoch=run.epoch,
            state=AgentState.STOPPED,
            deaths=agent.deaths,
            start_at=None,
            reason="a person left it with /exit" if run.left else agent.reason or why,
        )
    reason = agent.reason if run.told_to_end else why or _cause(seen)
    lived = 0 if run.begun_at is None else now.elapsed - run.begun_at
    deaths = 1 if lived > world.settings.restart_forget_after else agent.deaths + 1
    broken = deaths >= world.settings.breaker
    if broken:
        reason = f"{reason}; {deaths} in a row, so it is not started again until `orchestrad resume {agent.name}`"
    return RunEnded(
        now=now,
        agent=agent.name,
        epoch=run.epoch,
        state=AgentState.FAILED if broken else AgentState.BACKING_OFF,
        deaths=deaths,
        start_at=now.elapsed + restart_wait(world.settings, deaths, agent.name, run.epoch),
        forget_conversation=run.resumes and unseen and run.launched_at is not None,  # else nobody tried to resume it
        reason=reason,
    )


def _is_ending(world: World, agent: Agent) -> bool:
    return world.fleet.state is not FleetState.RUNNING or not agent.wanted


def _cause(seen: RunListed | None) -> str:
    if seen is None or seen.exit_code is None:
        return "it died; how is not known"
    if seen.out_of_memory and seen.exit_code == 137:
        return "it was killed for want of memory: raise `container.memory` in orchestrator.json"
    if seen.exit_code == 137:
        return "it was killed (status 137)"
    return f"it ended by itself with status {seen.exit_code}"


# ---- outcomes


@on_outcome(StartRun)
def run_started(world: World, action: StartRun, result: object, now: Now) -> Events:
    """The engine has the run, or declined it; a declined start counts as a death."""
    agent = world.agents.get(action.agent)
    if agent is None or agent.run is None or agent.run.epoch != action.epoch:
        yield Glimpsed(now=now, changes={"runs_at": None})  # it landed late: whose it is shows in the next list
        return
    if not isinstance(result, Failed):
        if agent.run.container is None:
            yield RunLaunched(now=now, agent=agent.name, epoch=action.epoch, container=str(result), reason="started")  # type: ignore[arg-type]  # the action's promise
        return
    yield Glimpsed(now=now, changes={"runs_at": None})
    # What is to end is not started once more; should that start land after all, the list shows it to be nobody's.
    if agent.run.container is None and (result.kind in ("refused", "gone") or _is_ending(world, agent)):
        yield run_ended(world, agent, agent.run, None, now, f"it can't be started: {result.text}")


@on_outcome(StopRun)
def run_stopped(world: World, action: StopRun, result: object, now: Now) -> Events:
    """The run is dead, as asked."""
    agent = world.agents.get(action.agent)
    if agent is None or agent.run is None or agent.run.container != action.container or isinstance(result, Failed):
        return
    yield run_ended(world, agent, agent.run, None, now, "stopped")
    yield Glimpsed(now=now, changes={"strays": (*world.glimpses.strays, (action.container, action.agent))})


@on_outcome(RemoveRun)
def run_removed(world: World, action: RemoveRun, result: object, now: Now) -> Events:
    """What was nobody's is gone."""
    if not isinstance(result, Failed):
        strays = tuple(stray for stray in world.glimpses.strays if stray[0] != action.container)
        yield Glimpsed(now=now, changes={"strays": strays})


@on_outcome(ListRuns)
def list_came(world: World, action: ListRuns, result: object, now: Now) -> Events:
    """A list, or the word that there is none to be had."""
    if isinstance(result, RunsListed):
        yield from runs_listed(world, result, now)
    elif isinstance(result, Failed):
        yield from engine_away(world, EngineAway(result.text), now)


@on_outcome(OpenTerminal)
def terminal_opened(world: World, action: OpenTerminal, result: object, now: Now) -> Events:
    """The run is on a screen."""
    agent = world.agents.get(action.agent)
    if agent and agent.run and agent.run.epoch == action.epoch and not isinstance(result, Failed):
        yield TerminalOpened(now=now, agent=agent.name, epoch=action.epoch)
        yield Glimpsed(now=now, changes={"closed": world.glimpses.closed - {agent.name}})


@on_outcome(CloseTerminal)
def terminal_closed(world: World, action: CloseTerminal, result: object, now: Now) -> Events:
    """The screen is closed, as asked."""
    if not isinstance(result, Failed):
        yield Glimpsed(now=now, changes={"closed": world.glimpses.closed | {action.agent}})


@on(SessionsListed)
def sessions_listed(world: World, o: SessionsListed, now: Now) -> Iterator[Event]:
    """Sessions that are gone or whose program ended are opened again."""
    for agent in world.agents.values():
        run = agent.run
        if run and run.terminal and run.terminal_at < o.asked_at and o.dead.get(agent.name, True):
            yield TerminalLost(now=now, agent=agent.name, reason="its terminal was gone")


@on(TerminalDead)
def terminal_dead(world: World, o: TerminalDead, now: Now) -> Iterator[Event]:
    """A terminal's program ended: its run died, or only the screen did; a list tells."""
    agent = world.agents.get(o.agent)
    if agent and agent.run and agent.run.terminal and agent.run.terminal_at <= o.asked_at:
        yield TerminalLost(now=now, agent=agent.name, reason="its terminal's program ended")
        yield Glimpsed(now=now, changes={"runs_at": None})
