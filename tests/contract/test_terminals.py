"""What every adapter of the port `Terminals` promises, on the fake and on a real tmux server."""

import asyncio
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from orchestrad.core.ids import FleetId
from orchestrad.terminals.fake import FakeTerminals
from orchestrad.terminals.port import TerminalMissing, Terminals
from orchestrad.terminals.tmux import TmuxTerminals
from tests.support.attached_client import attached
from tests.support.eventually import eventually

CAT = ("cat",)
NAME = "shop-worker-1"


class Outside(ABC):
    """What happens to terminals without the port: people and trouble."""

    @abstractmethod
    def end_program(self, name: str) -> None: ...

    @abstractmethod
    def kill_server(self) -> None: ...

    @abstractmethod
    def person(self, name: str) -> AbstractContextManager[object]: ...


async def open_cat(terminals: Terminals, name: str = NAME) -> None:
    await terminals.open(name, CAT, environment={}, title="worker-1")


async def dead(terminals: Terminals) -> dict[str, bool]:
    return {session.name: session.dead for session in await terminals.list()}


async def shows(terminals: Terminals, text: str, name: str = NAME) -> bool:
    return any(text in row for row in (await terminals.screen(name)).rows)


class TerminalsContract:
    async def test_version_is_told(self, terminals: Terminals) -> None:
        assert await terminals.check()

    async def test_without_sessions_the_list_is_empty(self, terminals: Terminals) -> None:
        assert await terminals.list() == ()

    async def test_opened_session_is_listed_alive_and_unattended(self, terminals: Terminals) -> None:
        await open_cat(terminals)
        (session,) = await terminals.list()
        assert (session.name, session.dead, session.clients, session.last_key_at) == (NAME, False, 0, None)

    async def test_opening_again_leaves_the_living_program_alone(self, terminals: Terminals) -> None:
        await open_cat(terminals)
        await terminals.paste(NAME, "first")
        await eventually(lambda: shows(terminals, "first"))
        await open_cat(terminals)
        assert await shows(terminals, "first")
        assert len(await terminals.list()) == 1

    async def test_pasted_line_is_shown(self, terminals: Terminals) -> None:
        await open_cat(terminals)
        await terminals.paste(NAME, "read the task; $HOME #{pane_id} `é`;")
        await eventually(lambda: shows(terminals, "read the task; $HOME #{pane_id} `é`;"))

    @pytest.mark.parametrize("line", ["", "two\nlines", "a\x1b[31mcolour", "a\x00b", "bell\x07", "c1\x9b31m", "a\u2028b", "a\rb"])
    async def test_line_with_control_characters_is_refused(self, terminals: Terminals, line: str) -> None:
        await open_cat(terminals)
        with pytest.raises(ValueError):
            await terminals.paste(NAME, line)

    @pytest.mark.parametrize("keys", [("Escape", "C-u"), ("Enter",)])
    async def test_keys_are_pressed_by_name(self, terminals: Terminals, keys: tuple[str, ...]) -> None:
        await open_cat(terminals)
        await terminals.press(NAME, *keys)

    @pytest.mark.parametrize("key", ["rm -rf", "", "-X", "C-u ; kill-server", "Entr"])
    async def test_what_is_no_key_is_refused(self, terminals: Terminals, key: str) -> None:
        await open_cat(terminals)
        with pytest.raises(ValueError):
            await terminals.press(NAME, key)

    @pytest.mark.parametrize(
        "name", ["", "shop.1", "shop:1", "shop-*", "=shop-1", "-shop", "shop 1", "shop-1;", "Shop-1", "other-1", "$0"]
    )
    async def test_name_that_is_not_ours_is_refused(self, terminals: Terminals, name: str) -> None:
        for call in (
            terminals.open(name, CAT, environment={}, title=""),
            terminals.close(name),
            terminals.screen(name),
            terminals.paste(name, "x"),
        ):
            with pytest.raises(ValueError):
                await call

    async def test_missing_session_is_gone(self, terminals: Terminals) -> None:
        await open_cat(terminals)
        for call in (
            terminals.screen("shop-worker-2"),
            terminals.paste("shop-worker-2", "x"),
            terminals.press("shop-worker-2", "Enter"),
        ):
            with pytest.raises(TerminalMissing):
                await call

    async def test_name_is_never_taken_for_a_longer_one(self, terminals: Terminals) -> None:
        await open_cat(terminals, "shop-worker-10")
        with pytest.raises(TerminalMissing):
            await terminals.screen("shop-worker-1")
        await terminals.close("shop-worker-1")
        assert await dead(terminals) == {"shop-worker-10": False}

    async def test_closing_twice_succeeds(self, terminals: Terminals) -> None:
        await open_cat(terminals)
        await terminals.close(NAME)
        await terminals.close(NAME)
        assert await terminals.list() == ()

    async def test_screen_of_an_ended_program_stands(self, terminals: Terminals, outside: Outside) -> None:
        await open_cat(terminals)
        for words in ("first words", "last words"):  # tmux moves the rows up by one to say that the program has ended
            await terminals.paste(NAME, words)
            await eventually(partial(shows, terminals, words))
        outside.end_program(NAME)
        await eventually(lambda: is_dead(terminals))
        assert await shows(terminals, "last words")

    async def test_nothing_can_be_sent_to_an_ended_program(self, terminals: Terminals, outside: Outside) -> None:
        await open_cat(terminals)
        await open_cat(terminals, "shop-worker-2")
        outside.end_program(NAME)
        await eventually(lambda: is_dead(terminals))
        with pytest.raises(TerminalMissing):
            await terminals.paste(NAME, "anybody there?")
        with pytest.raises(TerminalMissing):
            await terminals.press(NAME, "Enter")
        assert await dead(terminals) == {NAME: True, "shop-worker-2": False}

    async def test_opening_a_dead_session_starts_its_program_anew(self, terminals: Terminals, outside: Outside) -> None:
        await open_cat(terminals)
        outside.end_program(NAME)
        await eventually(lambda: is_dead(terminals))
        await open_cat(terminals)
        assert await dead(terminals) == {NAME: False}
        await terminals.paste(NAME, "back again")
        await eventually(lambda: shows(terminals, "back again"))

    async def test_reopening_keeps_the_attached_person(self, terminals: Terminals, outside: Outside) -> None:
        await open_cat(terminals)
        with outside.person(NAME):
            await eventually(lambda: clients(terminals, 1))
            await terminals.reopen(NAME, CAT, environment={}, title="worker-1, run 2")
            (session,) = await terminals.list()
            assert (session.dead, session.clients) == (False, 1)

    async def test_reopening_what_is_not_there_opens_it(self, terminals: Terminals) -> None:
        await terminals.reopen(NAME, CAT, environment={}, title="worker-1")
        assert await dead(terminals) == {NAME: False}

    async def test_attached_people_are_counted(self, terminals: Terminals, outside: Outside) -> None:
        await open_cat(terminals)
        with outside.person(NAME):
            await eventually(lambda: clients(terminals, 1))
            with outside.person(NAME):
                await eventually(lambda: clients(terminals, 2))
                (session,) = await terminals.list()
                assert session.last_key_at is not None
        await eventually(lambda: clients(terminals, 0))

    async def test_death_is_heard(self, terminals: Terminals, outside: Outside, heard: list[str]) -> None:
        await open_cat(terminals)
        await open_cat(terminals, "shop-worker-2")
        outside.end_program("shop-worker-2")
        await eventually(lambda: heard == ["shop-worker-2"])
        outside.end_program(NAME)
        await eventually(lambda: heard == ["shop-worker-2", NAME])

    async def test_each_death_of_one_session_is_heard(self, terminals: Terminals, outside: Outside, heard: list[str]) -> None:
        for expected in ([NAME], [NAME] * 2, [NAME] * 3):
            await open_cat(terminals)
            outside.end_program(NAME)
            await eventually(partial(heard.__eq__, expected))

    async def test_death_before_the_listener_came_is_heard(self, terminals: Terminals, outside: Outside) -> None:
        await open_cat(terminals)
        outside.end_program(NAME)
        await eventually(lambda: is_dead(terminals))
        deaths = terminals.deaths()
        assert await anext(deaths) == NAME
        await terminals.aclose()
        assert [name async for name in deaths] == []

    async def test_killed_server_is_no_session_and_a_new_one_starts(
        self, terminals: Terminals, outside: Outside, heard: list[str]
    ) -> None:
        await open_cat(terminals)
        await eventually(lambda: is_living(terminals))
        outside.kill_server()
        await eventually(lambda: is_empty(terminals))
        await eventually(lambda: heard == [NAME])
        with pytest.raises(TerminalMissing):
            await terminals.screen(NAME)
        await open_cat(terminals)
        outside.end_program(NAME)
        await eventually(lambda: heard == [NAME, NAME])


