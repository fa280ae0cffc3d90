"""Worlds for tests of the core and of what people see, said in one line: `a_world(worker("worker-1", WORKING, task="t1"))`.

Keyword arguments go to the dataclasses as they are. What follows from the rest is filled in: a state that holds a run has
one, an assigned task has its attempt and its agent holds it, a credential that an agent uses is there.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from orchestrad.core.agenda import Agenda
from orchestrad.core.apply import apply
from orchestrad.core.decide import decide
from orchestrad.core.events import Event
from orchestrad.core.ids import (
    MANAGER,
    AgentName,
    ContainerId,
    ConversationId,
    CredentialLabel,
    Epoch,
    FleetId,
    Micros,
    Nonce,
    Now,
    Oid,
    TaskId,
    micros,
)
from orchestrad.core.plan import plan
from orchestrad.core.settle import settle
from orchestrad.core.states import HOLDS_RUN, AgentState, TaskState
from orchestrad.core.world import (
    Agent,
    Attempt,
    Beginner,
    Credential,
    Delivery,
    DeliveryKind,
    Fleet,
    Glimpses,
    HubRow,
    Note,
    Route,
    Run,
    Settings,
    Task,
    World,
    put,
)

A = TypeVar("A")
DAY = datetime(2030, 1, 1, tzinfo=UTC)
TIP = Oid("a" * 40)


def at(clock: str) -> Now:
    """An instant of the one day on which tests play, "14:02" or "14:02:30" UTC; `elapsed` counts from its midnight."""
    hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3]
    elapsed = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return Now(micros(DAY - datetime(1970, 1, 1, tzinfo=UTC) + elapsed), micros(elapsed))


EARLIER = at("14:00")
LATER = at("14:02")


def oid(letter: str) -> Oid:
    """A git object's name that can be told from others."""
    return Oid((letter * 40)[:40])


def a_run(epoch: int = 1, **fields: Any) -> Run:
    """A run that was launched and whose conversation has begun."""
    given: dict[str, Any] = {
        "conversation": ConversationId(f"conversation-{epoch}"),
        "resumes": False,
        "ordered_at": 0,
        "container": ContainerId(f"container-{epoch}"),
        "launched_at": 0,
        "begun_at": 0,
        "terminal": True,
    }
    return Run(Epoch(epoch), **{**given, **fields})


def an_agent(name: str, state: AgentState = AgentState.READY, *, since: Now = EARLIER, **fields: Any) -> Agent:
    """An agent in this state since then; with a run if the state has one, and the credential "pool-1"."""
    given: dict[str, Any] = {"since_at": since.elapsed, "since_wall": since.wall, "credential": CredentialLabel("pool-1")}
    if state in HOLDS_RUN and "run" not in fields:
        launched: dict[str, Any] = {"launched_at": since.elapsed, "begun_at": None} if state is AgentState.STARTING else {}
        given["run"] = a_run(fields.get("epoch", 1), **launched)
    run = fields.get("run", given.get("run"))
    if run is not None:
        given |= {"epoch": run.epoch, "conversation": run.conversation if run.begun_at is not None else None}
        given["spoken"] = run.begun_at is not None
    return Agent(AgentName(name), state, **{**given, **fields})


def worker(name: str, state: AgentState = AgentState.READY, **fields: Any) -> Agent:
    """A worker; see `an_agent`."""
    return an_agent(name, state, **fields)


def manager(state: AgentState = AgentState.READY, **fields: Any) -> Agent:
    """The Manager; see `an_agent`."""
    return an_agent(MANAGER, state, **fields)


def an_attempt(by: str, task: str, number: int = 1, **fields: Any) -> Attempt:
    """A try at a task, on top of the shared branch."""
    branch = f"{by}/{task}" if number == 1 else f"{by}/{task}-{number}"
    return Attempt(number, AgentName(by), branch, **{"base": TIP, "above": None, "assigned_at": EARLIER.elapsed, **fields})


