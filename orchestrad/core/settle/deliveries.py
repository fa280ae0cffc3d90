"""What is put before whom, and what a waiting Stop is told."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import DeliveryOrdered, DeliverySent, Event, PostAnswered
from orchestrad.core.ids import MANAGER, ConversationId, Nonce, derive
from orchestrad.core.states import AgentState, FleetState
from orchestrad.core.world import Agent, Allow, Delivery, DeliveryKind, Hand, Route, World


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Orders what an idle agent with a task should be given, and answers Stops that are still open."""
    for agent in sorted(world.agents.values(), key=lambda agent: agent.name):
        if agent.run is None or agent.state is not AgentState.READY:
            continue
        running = world.fleet.state is FleetState.RUNNING
        delivery = agent.delivery if running else None
        if running and agenda.passed(agent.start_at or 0):
            wanted = restart_delivery(world, agenda, agent, agent.conversation)
            if wanted is not None and wanted != delivery:
                delivery = wanted
                yield DeliveryOrdered(now=agenda.now, agent=agent.name, delivery=wanted, reason=_why(wanted))
        post = agent.post
        if post is None or post.answer is not None or (agent.name == MANAGER and world.settings.manager):
            continue  # the Manager's own concern answers it
        yield from answer(agent, post.n, delivery, agenda)


def answer(agent: Agent, n: int, delivery: Delivery | None, agenda: Agenda) -> Iterator[Event]:
    """What a waiting Stop is told: the delivery that is due, else that it may stop."""
    if delivery is not None and delivery.delivered_at is None:
        yield PostAnswered(now=agenda.now, agent=agent.name, n=n, answer=Hand(delivery.nonce), reason=_why(delivery))
        yield DeliverySent(now=agenda.now, agent=agent.name, nonce=delivery.nonce, route=Route.ANSWER)
    else:
        yield PostAnswered(now=agenda.now, agent=agent.name, n=n, answer=Allow("no task is open for it"))


def restart_delivery(world: World, agenda: Agenda, agent: Agent, conversation: ConversationId | None) -> Delivery | None:
    """What an agent that does nothing should be given, in the conversation that it has or will have; None: nothing.

    What was ordered and has not arrived stays as it is. What was begun in this conversation is in it: "continue". What was
    acknowledged and not begun may have been cut off on its way to the model: it is told in full.
    """
    delivery = agent.delivery
    if delivery is not None and delivery.delivered_at is None:
        if delivery.kind is not DeliveryKind.CONTINUE or delivery.conversation == conversation:
            return delivery
        delivery = replace(delivery, delivered_at=0)  # "continue" means nothing to another conversation
    if agent.task is None and delivery is None:
        return None
    nonce = next_nonce(world, agent)
    at = agenda.now.elapsed
    if delivery is not None and _is_held(delivery, conversation):
        return replace(
            delivery,
            nonce=nonce,
            kind=DeliveryKind.CONTINUE,
            ordered_at=at,
            route=None,
            sent_at=None,
            delivered_at=None,
            started_at=None,
            sends=0,
        )
    if agent.task is not None:
        task = world.tasks[agent.task]
        number = task.attempt.number if task.attempt else 0
        return Delivery(nonce, DeliveryKind.TASK, at, task=task.id, attempt=number)
    if delivery is not None and delivery.notes:
        return Delivery(nonce, DeliveryKind.DIGEST, at, notes=delivery.notes)
    return None


def _is_held(delivery: Delivery, conversation: ConversationId | None) -> bool:
    known = delivery.kind is DeliveryKind.CONTINUE or delivery.started_at is not None
    return known and delivery.conversation is not None and delivery.conversation == conversation


def next_nonce(world: World, agent: Agent) -> Nonce:
    """The nonce of the next delivery of this agent."""
    return Nonce(derive(world.fleet.id, agent.name, agent.epoch, agent.nonces + 1))


def _why(delivery: Delivery) -> str:
    return {
        DeliveryKind.TASK: f"task {delivery.task} is its own now",
        DeliveryKind.CONTINUE: "it holds its work already and is told to go on",
        DeliveryKind.DIGEST: "there is something to tell it",
    }[delivery.kind]