async def is_dead(terminals: Terminals) -> bool:
    return (await dead(terminals))[NAME]


async def is_living(terminals: Terminals) -> bool:
    return await dead(terminals) == {NAME: False}


async def is_empty(terminals: Terminals) -> bool:
    return await terminals.list() == ()


async def clients(terminals: Terminals, count: int) -> bool:
    return [session.clients for session in await terminals.list()] == [count]


@pytest.fixture
async def heard(terminals: Terminals) -> AsyncIterator[list[str]]:
    """Names that `deaths` gave up to now."""
    names: list[str] = []

    async def listen() -> None:
        async for name in terminals.deaths():
            names.append(name)  # noqa: PERF401  seen while it grows

    listening = asyncio.create_task(listen())
    yield names
    await terminals.aclose()
    await listening


class TestFakeTerminals(TerminalsContract):
    @pytest.fixture
    def terminals(self) -> FakeTerminals:
        return FakeTerminals("shop")

    @pytest.fixture
    def outside(self, terminals: FakeTerminals) -> Outside:
        return OutsideFake(terminals)


class OutsideFake(Outside):
    def __init__(self, terminals: FakeTerminals) -> None:
        self.terminals = terminals

    def end_program(self, name: str) -> None:
        self.terminals.die(name)

    def kill_server(self) -> None:
        self.terminals.kill_server()

    @contextmanager
    def person(self, name: str) -> Iterator[object]:
        self.terminals.attach(name)
        yield None
        self.terminals.detach(name)


@pytest.mark.tmux
class TestTmuxTerminals(TerminalsContract):
    @pytest.fixture
    async def terminals(self, tmux_socket: str) -> AsyncIterator[Terminals]:
        terminals = TmuxTerminals(tmux_socket, "shop", FleetId("f00"))
        yield terminals
        await terminals.aclose()

    @pytest.fixture
    def outside(self, tmux_socket: str) -> Outside:
        return OutsideTmux(tmux_socket)


class OutsideTmux(Outside):
    def __init__(self, socket: str) -> None:
        self.socket = socket

    def end_program(self, name: str) -> None:
        said = subprocess.run(
            ["tmux", "-L", self.socket, "list-panes", "-t", f"={name}:", "-F", "#{pane_pid}"],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        os.kill(int(said.stdout), 9)

    def kill_server(self) -> None:
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], check=True)

    def person(self, name: str) -> AbstractContextManager[object]:
        return attached(self.socket, name)
