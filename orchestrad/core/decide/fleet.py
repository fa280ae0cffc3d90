"""What people, the config and the start of a daemon mean."""

from collections.abc import Iterator

from orchestrad.core.decide import on
from orchestrad.core.events import (
    AgentAdded,
    AgentDrained,
    AgentGivenBack,
    ConfigTaken,
    Event,
    FleetBegan,
    FleetEnding,
    RunEndOrdered,
    TaskOpened,
)
from orchestrad.core.ids import MANAGER, Now, worker
from orchestrad.core.observations import ConfigRead, DaemonStarted, EndAsked, ResumeAsked, RetryAsked
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.world import World


@on(DaemonStarted)
def daemon_started(world: World, o: DaemonStarted, now: Now) -> Iterator[Event]:
    """The fleet goes on where it was."""
    yield FleetBegan(now=now, reason="a daemon took it up")
    for agent in world.agents.values():
        if agent.state is AgentState.FAILED and agent.run is None:
            yield AgentGivenBack(now=now, agent=agent.name, state=AgentState.STOPPED, reason="the daemon was started again")


@on(ConfigRead)
def config_read(world: World, o: ConfigRead, now: Now) -> Iterator[Event]:
    """New settings: members that are missing join, members too many are drained."""
    if o.settings != world.settings or set(o.credentials) != {c for c in world.credentials.values() if c.present}:
        yield ConfigTaken(now=now, settings=o.settings, credentials=o.credentials, reason="the config was read")
    wanted = [MANAGER] if o.settings.manager else []
    wanted += [worker(number) for number in range(1, o.settings.workers + 1)]
    for name in wanted:
        if name not in world.agents or not world.agents[name].wanted:
            yield AgentAdded(now=now, agent=name, reason="the config asks for it")
    for name in sorted(set(world.agents) - set(wanted)):
        if world.agents[name].wanted:
            yield AgentDrained(now=now, agent=name, reason="the config does not ask for it any more")


@on(EndAsked)
def end_asked(world: World, o: EndAsked, now: Now) -> Iterator[Event]:
    """Turns may end for a while; asked again, now."""
    deadline_at = now.elapsed + o.grace
    if world.fleet.state is not FleetState.RUNNING:
        deadline_at = min(now.elapsed, world.fleet.deadline_at or now.elapsed)
    yield FleetEnding(now=now, reason=o.reason, deadline_at=deadline_at)


@on(ResumeAsked)
def resume_asked(world: World, o: ResumeAsked, now: Now) -> Iterator[Event]:
    """A person gives an agent back."""
    agent = world.agents.get(o.agent)
    if agent is None:
        return
    if agent.state in (AgentState.FAILED, AgentState.BACKING_OFF) and agent.run is None:
        yield AgentGivenBack(now=now, agent=agent.name, state=AgentState.STOPPED, reason="a person resumed it")
    elif agent.state is AgentState.LIMITED and agent.limited_until_wall is None and agent.run is not None:
        # Its credential was refused. The mended one is read at a start; until then the CLI has the old one.
        yield RunEndOrdered(
            now=now, agent=agent.name, epoch=agent.run.epoch, reason="a person resumed it: its credential is read anew"
        )
    elif agent.state in (AgentState.ATTENDED, AgentState.LIMITED, AgentState.WAITING, AgentState.PAUSED):
        yield AgentGivenBack(now=now, agent=agent.name, state=AgentState.READY, reason="a person resumed it")


@on(RetryAsked)
def retry_asked(world: World, o: RetryAsked, now: Now) -> Iterator[Event]:
    """A person gives a blocked task back."""
    task = world.tasks.get(o.task)
    if task is not None and task.state is TaskState.BLOCKED:
        yield TaskOpened(
            now=now, task=task.id, failures=0, not_before=0, generation=task.generation, reason="a person gave it back"
        )
