"""All that the daemon knows: frozen entities, each a row of the store, and glimpses, which can be looked at again.

Instants named `…_at` are on the elapsed clock (`Now.elapsed`), unless the name says `wall`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Literal

from orchestrad.core.ids import (
    AgentName,
    ContainerId,
    ConversationId,
    CredentialLabel,
    Epoch,
    FleetId,
    Nonce,
    Oid,
    TaskId,
)
from orchestrad.core.states import AgentState, FleetState, TaskState

SECOND: Final = 1_000_000
NEVER_RUN: Final = Epoch(0)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the config says, in the core's own units (lengths in microseconds)."""

    workers: int
    manager: bool = True
    low_water: int = 2
    branch: str = "main"
    boots_at_once: int = 2
    max_reminders: int = 2
    max_retries: int = 2
    retry_delay: int = 5 * SECOND
    waiting_timeout: int = 1800 * SECOND
    attended_timeout: int = 600 * SECOND
    start_timeout: int = 90 * SECOND
    restart_first: int = 0
    restart_factor: float = 2.0
    restart_max: int = 300 * SECOND
    restart_forget_after: int = 600 * SECOND
    breaker: int = 8
    resume: bool = True
    until_done: bool = False
    runs_directory: str = "/run/orchestrad"  # as the agent sees it; "{agent}" stands for its name
    test_command: str = ""
    test_instructions: str = ""
    key_files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # of the config as it stands, shown in status


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet as a whole: one row."""

    id: FleetId
    name: str
    settings: Settings
    state: FleetState = FleetState.RUNNING
    reason: str = ""
    deadline_at: int | None = None  # ENDING: when turns are no longer waited for
    finished: int | None = None  # --until-done has ended: the exit status
    submissions: int = 0  # counts what was ever submitted: the order of the merge queue
    notes: int = 0  # counts what the Manager was ever to be told


# ---- runs, turns, deliveries: parts of an agent


@dataclass(frozen=True, slots=True)
class Run:
    """One life of an agent's container or process."""

    epoch: Epoch
    conversation: ConversationId  # asked for at the start; SessionStart tells the real one
    resumes: bool
    ordered_at: int
    container: ContainerId | None = None  # known once the engine said so
    launched_at: int | None = None
    begun_at: int | None = None  # its SessionStart was seen
    terminal: bool = False  # its terminal was opened and not seen dead since …
    terminal_at: int = 0  # … this instant
    carries: Nonce | None = None  # the delivery in its argv
    told_to_end: bool = False
    left: bool = False  # a person ended it with /exit


class Beginner(Enum):
    """Who began a turn."""

    DAEMON = "daemon"
    CLI = "cli"
    PERSON = "person"


class DeliveryKind(Enum):
    """What is put before an agent."""

    TASK = "task"
    CONTINUE = "continue"
    DIGEST = "digest"


class Route(Enum):
    """By which way a delivery was sent last."""

    ANSWER = "answer"  # in the answer to a Stop hook
    ARGV = "argv"  # with the start of a run
    TYPED = "typed"  # into the terminal


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something put before an agent; the nonce is its identity, the route is not."""

    nonce: Nonce
    kind: DeliveryKind
    ordered_at: int
    task: TaskId | None = None
    attempt: int = 0
    notes: tuple[str, ...] = ()
    route: Route | None = None
    sent_at: int | None = None
    delivered_at: int | None = None
    started_at: int | None = None
    conversation: ConversationId | None = None  # in which it was delivered
    sends: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A text to be made from the prompt of this name; what the fleet says stays data until it is sent."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allow:
    """The turn may end."""

    why: str = ""
    kind: Literal["allow"] = "allow"


@dataclass(frozen=True, slots=True)
class Say:
    """The turn goes on with this text."""

    text: Text
    kind: Literal["say"] = "say"


@dataclass(frozen=True, slots=True)
class Hand:
    """The turn goes on with this delivery; with a branch, that is checked out and acknowledged first."""

    nonce: Nonce
    kind: Literal["hand"] = "hand"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The prompt is not let through."""

    reason: str
    kind: Literal["refuse"] = "refuse"


Answer = Allow | Say | Hand | Refuse


@dataclass(frozen=True, slots=True)
class Post:
    """The newest Stop of an agent and what was answered; the answer is None while nothing was decided."""

    epoch: Epoch
    n: int
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """What the agent said with `orch` in this turn."""

    verb: Literal["done", "blocked", "ask"]
    text: str
    no_change: bool = False


