"""Orders to the outside. An action carries its reason, never changes the world, and what it comes to is an `Outcome`.

The key names the thing acted on: two actions of one key never overlap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrad.core.ids import AgentName, ContainerId, ConversationId, CredentialLabel, Epoch, Nonce, Oid, TaskId
from orchestrad.core.world import Text


@dataclass(frozen=True, slots=True)
class AnswerHook:
    """Answers an open connection of a hook script."""

    connection: str
    checkout: tuple[str, Oid] | None = None
    nonce: Nonce | None = None
    block: Text | None = None
    status: int = 200
    reason: str = ""

    @property
    def key(self) -> str:
        return f"connection:{self.connection}"


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers an `orch` call, an acknowledgement or a push's question."""

    connection: str
    ok: bool
    text: str = ""
    reason: str = ""

    @property
    def key(self) -> str:
        return f"connection:{self.connection}"


@dataclass(frozen=True, slots=True)
class StartRun:
    """Starts an agent's run. Result: ContainerId."""

    agent: AgentName
    epoch: Epoch
    conversation: ConversationId
    resumes: bool
    credential: CredentialLabel
    branch: str | None
    base: Oid | None
    nonce: Nonce | None
    text: Text | None
    workers: int
    reason: str = ""

    @property
    def key(self) -> str:
        return f"run:{self.agent}"


@dataclass(frozen=True, slots=True)
class StopRun:
    """Ends a run: TERM, and KILL after the grace. Result: None."""

    agent: AgentName
    container: ContainerId
    grace: int
    reason: str = ""

    @property
    def key(self) -> str:
        return f"run:{self.agent}"


@dataclass(frozen=True, slots=True)
class RemoveRun:
    """Removes by id what is left of a run and nobody's. Result: None."""

    agent: AgentName
    container: ContainerId
    reason: str = ""

    @property
    def key(self) -> str:
        return f"remove:{self.container}"


@dataclass(frozen=True, slots=True)
class ListRuns:
    """Looks at the engine. Result: RunsListed."""

    reason: str = ""

    @property
    def key(self) -> str:
        return "runs"


@dataclass(frozen=True, slots=True)
class OpenTerminal:
    """Opens a terminal that shows this run. Result: None."""

    agent: AgentName
    epoch: Epoch
    container: ContainerId
    reason: str = ""

    @property
    def key(self) -> str:
        return f"terminal:{self.agent}"


@dataclass(frozen=True, slots=True)
class CloseTerminal:
    """Closes an agent's terminal. Result: None."""

    agent: AgentName
    reason: str = ""

    @property
    def key(self) -> str:
        return f"terminal:{self.agent}"


@dataclass(frozen=True, slots=True)
class LookAtScreen:
    """Reads an agent's screen and session file. Result: ScreenSeen."""

    agent: AgentName
    reason: str = ""

    @property
    def key(self) -> str:
        return f"screen:{self.agent}"


@dataclass(frozen=True, slots=True)
class TypePrompt:
    """Types one line that names the delivery; its text is put in place first. Result: None."""

    agent: AgentName
    epoch: Epoch
    nonce: Nonce
    text: Text
    reason: str = ""
    told: str = ""  # what its task says in it, see texts.said_by

    @property
    def key(self) -> str:
        return f"screen:{self.agent}"


@dataclass(frozen=True, slots=True)
class ClearComposer:
    """Clears a line of ours that stands in the composer. Result: None."""

    agent: AgentName
    reason: str = ""

    @property
    def key(self) -> str:
        return f"screen:{self.agent}"


@dataclass(frozen=True, slots=True)
class ReadLimit:
    """Reads from the transcript when a limit is over. Result: int (wall, microseconds) or None: it does not say."""

    agent: AgentName
    transcript: str
    reason: str = ""

    @property
    def key(self) -> str:
        return f"limit:{self.agent}"


@dataclass(frozen=True, slots=True)
class ReadBranch:
    """Reads the shared branch. Result: BranchFound."""

    heads: Mapping[TaskId, Oid] = field(default_factory=dict)  # submitted work: is it in the branch already?
    upstream: Oid | None = None  # … and upstream's tip?
    reason: str = ""

    @property
    def key(self) -> str:
        return "branch-read"


@dataclass(frozen=True, slots=True)
class BranchFound:
    """What the shared branch holds."""

    tip: Oid
    lists: Mapping[str, bytes]
    direction: Oid | None
    contained: frozenset[TaskId]
    upstream_contained: bool
    offer: Oid | None  # where refs/for/BRANCH stands


@dataclass(frozen=True, slots=True)
class TickItem:
    """An item whose box is to be set, by what identifies it."""

    task: TaskId
    list: str
    id: str | None
    text: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class MakeCommit:
    """Makes the commit of a move without moving anything. Result: hub.MergeResult."""

    onto: Oid
    source: Oid | None
    ticks: tuple[TickItem, ...]
    message: str
    at_wall: int
    lists_from_source: bool
    fast_forward: bool
    reason: str = ""

    @property
    def key(self) -> str:
        return "branch"


@dataclass(frozen=True, slots=True)
class MoveBranch:
    """Moves the shared branch if it stands where expected. Result: bool."""

    new: Oid
    expected: Oid
    reason: str = ""

    @property
    def key(self) -> str:
        return "branch"


@dataclass(frozen=True, slots=True)
class FetchUpstream:
    """Fetches upstream's branch. Result: Oid."""

    reason: str = ""

    @property
    def key(self) -> str:
        return "upstream"


@dataclass(frozen=True, slots=True)
class PushUpstream:
    """Pushes the shared branch. Result: bool, False when upstream has moved."""

    oid: Oid
    reason: str = ""

    @property
    def key(self) -> str:
        return "upstream"


@dataclass(frozen=True, slots=True)
class FinishDaemon:
    """Nothing is left to do: the daemon ends with this exit status. Result: None."""

    status: int
    reason: str = ""

    @property
    def key(self) -> str:
        return "daemon"


AgentAction = StartRun | StopRun | OpenTerminal | CloseTerminal | LookAtScreen | TypePrompt | ClearComposer | ReadLimit
HubAction = ReadBranch | MakeCommit | MoveBranch | FetchUpstream | PushUpstream
Action = AnswerHook | Reply | RemoveRun | ListRuns | FinishDaemon | AgentAction | HubAction
