"""What a fleet looks like to people and scripts: one document, made from the world as it stands."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from orchestrad import __version__
from orchestrad.core.identity import list_order
from orchestrad.core.ids import MANAGER, Now, worker_number
from orchestrad.core.moments import wall_of
from orchestrad.core.states import TaskState
from orchestrad.core.why import plain, tell
from orchestrad.core.why.agents import doing
from orchestrad.core.why.who import Acts, who_acts_for_agent, who_acts_for_task
from orchestrad.core.world import SECOND, Agent, Task, World

SETTLED = frozenset({TaskState.DONE, TaskState.CANCELLED})


@dataclass(frozen=True, slots=True)
class About:
    """What is to be shown of the daemon itself, which the world does not hold."""

    pid: int
    config_directory: Path
    state_directory: Path
    engine: str
    tmux_socket: str | None = None  # as `terminals.socket` has it; None: the user's own server
    notices: tuple[str, ...] = ()  # keys that are not in use yet, and the like


class Part(BaseModel):
    """A JSON object in camelCase; later versions add keys, and never change what a key means."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)


class UpstreamStatus(Part):
    """How `branch` and upstream stand to each other."""

    tip: str | None
    up_to_date: bool
    trouble: str
    conflict: tuple[str, ...]


class FleetPart(Part):
    """The fleet as a whole."""

    name: str
    state: str
    reason: str
    branch: str
    tip: str | None
    upstream: UpstreamStatus
    until_done: bool
    exit_status: int | None
    deadline: datetime | None
    engine: str
    pid: int
    orchestrad: str
    config_directory: str
    state_directory: str
    tmux_socket: str | None


class AgentPart(Part):
    """One agent. `why` is a sentence, `doing` a few words beside its name and state; `needs` says who must act before it
    goes on: a person, or nobody ("").
    """

    name: str
    state: str
    since: datetime
    for_seconds: int
    reason: str
    why: str
    doing: str
    needs: Acts
    task: str | None
    task_title: str | None
    attempt: int | None
    run: int
    credential: str | None
    limited_until: datetime | None
    session: str
    container: str | None


class TaskPart(Part):
    """One task. `needs` says who must act before it goes on: a person, the Manager, or nobody ("")."""

    id: str
    list: str
    text: str
    state: str
    since: datetime
    for_seconds: int
    reason: str
    why: str
    needs: Acts
    agent: str | None
    attempt: int | None
    branch: str | None
    merged: str | None


class Problem(Part):
    """Something that is not as it should be while the rest works on."""

    about: Literal["config", "lists", "direction", "engine", "upstream", "credentials"]
    text: str


class Counts(Part):
    """How many tasks there are, withdrawn ones left out, and how many agents are in which state."""

    tasks: int
    open: int
    assigned: int
    submitted: int
    done: int
    blocked: int
    cancelled: int
    agents: dict[str, int]


class FleetStatus(Part):
    """All of it. `lastEvent` is what `GET /events?after=` goes on from."""

    version: Literal[1] = 1
    at: datetime
    fleet: FleetPart
    agents: tuple[AgentPart, ...]
    tasks: tuple[TaskPart, ...]
    merge_queue: tuple[str, ...]
    problems: tuple[Problem, ...]
    notices: tuple[str, ...]
    counts: Counts


def status(world: World, now: Now, about: About, zone: tzinfo = UTC) -> FleetStatus:
    """The fleet at this instant; `zone` is for the times within sentences, all others are UTC."""
    agents = sorted(world.agents.values(), key=lambda agent: (agent.name != MANAGER, worker_number(agent.name) or 0))
    tasks = sorted(world.tasks.values(), key=lambda task: (list_order(task.list), task.order, task.id))
    queue = sorted((t for t in tasks if t.state is TaskState.SUBMITTED), key=lambda task: task.submission)
    return FleetStatus(
        at=_time(now.wall),
        fleet=_fleet(world, now, about),
        agents=tuple(_agent(world, agent, now, zone) for agent in agents),
        tasks=tuple(_task(world, task, now, zone) for task in tasks),
        merge_queue=tuple(task.id for task in queue),
        problems=tuple(_problems(world)),
        notices=(*about.notices, *(f"bug, please report: {plain(fault)}" for fault in world.glimpses.faults)),
        counts=_counts(world),
    )


