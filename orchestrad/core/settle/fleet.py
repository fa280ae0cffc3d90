"""The fleet as a whole: when it has finished, when it has ended."""

from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import Event, FleetEnded, FleetFinished
from orchestrad.core.ids import MANAGER
from orchestrad.core.readiness import is_hopeless
from orchestrad.core.states import IN_TURN, UNFINISHED, AgentState, FleetState, TaskState
from orchestrad.core.world import SECOND, Agent, World

GIVE_UP = 90 * SECOND  # past the deadline: an engine or terminal that does not answer must not hold the daemon for ever
REFUSALS = 3  # of a push in a row; a branch may be protected for a moment only
LINGER = SECOND  # the last word of the Manager may still be on its way to the lists


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Ends the fleet when no run is left, finishes it with `--until-done` when nothing is left to do."""
    fleet = world.fleet
    idle = all(agent.run is None for agent in world.agents.values())
    if fleet.state is FleetState.ENDING:
        if idle and (_is_handed_in(world) or agenda.passed(fleet.deadline_at or 0)):
            yield FleetEnded(now=agenda.now, reason=fleet.reason)
        elif agenda.passed((fleet.deadline_at or 0) + GIVE_UP):
            left = ", ".join(sorted(agent.name for agent in world.agents.values() if agent.run is not None))
            yield FleetEnded(now=agenda.now, reason=f"{left} could not be stopped; the next daemon takes up what still runs")
    if fleet.state is not FleetState.RUNNING or not fleet.settings.until_done or fleet.finished is not None:
        return
    if why := stands_still(world):
        yield FleetFinished(now=agenda.now, status=1, reason=why)
    elif _is_done(world, agenda):
        stuck = [task for task in world.tasks.values() if task.state is TaskState.BLOCKED or task.state in UNFINISHED]
        yield FleetFinished(
            now=agenda.now,
            status=1 if stuck else 0,
            reason=f"{len(stuck)} tasks are blocked" if stuck else "every task is merged",
        )


def _is_handed_in(world: World) -> bool:
    """Whether all that can be merged is merged, and upstream has it or can't be reached just now."""
    hub = world.hub
    if hub.tip is None or hub.upstream_trouble or hub.upstream_conflict:
        return True
    waits = any(task.state is TaskState.SUBMITTED and not task.conflict for task in world.tasks.values())
    return hub.read == hub.tip and hub.move is None and not hub.offers and not waits and hub.upstream_has == hub.tip


def stands_still(world: World) -> str:
    """What keeps a fleet in which nobody is at work from ever being done; "" when it may go on by itself."""
    if any(agent.state in IN_TURN for agent in world.agents.values()):
        return ""
    hub, wanted = world.hub, [agent for agent in world.agents.values() if agent.wanted]
    lost = {agent.name for agent in wanted if _is_lost(agent)}
    workers = {agent.name for agent in wanted if agent.name != MANAGER}
    if workers and workers <= lost and any(task.state in (TaskState.OPEN, TaskState.ASSIGNED) for task in world.tasks.values()):
        return "no worker can go on; `orchestrad why worker-1` tells why"
    if any(task.state in UNFINISHED and not is_hopeless(world, task) for task in world.tasks.values()) or hub.move or hub.offers:
        return ""
    if MANAGER in lost:
        return "the Manager can't go on; `orchestrad why manager` tells why"
    if hub.upstream_conflict and not world.settings.manager:
        return f"upstream's {world.settings.branch} conflicts with ours in {', '.join(hub.upstream_conflict)}"
    if hub.upstream_refused and hub.upstream_failures >= REFUSALS and hub.upstream_has != hub.tip:
        return f"upstream does not take the work: {hub.upstream_trouble}"
    return ""


def _is_lost(agent: Agent) -> bool:
    """Whether only a person can bring it back: its breaker is open, or its credential was refused."""
    refused = agent.state is AgentState.LIMITED and agent.limited_until_wall is None and agent.limit_check is None
    return agent.state is AgentState.FAILED or refused


def _is_done(world: World, agenda: Agenda) -> bool:
    hub = world.hub
    if hub.tip is None or hub.read != hub.tip or hub.move or hub.offers or hub.upstream_has != hub.tip:
        return False
    if any(task.state in UNFINISHED and not is_hopeless(world, task) for task in world.tasks.values()):
        return False
    if any(task.state is TaskState.DONE and not task.checked and task.listed for task in world.tasks.values()):
        return False
    if any(agent.state in IN_TURN for agent in world.agents.values()):
        return False
    manager = world.agents.get(MANAGER)
    if world.settings.manager and manager is not None:
        waits = any(note.wakes and note.nonce is None for note in world.notes.values())
        if waits or manager.delivery is not None or manager.state is not AgentState.READY:
            return False
        return agenda.passed(manager.since_at + LINGER)
    return bool(world.tasks) or agenda.passed(LINGER)
