"""Attaching: the right server, the right session, inside tmux and outside."""

import asyncio
import os
from pathlib import Path

import pytest

from orchestrad.cli.attach import Server, command
from tests.support.people import Daemon
from tests.unit.cli.conftest import Run

HERE = {"PATH": "/usr/bin:/bin", "TERM": "screen"}


async def tmux(socket: str, *words: str) -> str:
    process = await asyncio.create_subprocess_exec("tmux", "-L", socket, *words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


async def session(socket: str, name: str) -> None:
    await tmux(socket, "new-session", "-d", "-s", name, "printf 'hello from %s' worker; exec cat")


def test_a_socket_is_a_name_or_a_path_or_the_users_own() -> None:
    assert Server(None).argv == ["tmux", "-L", "default"]
    assert Server("mine").argv == ["tmux", "-L", "mine"]
    assert Server("/run/x.sock").argv == ["tmux", "-S", "/run/x.sock"]
    assert Server("mine").path({"TMUX_TMPDIR": "/t"}) == Path(f"/t/tmux-{os.getuid()}/mine")


def test_outside_of_tmux_the_session_is_attached() -> None:
    argv, environ = command(Server(None), "demo-worker-1", HERE, read_only=True)
    assert argv == ["tmux", "-L", "default", "attach-session", "-r", "-t", "=demo-worker-1"]
    assert environ == HERE


def test_inside_of_another_tmux_it_is_nested() -> None:
    argv, environ = command(Server("mine"), "demo-worker-1", {**HERE, "TMUX": "/run/other,1,0"}, read_only=False)
    assert argv[3] == "attach-session"
    assert "TMUX" not in environ


@pytest.mark.tmux
async def test_inside_of_the_same_tmux_the_client_is_switched(tmux_socket: str) -> None:
    await session(tmux_socket, "demo-worker-1")
    path = (await tmux(tmux_socket, "display-message", "-p", "#{socket_path}")).strip()
    argv, environ = command(Server(tmux_socket), "demo-worker-1", {**os.environ, "TMUX": f"{path},1,0"}, read_only=False)
    assert argv == ["tmux", "-L", tmux_socket, "switch-client", "-t", "=demo-worker-1"]
    assert "TMUX" in environ


@pytest.mark.tmux
async def test_an_agent_with_a_terminal_is_attached_by_its_name(daemon: Daemon, run: Run, tmux_socket: str) -> None:
    daemon.tmux_socket = tmux_socket
    await session(tmux_socket, "demo-worker-1")
    assert (await run("attach", "worker-1", "--print")).output == f"tmux -L {tmux_socket} attach-session -t =demo-worker-1\n"
    result = await run("attach", "worker-1")
    assert (result.exit_code, "attach needs a terminal" in result.output) == (2, True)


@pytest.mark.tmux
async def test_without_a_name_or_a_terminal_those_that_can_be_attached_are_named(
    daemon: Daemon, run: Run, tmux_socket: str
) -> None:
    daemon.tmux_socket = tmux_socket
    assert "no agent has a terminal now" in (await run("attach")).output
    await session(tmux_socket, "demo-worker-1")
    assert (await run("attach")).output == "orchestrad: name the agent: orchestrad attach worker-1\n"


@pytest.mark.tmux
async def test_an_agent_without_a_terminal_is_told_with_what_it_does(daemon: Daemon, run: Run, tmux_socket: str) -> None:
    daemon.tmux_socket = tmux_socket
    result = await run("attach", "worker-2")
    assert result.output.startswith("orchestrad: worker-2 has no terminal now: worker-2 is failed, since 14:00 (5 min)")
    assert "Did you mean 'worker-3'?" in (await run("attach", "worker-33")).output


@pytest.mark.tmux
async def test_an_agents_log_ends_with_what_its_terminal_shows(daemon: Daemon, run: Run, tmux_socket: str) -> None:
    daemon.tmux_socket = tmux_socket
    (daemon.state_directory / "logs").mkdir()
    (daemon.state_directory / "logs" / "worker-1.log").write_text("")
    await session(tmux_socket, "demo-worker-1")
    async with asyncio.timeout(10):
        while True:
            if "hello from worker" in (await run("logs", "worker-1")).output:
                break
            await asyncio.sleep(0.05)
