"""Answers to open connections: what was decided and committed goes out."""

from collections.abc import Iterator

from orchestrad.core.actions import Action, AnswerHook, Reply
from orchestrad.core.agenda import Agenda
from orchestrad.core.ids import AgentName, Epoch, Oid
from orchestrad.core.states import AgentState
from orchestrad.core.texts import of_delivery
from orchestrad.core.world import Agent, Answer, Delivery, DeliveryKind, Hand, Refuse, Say, Text, World

SUPERSEDED = "orchestrad sent this before; something else has taken its place"
OVER = 410  # an old run: the script prints nothing and ends


def plan(world: World, agenda: Agenda) -> Iterator[Action]:
    """Answers Stops, prompts and calls whose answers are decided."""
    for connection, (name, epoch, n) in sorted(world.glimpses.stops.items()):
        agent = _current(world, name, epoch)
        if agent is None:
            yield AnswerHook(connection, status=OVER, reason="that run is over")
        elif agent.post is None or n < agent.post.n:
            yield AnswerHook(connection, reason="a later Stop has come")
        elif agent.post.answer is not None:
            yield _answer(world, agent, connection, agent.post.answer)
        elif agent.state is not AgentState.READY:
            yield AnswerHook(connection, reason=agent.reason)
    for connection, (name, epoch, n) in sorted(world.glimpses.prompts.items()):
        agent = _current(world, name, epoch)
        if agent is None:
            yield AnswerHook(connection, status=OVER, reason="that run is over")
        elif n < agent.prompt_post or agent.prompt_answer is None:
            yield AnswerHook(connection, reason="a later prompt has come")
        else:
            yield _answer(world, agent, connection, agent.prompt_answer, prompt=True)
    for connection, (ok, text) in sorted(world.glimpses.replies.items()):
        yield Reply(connection, ok, text, reason=text)


def _current(world: World, name: AgentName, epoch: Epoch) -> Agent | None:
    agent = world.agents.get(name)
    return agent if agent is not None and agent.run is not None and agent.epoch == epoch else None


def _answer(world: World, agent: Agent, connection: str, answer: Answer, *, prompt: bool = False) -> AnswerHook:
    match answer:
        case Say(text):
            return AnswerHook(connection, block=text, reason="the turn goes on")
        case Refuse(reason):
            return AnswerHook(connection, block=Text("plain", {"text": reason}), reason=reason)
        case Hand(nonce) if agent.delivery is not None and agent.delivery.nonce == nonce:
            return AnswerHook(
                connection,
                checkout=_checkout(world, agent.delivery),
                nonce=nonce,
                block=None if prompt else of_delivery(world, agent, agent.delivery),
                reason=f"{agent.delivery.kind.value} {agent.delivery.task or ''}".strip(),
            )
        case Hand() if prompt:  # the CLI must not begin to work on it
            return AnswerHook(connection, block=Text("plain", {"text": SUPERSEDED}), reason=SUPERSEDED)
    return AnswerHook(connection, reason=getattr(answer, "why", "") or SUPERSEDED)


def _checkout(world: World, delivery: Delivery) -> tuple[str, Oid] | None:
    task = world.tasks.get(delivery.task) if delivery.task else None
    if delivery.kind is not DeliveryKind.TASK or task is None or task.attempt is None:
        return None
    return task.attempt.branch, task.attempt.base
