"""The hub made of git: two bare repositories in the state directory, and upstream. It remembers nothing but what runs."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from orchestrad.core.ids import Oid
from orchestrad.core.tasklist import is_list_name
from orchestrad.errors import Gone
from orchestrad.hub import http, merging, refs
from orchestrad.hub.history import commits_on_top
from orchestrad.hub.names import is_oid
from orchestrad.hub.objects import REGULAR, reading
from orchestrad.hub.port import (
    Authorize,
    BranchSeen,
    Forbidden,
    GitReply,
    GitRequest,
    HubUnusable,
    MergeOrder,
    MergeResult,
    UpstreamRefused,
)
from orchestrad.hub.repository import check_version, prepare_repository
from orchestrad.hub.run import Git, GitFailed
from orchestrad.hub.upstream import CLONE_LIMIT, Upstream


class GitHub:
    """`Hub` by git: `STATE/hub.git` and `STATE/rescue.git`; `url` and `branch` are upstream's. Use after `prepare`."""

    def __init__(self, state_directory: Path, *, url: str, branch: str) -> None:
        self._git = Git(state_directory / "hub.git")
        self._rescue = Git(state_directory / "rescue.git")
        self._upstream = Upstream(url, branch)
        self._ref = f"refs/heads/{branch}"
        self._serving: set[asyncio.Task[None]] = set()

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """See `Hub.prepare`. An interrupted call is finished by the next."""
        await check_version()
        await prepare_repository(self._git, self._upstream.branch)
        await prepare_repository(self._rescue, self._upstream.branch, borrows_from="../../hub.git/objects")
        if await self.ref(self._ref) is not None:
            return
        tip = await self.ref(self._upstream.ref)
        if tip is None:
            progress(f"fetching {self._upstream.branch} for the first time")
            await refs.wait_for_lock(self._git.directory, self._upstream.ref)
            try:
                await self._upstream.fetch(self._git, time_limit=CLONE_LIMIT, on_error_output=_Lines(progress))
            except UpstreamRefused as refused:
                raise HubUnusable(str(refused)) from refused
            tip = await self.ref(self._upstream.ref)
        await refs.wait_for_lock(self._git.directory, self._ref)
        if tip is None or not await self.move(self._ref, new=tip, expected=None):
            raise HubUnusable(f"{self._ref} could not be made in {self._git.directory}. Start again; if that fails, move it away.")

    async def look(self) -> BranchSeen:
        tip = await self.ref(self._ref)
        if tip is None:
            raise HubUnusable(f"{self._git.directory} has no {self._ref}. Start orchestrad again, it is then fetched anew.")
        async with reading(self._git) as objects:
            root = await objects.root(tip)
            files = {name.decode("ascii", "replace"): entry for name, entry in root.items() if entry.mode in REGULAR}
            lists = {name: await objects.blob(entry) for name, entry in files.items() if is_list_name(name)}
        direction = files.get(merging.DIRECTION)
        return BranchSeen(tip, lists, direction.oid if direction else None)

    async def ref(self, name: str) -> Oid | None:
        return await refs.read_ref(self._git, name)

    async def refs(self, prefix: str) -> Mapping[str, Oid]:
        return await refs.read_refs(self._git, prefix)

    async def commits_between(self, base: Oid, head: Oid) -> int:
        count = commits_on_top(self._git.directory / "objects", base, head)
        if count is not None:
            return count
        done = await self._about(("rev-list", "--count"), base, head, f"{base}..{head}", accept=(0,))
        return int(done)

    async def is_ancestor(self, ancestor: Oid, descendant: Oid) -> bool:
        """See `Hub.is_ancestor`. Raises Gone when either is not in the hub."""
        return ancestor in await merging.merge_bases(self._git, ancestor, descendant)

    async def merge(self, order: MergeOrder) -> MergeResult:
        return await merging.merge(self._git, order)

    async def move(self, ref: str, *, new: Oid | None, expected: Oid | None) -> bool:
        return await refs.move_ref(self._git, ref, new=new, expected=expected)

    async def fetch(self) -> Oid:
        await refs.wait_for_lock(self._git.directory, self._upstream.ref)
        await self._upstream.fetch(self._git)
        tip = await self.ref(self._upstream.ref)
        if tip is None:
            raise GitFailed("fetch", f"it made no {self._upstream.ref}")
        return tip

    async def push(self, oid: Oid) -> bool:
        seen = await self.ref(self._upstream.ref)
        if not await self._upstream.push(self._git, oid):
            return False
        with suppress(GitFailed):  # the next fetch sets it as well
            await self.move(self._upstream.ref, new=oid, expected=seen)
        return True

    async def serve(self, request: GitRequest, *, rescue: bool, authorize: Authorize, forbidden: Forbidden) -> GitReply:
        """See `Hub.serve`. Dropping the reply's body ends the exchange. Raises Unreachable when git gives no answer."""
        if not http.is_served(request):
            return GitReply(404, (("Content-Type", "text/plain"),), _text(b"only git's smart protocol is spoken here\n"))
        if rescue:
            return await http.answer(self._rescue, request, authorize, None, self._own)
        return await http.answer(self._git, request, authorize, forbidden, self._own)

    async def close(self) -> None:
        """Ends what is being served."""
        tasks = tuple(self._serving)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _own(self, task: asyncio.Task[None]) -> None:
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _about(self, command: tuple[str, ...], base: Oid, head: Oid, *arguments: str, accept: tuple[int, ...]) -> bytes:
        if not (is_oid(base) and is_oid(head)):
            raise Gone(f"{base[:60]!r} or {head[:60]!r} is no commit of the hub: that is no object's name.")
        done = await self._git.run(*command, *arguments, accept=(*accept, 128))
        if done.status == 128:
            raise Gone(f"{base[:12]} or {head[:12]} is no commit of the hub. Push it first.")
        return done.out


class _Lines:
    """git's progress, which overwrites itself with returns, as lines of their own."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._rest = tell, b""

    def __call__(self, chunk: bytes) -> None:
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + chunk)
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if text and text.isprintable():
                self._tell(text)


async def _text(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
