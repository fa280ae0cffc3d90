"""Whether what was sent arrived and was begun, what the agent said of it, and what its screen shows."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrad.core.actions import ClearComposer, LookAtScreen, TypePrompt
from orchestrad.core.decide import Events, on, on_outcome
from orchestrad.core.decide.connections import reply
from orchestrad.core.decide.present import current
from orchestrad.core.events import (
    Delivered,
    DeliveryOrdered,
    DeliverySent,
    DeliveryStarted,
    Event,
    Glimpsed,
    TurnInterrupted,
    WordGiven,
)
from orchestrad.core.ids import Now
from orchestrad.core.observations import (
    Acknowledged,
    Failed,
    Said,
    ScreensSeen,
    ToolUsed,
)
from orchestrad.core.states import AgentState
from orchestrad.core.world import (
    SECOND,
    Agent,
    Beginner,
    Route,
    ScreenSeen,
    World,
    is_in_turn,
)

INTERRUPTED_AFTER = 10 * SECOND  # an idle session file that old, with no Stop heard: the turn was ended by Escape


@on(Acknowledged)
def acknowledged(world: World, o: Acknowledged, now: Now) -> Iterator[Event]:
    """The script checked out what it was handed: now, and not before, it is delivered."""
    agent = current(world, o.agent, o.epoch)
    delivery = agent.delivery if agent else None
    if agent is None or delivery is None or delivery.nonce != o.nonce or agent.state is AgentState.STOPPING:
        yield reply(world, o.connection, now, ok=False, text="superseded")
        return
    if not o.ok:
        yield reply(world, o.connection, now, ok=False, text="noted")
        return
    if delivery.delivered_at is None:
        yield Delivered(now=now, agent=agent.name, nonce=delivery.nonce, conversation=agent.conversation, reason="checked out")
    yield reply(world, o.connection, now)


@on(Said)
def said(world: World, o: Said, now: Now) -> Iterator[Event]:
    """The agent said done, blocked, or asked; it counts when its turn ends."""
    agent = current(world, o.agent, o.epoch)
    if agent is None:
        yield reply(world, o.connection, now, ok=False, text="This run is over; nothing was recorded.")
        return
    task = world.tasks.get(agent.task) if agent.task else None
    if task is None:
        yield reply(world, o.connection, now, ok=False, text="You have no task, so there is nothing to say of one.")
        return
    if o.n > agent.other_post:
        yield WordGiven(now=now, agent=agent.name, n=o.n, word=o.word, reason=f"{o.word.verb}: {o.word.text}")
    follows = {
        "done": f"Recorded: done with {task.text!r}. End your turn now; the next task follows if all is committed.",
        "blocked": "Recorded: blocked. Commit what you have and end your turn now; the Manager is told.",
        "ask": "Recorded: your question goes to the Manager. Commit what you have and end your turn now.",
    }
    yield reply(world, o.connection, now, text=follows[o.word.verb])


@on(ToolUsed)
def tool_used(world: World, o: ToolUsed, now: Now) -> Iterator[Event]:
    """The first tool call after a delivery: the agent acts on it."""
    agent = current(world, o.agent, o.epoch)
    delivery = agent.delivery if agent else None
    if agent is None or delivery is None or delivery.delivered_at is None or delivery.started_at is not None:
        return
    if delivery.conversation in (None, o.conversation):
        yield DeliveryStarted(now=now, agent=agent.name, nonce=delivery.nonce)


@on_outcome(TypePrompt)
def prompt_typed(world: World, action: TypePrompt, result: object, now: Now) -> Iterator[Event]:
    """A typed prompt is a hope; the hook that follows is the fact. Either way the screen has to be looked at anew."""
    yield _forget_screen(world, action.agent, now)
    if not isinstance(result, Failed):
        yield DeliverySent(now=now, agent=action.agent, nonce=action.nonce, route=Route.TYPED, told=action.told)


@on_outcome(ClearComposer)
def composer_cleared(world: World, action: ClearComposer, result: object, now: Now) -> Iterator[Event]:
    """What stands in the composer now is not known until it is looked at."""
    yield _forget_screen(world, action.agent, now)


def _forget_screen(world: World, agent: str, now: Now) -> Event:
    screens = {name: seen for name, seen in world.glimpses.screens.items() if name != agent}
    return Glimpsed(now=now, changes={"screens": screens})


@on(ScreensSeen)
def screens_seen(world: World, o: ScreensSeen, now: Now) -> Iterator[Event]:
    """What screens and session files show; an idle one in the middle of a turn means that Escape was pressed."""
    yield Glimpsed(now=now, changes={"screens": {**world.glimpses.screens, **o.screens}})
    for name, seen in sorted(o.screens.items()):
        agent = world.agents.get(name)
        if agent is None or agent.run is None or seen.status != "idle" or seen.status_age < INTERRUPTED_AFTER:
            continue
        quiet_since = seen.asked_at - INTERRUPTED_AFTER
        if is_in_turn(agent) and agent.turn_at < quiet_since and not _stop_waits(world, agent):
            yield from _interrupted(agent, now)


@on_outcome(LookAtScreen)
def looked(world: World, action: LookAtScreen, result: object, now: Now) -> Events:
    """One screen, asked for."""
    if isinstance(result, ScreenSeen):
        yield from screens_seen(world, ScreensSeen({action.agent: result}), now)


def _interrupted(agent: Agent, now: Now) -> Iterator[Event]:
    """Escape, and the agent is that person's; or a prompt that was let through here and withdrawn there before it began."""
    delivery = agent.delivery
    arrived = delivery is not None and delivery.delivered_at is not None and agent.turn is Beginner.DAEMON
    if delivery is None or not arrived or delivery.started_at is not None or delivery.route is Route.ANSWER:
        yield TurnInterrupted(now=now, agent=agent.name, reason="its turn ended without a Stop: somebody pressed Escape")
        return
    reason = "its prompt was withdrawn before anything began"
    yield TurnInterrupted(now=now, agent=agent.name, state=AgentState.READY, reason=reason)
    fresh = replace(delivery, delivered_at=None, conversation=None, sent_at=now.elapsed)
    yield DeliveryOrdered(now=now, agent=agent.name, delivery=fresh, reason=reason)


def _stop_waits(world: World, agent: Agent) -> bool:
    return any(name == agent.name for name, _, _ in world.glimpses.stops.values())
