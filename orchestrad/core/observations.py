"""News: what adapters and people report. Late, repeated and fenced news is normal; `decide` makes no events of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrad.core.actions import Action
from orchestrad.core.ids import AgentName, ContainerId, ConversationId, Epoch, Oid, TaskId
from orchestrad.core.world import Credential, ScreenSeen, Settings, Word


@dataclass(frozen=True, slots=True)
class DaemonStarted:
    """A daemon took up this state directory; `host_booted` tells that the machine was started since."""


@dataclass(frozen=True, slots=True)
class ConfigRead:
    """The config as it stands now, valid, and the credentials of its pool."""

    settings: Settings
    credentials: tuple[Credential, ...]


# ---- from agents; every one carries its run


@dataclass(frozen=True, slots=True)
class Workspace:
    """What git says of a workspace at a Stop, and what the hub knows of its head."""

    branch: str | None  # None: detached
    head: Oid | None
    changes: int
    operation: str  # rebase, merge …; "" none
    hub_head: Oid | None  # what the hub has for that branch
    commits: int  # since the attempt's base, as the hub counts them; 0 when the head is not there
    nonce: str  # what the workspace was last checked out for


@dataclass(frozen=True, slots=True)
class Stopped:
    """A Stop hook asks what is next; `background` is None when the CLI did not say."""

    agent: AgentName
    epoch: Epoch
    n: int
    connection: str
    conversation: ConversationId
    background: int | None
    workspace: Workspace


@dataclass(frozen=True, slots=True)
class Prompted:
    """A prompt was submitted; `nonce` when it is one of the daemon's own."""

    agent: AgentName
    epoch: Epoch
    n: int
    connection: str
    conversation: ConversationId
    nonce: str | None
    by_cli: bool


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """StopFailure of the main conversation: an API error ended the turn."""

    agent: AgentName
    epoch: Epoch
    n: int
    connection: str
    error: str
    text: str
    transcript: str


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A conversation was begun, resumed or cleared."""

    agent: AgentName
    epoch: Epoch
    n: int
    connection: str
    conversation: ConversationId
    source: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A conversation was closed; `reason` as the CLI gives it."""

    agent: AgentName
    epoch: Epoch
    n: int
    connection: str
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The script has checked out what a delivery needs, or could not."""

    agent: AgentName
    epoch: Epoch
    connection: str
    nonce: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Said:
    """An agent called `orch`."""

    agent: AgentName
    epoch: Epoch
    n: int
    connection: str
    word: Word


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """A tool hook: the agent acts."""

    agent: AgentName
    epoch: Epoch
    conversation: ConversationId


@dataclass(frozen=True, slots=True)
class PushAsked:
    """A push wants to move refs; `refusal` is what the ref policy says against it ("" nothing)."""

    agent: AgentName
    epoch: Epoch
    connection: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Offered:
    """The Manager's push landed at `refs/for/BRANCH`."""

    oid: Oid


@dataclass(frozen=True, slots=True)
class Left:
    """A connection was closed by its other side before it was answered."""

    connection: str


# ---- looks; each answers for when it was asked


@dataclass(frozen=True, slots=True)
class RunListed:
    """One run in a list of the engine."""

    agent: AgentName
    epoch: Epoch
    container: ContainerId
    alive: bool
    exit_code: int | None
    out_of_memory: bool


@dataclass(frozen=True, slots=True)
class RunsListed:
    """Every run of this fleet that the engine has."""

    asked_at: int
    runs: tuple[RunListed, ...]


@dataclass(frozen=True, slots=True)
class EngineAway:
    """The engine could not be asked."""

    why: str


@dataclass(frozen=True, slots=True)
class RunDead:
    """The engine told of a death."""

    run: RunListed


@dataclass(frozen=True, slots=True)
class SessionsListed:
    """The terminal sessions of this fleet: name of the agent → whether its program has ended."""

    asked_at: int
    dead: Mapping[AgentName, bool]


@dataclass(frozen=True, slots=True)
class TerminalDead:
    """A terminal's program has ended."""

    agent: AgentName
    asked_at: int


@dataclass(frozen=True, slots=True)
class ScreensSeen:
    """Screens and session files, all of one look."""

    screens: Mapping[AgentName, ScreenSeen]


# ---- what an action came to


@dataclass(frozen=True, slots=True)
class Failed:
    """An action did not succeed. `kind`: unreachable (again later), refused (a person), gone, late (its time limit), bug."""

    kind: Literal["unreachable", "refused", "gone", "late", "bug"]
    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """The commit of a move exists; no ref has moved."""

    oid: Oid


@dataclass(frozen=True, slots=True)
class NothingNew:
    """The source of a move is in the branch already, and no box had to change."""


@dataclass(frozen=True, slots=True)
class Conflicting:
    """Both sides of a move changed these paths."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action came to; `result` is of the type that the action names."""

    action: Action
    result: object


# ---- people


@dataclass(frozen=True, slots=True)
class EndAsked:
    """`orchestrad down`, or Ctrl-C: let turns end until then. Asked again: now."""

    grace: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """A person gives an agent back, or closes its breaker."""

    agent: AgentName


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """A person gives a blocked task back."""

    task: TaskId