def task(id_: str, state: TaskState = TaskState.OPEN, *, by: str | None = None, since: Now = EARLIER, **fields: Any) -> Task:
    """A task of WORKER_1_TASK_LIST.md with this id; `by` names the worker whose attempt it has."""
    text = id_.replace("-", " ").capitalize()
    given: dict[str, Any] = {"list": "WORKER_1_TASK_LIST.md", "text": text, "given_id": id_}
    given |= {"since_at": since.elapsed, "since_wall": since.wall}
    if by is not None and "attempt" not in fields:
        number = fields.get("attempts", 1)
        head = oid("b") if state in (TaskState.SUBMITTED, TaskState.DONE) else None
        given |= {"attempts": number, "attempt": an_attempt(by, id_, number, head=head)}
    return Task(TaskId(id_), state=state, **{**given, **fields})


def delivery(kind: DeliveryKind = DeliveryKind.TASK, *, nonce: str = "nonce-1", **fields: Any) -> Delivery:
    """Something put before an agent, ordered and not yet sent."""
    return Delivery(Nonce(nonce), kind, **{"ordered_at": EARLIER.elapsed, **fields})


def a_fleet(**settings: Any) -> Fleet:
    """The fleet "demo" with these settings."""
    return Fleet(FleetId("f1ee7"), "demo", Settings(**{"workers": 3, **settings}))


def a_hub(**fields: Any) -> HubRow:
    """A hub whose branch and lists are known, and which upstream agrees with."""
    given: dict[str, Any] = {"tip": TIP, "read": TIP, "direction": oid("d"), "direction_told": True}
    given |= {"upstream": TIP, "upstream_taken": TIP, "upstream_has": TIP}
    return HubRow(**{**given, **fields})


def a_world(*entities: Agent | Task | Credential | Note | Fleet | HubRow | Glimpses, **settings: Any) -> World:
    """A world of these entities; `settings` go to its fleet unless one is given."""
    world = World(a_fleet(**settings), hub=a_hub(), glimpses=Glimpses(runs_at=0))
    world = put(world, list(entities))
    for name, agent in world.agents.items():
        if agent.task is not None and agent.task not in world.tasks:
            world = put(world, [task(agent.task, TaskState.ASSIGNED, by=name)])
        if agent.credential is not None and agent.credential not in world.credentials:
            world = put(world, [Credential(agent.credential, "token", "0" * 12)])
    for id_, one in world.tasks.items():
        holder = world.agents.get(one.attempt.agent) if one.state is TaskState.ASSIGNED and one.attempt else None
        if holder is not None and holder.task is None:
            world = put(world, [replace(holder, task=id_)])
    return world


def seconds(number: float) -> Micros:
    """A length in microseconds."""
    return micros(timedelta(seconds=number))


def at_work(name: str, task_id: str, *, nonce: str = "nonce-1", **fields: Any) -> Agent:
    """A worker in a turn on this task, which was delivered in its present conversation."""
    given: dict[str, Any] = {"turn": Beginner.DAEMON, "turn_at": EARLIER.elapsed, "task": TaskId(task_id)}
    conversation = ConversationId(f"conversation-{fields.get('epoch', 1)}")
    put_before = delivery(
        nonce=nonce,
        task=TaskId(task_id),
        attempt=1,
        route=Route.TYPED,
        sent_at=EARLIER.elapsed,
        delivered_at=EARLIER.elapsed,
        started_at=EARLIER.elapsed,
        conversation=conversation,
        sends=1,
    )
    return worker(name, AgentState.WORKING, **{**given, "delivery": put_before, **fields})


def happened(world: World, *observations: object, now: Now = LATER) -> tuple[World, list[Event]]:
    """The world once all of this was heard together and all that follows was decided, and the facts, as the reactor makes them."""
    events: list[Event] = []

    def add(event: Event) -> None:
        nonlocal world
        world = apply(world, event)
        events.append(event)

    for observation in observations:
        for event in decide(world, observation, now):
            add(event)
    for event in settle(world, Agenda(now)):
        add(event)
    return world, events


def after(world: World, *observations: object, now: Now = LATER) -> World:
    """The world once all of this was heard together and all that follows was decided; see `happened`."""
    return happened(world, *observations, now=now)[0]


def planned(world: World, *kinds: type[A], now: Now = LATER) -> list[A]:
    """The orders of these kinds that the world asks for."""
    return [action for action in plan(world, Agenda(now)) if isinstance(action, kinds)]


def the(world: World, name: str) -> Any:
    """The agent or task of this name; a test says what it expects of it, so its optional parts are not checked."""
    return world.agents[AgentName(name)] if AgentName(name) in world.agents else world.tasks[TaskId(name)]
