"""Terminals in memory, under the same contract as the real ones, with knobs for what people and trouble do.

A session's program is imagined: it shows what is pasted, as `cat` would, until `show` gives the screen other contents.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrad.terminals.port import Screen, SessionSeen, TerminalMissing, TerminalsUnreachable, TerminalsUnusable
from orchestrad.terminals.text import check_keys, check_line, check_name, plain

ROWS = 50


@dataclass
class FakeSession:
    """What a test may look at: the program that runs, and all that was ever sent to it."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    title: str
    dead: bool = False
    clients: list[int] = field(default_factory=list)  # the last key of each attached person who may type, whole seconds
    styled: list[str] = field(default_factory=list)
    pasted: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)


class FakeTerminals:
    """`Terminals` whose names begin with `prefix`; the attributes and the methods without `async` are the knobs."""

    def __init__(self, prefix: str = "", *, clock: Callable[[], int] = lambda: 0) -> None:
        self._prefix = prefix
        self._clock = clock  # the wall clock, whole seconds
        self._listeners: list[asyncio.Queue[str | None]] = []
        self.sessions: dict[str, FakeSession] = {}
        self.unreachable = False
        self.unusable = ""  # why, in words

    async def check(self) -> str:
        if self.unusable:
            raise TerminalsUnusable(self.unusable)
        return "fake"

    async def open(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], title: str) -> None:
        await self._reach(name)
        if name not in self.sessions or self.sessions[name].dead:
            self._start(name, argv, environment, title)

    async def reopen(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], title: str) -> None:
        await self._reach(name)
        self._start(name, argv, environment, title)

    async def close(self, name: str) -> None:
        await self._reach(name)
        self.sessions.pop(name, None)

    async def list(self) -> tuple[SessionSeen, ...]:
        await self._reach()
        return tuple(
            SessionSeen(name, session.dead, len(session.clients), max(session.clients, default=None))
            for name, session in self.sessions.items()
        )

    async def screen(self, name: str) -> Screen:
        await self._reach(name)
        styled = tuple((self._session(name).styled + [""] * ROWS)[:ROWS])
        return Screen(rows=tuple(map(plain, styled)), styled=styled)

    async def paste(self, name: str, line: str) -> None:
        check_line(line)
        await self._reach(name)
        session = self._living(name)
        session.pasted.append(line)
        session.styled.append(line)

    async def press(self, name: str, *keys: str) -> None:
        check_keys(keys)
        await self._reach(name)
        self._living(name).pressed.extend(keys)

    async def deaths(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            for name in [name for name, session in self.sessions.items() if session.dead]:
                yield name
            while (name_or_end := await queue.get()) is not None:
                yield name_or_end
        finally:
            self._listeners.remove(queue)

    async def aclose(self) -> None:
        for queue in self._listeners:
            queue.put_nowait(None)

    def attach(self, name: str) -> None:
        """A person attaches, which counts as a key."""
        self._session(name).clients.append(self._clock())

    def detach(self, name: str) -> None:
        """The person who attached last goes."""
        self._session(name).clients.pop()

    def type_as_person(self, name: str, text: str) -> None:
        """The person who attached last types, without Enter."""
        session = self._session(name)
        session.clients[-1] = self._clock()
        session.styled.append(text)

    def show(self, name: str, rows: Sequence[str]) -> None:
        """The program draws this screen; rows may hold SGR sequences."""
        self._session(name).styled = list(rows)

    def die(self, name: str) -> None:
        """The program ends; its screen stands, attached people see it."""
        self._session(name).dead = True
        for queue in self._listeners:
            queue.put_nowait(name)

    def kill_server(self) -> None:
        """The terminal server dies with all sessions; the next `open` begins a new one."""
        names, self.sessions = list(self.sessions), {}
        for queue in self._listeners:
            for name in names:
                queue.put_nowait(name)

    async def _reach(self, name: str | None = None) -> None:
        if name is not None and not check_name(name).startswith(self._prefix):
            raise ValueError(f"{name!r} does not begin with {self._prefix!r}: it is no terminal of this fleet")
        await asyncio.sleep(0)
        if self.unreachable:
            raise TerminalsUnreachable("the terminals could not be asked (the fake was told so); they are asked again later.")

    def _start(self, name: str, argv: Sequence[str], environment: Mapping[str, str], title: str) -> None:
        clients = self.sessions[name].clients if name in self.sessions else []
        self.sessions[name] = FakeSession(tuple(argv), dict(environment), title, clients=clients)

    def _session(self, name: str) -> FakeSession:
        if name not in self.sessions:
            raise TerminalMissing(f"there is no terminal {name}; it is opened when its agent is started.")
        return self.sessions[name]

    def _living(self, name: str) -> FakeSession:
        session = self._session(name)
        if session.dead:
            raise TerminalMissing(f"the program in terminal {name} has ended; it is started anew with its agent.")
        return session
