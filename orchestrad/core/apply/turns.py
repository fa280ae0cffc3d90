"""Folds of turns: prompts, Stops, failures, and the agent's word."""

from dataclasses import replace

from orchestrad.core.apply import Changed, folds
from orchestrad.core.apply.moves import agent_of, move_agent
from orchestrad.core.events import (
    LimitRead,
    PostAnswered,
    PostTaken,
    PromptTaken,
    TurnBroken,
    TurnEnded,
    TurnInterrupted,
    WordGiven,
)
from orchestrad.core.states import AgentState
from orchestrad.core.world import Beginner, Post, Say, World


@folds(PostTaken)
def _post_taken(world: World, e: PostTaken) -> Changed:
    return [replace(agent_of(world, e), other_post=e.n)]


@folds(PromptTaken)
def _prompt_taken(world: World, e: PromptTaken) -> Changed:
    agent = replace(agent_of(world, e), prompt_post=e.n, prompt_answer=e.answer)
    if e.beginner is None or e.state is None:
        return [agent]
    return [move_agent(agent, e.state, e, turn=e.beginner, turn_at=e.now.elapsed, spoken=True)]


@folds(TurnEnded)
def _turn_ended(world: World, e: TurnEnded) -> Changed:
    agent = agent_of(world, e)
    return [
        move_agent(
            agent,
            e.state,
            e,
            post=Post(e.epoch, e.n),
            turn=agent.turn if e.state is AgentState.WAITING else None,
            turn_at=e.now.elapsed,
            word=agent.word if e.state in (AgentState.WAITING, AgentState.ATTENDED) else None,
            silent_stops=e.silent_stops,
            api_failures=0,
        )
    ]


@folds(PostAnswered)
def _answered(world: World, e: PostAnswered) -> Changed:
    agent = agent_of(world, e)
    post = agent.post and replace(agent.post, answer=e.answer)
    if not isinstance(e.answer, Say):
        return [replace(agent, post=post)]
    return [
        move_agent(
            agent,
            AgentState.WORKING,
            e,
            post=post,
            turn=Beginner.DAEMON,
            turn_at=e.now.elapsed,
            reminders=agent.reminders + e.reminds,
        )
    ]


@folds(TurnBroken)
def _broken(world: World, e: TurnBroken) -> Changed:
    agent = agent_of(world, e)
    # The CLI continues by itself when a limit is over; whose turn that is shall be known then.
    goes_on = e.state is AgentState.LIMITED and agent.turn is Beginner.PERSON
    return [
        move_agent(
            agent,
            e.state,
            e,
            turn=agent.turn if goes_on else None,
            turn_at=e.now.elapsed,
            other_post=e.n,
            api_failures=e.failures,
            start_at=e.again_at,
            limited_until_wall=e.until_wall,
            limit_check=e.transcript,
        )
    ]


@folds(LimitRead)
def _limit_read(world: World, e: LimitRead) -> Changed:
    return [replace(agent_of(world, e), limited_until_wall=e.until_wall, limit_check=None, reason=e.reason)]


@folds(TurnInterrupted)
def _interrupted(world: World, e: TurnInterrupted) -> Changed:
    return [move_agent(agent_of(world, e), e.state, e, turn=None, turn_at=e.now.elapsed)]


@folds(WordGiven)
def _word_given(world: World, e: WordGiven) -> Changed:
    return [replace(agent_of(world, e), word=e.word, other_post=e.n)]
