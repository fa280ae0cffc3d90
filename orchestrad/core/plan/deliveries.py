"""Typing: only into an idle CLI with an empty composer, and only while nobody else types there."""

from collections.abc import Iterator

from orchestrad.core.actions import Action, ClearComposer, LookAtScreen, TypePrompt
from orchestrad.core.agenda import Agenda
from orchestrad.core.states import AgentState, FleetState
from orchestrad.core.texts import of_delivery, said_by
from orchestrad.core.world import SECOND, Agent, Delivery, ScreenSeen, World, is_in_turn

ACKNOWLEDGED_WITHIN = 5 * SECOND  # after that, what was sent is sent again by typing
LOOK_AGAIN = SECOND // 2
FRESH = SECOND  # a screen older than this is looked at again before anything is typed
NO_KEY_FOR = 10 * SECOND  # of an attached client: a person may be about to type
LOOK_AT_WORK = 15 * SECOND


def plan(world: World, agenda: Agenda) -> Iterator[Action]:
    """Types what has not arrived by another way; looks at screens for that, and at those at work for an Escape."""
    for agent in sorted(world.agents.values(), key=lambda agent: agent.name):
        if agent.run is None or not agent.run.terminal:
            continue
        seen = world.glimpses.screens.get(agent.name)
        delivery = agent.delivery
        if is_in_turn(agent):
            if agenda.passed(max(agent.turn_at, seen.asked_at if seen else 0) + LOOK_AT_WORK):
                yield LookAtScreen(agent.name, reason="to see whether its turn was interrupted")
        elif world.fleet.state is FleetState.RUNNING and delivery and _is_due(agenda, agent, delivery):
            yield from _typed(world, agenda, agent, delivery, seen)


def _is_due(agenda: Agenda, agent: Agent, delivery: Delivery) -> bool:
    begun_at = agent.run.begun_at if agent.run else None
    if agent.state is not AgentState.READY or delivery.delivered_at is not None or begun_at is None:
        return False
    if delivery.sent_at is None:
        return agenda.passed(agent.start_at or 0)
    return agenda.passed(max(delivery.sent_at, begun_at) + ACKNOWLEDGED_WITHIN)


def _typed(world: World, agenda: Agenda, agent: Agent, delivery: Delivery, seen: ScreenSeen | None) -> Iterator[Action]:
    since = max(delivery.ordered_at, delivery.sent_at or 0)
    if seen is None or seen.asked_at < since or agenda.now.elapsed > seen.asked_at + FRESH:
        yield LookAtScreen(agent.name, reason="something is to be typed")
    elif seen.status == "idle" and seen.composer == "empty" and (seen.key_age is None or seen.key_age >= NO_KEY_FOR):
        task = world.tasks.get(delivery.task) if delivery.task else None
        yield TypePrompt(
            agent.name,
            agent.epoch,
            delivery.nonce,
            of_delivery(world, agent, delivery),
            reason=f"{delivery.kind.value} is due",
            told=said_by(task) if task else "",
        )
    elif seen.status == "idle" and seen.composer == "typed" and seen.text.startswith("orchestrad "):
        yield ClearComposer(agent.name, reason="a prompt of ours stands there")
    elif agenda.passed(seen.asked_at + LOOK_AGAIN):
        yield LookAtScreen(agent.name, reason=f"it could not be typed: {seen.status}, composer {seen.composer}")
