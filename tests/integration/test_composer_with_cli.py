"""The composer of the real Claude Code CLI in a real terminal: what is read from its screen is what stands there."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from orchestrad.core.ids import FleetId
from orchestrad.terminals.composer import Composer, ComposerState, read_composer
from orchestrad.terminals.port import Terminals
from orchestrad.terminals.tmux import TmuxTerminals
from tests.support.attached_client import AttachedClient, attached
from tests.support.eventually import eventually
from tests.support.standin import ModelRequest, Reply, Standin, Text

pytestmark = [pytest.mark.tmux, pytest.mark.cli]

NAME = "shop-worker-1"
EMPTY = Composer(ComposerState.EMPTY)


@pytest.fixture
async def terminals(tmux_socket: str) -> AsyncIterator[TmuxTerminals]:
    terminals = TmuxTerminals(tmux_socket, "shop", FleetId("f00"))
    yield terminals
    await terminals.close(NAME)
    await terminals.aclose()


async def start(terminals: Terminals, cli: Path, home: Path, url: str, *, trusted: bool = True) -> None:
    workspace = home / "workspace"
    workspace.mkdir(parents=True)
    (home / ".claude").mkdir()
    projects = {str(workspace): {"hasTrustDialogAccepted": trusted}}
    (home / ".claude.json").write_text(json.dumps({"hasCompletedOnboarding": True, "projects": projects}))
    settings = {
        "env": {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "sk-ant-test-1"},
        "skipDangerousModePermissionPrompt": True,
    }
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "IS_SANDBOX": "1",
        "NO_PROXY": "*",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    }
    run = f'cd "{workspace}" && exec "{cli}" --dangerously-skip-permissions --session-id {uuid4()}'
    await terminals.open(NAME, ["sh", "-c", run], environment=environment, title="worker-1")


async def composer_is(terminals: Terminals, expected: Composer) -> None:
    async def holds() -> bool:
        return read_composer(await terminals.screen(NAME)) == expected

    try:
        await eventually(holds, within=30)
    except TimeoutError:
        screen = await terminals.screen(NAME)
        shown = "\n".join(row for row in screen.rows if row)
        pytest.fail(f"expected {expected}, read {read_composer(screen)} from:\n{shown}")


async def test_composer_is_read_as_a_person_and_the_fleet_use_it(
    terminals: TmuxTerminals, tmux_socket: str, claude_cli: Path, tmp_path: Path, standin: Standin
) -> None:
    may_answer = asyncio.Event()

    async def model(request: ModelRequest) -> Reply:
        await may_answer.wait()
        return Text("All right.")

    standin.script(model)
    await start(terminals, claude_cli, tmp_path / "home", standin.url)
    await composer_is(terminals, EMPTY)
    with attached(tmux_socket, NAME) as person:
        await half_typed_text_is_seen_and_cleared(terminals, person)
        await shell_mode_is_seen(terminals, person)

    line = "orchestrad 4fa1c0ffee12: " + "read the text and do the task it describes " * 15
    await terminals.paste(NAME, line.strip())
    await standin.wait_for(lambda exchange: exchange.request.last_user_text == line.strip())
    await composer_is(terminals, EMPTY)  # while the model thinks
    await terminals.paste(NAME, "and one more thing")
    await composer_is(terminals, EMPTY)  # a placeholder stands there
    may_answer.set()
    await standin.wait_for(lambda exchange: exchange.request.mentions("and one more thing"))


async def half_typed_text_is_seen_and_cleared(terminals: Terminals, person: AttachedClient) -> None:
    person.type("half a thought")
    await composer_is(terminals, Composer(ComposerState.TYPED, "half a thought"))
    await terminals.press(NAME, "C-u")
    await composer_is(terminals, EMPTY)


async def shell_mode_is_seen(terminals: Terminals, person: AttachedClient) -> None:
    person.type("!")
    await composer_is(terminals, Composer(ComposerState.SHELL))
    await terminals.press(NAME, "BSpace")
    await composer_is(terminals, EMPTY)


async def test_dialog_of_the_cli_is_told_in_its_words(
    terminals: TmuxTerminals, claude_cli: Path, tmp_path: Path, standin: Standin
) -> None:
    await start(terminals, claude_cli, tmp_path / "home", standin.url, trusted=False)

    async def asks_for_trust() -> bool:
        composer = read_composer(await terminals.screen(NAME))
        return composer.state is ComposerState.DIALOG and "Yes, I trust this folder" in composer.text

    await eventually(asks_for_trust, within=30)
