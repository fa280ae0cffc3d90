"""What the fleet decides of itself: concern by concern, each from one snapshot, until nothing more follows."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from orchestrad.core.agenda import Agenda
from orchestrad.core.apply import apply
from orchestrad.core.events import Event
from orchestrad.core.settle import deliveries, fleet, leases, manager, merges, runs, tasks
from orchestrad.core.world import World

Concern = Callable[[World, Agenda], Iterable[Event]]

CONCERNS: Final[tuple[tuple[str, Concern], ...]] = (
    ("fleet", fleet.settle),
    ("leases", leases.settle),
    ("runs", runs.settle),
    ("tasks", tasks.settle),
    ("deliveries", deliveries.settle),
    ("merges", merges.settle),
    ("manager", manager.settle),
)

PASSES: Final = 20  # far more than any chain of decisions is long; reaching it is a rule that does not guard itself


class Restless(Exception):
    """The rules did not come to rest. This is a bug in orchestrad; please report it with the text."""


def settle(world: World, agenda: Agenda, *, skip: Callable[[str], bool] = lambda _: False) -> Iterator[tuple[str, Event]]:
    """The events that follow from the world as it stands, each with its concern; the caller applies them in this order.

    Concerns for which `skip` says so are left out. Raises Restless.
    """
    for _ in range(PASSES):
        silent = True
        for name, concern in CONCERNS:
            if skip(name):
                continue
            for event in list(concern(world, agenda)):
                world = apply(world, event)
                silent = False
                yield name, event
        if silent:
            return
    raise Restless(f"the fleet's decisions did not come to rest within {PASSES} passes")
