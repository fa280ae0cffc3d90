"""Runs git as an asyncio subprocess: in a clean environment, bounded in time and output, ended when its caller is.

Everything the hub does with its own repositories goes through `Git`. Upstream, the one place where the user's settings
count, gives an environment of its own. A process that must end early gets SIGTERM first: git then removes its locks.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrad.errors import Unreachable
from orchestrad.hub.port import HubUnusable

TIME_LIMIT: Final = timedelta(minutes=2)  # local git on a large repository with a slow disk; else it hangs
GRACE: Final = timedelta(seconds=2)  # to remove lock files after SIGTERM; git takes milliseconds
OUTPUT_LIMIT: Final = 64 << 20  # bytes; the largest answers are trees and ref lists of a few MB
ERROR_LIMIT: Final = 16 << 10  # bytes of stderr that are kept; git's reason is in the last lines
CHUNK: Final = 1 << 16

_KEPT: Final = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "GIT_EXEC_PATH")
_SETTINGS: Final = {
    "safe.directory": "*",  # the repositories are ours, also when an agent's user owns a file in them
    "core.hooksPath": os.devnull,  # only receive-pack runs a hook, see http.py
    "maintenance.auto": "false",
}


class GitFailed(Unreachable):
    """git ended with a status that its caller has no use for; `reason` is its last word."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"git {command} failed: {reason}. It is tried again; if that goes on, run it by hand in the hub.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Done:
    """How a git command ended."""

    status: int
    out: bytes
    err: str


def config_variables(settings: Mapping[str, str], already: int = 0) -> dict[str, str]:
    """`settings` as environment variables, which no `ps` shows; `already` such variables are in the environment."""
    variables = {"GIT_CONFIG_COUNT": str(already + len(settings))}
    for n, (key, value) in enumerate(settings.items(), already):
        variables |= {f"GIT_CONFIG_KEY_{n}": key, f"GIT_CONFIG_VALUE_{n}": value}
    return variables


def clean_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which git does the same on every machine: nobody's settings, no prompts, English errors."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    fixed = {
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "none",  # what runs here never leaves the machine
        "GIT_DEFAULT_HASH": "sha1",  # the defaults of git 3
        "GIT_DEFAULT_REF_FORMAT": "files",
    }
    return kept | fixed | config_variables({**_SETTINGS, **(settings or {})})


@asynccontextmanager
async def running(
    argv: Sequence[str], *, environment: Mapping[str, str], stdin: int = PIPE, pass_fds: Sequence[int] = ()
) -> AsyncIterator[Process]:
    """A process that doesn't outlive the block; in a session of its own, so that Ctrl-C reaches the daemon alone."""
    spawning = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True, pass_fds=pass_fds
        )
    )
    try:
        process = await asyncio.shield(spawning)
    except asyncio.CancelledError:
        # asyncio would end the process, but not what that has started meanwhile, and then wait for its pipes.
        with contextlib.suppress(OSError):
            await _end(await spawning)
        raise
    except FileNotFoundError as missing:
        raise HubUnusable("git is not installed, or not on PATH. Install git 2.38 or newer.") from missing
    try:
        yield process
    finally:
        await _end(process)


async def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    time_limit: timedelta = TIME_LIMIT,
    on_error_output: Callable[[bytes], None] | None = None,
) -> Done:
    """Runs a command to its end. Raises GitFailed when that takes too long or it says too much."""
    async with running(argv, environment=environment, stdin=PIPE if stdin else DEVNULL) as process:
        try:
            async with asyncio.timeout(time_limit.total_seconds()), asyncio.TaskGroup() as group:
                out = group.create_task(_read(process.stdout, OUTPUT_LIMIT, too_much=lambda: _signal(process, signal.SIGTERM)))
                err = group.create_task(_read(process.stderr, ERROR_LIMIT, chunks=on_error_output))
                group.create_task(feed(process, stdin))
            status = await process.wait()
        except TimeoutError as late:
            raise GitFailed(_command(argv), f"it took longer than {time_limit.total_seconds():.0f} s and was ended") from late
    if len(out.result()) > OUTPUT_LIMIT:
        raise GitFailed(_command(argv), f"its answer is longer than {OUTPUT_LIMIT >> 20} MB")
    return Done(status, out.result(), err.result()[-ERROR_LIMIT:].decode("utf-8", "replace"))


async def feed(process: Process, data: bytes) -> None:
    """Writes all of `data` to the process and closes its stdin; a process that stops reading says why by its status."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()


def reason_of(error_output: str) -> str:
    """The line of git's stderr that tells the reason, fit for a terminal."""
    lines = [line.strip() for line in error_output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote: error:", "ERROR:"))] or lines[-1:]
    text = telling[0].removeprefix("remote: ") if telling else "it gave no reason"
    return "".join(c if c.isprintable() else "?" for c in text)[:500].rstrip(".")


class Git:
    """git on one bare repository, in the clean environment."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.environment = clean_environment(settings)

    async def run(
        self, *arguments: str, stdin: bytes = b"", accept: Sequence[int] = (0,), time_limit: timedelta = TIME_LIMIT
    ) -> Done:
        """Runs one command. Raises GitFailed when its status is none of `accept`."""
        done = await run(self.argv(*arguments), environment=self.environment, stdin=stdin, time_limit=time_limit)
        if done.status not in accept:
            raise GitFailed(arguments[0], reason_of(done.err) if done.err else f"status {done.status}")
        return done

    def argv(self, *arguments: str) -> list[str]:
        return ["git", f"--git-dir={self.directory}", *arguments]


async def _read(
    stream: asyncio.StreamReader | None,
    limit: int,
    *,
    too_much: Callable[[], None] | None = None,
    chunks: Callable[[bytes], None] | None = None,
) -> bytes:
    """All the stream has: of what is beyond the limit the end is kept, or `too_much` called and one byte too many given."""
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(CHUNK)):
        if chunks:
            chunks(chunk)
        if too_much and len(kept) > limit:
            continue
        kept += chunk
        if len(kept) > limit:
            if too_much:
                too_much()
                del kept[limit + 1 :]
            else:
                del kept[:-limit]
    return bytes(kept)


async def _end(process: Process) -> None:
    """Ends a process with all that it started, and reaps it."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
    is_over = False
    try:
        async with asyncio.timeout(GRACE.total_seconds()):
            await _drained(process)
        is_over = True
    except TimeoutError:
        pass
    finally:
        if not is_over:  # it, or a child of it that holds its pipes
            _signal(process, signal.SIGKILL)
    if not is_over:
        await _drained(process)


async def _drained(process: Process) -> None:
    """Waits for the end. Unread output would keep the pipes, and with them the wait, open."""
    if process.stdin is not None:
        process.stdin.close()
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(CHUNK):
            pass
    await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group of zombies
        os.killpg(process.pid, number)


def _command(argv: Sequence[str]) -> str:
    return next((word for word in argv[1:] if not word.startswith("-")), argv[0])
