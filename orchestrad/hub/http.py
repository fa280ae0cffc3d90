"""Smart HTTP for agents: `git http-backend` for each request, streamed both ways, the daemon asked before refs move.

A push is received into git's quarantine; then its `pre-receive` hook sends the updates through a pipe that it inherited
from here, and waits for the word: what came is searched for secrets, then `authorize` is asked. The pipe belongs to this
one request: no address, no token, nothing to forge. When the daemon dies its end closes, and the hook refuses. The verdict
is for all updates of a push; git then applies them one after the other, unless the client asked for `--atomic`.
"""

import asyncio
import contextlib
import os
import weakref
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import IO, Final, TypeAlias

import structlog

from orchestrad.core.ids import Oid
from orchestrad.errors import Unreachable
from orchestrad.hub.names import ZERO, is_oid, is_ref_name
from orchestrad.hub.port import Authorize, Forbidden, GitReply, GitRequest, RefUpdate
from orchestrad.hub.refs import remove_stale_lock, sync_directories
from orchestrad.hub.run import CHUNK, ERROR_LIMIT, Git, clean_environment, reason_of, running
from orchestrad.hub.scan import refusal_of

TIME_LIMIT: Final = timedelta(minutes=30)  # for one request; a clone of a large repository by a busy agent takes minutes
AHEAD: Final = 4  # chunks read from git before the client has taken them
QUESTION_LIMIT: Final = 1 << 20  # bytes; a thousand updates are a tenth of it
REASON_LIMIT: Final = 1000  # characters of a refusal; it must fit into a pipe at once

_SERVICES: Final = ("git-upload-pack", "git-receive-pack")
_HEADERS: Final = frozenset(("content-type", "cache-control", "expires", "pragma"))
_Head: TypeAlias = tuple[int, tuple[tuple[str, str], ...]]

log = structlog.get_logger(__name__)


def is_served(request: GitRequest) -> bool:
    """Whether this is one of the four requests of the smart protocol; files of the repository are not given out."""
    said = (request.content_type, request.content_encoding, request.protocol, request.user)
    if not all(text.isprintable() for text in said):
        return False
    if request.method == "GET":
        return request.path == "/info/refs" and request.query in [f"service={service}" for service in _SERVICES]
    return request.method == "POST" and request.path in [f"/{service}" for service in _SERVICES]


async def answer(
    git: Git, request: GitRequest, authorize: Authorize, forbidden: Forbidden | None, own: Callable[[asyncio.Task[None]], None]
) -> GitReply:
    """Starts to answer the request and gives the reply as soon as git has begun it; `own` gets the task that goes on.

    A push is not searched when `forbidden` is None.

    Raises Unreachable when git said nothing.
    """
    exchange = _Exchange(git, request, authorize, forbidden)
    task = asyncio.create_task(exchange.run(), name=f"git {request.path} for {request.user}")
    own(task)
    task.add_done_callback(exchange.ended)
    try:
        await asyncio.wait((task, exchange.head), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not exchange.head.done():
        exchange.head.cancel()
        raise Unreachable(f"git http-backend gave no answer: {reason_of(exchange.errors)}. Ask again.")
    status, headers = exchange.head.result()
    return GitReply(status, headers, _Body(exchange.chunks, exchange.room, task))


class _Exchange:
    """One request while it is answered. Its task owns the process; it ends with the body, or with who reads that."""

    def __init__(self, git: Git, request: GitRequest, authorize: Authorize, forbidden: Forbidden | None) -> None:
        self._git, self._request, self._authorize, self._forbidden = git, request, authorize, forbidden
        self._approved: tuple[RefUpdate, ...] = ()
        self.head: asyncio.Future[_Head] = asyncio.get_running_loop().create_future()
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.room = asyncio.Semaphore(AHEAD)
        self.errors = ""

    def ended(self, task: asyncio.Task[None]) -> None:
        """The body's reader looks at the task when it finds the end mark."""
        if not task.cancelled():
            task.exception()
        self.chunks.put_nowait(None)

    async def run(self) -> None:
        async with asyncio.timeout(TIME_LIMIT.total_seconds()), AsyncExitStack() as stack:
            question, verdict, for_hook = _pipes(stack)
            numbers = [end.fileno() for end in for_hook]
            environment = self._environment() | dict(zip(("ORCHESTRAD_ASK", "ORCHESTRAD_ANSWER"), map(str, numbers), strict=True))
            process = await stack.enter_async_context(running(["git", "http-backend"], environment=environment, pass_fds=numbers))
            for end in for_hook:  # so that the hook's death shows here as an end
                end.close()
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(self._feed(process))
                group.create_task(self._keep_errors(process))
                if self._request.path == "/git-receive-pack":
                    group.create_task(self._judge(question, verdict))
                await self._pump(process)
                feeding.cancel()  # git is through; a client that still sends is not waited for
            await process.wait()

    def _environment(self) -> dict[str, str]:
        request, directory = self._request, self._git.directory
        return clean_environment({"core.hooksPath": str(directory / "hooks")}) | {
            "GIT_PROJECT_ROOT": str(directory.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{directory.name}{request.path}",
            "QUERY_STRING": request.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.content_type,
            "HTTP_CONTENT_ENCODING": request.content_encoding,
            "GIT_PROTOCOL": request.protocol,
            "REMOTE_USER": request.user,
        }

    async def _feed(self, process: Process) -> None:
        if process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # git had enough; its answer says why
            async for chunk in self._request.body:
                process.stdin.write(chunk)
                try:
                    await process.stdin.drain()
                except ConnectionResetError as reset:
                    raise BrokenPipeError from reset
        process.stdin.close()

    async def _keep_errors(self, process: Process) -> None:
        while process.stderr is not None and (chunk := await process.stderr.read(CHUNK)):
            self.errors = (self.errors + chunk.decode("utf-8", "replace"))[-ERROR_LIMIT:]

    async def _pump(self, process: Process) -> None:
        """git's answer to the client. What tells that refs moved is held back until they are durable."""
        stdout = process.stdout
        if stdout is None:
            return
        if (head := await _read_head(stdout)) is None:
            return
        self.head.set_result(head)
        held: list[bytes] = []
        while chunk := await stdout.read(CHUNK):
            if self._approved:
                held.append(chunk)
            else:
                await self._give(chunk)
        for update in self._approved:
            await asyncio.to_thread(sync_directories, self._git.directory, update.ref)
        for chunk in held:
            await self._give(chunk)

    async def _give(self, chunk: bytes) -> None:
        await self.room.acquire()
        self.chunks.put_nowait(chunk)

    async def _judge(self, question: IO[bytes], verdict: IO[bytes]) -> None:
        """Answers the hook, if it asks."""
        asked = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), question)
        try:
            lines: list[bytes] = []
            while (line := await asked.readline()) != b".\n":
                lines.append(line)
                if not line or sum(map(len, lines)) > QUESTION_LIMIT:
                    return  # no push came of it, or no sane one: the hook finds its pipe closed and refuses
            quarantine, *changes = lines
            updates = tuple(map(_read_update, changes))
            refusal = await self._ask(quarantine.decode("utf-8", "replace").rstrip("\n"), updates)
            if refusal is None:
                self._approved = updates
                for update in updates:
                    if is_ref_name(update.ref):
                        remove_stale_lock(self._git.directory, update.ref)
            verdict.write(b"yes\n" if refusal is None else f"no {refusal}\n".encode("utf-8", "replace"))
        except BrokenPipeError:
            pass  # the hook is dead, and with it the push
        finally:
            transport.close()
            verdict.close()

    async def _ask(self, quarantine: str, updates: tuple[RefUpdate, ...]) -> str | None:
        try:
            refusal = await self._search(quarantine, updates) or await self._authorize(updates)
        except Exception:  # the edge of the daemon's own code: whatever it is, the push must be refused
            log.warning("push.not_judged", user=self._request.user, refs=[update.ref for update in updates], exc_info=True)
            return "this push could not be judged, nothing was changed. Push again in a moment."
        return None if refusal is None else "".join(c if c.isprintable() else " " for c in refusal)[:REASON_LIMIT]

    async def _search(self, quarantine: str, updates: tuple[RefUpdate, ...]) -> str | None:
        if self._forbidden is None:
            return None
        refusal = await refusal_of(self._git, quarantine, updates, await self._forbidden())
        if refusal is not None:
            log.warning("push.held_back", agent=self._request.user, why=refusal)
        return refusal


