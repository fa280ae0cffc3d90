"""What an ending fleet still waits for, as people are told at Ctrl-C and `orchestrad down`."""

from orchestrad.core.ids import worker_number
from orchestrad.core.states import IN_TURN, FleetState
from orchestrad.core.why.words import counted
from orchestrad.core.world import World

MOST_NAMED = 6


def ending(world: World) -> str:
    """E.g. "waiting for 2 turns to end (worker-1, worker-4)"; "" while the fleet is not ending."""
    if world.fleet.state is FleetState.RUNNING:
        return ""
    if world.fleet.state is FleetState.ENDED:
        return "the fleet has ended; its work is saved"
    runs = sorted((agent for agent in world.agents.values() if agent.run is not None), key=lambda a: worker_number(a.name) or 0)
    if turns := [str(agent.name) for agent in runs if agent.state in IN_TURN]:
        return f"waiting for {counted(len(turns), 'turn')} to end ({_named(turns)})"
    if runs:
        return f"stopping {counted(len(runs), 'agent')} ({_named([str(agent.name) for agent in runs])})"
    return "ending"


def _named(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
