"""The command line as a user meets it: its own process's streams, against a daemon on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrad.cli.main import cli
from orchestrad.core.states import AgentState, TaskState
from orchestrad.daemon import registry
from tests.support.people import Daemon
from tests.support.worlds import a_world, at, manager, task, worker

WORLD = a_world(
    manager(reason="its turn ended"),
    worker("worker-1", AgentState.WORKING, task="t1"),
    worker("worker-2", AgentState.FAILED, reason="8 in a row"),
    worker("worker-3", AgentState.LIMITED, reason="its credential pool-1 has reached a limit", limited_until_wall=at("17:30").wall),
    task("t2", TaskState.BLOCKED, reason="no server"),
    task("t3", TaskState.SUBMITTED, by="worker-1", submission=1),
)

Run = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture(autouse=True)
def own_state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("TMUX", raising=False)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon that runs and is registered."""
    state, config = tmp_path / "state", tmp_path / "orch"
    for directory in (state, config):
        directory.mkdir()
    daemon = Daemon(WORLD, at("14:05"), state, config)
    async with daemon.served():
        registry.register("demo", state, config)
        yield daemon
        registry.unregister(state)


@pytest.fixture
def run() -> Run:
    """Runs the command line on a thread, so that a daemon of this loop can answer it."""

    async def call(*arguments: str, **options: Any) -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(cli, arguments, **options))

    return call
