"""One sequence of `tmux` commands run: bounded in time, in a clean environment, its refusals told apart.

Plain subprocesses and not libtmux, which gives a call no time limit (a stopped server would hold a thread for ever and
keep the daemon from ending), hands the daemon's whole environment to a server that it starts, has no standard input, and
runs one process for each option where the server takes a whole sequence with nothing in between. Used by `tmux.py` only.
"""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from orchestrad.errors import OrchestradError
from orchestrad.terminals.port import TerminalMissing, TerminalsUnreachable, TerminalsUnusable

LIMIT: Final = timedelta(seconds=5)  # a command takes 5 ms; a machine that swaps needs seconds, a stopped server for ever
GET_TMUX: Final = "Install tmux 3.2 or newer (Debian, Ubuntu: `apt install tmux`; macOS: `brew install tmux`)"

# What a program needs to find itself at home. Whatever else the daemon was given stays with the daemon.
KEPT: Final = ("PATH", "HOME", "SHELL", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
# Where tmux looks for sockets and its config. Not TMUX: it would choose a server by where the daemon happened to be started.
KEPT_FOR_TMUX: Final = (*KEPT, "TMUX_TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")

TERM: Final = "screen-256color"  # right in any tmux, in any terminfo; the caller's environment may name another
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

NO_SERVER: Final = re.compile(r"no server running|error connecting to .*\((No such file or directory|Connection refused)\)")
NOT_FOUND: Final = re.compile(r"(can't find|no such) (pane|session|window)")

Command = tuple[str, ...]


class NoServer(OrchestradError):
    """No tmux server runs on this socket: nothing is there. Never leaves this package."""


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
        self._running: set[asyncio.subprocess.Process] = set()

    async def version(self) -> str:
        """What `tmux -V` says. Raises TerminalsUnusable without tmux."""
        return (await self._run(("tmux", "-V"), b"", LIMIT)).strip()

    async def run(self, *commands: Command, stdin: bytes = b"") -> str:
        """Runs a sequence, which ends at the first command that fails; gives what it prints.

        Raises NoServer, Duplicate, TerminalMissing, TerminalsUnreachable, TerminalsUnusable.
        """
        return await self._run(self._argv(commands), stdin, LIMIT)

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
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": os.defpath} | kept(KEPT_FOR_TMUX),
                cwd="/",  # a server that begins here must hold no directory of ours
            )
        except FileNotFoundError as error:
            raise TerminalsUnusable(f"tmux is not on PATH. {GET_TMUX}.") from error
        self._running.add(process)
        try:
            async with asyncio.timeout(limit.total_seconds() if limit else None):
                out, err = await process.communicate(stdin or None)
        except TimeoutError as error:
            raise TerminalsUnreachable(
                f"tmux did not answer in {LIMIT.total_seconds():.0f} s ({' '.join(argv[:5])} …) and is asked again later. "
                f"If it stays so, see whether its server is stopped (state T): `ps -o pid,stat,args -C tmux`."
            ) from error
        finally:
            self._running.discard(process)
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise failure(err.decode(errors="replace").strip() or f"status {process.returncode}")
        return out.decode(errors="replace")

    async def aclose(self) -> None:
        """Ends the commands that still wait."""
        for process in self._running:
            if process.returncode is None:
                process.kill()


def quoted(argument: str) -> str:
    """The argument as tmux's command line wants it: a `;` at its end would begin another command."""
    return argument[:-1] + "\\;" if argument.endswith(";") else argument


def failure(said: str) -> OrchestradError:
    """What tmux's complaint means to us."""
    if NO_SERVER.search(said):
        return NoServer(said)
    if NOT_FOUND.search(said):
        return TerminalMissing(f"the terminal is gone (tmux: {said}); it is opened anew when its agent is started.")
    if "duplicate session" in said:
        return Duplicate(said)
    return TerminalsUnreachable(f"tmux could not do what it was asked ({said}); it is asked again later.")
