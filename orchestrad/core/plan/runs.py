"""Runs and terminals: what must be started, ended, removed, shown."""

from collections.abc import Iterator

from orchestrad.core.actions import (
    Action,
    CloseTerminal,
    FinishDaemon,
    ListRuns,
    OpenTerminal,
    ReadLimit,
    RemoveRun,
    StartRun,
    StopRun,
)
from orchestrad.core.agenda import Agenda
from orchestrad.core.ids import MANAGER
from orchestrad.core.settle.fleet import GIVE_UP
from orchestrad.core.states import AgentState, FleetState
from orchestrad.core.texts import of_delivery
from orchestrad.core.world import SECOND, Agent, Run, World

LIST_EVERY = 30 * SECOND
STOP_GRACE = 10 * SECOND  # Claude Code took up to 7 s to end on TERM: facts on the tmux link


def plan(world: World, agenda: Agenda) -> Iterator[Action]:
    """Looks at the engine, and brings about the runs and terminals that the world speaks of."""
    looked = world.glimpses.runs_at
    if looked is None or agenda.passed(looked + LIST_EVERY):
        yield ListRuns(reason="what runs is not known" if looked is None else "it is time to look again")
    for container, name in world.glimpses.strays:
        yield RemoveRun(name, container, reason="it is nobody's")
    burdened = {name for _, name in world.glimpses.strays}
    for agent in sorted(world.agents.values(), key=lambda agent: agent.name):
        if agent.run is not None:
            yield from _of_run(world, agent, agent.run, clear=agent.name not in burdened and looked is not None)
        elif (world.fleet.state is FleetState.ENDED or not agent.wanted) and agent.name not in world.glimpses.closed:
            yield CloseTerminal(agent.name, reason=agent.reason)
        if agent.limit_check is not None and agent.run is not None:
            yield ReadLimit(agent.name, agent.limit_check, reason="to know when its limit is over")
    if world.fleet.state is FleetState.ENDED and (
        _is_cleared_away(world) or agenda.passed((world.fleet.deadline_at or 0) + GIVE_UP)
    ):
        yield FinishDaemon(world.fleet.finished or 0, reason=world.fleet.reason)


def _is_cleared_away(world: World) -> bool:
    """Whether no terminal is left, and no container either, as the engine said since the last doubt."""
    glimpses = world.glimpses
    return glimpses.closed >= set(world.agents) and not glimpses.strays and glimpses.runs_at is not None


def _of_run(world: World, agent: Agent, run: Run, *, clear: bool) -> Iterator[Action]:
    if run.container is None:
        if clear and agent.state is AgentState.STARTING:
            yield _start(world, agent, run)
    elif agent.state is AgentState.STOPPING:
        ending = world.fleet.deadline_at is not None and world.fleet.state is not FleetState.RUNNING
        yield StopRun(agent.name, run.container, STOP_GRACE, reason=agent.reason if not ending else world.fleet.reason)
    elif not run.terminal:
        yield OpenTerminal(agent.name, run.epoch, run.container, reason="so that people can watch")


def _start(world: World, agent: Agent, run: Run) -> Action:
    task = world.tasks.get(agent.task) if agent.task else None
    attempt = task.attempt if task else None
    delivery = agent.delivery if agent.delivery and agent.delivery.nonce == run.carries else None
    return StartRun(
        agent=agent.name,
        epoch=run.epoch,
        conversation=run.conversation,
        resumes=run.resumes,
        credential=agent.credential or "",  # type: ignore[arg-type]  # no run is ordered without one
        branch=attempt.branch if attempt else None if agent.name == MANAGER else world.settings.branch,
        base=attempt.base if attempt else None,
        nonce=run.carries,
        text=of_delivery(world, agent, delivery) if delivery else None,
        workers=world.settings.workers,
        reason=agent.reason,
    )
