"""What news means. Late, repeated and fenced news gives no events."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from orchestrad.core.actions import Action, AnswerHook, Reply
from orchestrad.core.events import Event, Glimpsed
from orchestrad.core.ids import Now
from orchestrad.core.observations import Failed, Outcome
from orchestrad.core.world import World

Events = Iterable[Event]
O = TypeVar("O")  # noqa: E741  # an observation
_RULES: dict[type, Callable[[World, Any, Now], Events]] = {}
_OUTCOMES: dict[type, Callable[[World, Any, Any, Now], Events]] = {}


def on(kind: type[O]) -> Callable[[Callable[[World, O, Now], Events]], Callable[[World, O, Now], Events]]:
    """Registers what is decided of one kind of observation."""

    def register(rule: Callable[[World, O, Now], Events]) -> Callable[[World, O, Now], Events]:
        _RULES[kind] = rule
        return rule

    return register


def on_outcome(
    kind: type[O],
) -> Callable[[Callable[[World, O, Any, Now], Events]], Callable[[World, O, Any, Now], Events]]:
    """Registers what is decided of the outcome of one kind of action."""

    def register(rule: Callable[[World, O, Any, Now], Events]) -> Callable[[World, O, Any, Now], Events]:
        _OUTCOMES[kind] = rule
        return rule

    return register


def decide(world: World, observation: object, now: Now) -> list[Event]:
    """The facts that this piece of news makes, in order."""
    if isinstance(observation, Outcome):
        action: Action = observation.action
        rule = _OUTCOMES.get(type(action))
        events = list(rule(world, action, observation.result, now)) if rule else []
        return [*_trouble(world, action, observation.result, now), *events]
    return list(_RULES[type(observation)](world, observation, now))


def _trouble(world: World, action: Action, result: object, now: Now) -> Events:
    """What keeps failing is shown until it works again."""
    if isinstance(action, AnswerHook | Reply):
        return  # whoever was not answered asks again, on a connection of another name
    troubles = {key: text for key, text in world.glimpses.troubles.items() if key != action.key}
    if isinstance(result, Failed) and result.kind != "gone":
        troubles[action.key] = result.text
    if troubles != world.glimpses.troubles:
        yield Glimpsed(now=now, changes={"troubles": troubles})


from orchestrad.core.decide import connections, conversations, deliveries, fleet, lists, merges, runs, turns  # noqa: E402  # they register their rules

__all__ = [
    "Events",
    "connections",
    "conversations",
    "decide",
    "deliveries",
    "fleet",
    "lists",
    "merges",
    "on",
    "on_outcome",
    "runs",
    "turns",
]
