"""What orchestrad needs of terminals: a session per agent that people attach to, a line typed in, the screen read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrad.errors import Gone, Refused, Unreachable


class TerminalsUnreachable(Unreachable):
    """The terminal server did not answer; whether a session is there is unknown."""


class TerminalMissing(Gone):
    """No such session: that is an answer."""


class TerminalsUnusable(Refused):
    """The program is missing or too old; the text says which version is needed and how to get it."""


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """One session as the server shows it."""

    name: str
    dead: bool  # its program has ended, the screen stands
    clients: int  # people attached who may type
    last_key_at: int | None  # wall clock, whole seconds: the newest activity of an attached client; None without one


@dataclass(frozen=True, slots=True)
class Screen:
    """What a session shows: rows of plain text, and the same with SGR sequences (dim text is a placeholder)."""

    rows: tuple[str, ...]
    styled: tuple[str, ...]


class Terminals(Protocol):
    """Sessions whose names begin with this fleet's prefix; others are never touched."""

    async def check(self) -> str:
        """The version found. Raises TerminalsUnusable with the version needed and how to get it."""
        ...

    async def open(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], title: str) -> None:
        """Opens the session, or starts its program anew where it is dead; leaves a living one alone (see `reopen`)."""
        ...

    async def reopen(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], title: str) -> None:
        """Starts another program in the session, ending the present one; attached people stay attached."""
        ...

    async def close(self, name: str) -> None:
        """Ends the session. One that is gone is a success."""
        ...

    async def list(self) -> tuple[SessionSeen, ...]:
        """Every session of this fleet. No server running means none; raises TerminalsUnreachable when it can't look."""
        ...

    async def screen(self, name: str) -> Screen:
        """What the session shows now. Raises TerminalMissing."""
        ...

    async def paste(self, name: str, line: str) -> None:
        """Pastes one line (bracketed), then Enter. Raises TerminalMissing, ValueError for control characters."""
        ...

    async def press(self, name: str, *keys: str) -> None:
        """Presses keys by their tmux names (Escape, C-u, Enter). Raises TerminalMissing."""
        ...

    def deaths(self) -> AsyncIterator[str]:
        """Names of sessions whose program has just ended. May miss some: a list every 15 s settles it."""
        ...

    async def aclose(self) -> None:
        """Gives back threads and watchers; sessions stay open."""
        ...