@dataclass(frozen=True, slots=True)
class Agent:
    """A named member of the fleet."""

    name: AgentName
    state: AgentState = AgentState.STOPPED
    since_at: int = 0
    since_wall: int = 0
    reason: str = ""
    wanted: bool = True  # False: drained, as workerCount went down
    epoch: Epoch = NEVER_RUN
    run: Run | None = None
    conversation: ConversationId | None = None  # the one to resume; None: begin anew
    task: TaskId | None = None
    delivery: Delivery | None = None
    turn: Beginner | None = None
    turn_at: int = 0
    post: Post | None = None
    prompt_post: int = 0  # the n of the newest UserPromptSubmit, and what was answered
    prompt_answer: Answer | None = None
    other_post: int = 0  # the n of the newest of all other posts
    word: Word | None = None
    silent_stops: int = 0
    reminders: int = 0
    nonces: int = 0
    credential: CredentialLabel | None = None
    limited_until_wall: int | None = None
    limit_check: str | None = None  # the transcript to read for the limit's reset
    spoken: bool = False  # something was said in its conversation: only then can that be resumed
    deaths: int = 0
    start_at: int | None = None  # not before
    api_failures: int = 0


def is_in_turn(agent: Agent) -> bool:
    """Whether the model is believed to be at it, for the fleet or for a person, so that an idle screen tells of an Escape."""
    return agent.state is AgentState.WORKING or (agent.state is AgentState.ATTENDED and agent.turn is Beginner.PERSON)


# ---- tasks


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a task by one agent."""

    number: int
    agent: AgentName
    branch: str
    base: Oid
    above: TaskId | None  # the submitted task of the same worker on whose work this one stands
    assigned_at: int
    sent_at: int | None = None
    delivered_at: int | None = None
    started_at: int | None = None
    head: Oid | None = None  # as submitted
    told: str = ""  # what the item said when its worker heard of it last, see texts.said_by; "" unknown


@dataclass(frozen=True, slots=True)
class Task:
    """An item of a task list, by an identity that stays."""

    id: TaskId
    list: str
    text: str
    body: str = ""
    given_id: str | None = None
    occurrence: int = 0
    order: int = 0  # its place in its list
    after: tuple[str, ...] = ()
    priority: int = 0
    role: str | None = None
    checked: bool = False  # its box, as last seen or set
    listed: bool = True  # its item was in the lists when they were read last
    state: TaskState = TaskState.OPEN
    since_at: int = 0
    since_wall: int = 0
    reason: str = ""
    attempts: int = 0
    failures: int = 0
    failure: str = ""  # why the latest attempt failed
    attempt: Attempt | None = None
    not_before: int = 0
    submission: int = 0  # its number in the merge queue
    no_change: str = ""
    note: str = ""  # what its worker said of it
    asks: bool = False  # blocked by a question to the Manager
    conflict: tuple[str, ...] = ()  # paths; the Manager has been asked
    merged: Oid | None = None
    generation: int = 0


# ---- the hub


class MoveKind(Enum):
    """Why the shared branch is to move."""

    MANAGER = "manager"
    UPSTREAM = "upstream"
    TASK = "task"
    TICK = "tick"


@dataclass(frozen=True, slots=True)
class Move:
    """The one move of the shared branch that is under way; `oid` is stored before any ref moves."""

    kind: MoveKind
    onto: Oid
    source: Oid | None
    ticks: tuple[TaskId, ...]
    message: str
    at_wall: int
    task: TaskId | None = None
    oid: Oid | None = None
    failures: int = 0  # how often its commit could not be made
    ordered_at: int = 0


@dataclass(frozen=True, slots=True)
class HubRow:
    """The shared branch and upstream: one row."""

    tip: Oid | None = None
    moved_at: int = 0  # when the daemon moved it last
    read: Oid | None = None  # the tip whose lists were read last
    direction: Oid | None = None
    direction_told: bool = False  # the Manager was asked to read it
    move: Move | None = None
    offers: tuple[Oid, ...] = ()  # the Manager's pushes, not yet taken
    offer_refused: Oid | None = None  # its newest push that conflicts, …
    offer_conflict: tuple[str, ...] = ()  # … in these paths
    upstream: Oid | None = None  # upstream's tip as last fetched
    upstream_taken: Oid | None = None  # … as far as it is in `branch`
    upstream_has: Oid | None = None  # the tip of `branch` that upstream has
    upstream_conflict: tuple[str, ...] = ()
    upstream_trouble: str = ""
    upstream_refused: bool = False  # it answers and declines: only a person there can change that
    upstream_failures: int = 0
    fetch_at: int = 0  # next fetch
    push_at: int = 0  # not before
    problems: tuple[str, ...] = ()  # of the lists, as read last


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the Manager is to be told."""

    id: str
    kind: Literal["direction", "low", "blocked", "question", "conflict", "upstream", "problem", "merged"]
    text: str
    at_wall: int
    about: str = ""
    at: int = 0  # on the elapsed clock
    nonce: Nonce | None = None  # the digest that tells it; None: not yet

    @property
    def wakes(self) -> bool:
        """Whether the Manager is woken for this alone."""
        return self.kind != "merged"