class _Body(AsyncIterator[bytes]):
    """The chunks of an answer. Dropping it, read or not, ends the exchange."""

    def __init__(self, chunks: asyncio.Queue[bytes | None], room: asyncio.Semaphore, task: asyncio.Task[None]) -> None:
        self._chunks, self._room, self._task = chunks, room, task
        self._dropped = weakref.finalize(self, _cancel, task)
        self._dropped.atexit = False

    async def __anext__(self) -> bytes:
        chunk = await self._chunks.get()
        if chunk is not None:
            self._room.release()
            return chunk
        self._chunks.put_nowait(None)
        if self._task.cancelled() or self._task.exception() is not None:
            raise Unreachable("git's answer broke off. Ask again.")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the exchange now, and returns when nothing of it runs any more."""
        self._task.cancel()
        await asyncio.wait((self._task,))


def _cancel(task: asyncio.Task[None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed, and the task gone with it
        task.get_loop().call_soon_threadsafe(task.cancel)


def _pipes(stack: AsyncExitStack) -> tuple[IO[bytes], IO[bytes], tuple[IO[bytes], IO[bytes]]]:
    """Our ends (the question comes, the verdict goes) and the hook's. Python gives none of them to other processes."""
    question, asks = os.pipe()
    hears, verdict = os.pipe()
    ends = [open(number, mode, buffering=0) for number, mode in ((question, "rb"), (verdict, "wb"), (asks, "wb"), (hears, "rb"))]  # noqa: PTH123, SIM115  # descriptors, not paths; closed by the stack
    for end in ends:
        stack.enter_context(end)
    return ends[0], ends[1], (ends[2], ends[3])


async def _read_head(stdout: asyncio.StreamReader) -> _Head | None:
    """The head of a CGI answer; None when there is none."""
    status, headers = 200, []
    while (line := await stdout.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif name.lower() in _HEADERS:
            headers.append((name, value.strip()))
    return (status, tuple(headers)) if line else None


def _read_update(line: bytes) -> RefUpdate:
    old, new, ref = line.decode("utf-8", "replace").rstrip("\n").split(" ", 2)
    return RefUpdate(ref, _or_none(old), _or_none(new))


def _or_none(oid: str) -> Oid | None:
    if oid != ZERO and not is_oid(oid):
        raise ValueError(f"{oid!r} is no object's name: this is a bug in the pre-receive hook")
    return None if oid == ZERO else Oid(oid)
