"""A hub in memory, for tests and the simulation: commits are their parents and all their files.

It keeps the contract of the real one with one simplification: a file that both sides changed is a conflict, whichever
lines they are. Trouble is made by setting `upstream_away`, `upstream_refusal`, and by moving `upstream_tip`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrad.core.identity import ItemKey, find_moved
from orchestrad.core.ids import Oid, derive
from orchestrad.core.listmerge import merge_lists
from orchestrad.core.tasklist import is_list_name, tick
from orchestrad.errors import Gone, Refused
from orchestrad.hub.names import is_oid, is_ref_name
from orchestrad.hub.needles import Needles
from orchestrad.hub.port import (
    Authorize,
    BranchSeen,
    Conflict,
    Forbidden,
    GitReply,
    GitRequest,
    HubUnusable,
    Merged,
    MergeOrder,
    MergeResult,
    NothingToMerge,
    RefUpdate,
    Tick,
    UpstreamAway,
    UpstreamRefused,
    Verdict,
)
from orchestrad.hub.scan import said_of

_DIRECTION: Final = "PROJECT_DIRECTION.md"

Files = Mapping[str, bytes]


async def _at_once(_: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class FakeCommit:
    """One commit; `files` is all of its tree, by path."""

    parents: tuple[Oid, ...]
    files: Files
    message: str
    at: int


class FakeHub:
    """`Hub` in memory. `before` is awaited at the start of each call with its name: latency and faults go there."""

    def __init__(
        self, branch: str = "main", files: Files | None = None, before: Callable[[str], Awaitable[None]] = _at_once
    ) -> None:
        self.branch = branch
        self.before = before
        self.commits: dict[Oid, FakeCommit] = {}
        self.hub_refs: dict[str, Oid] = {}
        self.rescue_refs: dict[str, Oid] = {}
        self.upstream_tip: Oid | None = self.commit(files or {}, message="first")
        self.upstream_away = False
        self.upstream_refusal: str | None = None  # why upstream declines pushes

    def commit(self, files: Files, parents: Sequence[Oid] = (), *, message: str = "", at: int = 0) -> Oid:
        """Makes a commit that any ref may then name; the same arguments make the same one."""
        oid = Oid(derive("commit", tuple(parents), sorted(files.items()), message, at, digits=40))
        self.commits[oid] = FakeCommit(tuple(parents), dict(files), message, at)
        return oid

    async def agent_pushes(
        self, updates: Sequence[RefUpdate], *, rescue: bool, authorize: Authorize, forbidden: Forbidden
    ) -> Verdict:
        """What `serve` does with a push whose commits are made already: None when all refs moved, else the reason."""
        await self.before("serve")
        refusal = None if rescue else self._search(updates, Needles(await forbidden()))
        refusal = refusal or await authorize(tuple(updates))
        refs = self.rescue_refs if rescue else self.hub_refs
        if refusal is None and any(refs.get(update.ref) != update.old for update in updates):
            refusal = "a ref has moved meanwhile. Fetch, and push again."
        if refusal is None:
            for update in updates:
                _set(refs, update.ref, update.new)
        return refusal

    async def prepare(self, progress: Callable[[str], None]) -> None:
        await self.before("prepare")
        ours = f"refs/heads/{self.branch}"
        if ours in self.hub_refs:
            return
        progress(f"fetching {self.branch} for the first time")
        try:
            self.hub_refs[ours] = self._fetch()
        except UpstreamRefused as refused:
            raise HubUnusable(str(refused)) from refused

    async def look(self) -> BranchSeen:
        await self.before("look")
        tip = self.hub_refs.get(f"refs/heads/{self.branch}")
        if tip is None:
            raise HubUnusable(f"the hub has no {self.branch}. Start orchestrad again, it is then fetched anew.")
        files = self.commits[tip].files
        direction = files.get(_DIRECTION)
        blob = None if direction is None else Oid(derive("blob", direction, digits=40))
        return BranchSeen(tip, {name: data for name, data in files.items() if is_list_name(name)}, blob)

    async def ref(self, name: str) -> Oid | None:
        await self.before("ref")
        return self.hub_refs.get(name)

    async def refs(self, prefix: str) -> Mapping[str, Oid]:
        await self.before("refs")
        return {name: oid for name, oid in sorted(self.hub_refs.items()) if name.startswith(prefix)}

    async def commits_between(self, base: Oid, head: Oid) -> int:
        await self.before("commits_between")
        return len(self._history(head) - self._history(base))

    async def is_ancestor(self, ancestor: Oid, descendant: Oid) -> bool:
        await self.before("is_ancestor")
        self._known(ancestor)
        return ancestor in self._history(descendant)

    async def merge(self, order: MergeOrder) -> MergeResult:
        await self.before("merge")
        onto = self._known(order.onto).files
        if order.source is None or order.source in self._history(order.onto):
            files, unticked = _ticked(onto, onto, order.ticks)
            if files == onto:
                return NothingToMerge()
            return Merged(self.commit(files, [order.onto], message=order.message, at=order.at), unticked=unticked)
        source = self._known(order.source).files
        base = self._base(order.onto, order.source)
        merged = _merged(base, onto, source, lists_from_source=order.lists_from_source)
        if isinstance(merged, Conflict):
            return merged
        files, unticked = _ticked(merged, onto, order.ticks)
        if order.fast_forward and files == source and order.onto in self._history(order.source):
            return Merged(order.source, unticked=unticked)
        dropped = () if order.lists_from_source else _dropped(base, onto, source)
        oid = self.commit(files, [order.onto, order.source], message=order.message, at=order.at)
        return Merged(oid, dropped, unticked)

    async def move(self, ref: str, *, new: Oid | None, expected: Oid | None) -> bool:
        await self.before("move")
        if not is_ref_name(ref) or any(oid is not None and not is_oid(oid) for oid in (new, expected)):
            raise Refused(f"can't move {ref[:80]!r}: it, or a commit given with it, is no name that git knows. This is a bug.")
        if self.hub_refs.get(ref) == expected:
            _set(self.hub_refs, ref, new)
        return self.hub_refs.get(ref) == new

    async def fetch(self) -> Oid:
        await self.before("fetch")
        return self._fetch()

    async def push(self, oid: Oid) -> bool:
        await self.before("push")
        self._ask_upstream()
        if self.upstream_refusal is not None:
            raise UpstreamRefused(f"upstream refused the push to {self.branch}: {self.upstream_refusal}. Allow it there.")
        if self.upstream_tip is not None and self.upstream_tip not in self._history(oid):
            return False
        self.upstream_tip = self.hub_refs[f"refs/upstream/{self.branch}"] = oid
        return True

    async def serve(self, request: GitRequest, *, rescue: bool, authorize: Authorize, forbidden: Forbidden) -> GitReply:
        """This hub speaks no HTTP: use `agent_pushes`."""
        await self.before("serve")
        del request, rescue, authorize, forbidden

        async def nothing() -> AsyncGenerator[bytes, None]:
            yield b"the hub in memory speaks no HTTP\n"

        return GitReply(501, (("Content-Type", "text/plain"),), nothing())

    def _search(self, updates: Sequence[RefUpdate], needles: Needles) -> Verdict:
        old = {oid for tip in self.hub_refs.values() for oid in self._history(tip)}
        new = {oid for update in updates if update.new is not None for oid in self._history(update.new)} - old
        known = {data for oid in old for data in self.commits[oid].files.values()}
        files = {(path, data) for oid in new for path, data in self.commits[oid].files.items() if data not in known}
        found = [f"{path}, line {line}" for path, data in files if (line := needles.line(data)) is not None]
        return said_of(found) if found else None

    def _fetch(self) -> Oid:
        self._ask_upstream()
        if self.upstream_tip is None:
            raise UpstreamRefused(f"upstream has no branch {self.branch}. Push one there, or set `branch` in orchestrator.json.")
        self.hub_refs[f"refs/upstream/{self.branch}"] = self.upstream_tip
        return self.upstream_tip

    def _ask_upstream(self) -> None:
        if self.upstream_away:
            raise UpstreamAway("upstream did not answer: it is away. It is asked again later.")

    def _known(self, oid: Oid) -> FakeCommit:
        if oid not in self.commits:
            raise Gone(f"{oid[:12]} is no commit of the hub. Push it first.")
        return self.commits[oid]

    def _history(self, oid: Oid) -> set[Oid]:
        """The commit and all its ancestors."""
        found: set[Oid] = set()
        waiting = [oid]
        while waiting:
            if (here := waiting.pop()) not in found:
                found.add(here)
                waiting += self._known(here).parents
        return found

    def _base(self, one: Oid, other: Oid) -> Files:
        """The files of a best common ancestor; none when the histories are unrelated."""
        common = self._history(one) & self._history(other)
        best = sorted(oid for oid in common if not any(oid in self._history(rival) for rival in common - {oid}))
        return self.commits[best[0]].files if best else {}


def _set(refs: dict[str, Oid], name: str, oid: Oid | None) -> None:
    if oid is None:
        refs.pop(name, None)
    else:
        refs[name] = oid


def _merged(base: Files, onto: Files, source: Files, *, lists_from_source: bool) -> Files | Conflict:
    files: dict[str, bytes] = {}
    conflicts: list[str] = []
    for path in sorted({*base, *onto, *source}):
        b, o, s = base.get(path), onto.get(path), source.get(path)
        chosen = o if s in (b, o) else s
        if not lists_from_source and (is_list_name(path) or path == _DIRECTION):
            chosen = o
        elif o not in (b, s) and s != b:
            if is_list_name(path):
                data = merge_lists(b or b"", o or b"", s or b"", checked=lambda _: None, name=path).data
                chosen = data if data or (o is not None and s is not None) else None
            else:
                conflicts.append(path)
        if chosen is not None:
            files[path] = chosen
    return Conflict(tuple(conflicts)) if conflicts else files


def _dropped(base: Files, onto: Files, source: Files) -> tuple[str, ...]:
    names = sorted(path for path in {*base, *onto, *source} if is_list_name(path) or path == _DIRECTION)
    return tuple(name for name in names if source.get(name) not in (base.get(name), onto.get(name)))


def _ticked(files: Files, known: Files, ticks: Sequence[Tick]) -> tuple[Files, tuple[ItemKey, ...]]:
    result = dict(files)
    unticked: list[ItemKey] = []
    was, there = ({name: data for name, data in side.items() if is_list_name(name)} for side in (known, files))
    for wanted in ticks:
        if found := find_moved(wanted.item, was, there):
            name, item = found
            result[name] = tick(result[name], item, wanted.checked)
        else:
            unticked.append(wanted.item)
    return result, tuple(unticked)
