"""What must be done outside so that the world becomes true; looks at the world, never at which event came last."""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from orchestrad.core.actions import Action
from orchestrad.core.agenda import Agenda
from orchestrad.core.plan import answers, deliveries, hub, runs
from orchestrad.core.settle import ConcernFailed, culprit, without
from orchestrad.core.world import World

Planner = Callable[[World, Agenda], Iterable[Action]]

PLANNERS: Final[tuple[tuple[str, Planner], ...]] = (
    ("answers", answers.plan),
    ("runs", runs.plan),
    ("deliveries", deliveries.plan),
    ("hub", hub.plan),
)


def plan(world: World, agenda: Agenda, *, aside: Collection[tuple[str, str | None]] = ()) -> list[Action]:
    """All orders that the world asks for, in a fixed order; whoever carries them out lets one per key run at a time.

    `aside` names planners that are left out, whole (None) or for an agent. Raises ConcernFailed.
    """
    orders: list[Action] = []
    for name, planner in PLANNERS:
        if (name, None) in aside:
            continue
        seen = without(world, {agent for other, agent in aside if other == name and agent is not None})
        try:
            orders.extend(planner(seen, agenda))
        except Exception as error:
            raise ConcernFailed(name, culprit(seen, lambda less, planner=planner: list(planner(less, agenda)))) from error  # type: ignore[misc]  # bound in this turn of the loop
    return orders
