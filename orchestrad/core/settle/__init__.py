"""What the fleet decides of itself: concern by concern, each from one snapshot, until nothing more follows."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from orchestrad.core.agenda import Agenda
from orchestrad.core.apply import apply
from orchestrad.core.events import Event
from orchestrad.core.settle import deliveries, fleet, leases, manager, merges, runs, tasks
from orchestrad.core.world import World

Concern = Callable[[World, Agenda], Iterable[Event]]

CONCERNS: Final[tuple[tuple[str, Concern], ...]] = (
    ("leases", leases.settle),
    ("runs", runs.settle),
    ("tasks", tasks.settle),
    ("deliveries", deliveries.settle),
    ("merges", merges.settle),
    ("manager", manager.settle),
    ("fleet", fleet.settle),  # last: nothing is finished while another concern has just found something to do
)

PASSES: Final = 20  # far more than any chain of decisions is long; reaching it is a rule that does not guard itself


class Restless(Exception):
    """The rules did not come to rest. This is a bug in orchestrad; please report it with the text."""


class ConcernFailed(Exception):
    """A concern raised: a bug in orchestrad. The reactor sets it aside, for one agent where that helps."""

    def __init__(self, concern: str, agent: str | None) -> None:
        super().__init__(f"the concern {concern} raised" + (f" over {agent}" if agent else ""))
        self.concern = concern
        self.agent = agent


def settle(world: World, agenda: Agenda, *, aside: Collection[tuple[str, str | None]] = ()) -> Iterator[Event]:
    """The events that follow from the world as it stands; the caller applies them in this order.

    `aside` names concerns that are left out, whole (None) or for an agent. Raises Restless, ConcernFailed.
    """
    for _ in range(PASSES):
        silent = True
        for name, concern in CONCERNS:
            if (name, None) in aside:
                continue
            hidden = {agent for other, agent in aside if other == name and agent is not None}
            for event in _asked(name, concern, without(world, hidden), agenda):
                try:
                    world = apply(world, event)
                except Exception as error:
                    raise ConcernFailed(name, getattr(event, "agent", None)) from error
                silent = False
                yield event
        if silent:
            return
    raise Restless(f"the fleet's decisions did not come to rest within {PASSES} passes")


def without(world: World, agents: Collection[str]) -> World:
    """The world as a rule sees it for which these agents are set aside."""
    if not agents:
        return world
    return replace(world, agents={name: agent for name, agent in world.agents.items() if name not in agents})


def _asked(name: str, concern: Concern, world: World, agenda: Agenda) -> list[Event]:
    try:
        return list(concern(world, agenda))
    except Exception as error:
        raise ConcernFailed(name, culprit(world, lambda less: list(concern(less, agenda)))) from error


def culprit(world: World, attempt: Callable[[World], object]) -> str | None:
    """The agent without which `attempt` does not raise; None when it is none of them alone."""
    for name in world.agents:
        try:
            attempt(without(world, {name}))
        except Exception:  # noqa: BLE001, S112  # whatever it raises, this agent alone is not the reason
            continue
        return name
    return None
