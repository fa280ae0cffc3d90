"""Terminals in tmux: a session per agent on the user's own server, so that plain `tmux attach -t NAME-worker-1` works.

What is ours is marked on the server and read from there each time: session option `@orchestrad` (the fleet), and on the one
pane that shows the agent `@orchestrad-terminal` (fleet/name). A pane that a person adds to such a session is theirs:
nothing is typed into it. Options are set on our own session, window and pane, never globally.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final
from uuid import uuid4

from orchestrad.core.ids import FleetId
from orchestrad.errors import Refused
from orchestrad.terminals.port import Screen, SessionSeen, TerminalMissing, TerminalsUnreachable, TerminalsUnusable
from orchestrad.terminals.text import check_keys, check_line, check_name, plain
from orchestrad.terminals.tmux_command import GET_TMUX, TRIES, Command, Duplicate, NoServer, ServerEnded, TmuxCommand, home, program
from orchestrad.terminals.tmux_deaths import Deaths
from orchestrad.terminals.tmux_marks import Marks, Pane

NEEDED: Final = (3, 2)
COLUMNS, ROWS = 220, 50  # until somebody attaches: so wide that a line is seldom wrapped


class NameInUse(Refused):
    """A session of this name is there and is not this fleet's."""


class TmuxTerminals:
    """The terminals of `fleet`, whose names begin with `prefix`, on the tmux server `socket` (name or path; None: the user's)."""

    def __init__(self, socket: str | None, prefix: str, fleet: FleetId) -> None:
        self._prefix = check_name(prefix)
        self._fleet = fleet
        self._tmux = TmuxCommand(socket)
        self._marks = Marks(fleet)
        self._deaths = Deaths(self._tmux, self._marks)

    async def check(self) -> str:
        version = (await self._tmux.version()).removeprefix("tmux ")
        number = re.match(r"(?:next-)?(\d+)\.(\d+)", version)  # "master" and "openbsd-7.4" are newer than what we need
        if number and (int(number[1]), int(number[2])) < NEEDED:
            raise TerminalsUnusable(f"tmux {version} is too old. {GET_TMUX}.")
        return version

    async def open(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], title: str) -> None:
        await self._show(name, program(argv, environment), title, replace=False)

    async def reopen(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], title: str) -> None:
        await self._show(name, program(argv, environment), title, replace=True)

    async def close(self, name: str) -> None:
        self._check(name)
        with contextlib.suppress(NoServer, TerminalMissing):
            panes, sessions = await self._look(name)
            # A renamed session is found by its pane. Where a person has moved the pane to theirs, only the pane goes.
            ours = {id_ for id_, fleet in sessions if fleet == self._fleet}
            ours |= {pane.session for pane in panes if pane.session_is_ours}
            moved = [("kill-pane", "-t", pane.id) for pane in panes if not pane.session_is_ours]
            for command in moved + [("kill-session", "-t", session) for session in sorted(ours)]:
                await self._tmux.run(command)

    async def list(self) -> tuple[SessionSeen, ...]:
        clients = ("list-clients", "-F", "client #{session_id} #{client_readonly} #{client_activity}")
        try:
            said = await self._tmux.look(self._marks.list_panes(), clients)
        except NoServer:
            return ()
        keys: dict[str, list[int]] = {}
        for line in said.splitlines():
            match line.split(" "):
                case ["client", session, "0", activity]:
                    keys.setdefault(session, []).append(int(activity))
        return tuple(
            SessionSeen(pane.name, pane.dead, len(keys.get(pane.session, ())), max(keys.get(pane.session, ()), default=None))
            for pane in self._marks.panes(said)
        )

    async def screen(self, name: str) -> Screen:
        pane = await self._find(name)
        styled = await self._ask(("capture-pane", "-p", "-e", "-t", pane.id))
        rows = tuple(styled.removesuffix("\n").split("\n"))
        return Screen(rows=tuple(map(plain, rows)), styled=rows)

    async def paste(self, name: str, line: str) -> None:
        check_line(line)
        pane = await self._find(name)
        text, enter = (f"orchestrad-{uuid4().hex}" for _ in range(2))
        # Enter is pasted too: a key would be taken by copy mode while a person scrolls back, and the line would lie unsent.
        then = f"paste-buffer -p -d -b {text} -t {pane.id} ; paste-buffer -d -b {enter} -t {pane.id}"
        load = (("load-buffer", "-b", text, "-"), ("set-buffer", "-b", enter, "\n"))
        try:
            await self._while_alive(pane, *load, then=then, stdin=line.encode())
        except TerminalMissing:
            for buffer in (text, enter):
                with contextlib.suppress(NoServer, TerminalsUnreachable):
                    await self._tmux.run(("delete-buffer", "-b", buffer))
            raise

    async def press(self, name: str, *keys: str) -> None:
        check_keys(keys)
        pane = await self._find(name)
        # Copy mode would take the keys for itself, so whoever scrolled back is brought to the present.
        leave = ("if-shell", "-F", "-t", pane.id, "#{pane_in_mode}", f"send-keys -X -t {pane.id} cancel")
        await self._while_alive(pane, leave, then=f"send-keys -t {pane.id} {' '.join(keys)}")

    def deaths(self) -> AsyncIterator[str]:
        return self._deaths.names()

    async def aclose(self) -> None:
        self._deaths.close()
        await self._tmux.aclose()

    def _check(self, name: str) -> None:
        if not check_name(name).startswith(self._prefix):
            raise ValueError(f"{name!r} does not begin with {self._prefix!r}: it is no terminal of this fleet")

    async def _show(self, name: str, command: Command, title: str, *, replace: bool) -> None:
        self._check(name)
        for _ in range(TRIES):
            with contextlib.suppress(Duplicate, NoServer, ServerEnded, TerminalMissing):
                await self._try_to_show(name, command, title, replace=replace)
                self._deaths.look_again()
                return
        raise TerminalsUnreachable(f"{name} came and went {TRIES} times while it was being opened; it is tried again later.")

    async def _try_to_show(self, name: str, command: Command, title: str, *, replace: bool) -> None:
        try:
            panes, sessions = await self._look(name)
        except NoServer:
            panes, sessions = (), ()
        if panes:
            pane = panes[0]
            if pane.dead or replace:
                session = self._marks.of_session(pane.id, title) if pane.session_is_ours else ()
                await self._tmux.run(
                    *session, *self._marks.of_pane(pane.id, name), ("respawn-pane", "-k", "-t", pane.id, "-c", home(), *command)
                )
            return
        if foreign := [id_ for id_, fleet in sessions if fleet != self._fleet]:
            raise NameInUse(
                f"cannot open {name}: a tmux session of that name ({foreign[0]}) is there and is not this fleet's. "
                f"Rename it (`tmux rename-session -t ={name} NEW`) or end it, or set another `name` in orchestrator.json."
            )
        place = f"={name}:"
        begin: tuple[Command, ...] = ()
        window: Command = ("new-window", "-t", place)
        if not sessions:
            # History's length is a session's option that a pane takes when it is made: a first window stands in for it.
            size = ("-x", str(COLUMNS), "-y", str(ROWS))
            begin = (("new-session", "-d", "-s", name, "-n", name, "-c", home(), *size, "exec cat"),)
            window = ("new-window", "-k", "-t", f"{place}{{start}}")
        await self._tmux.run(
            *begin,
            *self._marks.of_session(place, title),
            (*window, "-n", name, "-c", home(), *command),
            *self._marks.of_pane(place, name),
        )

    async def _look(self, name: str) -> tuple[tuple[Pane, ...], tuple[tuple[str, str], ...]]:
        """The panes that show `name`, and the sessions so called: their ids and fleets ("" for a person's own)."""
        sessions = ("list-sessions", "-f", f"#{{==:#{{session_name}},{name}}}", "-F", "session #{session_id} #{@orchestrad}")
        said = await self._tmux.look(self._marks.list_panes(name), sessions)
        rows = [line.split(" ") for line in said.splitlines()]
        return self._marks.panes(said), tuple((row[1], row[2]) for row in rows if row[0] == "session")

    async def _find(self, name: str) -> Pane:
        self._check(name)
        try:
            panes = self._marks.panes(await self._tmux.look(self._marks.list_panes(name)))
        except NoServer:
            panes = ()
        if not panes:
            raise TerminalMissing(f"there is no terminal {name}; it is opened when its agent is started.")
        return panes[0]

    async def _ask(self, *commands: Command, stdin: bytes = b"") -> str:
        try:
            return await self._tmux.run(*commands, stdin=stdin)
        except NoServer as error:
            raise TerminalMissing(f"no terminal is there: no tmux server runs ({error}).") from error

    async def _while_alive(self, pane: Pane, *before: Command, then: str, stdin: bytes = b"") -> None:
        """Does `then` unless the program has ended. The server itself looks, at that moment: tmux 3.3a dies of a paste into
        a dead pane, and takes every session with it."""
        choice = ("if-shell", "-F", "-t", pane.id, "#{pane_dead}", "display-message -p ended", then)
        if "ended" in await self._ask(*before, choice, stdin=stdin):
            raise TerminalMissing(f"the program in terminal {pane.name} has ended; it is started anew with its agent.")
