"""Folds: one fact into the world. A fold returns the changed entities, which are also the rows to store.

An event that no state allows raises `Contradiction`: that is a bug of ours, never late news.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from orchestrad.core.events import Event
from orchestrad.core.world import Entity, Removed, World, put

Changed = list[Entity | Removed]
E = TypeVar("E", bound=Event)
_FOLDS: dict[type[Event], Callable[[World, Any], Changed]] = {}


class Contradiction(Exception):
    """An event says what the world rules out. This is a bug in orchestrad; please report it with the text."""


def folds(kind: type[E]) -> Callable[[Callable[[World, E], Changed]], Callable[[World, E], Changed]]:
    """Registers the fold of one kind of event."""

    def register(fold: Callable[[World, E], Changed]) -> Callable[[World, E], Changed]:
        _FOLDS[kind] = fold
        return fold

    return register


def fold(world: World, event: Event) -> tuple[World, Changed]:
    """The world after `event`, and the entities that it changed. Raises Contradiction."""
    changed = _FOLDS[type(event)](world, event)
    return put(world, changed), changed


def apply(world: World, event: Event) -> World:
    """The world after `event`. Raises Contradiction."""
    return fold(world, event)[0]


from orchestrad.core.apply import agents, deliveries, fleet, hub, tasks, turns  # noqa: E402  # they register their folds

__all__ = ["Changed", "Contradiction", "agents", "apply", "deliveries", "fleet", "fold", "folds", "hub", "tasks", "turns"]
