"""Fleets with the real CLI, on either engine, whose model is scripted."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleets import EngineName, FleetUnderTest
from tests.support.source_project import make_upstream
from tests.support.standin import Standin

MakeFleet = Callable[..., Awaitable[FleetUnderTest]]


@pytest.fixture
def engine() -> EngineName:
    """Where the engine does not matter."""
    return "process"


@pytest.fixture
async def model(engine: EngineName, request: pytest.FixtureRequest) -> AsyncIterator[Standin]:
    """The stand-in for the Messages API, where the agents of this engine reach it."""
    host = request.getfixturevalue("bridge_address") if engine == "docker" else "127.0.0.1"
    async with Standin(host) as standin:
        yield standin


@pytest.fixture
async def make_fleet(
    engine: EngineName, model: Standin, tmux_socket: str, tmp_path: Path, claude_cli: Path, request: pytest.FixtureRequest
) -> AsyncIterator[MakeFleet]:
    """Makes the test's fleet, not yet started: `files` join the project, `credentials` are its files' variables."""
    made: list[FleetUnderTest] = []

    async def make(
        files: dict[str, str], *, credentials: dict[str, dict[str, str]] | None = None, **settings: Any
    ) -> FleetUnderTest:
        directory = tmp_path / "f"
        upstream = make_upstream(tmp_path / "upstream", files)
        if engine == "docker":
            settings.setdefault("container", {"baseImage": request.getfixturevalue("base_image")})
        else:
            settings.setdefault("agent", {})
            settings["agent"].setdefault("command", [str(claude_cli)])
        directory.mkdir()
        name = f"e2e-{secrets.token_hex(3)}"
        fleet = FleetUnderTest(directory, engine, upstream, tmux_socket, settings, name)
        made.append(fleet)
        logins = credentials or {"pool-1": {"ANTHROPIC_AUTH_TOKEN": "sk-ant-test-token-1"}}
        fleet.write_config({label: {"ANTHROPIC_BASE_URL": model.url, **login} for label, login in logins.items()})
        return fleet

    yield make
    for fleet in made:
        await fleet.aclose()