@dataclass(frozen=True, slots=True)
class Credential:
    """A login, by its label; its secret is not here."""

    label: CredentialLabel
    kind: str
    fingerprint: str
    present: bool = True


# ---- glimpses: not stored


@dataclass(frozen=True, slots=True)
class ScreenSeen:
    """What an agent's screen and session file told together."""

    asked_at: int
    status: str  # busy, idle, shell, waiting; "" unknown
    composer: str  # empty, typed, dialog, unknown
    text: str = ""  # what stands in the composer or dialog
    key_age: int | None = None  # since an attached client last pressed a key
    status_age: int = 0  # since the session file changed


@dataclass(frozen=True, slots=True)
class Glimpses:
    """What can be looked at again: open connections, screens, what the engine listed."""

    stops: Mapping[str, tuple[AgentName, Epoch, int]] = field(default_factory=dict)  # connection → Stop post
    prompts: Mapping[str, tuple[AgentName, Epoch, int]] = field(default_factory=dict)
    replies: Mapping[str, tuple[bool, str]] = field(default_factory=dict)  # connection → ok, text
    runs_at: int | None = None  # when the list was asked for that was heard last; None: not since the daemon began
    strays: tuple[tuple[ContainerId, AgentName], ...] = ()  # alive or dead, and nobody's
    closed: frozenset[AgentName] = frozenset()  # agents whose terminals were closed, as asked
    screens: Mapping[AgentName, ScreenSeen] = field(default_factory=dict)
    engine_trouble: str = ""
    troubles: Mapping[str, str] = field(default_factory=dict)  # orders that fail, by key; tried again by themselves
    faults: Mapping[str, str] = field(default_factory=dict)  # concerns set aside


@dataclass(frozen=True, slots=True)
class World:
    """Everything at one instant."""

    fleet: Fleet
    agents: Mapping[AgentName, Agent] = field(default_factory=dict)
    tasks: Mapping[TaskId, Task] = field(default_factory=dict)
    credentials: Mapping[CredentialLabel, Credential] = field(default_factory=dict)
    notes: Mapping[str, Note] = field(default_factory=dict)
    hub: HubRow = field(default_factory=HubRow)
    glimpses: Glimpses = field(default_factory=Glimpses)

    @property
    def settings(self) -> Settings:
        """The config in force."""
        return self.fleet.settings


Entity = Fleet | Agent | Task | Credential | Note | HubRow | Glimpses


@dataclass(frozen=True, slots=True)
class Removed:
    """A row that is no more (a note that was told and trimmed)."""

    kind: type
    key: str


_FIELDS: Mapping[type, tuple[str, str | None]] = MappingProxyType(
    {
        Fleet: ("fleet", None),
        Agent: ("agents", "name"),
        Task: ("tasks", "id"),
        Credential: ("credentials", "label"),
        Note: ("notes", "id"),
        HubRow: ("hub", None),
        Glimpses: ("glimpses", None),
    }
)


def key_of(entity: Entity) -> str:
    """The key of an entity's row."""
    _, key = _FIELDS[type(entity)]
    return str(getattr(entity, key)) if key else "-"


def put(world: World, entities: "list[Entity | Removed]") -> World:
    """The world with these entities in place of the ones of the same key."""
    changed: dict[str, Any] = {}
    for entity in entities:
        kind = entity.kind if isinstance(entity, Removed) else type(entity)
        name, key = _FIELDS[kind]
        if key is None:
            changed[name] = entity
            continue
        mapping = changed.setdefault(name, dict(getattr(world, name)))
        if isinstance(entity, Removed):
            mapping.pop(entity.key, None)
        else:
            mapping[getattr(entity, key)] = entity
    return replace(world, **changed)
