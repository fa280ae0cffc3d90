"""Folds of agents and their runs."""

from dataclasses import replace
from typing import Any

from orchestrad.core.apply import Changed, Contradiction, folds
from orchestrad.core.apply.moves import agent_of, move_agent
from orchestrad.core.events import (
    AgentAdded,
    AgentDrained,
    AgentGivenBack,
    CredentialLeased,
    PersonLeft,
    RunBegan,
    RunEnded,
    RunEndOrdered,
    RunLaunched,
    RunOrdered,
    TerminalLost,
    TerminalOpened,
)
from orchestrad.core.ids import Epoch
from orchestrad.core.states import AgentState
from orchestrad.core.world import Agent, Run, World


def _run_of(agent: Agent, epoch: Epoch) -> Run:
    if agent.run is None or agent.run.epoch != epoch:
        raise Contradiction(f"{agent.name} has no run {epoch}")
    return agent.run


@folds(AgentAdded)
def _added(world: World, e: AgentAdded) -> Changed:
    known = world.agents.get(e.agent)
    if known:
        return [replace(known, wanted=True)]
    return [Agent(e.agent, since_at=e.now.elapsed, since_wall=e.now.wall, reason=e.reason)]


@folds(AgentDrained)
def _drained(world: World, e: AgentDrained) -> Changed:
    return [replace(agent_of(world, e), wanted=False)]


@folds(CredentialLeased)
def _leased(world: World, e: CredentialLeased) -> Changed:
    return [replace(agent_of(world, e), credential=e.credential)]


@folds(RunOrdered)
def _ordered(world: World, e: RunOrdered) -> Changed:
    agent = agent_of(world, e)
    if agent.run is not None:
        raise Contradiction(f"{agent.name} still has run {agent.run.epoch}: two runs could resume one conversation")
    run = Run(e.epoch, e.conversation, e.resumes, e.now.elapsed, carries=e.carries)
    return [
        move_agent(
            agent,
            AgentState.STARTING,
            e,
            epoch=e.epoch,
            run=run,
            post=None,
            prompt_post=0,
            prompt_answer=None,
            other_post=0,
            turn=None,
            word=None,
            silent_stops=0,
            limit_check=None,
            limited_until_wall=None,
            start_at=None,
        )
    ]


@folds(RunLaunched)
def _launched(world: World, e: RunLaunched) -> Changed:
    agent = agent_of(world, e)
    return [replace(agent, run=replace(_run_of(agent, e.epoch), container=e.container, launched_at=e.now.elapsed))]


@folds(TerminalOpened)
def _terminal_opened(world: World, e: TerminalOpened) -> Changed:
    agent = agent_of(world, e)
    return [replace(agent, run=replace(_run_of(agent, e.epoch), terminal=True, terminal_at=e.now.elapsed))]


@folds(TerminalLost)
def _terminal_lost(world: World, e: TerminalLost) -> Changed:
    agent = agent_of(world, e)
    return [replace(agent, run=agent.run and replace(agent.run, terminal=False))]


@folds(RunBegan)
def _began(world: World, e: RunBegan) -> Changed:
    agent = agent_of(world, e)
    run = _run_of(agent, e.epoch)
    run = replace(run, begun_at=e.now.elapsed if run.begun_at is None else run.begun_at)  # it was told again: /clear, compaction
    spoken = agent.spoken and agent.conversation == e.conversation
    changes: dict[str, Any] = {"run": run, "conversation": e.conversation, "spoken": spoken, "other_post": e.n}
    if agent.state is AgentState.STARTING or e.cleared:
        return [move_agent(agent, AgentState.READY, e, turn=None, **changes)]
    return [replace(agent, **changes)]


@folds(RunEndOrdered)
def _end_ordered(world: World, e: RunEndOrdered) -> Changed:
    agent = agent_of(world, e)
    run = replace(_run_of(agent, e.epoch), told_to_end=True)
    return [move_agent(agent, AgentState.STOPPING, e, run=run, spoken=agent.spoken and not e.afresh)]


@folds(PersonLeft)
def _person_left(world: World, e: PersonLeft) -> Changed:
    agent = agent_of(world, e)
    return [replace(agent, other_post=e.n, run=agent.run and replace(agent.run, left=True))]


@folds(RunEnded)
def _ended(world: World, e: RunEnded) -> Changed:
    agent = agent_of(world, e)
    _run_of(agent, e.epoch)
    delivery = agent.delivery
    if delivery and delivery.delivered_at is None:  # what did not arrive is sent anew, by whichever way comes first
        delivery = replace(delivery, route=None, sent_at=None)
    return [
        move_agent(
            agent,
            e.state,
            e,
            run=None,
            post=None,
            turn=None,
            word=None,
            delivery=delivery,
            deaths=e.deaths,
            start_at=e.start_at,
            conversation=None if e.forget_conversation else agent.conversation,
        )
    ]


@folds(AgentGivenBack)
def _given_back(world: World, e: AgentGivenBack) -> Changed:
    agent = agent_of(world, e)
    return [
        move_agent(agent, e.state, e, turn=None, deaths=0, start_at=None, limited_until_wall=None, limit_check=None, api_failures=0)
    ]
