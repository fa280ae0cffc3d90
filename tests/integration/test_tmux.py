"""What only a real tmux shows: people at their own terminals, what is theirs, environments, formats, servers in trouble."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrad.core.ids import FleetId
from orchestrad.terminals import tmux_command
from orchestrad.terminals.port import Terminals, TerminalsUnreachable, TerminalsUnusable
from orchestrad.terminals.tmux import NameInUse, TmuxTerminals
from tests.support.attached_client import DETACH, attached
from tests.support.eventually import eventually

pytestmark = pytest.mark.tmux

NAME = "shop-worker-1"
Ask = Callable[..., str]


@pytest.fixture
async def terminals(tmux_socket: str) -> AsyncIterator[TmuxTerminals]:
    terminals = TmuxTerminals(tmux_socket, "shop", FleetId("f00"))
    yield terminals
    await terminals.aclose()


@pytest.fixture
def tmux(tmux_socket: str) -> Ask:
    """Asks the server as its user would."""

    def ask(*arguments: str) -> str:
        command = ["tmux", "-u", "-L", tmux_socket, *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.rstrip("\n")

    return ask


async def show(terminals: Terminals, *argv: str, title: str = "worker-1", **environment: str) -> None:
    await terminals.open(NAME, argv, environment=environment, title=title)


async def shows(terminals: Terminals, text: str) -> bool:
    return any(text in row for row in (await terminals.screen(NAME)).rows)


async def test_person_attaches_types_and_detaches_without_harm(terminals: TmuxTerminals, tmux_socket: str) -> None:
    await show(terminals, "cat")
    with attached(tmux_socket, NAME) as person:
        await eventually(lambda: person.sees("detach: C-b d"))
        person.type("hello from a person\r")
        await eventually(lambda: shows(terminals, "hello from a person"))
        person.type(DETACH)
        await eventually(person.has_left)
    (session,) = await terminals.list()
    assert (session.dead, session.clients) == (False, 0)
    await terminals.paste(NAME, "and from the fleet")
    await eventually(lambda: shows(terminals, "and from the fleet"))


async def test_last_key_is_that_of_whoever_may_type(terminals: TmuxTerminals, tmux_socket: str) -> None:
    await show(terminals, "cat")
    with attached(tmux_socket, NAME, "-r") as reader:
        await eventually(lambda: reader.sees("detach"))
        (session,) = await terminals.list()
        assert (session.clients, session.last_key_at) == (0, None)
        with attached(tmux_socket, NAME) as writer:
            await eventually(lambda: writer.sees("detach"))
            (before,) = await terminals.list()

            async def is_later() -> bool:
                writer.type("x")
                (session,) = await terminals.list()
                assert before.last_key_at is not None
                assert session.last_key_at is not None
                return session.last_key_at > before.last_key_at

            await eventually(is_later)


async def test_long_line_arrives_as_one_bracketed_paste(terminals: TmuxTerminals, tmp_path: Path) -> None:
    got = tmp_path / "got"
    script = f"stty raw -echo; printf '\\033[?2004h'; printf ready; exec cat > {got}"
    await show(terminals, "sh", "-c", script)
    await eventually(lambda: shows(terminals, "ready"))
    line = ("a line of 700 ünï characters " * 40)[:700]
    await terminals.paste(NAME, line)
    whole = b"\x1b[200~" + line.encode() + b"\x1b[201~\r"
    await eventually(lambda: got.read_bytes() == whole)


async def test_line_is_sent_while_a_person_scrolls_back(terminals: TmuxTerminals, tmux: Ask) -> None:
    await show(terminals, "cat")
    tmux("copy-mode", "-t", NAME)
    await terminals.paste(NAME, "sent all the same")
    await eventually(lambda: sent_twice(terminals, "sent all the same"))  # once by the terminal's echo, once by cat
    assert tmux("display-message", "-p", "-t", NAME, "#{pane_in_mode}") == "1"
    await terminals.press(NAME, "x", "Enter")
    assert tmux("display-message", "-p", "-t", NAME, "#{pane_in_mode}") == "0"


async def sent_twice(terminals: Terminals, text: str) -> bool:
    return [row.strip() for row in (await terminals.screen(NAME)).rows].count(text) == 2


async def test_nothing_of_the_daemons_environment_reaches_a_session(
    terminals: TmuxTerminals, tmux: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-daemon")
    await show(terminals, "sh", "-c", "env; exec cat", GIVEN="a;b;")
    await eventually(lambda: shows(terminals, "GIVEN=a;b;"))
    assert not await shows(terminals, "sk-ant-of-the-daemon")
    assert not await shows(terminals, "TMUX")
    for scope in ("-g", "-t"):
        assert "sk-ant" not in tmux("show-environment", scope, *([NAME] if scope == "-t" else []))


async def test_nothing_of_the_users_servers_environment_reaches_a_program(terminals: TmuxTerminals, tmux: Ask) -> None:
    tmux("new-session", "-d", "-s", "mine")
    tmux("set-environment", "-g", "ANTHROPIC_API_KEY", "sk-ant-of-the-user")
    await show(terminals, "sh", "-c", "env; echo done; exec cat")
    await eventually(lambda: shows(terminals, "done"))
    assert not await shows(terminals, "sk-ant-of-the-user")


async def test_title_is_shown_and_never_run(terminals: TmuxTerminals, tmux_socket: str, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    await show(terminals, "cat", title=f"fix #7 #(touch {mark}) #{{pid}} #[fg=red]x\x1b[31m\u202e\n;")
    with attached(tmux_socket, NAME) as person:
        await eventually(lambda: person.sees(f"fix #7 #(touch {mark}) #{{pid}} #[fg=red]x[31m ;"[:60]))
    assert not mark.exists()


async def test_arguments_reach_the_program_as_they_are(terminals: TmuxTerminals) -> None:
    odd = ["a b", ";", "x;", "\\;", "$HOME", "#{pid}", "'", '"', "{", "-t", "~", ""]
    await show(terminals, "sh", "-c", 'printf "<%s>" "$@"; exec cat', "sh", *odd)
    await eventually(lambda: shows(terminals, "".join(f"<{word}>" for word in odd)))


async def test_program_whose_path_holds_an_equals_sign_is_run(terminals: TmuxTerminals, tmp_path: Path) -> None:
    program = tmp_path / "a=b"
    program.symlink_to("/bin/sh")
    await show(terminals, str(program), "-c", "echo ran; exec cat")
    await eventually(lambda: shows(terminals, "ran"))


@pytest.mark.parametrize("name", ["", "A B", "A=B", "1A", "A;kill-server"])
async def test_odd_variable_names_are_refused(terminals: TmuxTerminals, name: str) -> None:
    with pytest.raises(ValueError):
        await terminals.open(NAME, ["cat"], environment={name: "x"}, title="")


async def test_users_own_session_of_that_name_is_refused_and_left_alone(terminals: TmuxTerminals, tmux: Ask) -> None:
    tmux("new-session", "-d", "-s", NAME, "cat")
    with pytest.raises(NameInUse, match=r"rename-session"):
        await show(terminals, "cat")
    await terminals.close(NAME)
    assert tmux("list-sessions", "-F", "#{session_name}") == NAME
    assert await terminals.list() == ()


async def test_another_fleets_session_is_refused_and_left_alone(terminals: TmuxTerminals, tmux_socket: str) -> None:
    other = TmuxTerminals(tmux_socket, "shop", FleetId("f01"))
    await other.open(NAME, ["cat"], environment={}, title="")
    with pytest.raises(NameInUse):
        await show(terminals, "cat")
    await terminals.close(NAME)
    assert await terminals.list() == ()
    assert len(await other.list()) == 1
    await other.aclose()


async def test_nothing_is_typed_into_a_pane_that_a_person_added(terminals: TmuxTerminals, tmux: Ask) -> None:
    await show(terminals, "cat")
    tmux("split-window", "-b", "-t", NAME, "cat")
    tmux("new-window", "-t", f"{NAME}:", "cat")
    await terminals.paste(NAME, "for the agent")
    await eventually(lambda: shows(terminals, "for the agent"))
    panes = tmux("list-panes", "-s", "-t", NAME, "-F", "#{pane_id}").split()
    holds = [pane for pane in panes if "for the agent" in tmux("capture-pane", "-p", "-t", pane)]
    assert len(panes) == 3
    assert len(holds) == 1
    assert len(await terminals.list()) == 1


async def test_killed_pane_in_a_session_that_a_person_extended_is_opened_anew(terminals: TmuxTerminals, tmux: Ask) -> None:
    await show(terminals, "cat")
    pane = tmux("display-message", "-p", "-t", NAME, "#{pane_id}")
    tmux("split-window", "-t", NAME, "cat")
    tmux("kill-pane", "-t", pane)
    assert await terminals.list() == ()
    await show(terminals, "cat")
    assert [session.dead for session in await terminals.list()] == [False]
    await terminals.close(NAME)
    assert await terminals.list() == ()


async def test_renamed_session_is_still_the_agents(terminals: TmuxTerminals, tmux: Ask) -> None:
    await show(terminals, "cat")
    tmux("rename-session", "-t", NAME, "favourite")
    await terminals.paste(NAME, "found you")
    await eventually(lambda: shows(terminals, "found you"))
    assert [session.name for session in await terminals.list()] == [NAME]
    await terminals.close(NAME)
    assert await terminals.list() == ()


async def test_session_of_a_person_to_which_the_pane_was_moved_is_left_alone(terminals: TmuxTerminals, tmux: Ask) -> None:
    tmux("new-session", "-d", "-s", "mine", "cat")
    await show(terminals, "cat")
    tmux("join-pane", "-s", f"{NAME}:", "-t", "mine:")
    await terminals.reopen(NAME, ["cat"], environment={}, title="run 2")
    await terminals.paste(NAME, "still heard")
    await eventually(lambda: shows(terminals, "still heard"))
    assert "@orchestrad" not in tmux("show-options", "-t", "mine")
    await terminals.close(NAME)
    assert tmux("list-panes", "-a", "-F", "#{session_name}") == "mine"


async def test_users_options_stay_as_they_are(terminals: TmuxTerminals, tmux: Ask) -> None:
    tmux("new-session", "-d", "-s", "mine", "cat")
    options = [("-g",), ("-gw",), ("-s",), ("-t", "mine"), ("-w", "-t", "mine")]
    before = [tmux("show-options", *which) for which in options]
    hooks = tmux("show-hooks", "-g")
    await show(terminals, "cat")
    assert [tmux("show-options", *which) for which in options] == before
    assert tmux("show-hooks", "-g") == hooks


async def test_sessions_outlive_users_habit_of_destroying_unattached_ones(terminals: TmuxTerminals, tmux: Ask) -> None:
    tmux("new-session", "-d", "-s", "mine", "cat", ";", "set-option", "-g", "exit-unattached", "off")
    tmux("set-option", "-t", "mine", "destroy-unattached", "off", ";", "set-option", "-g", "destroy-unattached", "on")
    await show(terminals, "cat")
    await terminals.paste(NAME, "still here")
    await eventually(lambda: shows(terminals, "still here"))


async def test_stopped_server_is_unreachable_and_not_empty(
    terminals: TmuxTerminals, tmux: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tmux_command, "LIMIT", timedelta(milliseconds=300))
    await show(terminals, "cat")
    server = int(tmux("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    try:
        for call in (terminals.list(), terminals.screen(NAME), terminals.paste(NAME, "x"), show(terminals, "cat")):
            with pytest.raises(TerminalsUnreachable):
                await call
    finally:
        os.kill(server, signal.SIGCONT)
    monkeypatch.undo()
    assert len(await terminals.list()) == 1


async def test_server_killed_hard_leaves_nothing_and_the_next_open_starts_one(terminals: TmuxTerminals, tmux: Ask) -> None:
    await show(terminals, "cat")
    os.kill(int(tmux("display-message", "-p", "#{pid}")), signal.SIGKILL)

    async def is_empty() -> bool:
        try:
            return await terminals.list() == ()
        except TerminalsUnreachable:
            return False

    await eventually(is_empty)
    await show(terminals, "cat")
    assert len(await terminals.list()) == 1


async def test_cancelled_call_leaves_no_command_behind(terminals: TmuxTerminals) -> None:
    await show(terminals, "cat")
    for _ in range(20):
        calls = [asyncio.create_task(terminals.screen(NAME)) for _ in range(3)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert len(await terminals.list()) == 1


async def test_missing_tmux_is_told_with_how_to_get_it(
    terminals: TmuxTerminals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TerminalsUnusable, match="apt install tmux"):
        await terminals.check()


@pytest.mark.parametrize(("said", "usable"), [("3.1c", False), ("2.9", False), ("3.2", True), ("next-3.6", True), ("master", True)])
async def test_old_tmux_is_refused_and_a_new_one_named(
    terminals: TmuxTerminals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, usable: bool
) -> None:
    program = tmp_path / "tmux"
    program.write_text(f"#!/bin/sh\necho tmux {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    if usable:
        assert await terminals.check() == said
    else:
        with pytest.raises(TerminalsUnusable, match=r"too old"):
            await terminals.check()


async def test_server_at_a_path_is_used(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    terminals = TmuxTerminals(str(socket), "shop", FleetId("f00"))
    await show(terminals, "cat")
    assert socket.is_socket()
    await terminals.close(NAME)  # the last session, so the server ends
    await terminals.aclose()
