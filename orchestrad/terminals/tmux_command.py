"""One sequence of `tmux` commands run: bounded in time, in a clean environment, its refusals told apart.

Plain subprocesses and not libtmux, which gives a call no time limit (a stopped server would hold a thread for ever and
keep the daemon from ending), hands the daemon's whole environment to a server that it starts, has no standard input, and
runs one process for each option where the server takes a whole sequence with nothing in between. Used by `tmux.py` only.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from orchestrad.errors import OrchestradError
from orchestrad.terminals.port import TerminalMissing, TerminalsUnreachable, TerminalsUnusable

LIMIT: Final = timedelta(seconds=5)  # a command takes 5 ms; a machine that swaps needs seconds, a stopped server for ever
TRIES: Final = 5  # a server or session may come or go between look and act; a server takes some ms to end
GET_TMUX: Final = "Install tmux 3.2 or newer (Debian, Ubuntu: `apt install tmux`; macOS: `brew install tmux`)"

# What a program needs to find itself at home. Whatever else the daemon was given stays with the daemon.
KEPT: Final = ("PATH", "HOME", "SHELL", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
# Where tmux looks for sockets and its config. Not TMUX: it would choose a server by where the daemon happened to be started.
KEPT_FOR_TMUX: Final = (*KEPT, "TMUX_TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")

TERM: Final = "screen-256color"  # right in any tmux, in any terminfo; the caller's environment may name another
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# The last: a server whose sessions have all ended, and which ends itself.
NO_SERVER: Final = re.compile(
    r"no server running|error connecting to .*\((No such file or directory|Connection refused)\)|no current target"
)
NOT_FOUND: Final = re.compile(r"(can't find|no such) (pane|session|window)")

Command = tuple[str, ...]


class NoServer(OrchestradError):
    """No tmux server runs on this socket: nothing is there. Never leaves this package."""


class ServerEnded(TerminalsUnreachable):
    """The connection was lost in the middle: the server ends, or threw us out; what was asked may have been done."""


class Duplicate(OrchestradError):
    """A session of this name came into being since we looked. Never leaves this package."""


def kept(names: tuple[str, ...]) -> dict[str, str]:
    """These variables of the daemon's environment, as far as they are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def home() -> str:
    return os.environ.get("HOME", "/")


def program(argv: Sequence[str], environment: Mapping[str, str]) -> Command:
    """The command that a pane runs: `argv` with `environment` and what a program needs to be at home, nothing else.

    A server that the user started has the user's whole environment, keys included, so nothing is inherited. What is
    given here can be read in the process list: no secrets. Raises ValueError for what can't be a variable.
    """
    given = {"TERM": TERM, "PATH": os.defpath} | kept(KEPT) | dict(environment)
    for name, value in given.items():
        if not VARIABLE.fullmatch(name) or "\0" in value:
            raise ValueError(f"{name!r} can't be an environment variable of a terminal")
    if not argv or any("\0" in word for word in argv):
        raise ValueError(f"{argv!r} is not a command")
    runner = ("sh", "-c", 'exec "$@"', "sh") if "=" in argv[0] else ()  # which `env` would take for a variable
    return ("env", "-i", *(f"{name}={value}" for name, value in given.items()), *runner, *argv)


class TmuxCommand:
    """Commands to one server, named as `terminals.socket` names it: a name, a path, or None for the user's own."""

    def __init__(self, socket: str | None) -> None:
        self._server = ("-S", socket) if socket and "/" in socket else ("-L", socket or "default")
        self._running: set[asyncio.SubprocessTransport] = set()

    async def version(self) -> str:
        """What `tmux -V` says. Raises TerminalsUnusable without tmux."""
        return (await self._run(("tmux", "-V"), b"", LIMIT)).strip()

    async def run(self, *commands: Command, stdin: bytes = b"") -> str:
        """Runs a sequence, which ends at the first command that fails; gives what it prints.

        Raises NoServer, Duplicate, TerminalMissing, TerminalsUnreachable, TerminalsUnusable.
        """
        return await self._run(self._argv(commands), stdin, LIMIT)

    async def look(self, *commands: Command) -> str:
        """As `run`, for commands that change nothing: while a server ends they are asked again, until it has ended."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(ServerEnded):
                return await self.run(*commands)
        return await self.run(*commands)

    async def wait_for(self, channel: str) -> None:
        """Returns once `wait-for -S channel` is run, or was since the last wait; no time limit. Raises as `run` does."""
        await self._run(self._argv((("wait-for", channel),)), b"", None)

    def _argv(self, commands: tuple[Command, ...]) -> Command:
        argv = ["tmux", "-u", *self._server]
        for number, command in enumerate(commands):
            argv += [";"] if number else []
            argv += map(quoted, command)
        return tuple(argv)

    async def _run(self, argv: Command, stdin: bytes, limit: timedelta | None) -> str:
        try:
            transport, call = await asyncio.get_running_loop().subprocess_exec(
                Call,
                *argv,
                stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
                env={"PATH": os.defpath} | kept(KEPT_FOR_TMUX),
                cwd="/",  # a server that begins here must hold no directory of ours
            )
        except FileNotFoundError as error:
            raise TerminalsUnusable(f"tmux is not on PATH. {GET_TMUX}.") from error
        self._running.add(transport)
        try:
            if isinstance(pipe := transport.get_pipe_transport(0), asyncio.WriteTransport):
                pipe.write(stdin)
                pipe.close()  # once it is written
            async with asyncio.timeout(limit.total_seconds() if limit else None):
                await asyncio.shield(call.ended)
        except TimeoutError as error:
            raise TerminalsUnreachable(
                f"tmux did not answer in {LIMIT.total_seconds():.0f} s ({' '.join(argv[:5])} …) and is asked again later. "
                f"If it stays so, see whether its server is stopped (state T): `ps -o pid,stat,args -C tmux`."
            ) from error
        finally:
            self._running.discard(transport)
            transport.close()  # kills what still runs
            await call.ended
        if status := transport.get_returncode():
            raise failure(call.said[2].decode(errors="replace").strip() or f"status {status}")
        return call.said[1].decode(errors="replace")

    async def aclose(self) -> None:
        """Ends the commands that still wait."""
        for transport in self._running:
            transport.close()


class Call(asyncio.SubprocessProtocol):
    """One command under way. `asyncio.create_subprocess_exec` won't do: a tmux client hands its pipes to the server, so that
    a stopped server holds them open when the client has been killed, and `Process.wait` waits for them."""

    def __init__(self) -> None:
        self.said = {1: bytearray(), 2: bytearray()}
        self.ended = asyncio.get_running_loop().create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.said[fd] += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  named so by asyncio
        if not self.ended.done():
            self.ended.set_result(None)


def quoted(argument: str) -> str:
    """The argument as tmux's command line wants it: a `;` at its end would begin another command."""
    return argument[:-1] + "\\;" if argument.endswith(";") else argument


def failure(said: str) -> OrchestradError:
    """What tmux's complaint means to us."""
    if NO_SERVER.search(said):
        return NoServer(said)
    if NOT_FOUND.search(said):
        return TerminalMissing(f"the terminal is gone (tmux: {said}); it is opened anew when its agent is started.")
    if "server exited" in said:
        return ServerEnded(f"tmux went away while it was asked ({said}); it is asked again later.")
    if "duplicate session" in said:
        return Duplicate(said)
    return TerminalsUnreachable(f"tmux could not do what it was asked ({said}); it is asked again later.")
