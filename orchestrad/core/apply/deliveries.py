"""Folds of deliveries: ordered, sent, delivered, started are four facts."""

from dataclasses import replace
from typing import Any

from orchestrad.core.apply import Changed, folds
from orchestrad.core.apply.moves import agent_of, move_agent
from orchestrad.core.events import Delivered, DeliveryEnded, DeliveryOrdered, DeliverySent, DeliveryStarted
from orchestrad.core.states import AgentState
from orchestrad.core.texts import said_by
from orchestrad.core.world import Agent, Beginner, Delivery, DeliveryKind, World


def _with_attempt(world: World, delivery: Delivery, told: str = "", **times: int) -> Changed:
    task = world.tasks.get(delivery.task) if delivery.task else None
    if task is None or task.attempt is None or task.attempt.number != delivery.attempt:
        return []
    fresh: dict[str, Any] = {name: at for name, at in times.items() if getattr(task.attempt, name) is None}
    if told:
        fresh["told"] = told
    return [replace(task, attempt=replace(task.attempt, **fresh))] if fresh else []


def _current(agent: Agent, nonce: str) -> Delivery | None:
    return agent.delivery if agent.delivery and agent.delivery.nonce == nonce else None


@folds(DeliveryOrdered)
def _ordered(world: World, e: DeliveryOrdered) -> Changed:
    agent = agent_of(world, e)
    told = [replace(world.notes[note], nonce=e.delivery.nonce) for note in e.delivery.notes if note in world.notes]
    fresh: dict[str, Any] = {"silent_stops": 0, "reminders": 0} if e.delivery.kind is not DeliveryKind.CONTINUE else {}
    return [replace(agent, delivery=e.delivery, nonces=agent.nonces + 1, **fresh), *told]


@folds(DeliverySent)
def _sent(world: World, e: DeliverySent) -> Changed:
    agent = agent_of(world, e)
    delivery = _current(agent, e.nonce)
    if delivery is None:
        return []
    delivery = replace(delivery, route=e.route, sent_at=e.now.elapsed, sends=delivery.sends + 1)
    return [replace(agent, delivery=delivery), *_with_attempt(world, delivery, _told(world, e, delivery), sent_at=e.now.elapsed)]


def _told(world: World, e: DeliverySent, delivery: Delivery) -> str:
    if delivery.kind is not DeliveryKind.TASK or delivery.task is None:
        return ""
    return e.told or said_by(world.tasks[delivery.task])


@folds(Delivered)
def _delivered(world: World, e: Delivered) -> Changed:
    agent = agent_of(world, e)
    delivery = _current(agent, e.nonce)
    if delivery is None:
        return []
    delivery = replace(delivery, delivered_at=e.now.elapsed, conversation=e.conversation)
    agent = move_agent(agent, AgentState.WORKING, e, delivery=delivery, turn=Beginner.DAEMON, turn_at=e.now.elapsed, spoken=True)
    return [agent, *_with_attempt(world, delivery, delivered_at=e.now.elapsed)]


@folds(DeliveryStarted)
def _started(world: World, e: DeliveryStarted) -> Changed:
    agent = agent_of(world, e)
    delivery = _current(agent, e.nonce)
    if delivery is None:
        return []
    delivery = replace(delivery, started_at=e.now.elapsed)
    return [replace(agent, delivery=delivery), *_with_attempt(world, delivery, started_at=e.now.elapsed)]


@folds(DeliveryEnded)
def _ended(world: World, e: DeliveryEnded) -> Changed:
    agent = agent_of(world, e)
    return [replace(agent, delivery=None)] if _current(agent, e.nonce) else []
