"""Facts, in the past tense. An event carries all that `apply` needs, its instant included."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrad.core.ids import AgentName, ContainerId, ConversationId, CredentialLabel, Epoch, Nonce, Now, Oid, TaskId
from orchestrad.core.states import AgentState
from orchestrad.core.world import (
    Answer,
    Attempt,
    Beginner,
    Credential,
    Delivery,
    Glimpses,
    Move,
    Note,
    Route,
    Settings,
    Task,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, at `now`."""

    now: Now
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent(Event):
    """Something that happened to an agent."""

    agent: AgentName


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent(Event):
    """Something that happened to a task."""

    task: TaskId


# ---- fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigTaken(Event):
    """These settings and credentials are in force."""

    settings: Settings
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetBegan(Event):
    """A daemon took the fleet up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEnding(Event):
    """Turns may end until the deadline; then all runs are stopped."""

    deadline_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEnded(Event):
    """No run is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFinished(Event):
    """All that could be done is done."""

    status: int


# ---- agents and runs


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAdded(AgentEvent):
    """The fleet has a new member, or an old one again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDrained(AgentEvent):
    """The fleet is to be smaller: this member ends after its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialLeased(AgentEvent):
    """The agent's next run uses this credential."""

    credential: CredentialLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrdered(AgentEvent):
    """A new run begins: a new epoch, container and token."""

    epoch: Epoch
    conversation: ConversationId
    resumes: bool
    carries: Nonce | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLaunched(AgentEvent):
    """The engine has the run."""

    epoch: Epoch
    container: ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalOpened(AgentEvent):
    """The run is on a screen."""

    epoch: Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalLost(AgentEvent):
    """The screen is gone, or its program has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan(AgentEvent):
    """SessionStart: the conversation is there."""

    epoch: Epoch
    conversation: ConversationId
    cleared: bool
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEndOrdered(AgentEvent):
    """The run is to end; with `afresh` the next one begins another conversation."""

    epoch: Epoch
    afresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft(AgentEvent):
    """A person ended the conversation with /exit; no crash."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(AgentEvent):
    """The run is dead, as ordered or by itself."""

    epoch: Epoch
    state: AgentState
    deaths: int
    start_at: int | None
    forget_conversation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGivenBack(AgentEvent):
    """A person resumed it, or its time with a person is over, or its breaker was closed."""

    state: AgentState


# ---- turns


@dataclass(frozen=True, slots=True, kw_only=True)
class PostTaken(AgentEvent):
    """A post that is neither a Stop nor a prompt was seen."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTaken(AgentEvent):
    """A prompt was let through or refused; `beginner` when it began a turn."""

    n: int
    answer: Answer
    beginner: Beginner | None
    state: AgentState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded(AgentEvent):
    """A Stop was read."""

    epoch: Epoch
    n: int
    state: AgentState
    silent_stops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAnswered(AgentEvent):
    """What the Stop is told."""

    n: int
    answer: Answer
    reminds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnBroken(AgentEvent):
    """An API error ended the turn; it goes on later."""

    n: int
    state: AgentState
    failures: int
    again_at: int
    until_wall: int | None = None
    transcript: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRead(AgentEvent):
    """When the limit is over, or that it does not say (then `until_wall` is a guess)."""

    until_wall: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInterrupted(AgentEvent):
    """The turn ended without a hook: a person pressed Escape, or the CLI never took its prompt."""

    state: AgentState = AgentState.ATTENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class WordGiven(AgentEvent):
    """The agent said done, blocked, or asked."""

    n: int
    word: Word


# ---- deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOrdered(AgentEvent):
    """Something is to be put before the agent."""

    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySent(AgentEvent):
    """It was put before the agent; whether it arrived is not known."""

    nonce: Nonce
    route: Route
    told: str = ""  # what its task said in it; "" as it says now


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(AgentEvent):
    """A script or prompt acknowledged it."""

    nonce: Nonce
    conversation: ConversationId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStarted(AgentEvent):
    """The agent acted on it."""

    nonce: Nonce


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEnded(AgentEvent):
    """Nothing is to be put before the agent any more."""

    nonce: Nonce


# ---- tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAdded(TaskEvent):
    """A list has a new item."""

    item: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEdited(TaskEvent):
    """Its item reads otherwise, or stands elsewhere."""

    item: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTold(TaskEvent):
    """Its worker heard that the item reads otherwise."""

    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAssigned(TaskEvent):
    """One worker has it."""

    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSubmitted(TaskEvent):
    """Said and proven: it waits for its merge."""

    head: Oid
    submission: int
    no_change: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBlocked(TaskEvent):
    """It needs a person or the Manager."""

    asks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOpened(TaskEvent):
    """Nobody has it: it was given back, or its attempt has failed."""

    failures: int
    not_before: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone(TaskEvent):
    """Its work is in the shared branch (`merged` None: a person ticked it)."""

    merged: Oid | None
    checked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(TaskEvent):
    """Its item was removed."""


# ---- the hub


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRead(Event):
    """The lists at this tip are known."""

    tip: Oid
    direction: Oid | None
    problems: tuple[str, ...]
    upstream_contained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(Event):
    """The Manager pushed this."""

    oid: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOrdered(Event):
    """The shared branch is to move."""

    move: Move


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitMade(Event):
    """The commit of the move exists; no ref has moved."""

    oid: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchMoved(Event):
    """The move is done."""

    tip: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitNotMade(Event):
    """git could not make the commit of the move; tried again, not for ever."""

    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveDropped(Event):
    """The move came to nothing: there was nothing to do, or the tip was elsewhere."""

    took_source: bool  # the source is in the branch already


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictFound(Event):
    """Both sides changed these paths; the Manager is asked."""

    task: TaskId | None  # None: upstream, or the Manager's own push
    upstream: bool
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFetched(Event):
    """Upstream's branch stands here."""

    tip: Oid
    fetch_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPushed(Event):
    """Upstream has this."""

    tip: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTrouble(Event):
    """Upstream is away, has moved, or has refused; tried again then."""

    text: str
    failures: int
    fetch_at: int
    push_at: int
    refused: bool = False


# ---- the Manager


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded(Event):
    """The Manager is to be told."""

    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDropped(Event):
    """It need not be told any more."""

    note: str


# ---- glimpses: not stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpsed(Event):
    """Something that can be looked at again: these fields of `Glimpses` are so now."""

    changes: Mapping[str, object] = field(default_factory=dict)

    def onto(self, glimpses: Glimpses) -> Glimpses:
        """The glimpses with these fields."""
        values = {name: getattr(glimpses, name) for name in Glimpses.__dataclass_fields__}
        return Glimpses(**{**values, **self.changes})
