"""What orchestrad needs of git: a bare repository that is the agents' only remote, merges without a work tree, upstream.

All names of refs and objects are checked before git sees them. `Unreachable` when git or upstream could not be asked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestrad.core.identity import ItemKey
from orchestrad.core.ids import Oid
from orchestrad.errors import Refused, Unreachable


class HubUnusable(Refused):
    """git is missing, too old, or the repository can't be used; the text says what to do."""


class UpstreamAway(Unreachable):
    """Upstream did not answer; tried again later."""


class UpstreamRefused(Refused):
    """Upstream answered and declined (a protected branch, no permission); a person must change something there."""


@dataclass(frozen=True, slots=True)
class BranchSeen:
    """What the shared branch holds at one commit: its task lists by file name, and whether there is a direction."""

    tip: Oid
    lists: Mapping[str, bytes]
    direction: Oid | None  # the blob of PROJECT_DIRECTION.md; None when missing


@dataclass(frozen=True, slots=True)
class Tick:
    """An item whose box is set in the commit being made."""

    item: ItemKey
    checked: bool = True


@dataclass(frozen=True, slots=True)
class MergeOrder:
    """One commit to make on `onto`: the merge of `source` (None: only ticks), with `ticks` set in the same commit.

    With `lists_from_source` False, what the source changed since the merge base in task lists and PROJECT_DIRECTION.md is
    dropped (a worker); else lists are merged by item (the Manager, upstream). `fast_forward`:
    where `onto` is an ancestor of the source and nothing is to be ticked, the answer is the source itself.
    """

    onto: Oid
    source: Oid | None
    ticks: tuple[Tick, ...]
    message: str  # with its trailers
    at: int  # the commit's time, whole seconds: the same order makes the same commit
    lists_from_source: bool = False
    fast_forward: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """The commit was made (no ref moved). `dropped`: list files whose changes by the source were left out."""

    oid: Oid
    dropped: tuple[str, ...] = ()
    unticked: tuple[ItemKey, ...] = ()  # items that the tree no longer has


@dataclass(frozen=True, slots=True)
class NothingToMerge:
    """The source is in `onto` already and no box had to change."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed the same lines of these paths."""

    paths: tuple[str, ...]


MergeResult = Merged | NothingToMerge | Conflict


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One ref that a push wants to move; an absent side is None."""

    ref: str
    old: Oid | None
    new: Oid | None


Verdict = str | None  # None: allowed; else the reason for the refusal, one line, shown to whoever pushes
Authorize = Callable[[tuple[RefUpdate, ...]], Awaitable[Verdict]]
Forbidden = Callable[[], Awaitable[Collection[str]]]  # the secrets that are live now


@dataclass(frozen=True, slots=True)
class GitRequest:
    """One smart HTTP request, already authenticated."""

    method: str
    path: str  # below the repository: "/info/refs", "/git-upload-pack", "/git-receive-pack"
    query: str
    content_type: str
    content_encoding: str
    protocol: str  # the Git-Protocol header
    body: AsyncIterator[bytes]
    user: str


class Body(Protocol):
    """An answer's chunks."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Ends the exchange, if it goes on; returns when nothing of it runs any more and no ref moves."""
        ...


@dataclass(frozen=True, slots=True)
class GitReply:
    """The answer, streamed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: Body


class Hub(Protocol):
    """The bare repository `hub.git`, its rescue repository beside it, and upstream."""

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """Makes the repositories, or checks the ones that are there; the first time, upstream is cloned into the hub.

        Raises HubUnusable, UpstreamAway (only when upstream was never fetched before).
        """
        ...

    async def look(self) -> BranchSeen:
        """The shared branch now."""
        ...

    async def ref(self, name: str) -> Oid | None:
        """What a full ref name points at; None when there is none. Cheap: no subprocess in the usual case."""
        ...

    async def refs(self, prefix: str) -> Mapping[str, Oid]:
        """All refs whose full name begins with `prefix`."""
        ...

    async def commits_between(self, base: Oid, head: Oid) -> int:
        """How many commits `head` has that `base` has not. Raises Gone when either is not in the hub."""
        ...

    async def is_ancestor(self, ancestor: Oid, descendant: Oid) -> bool:
        """Whether `ancestor` is in the history of `descendant` (a commit is its own ancestor)."""
        ...

    async def merge(self, order: MergeOrder) -> MergeResult:
        """Makes the commit, moves no ref. The same order again makes the same commit."""
        ...

    async def move(self, ref: str, *, new: Oid | None, expected: Oid | None) -> bool:
        """Moves a ref if it stands where expected (None: absent).

        True when it is at `new` afterwards, durably; False if it was elsewhere.
        """
        ...

    async def fetch(self) -> Oid:
        """Fetches upstream's branch with the user's own git settings, gives its tip. Raises UpstreamAway, UpstreamRefused."""
        ...

    async def push(self, oid: Oid) -> bool:
        """Pushes `oid` to upstream's branch, never by force; False when upstream has moved.

        Raises UpstreamAway, UpstreamRefused.
        """
        ...

    async def serve(self, request: GitRequest, *, rescue: bool, authorize: Authorize, forbidden: Forbidden) -> GitReply:
        """Answers one smart HTTP request; `authorize` is asked at the moment of the ref updates, all or none of which happen.

        Before that, a push that brings a `forbidden` secret, as it is or in base64, is refused with path and line, and one
        that can't be searched in time is refused too. Rescued work is not searched: it must never be lost, and agents can't
        read it.
        """
        ...
