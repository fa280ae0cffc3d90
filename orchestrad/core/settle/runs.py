"""Which runs begin and which end."""

from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import AgentGivenBack, DeliveryOrdered, DeliverySent, Event, RunEndOrdered, RunOrdered
from orchestrad.core.ids import Epoch, conversation_id
from orchestrad.core.settle.deliveries import restart_delivery
from orchestrad.core.states import IN_CONVERSATION, IN_TURN, AgentState, FleetState
from orchestrad.core.world import Agent, Beginner, Route, World

STARTABLE = frozenset({AgentState.STOPPED, AgentState.BACKING_OFF})


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Starts what should run and doesn't, ends what should not or does not come up."""
    ending = world.fleet.state is not FleetState.RUNNING
    booting = sum(1 for agent in world.agents.values() if agent.state is AgentState.STARTING)
    for agent in sorted(world.agents.values(), key=lambda agent: (agent.task is None, agent.name)):
        if agent.run is not None:
            yield from _end(world, agenda, agent, ending=ending)
            yield from _give_back(world, agenda, agent)
        elif not ending and agent.wanted and agent.state in STARTABLE and world.glimpses.runs_at is not None:
            if agent.credential is None or booting >= world.settings.boots_at_once:
                continue  # asked again when one of those has begun
            if agenda.passed(agent.start_at or 0):
                booting += 1
                yield from _start(world, agenda, agent)


def _start(world: World, agenda: Agenda, agent: Agent) -> Iterator[Event]:
    resumes = world.settings.resume and agent.conversation is not None and agent.spoken
    epoch = Epoch(agent.epoch + 1)
    delivery = restart_delivery(world, agenda, agent, agent.conversation if resumes else None)
    if delivery is not None and delivery != agent.delivery:
        yield DeliveryOrdered(now=agenda.now, agent=agent.name, delivery=delivery, reason="the run begins with it")
    conversation = agent.conversation if resumes and agent.conversation else conversation_id(world.fleet.id, agent.name, epoch)
    yield RunOrdered(
        now=agenda.now,
        agent=agent.name,
        epoch=epoch,
        conversation=conversation,
        resumes=resumes,
        carries=delivery.nonce if delivery else None,
        reason=f"{agent.reason}; started again" if agent.epoch else "the first start",
    )
    if delivery is not None:
        yield DeliverySent(now=agenda.now, agent=agent.name, nonce=delivery.nonce, route=Route.ARGV)


def _end(world: World, agenda: Agenda, agent: Agent, *, ending: bool) -> Iterator[Event]:
    run = agent.run
    if run is None or agent.state is AgentState.STOPPING:
        return
    reason = ""
    if ending:
        deadline = world.fleet.deadline_at
        if agent.state not in IN_TURN or deadline is None or agenda.passed(deadline):
            reason = world.fleet.reason or "the fleet ends"
    elif not agent.wanted and agent.state not in IN_TURN:
        reason = "the config does not ask for it any more"
    elif _came_up_too_late(world, agenda, agent):
        reason = "hooks not running: no SessionStart came in time; `orchestrad logs` shows what it printed"
    if reason and run.container is not None:
        yield RunEndOrdered(now=agenda.now, agent=agent.name, epoch=run.epoch, reason=reason)


def _give_back(world: World, agenda: Agenda, agent: Agent) -> Iterator[Event]:
    """Ends of waiting: a person's time is over, a limit is over, background work takes too long."""
    if agent.state not in IN_CONVERSATION:
        return
    reason = ""
    theirs = agent.turn is Beginner.PERSON  # under way, however long it takes; one that was broken off shows on the screen
    if agent.state is AgentState.ATTENDED and not theirs and agenda.passed(agent.turn_at + world.settings.attended_timeout):
        reason = "nobody has talked to it for a while"
    elif agent.state is AgentState.WAITING and agenda.passed(agent.since_at + world.settings.waiting_timeout):
        reason = "its background work took too long"
    elif _limit_is_over(agenda, agent):
        reason = "its limit is over"
    if reason:
        yield AgentGivenBack(now=agenda.now, agent=agent.name, state=AgentState.READY, reason=reason)


def _came_up_too_late(world: World, agenda: Agenda, agent: Agent) -> bool:
    if agent.state is not AgentState.STARTING or agent.run is None or agent.run.launched_at is None:
        return False
    shown = 1 if agent.run.terminal else 2  # one that is on no screen yet has not been able to begin
    return agenda.passed(agent.run.launched_at + shown * world.settings.start_timeout)


def _limit_is_over(agenda: Agenda, agent: Agent) -> bool:
    if agent.state is not AgentState.LIMITED or agent.limited_until_wall is None or agent.limit_check is not None:
        return False
    return agenda.passed_wall(agent.limited_until_wall)
