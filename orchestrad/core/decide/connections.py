"""Open connections: each is answered once, and forgotten when it was, or when its other side is gone."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from orchestrad.core.actions import AnswerHook, Reply
from orchestrad.core.decide import on, on_outcome
from orchestrad.core.events import (
    Event,
    Glimpsed,
)
from orchestrad.core.ids import Now
from orchestrad.core.observations import (
    Left,
)
from orchestrad.core.world import (
    World,
)

T = TypeVar("T")


@on(Left)
def left(world: World, o: Left, now: Now) -> Iterator[Event]:
    """A connection is gone: nobody can be answered there."""
    yield closed(world, o.connection, now)


@on_outcome(AnswerHook)
def hook_answered(world: World, action: AnswerHook, result: object, now: Now) -> Iterator[Event]:
    """Whether the answer arrived is told by what follows; the connection is used up."""
    yield closed(world, action.connection, now)


@on_outcome(Reply)
def replied(world: World, action: Reply, result: object, now: Now) -> Iterator[Event]:
    """As for hooks."""
    yield closed(world, action.connection, now)


def closed(world: World, connection: str, now: Now) -> Event:
    def without(open_: Mapping[str, T]) -> dict[str, T]:
        return {name: value for name, value in open_.items() if name != connection}

    g = world.glimpses
    return Glimpsed(now=now, changes={"stops": without(g.stops), "prompts": without(g.prompts), "replies": without(g.replies)})


def reply(world: World, connection: str, now: Now, *, ok: bool = True, text: str = "") -> Event:
    return Glimpsed(now=now, changes={"replies": {**world.glimpses.replies, connection: (ok, text)}})