def session_name(fleet: str, agent: str) -> str:
    """The tmux session that shows an agent."""
    return f"{fleet}-{agent}"


def _time(wall: int) -> datetime:
    return datetime.fromtimestamp(wall // SECOND, UTC)


def _fleet(world: World, now: Now, about: About) -> FleetPart:
    fleet, hub = world.fleet, world.hub
    return FleetPart(
        name=fleet.name,
        state=fleet.state.value,
        reason=plain(fleet.reason),
        branch=world.settings.branch,
        tip=hub.tip,
        upstream=UpstreamStatus(
            tip=hub.upstream,
            up_to_date=hub.tip is not None and hub.upstream_has == hub.tip,
            trouble=plain(hub.upstream_trouble),
            conflict=hub.upstream_conflict,
        ),
        until_done=world.settings.until_done,
        exit_status=fleet.finished,
        deadline=_time(wall_of(fleet.deadline_at, now)) if fleet.deadline_at is not None else None,
        engine=about.engine,
        pid=about.pid,
        orchestrad=__version__,
        config_directory=str(about.config_directory),
        state_directory=str(about.state_directory),
        tmux_socket=about.tmux_socket,
    )


def _agent(world: World, agent: Agent, now: Now, zone: tzinfo) -> AgentPart:
    task = world.tasks.get(agent.task) if agent.task else None
    return AgentPart(
        name=agent.name,
        state=agent.state.value,
        since=_time(agent.since_wall),
        for_seconds=max(0, now.elapsed - agent.since_at) // SECOND,
        reason=plain(agent.reason),
        why=tell(world, agent, now, zone),
        doing=plain(doing(world, agent, now, zone)),
        needs=who_acts_for_agent(world, agent),
        task=task.id if task else None,
        task_title=plain(task.text) if task else None,
        attempt=task.attempt.number if task and task.attempt else None,
        run=agent.epoch,
        credential=agent.credential,
        limited_until=_time(agent.limited_until_wall) if agent.limited_until_wall is not None else None,
        session=session_name(world.fleet.name, agent.name),
        container=agent.run.container if agent.run else None,
    )


def _task(world: World, task: Task, now: Now, zone: tzinfo) -> TaskPart:
    attempt = task.attempt
    return TaskPart(
        id=task.id,
        list=task.list,
        text=plain(task.text),
        state=task.state.value,
        since=_time(task.since_wall),
        for_seconds=max(0, now.elapsed - task.since_at) // SECOND,
        reason=plain(task.reason),
        why=tell(world, task, now, zone),
        needs=who_acts_for_task(world, task),
        agent=attempt.agent if attempt else None,
        attempt=attempt.number if attempt else None,
        branch=attempt.branch if attempt else None,
        merged=task.merged,
    )


def _problems(world: World) -> list[Problem]:
    hub = world.hub
    found = [Problem(about="config", text=plain(text)) for text in world.settings.problems]
    found += [Problem(about="lists", text=plain(text)) for text in hub.problems]
    if hub.read is not None and hub.direction is None and world.settings.manager:
        text = "There is no PROJECT_DIRECTION.md: write in it what the project is for and what is to be done, commit, push."
        found.append(Problem(about="direction", text=text))
    if world.glimpses.engine_trouble:
        found.append(Problem(about="engine", text=plain(world.glimpses.engine_trouble)))
    if hub.upstream_trouble:
        found.append(Problem(about="upstream", text=plain(hub.upstream_trouble)))
    if hub.upstream_conflict:
        whose = "the Manager was asked to settle it" if world.settings.manager else "merge them and push"
        text = f"Upstream's {world.settings.branch} conflicts with ours in {', '.join(hub.upstream_conflict)}; {whose}."
        found.append(Problem(about="upstream", text=plain(text)))
    if not any(credential.present for credential in world.credentials.values()):
        found.append(Problem(about="credentials", text="No credential is there: put a file where `claudeConfigs` finds it."))
    return found


def _counts(world: World) -> Counts:
    tasks = Counter(task.state for task in world.tasks.values())
    return Counts(
        tasks=sum(number for state, number in tasks.items() if state is not TaskState.CANCELLED),
        **{state.value: tasks[state] for state in TaskState},
        agents=dict(Counter(agent.state.value for agent in world.agents.values())),
    )
