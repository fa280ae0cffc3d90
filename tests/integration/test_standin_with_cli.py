"""The real Claude Code CLI against the stand-in: the shapes that the stand-in answers are those that the CLI wants."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.standin import ModelRequest, Reply, Standin, Text, Tool

pytestmark = pytest.mark.cli


async def test_one_turn_runs_a_tool_and_ends(claude_cli: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    session = str(uuid4())

    def model(request: ModelRequest) -> Reply:
        return Text("I wrote it.") if request.is_after_tool else Tool("echo written | tee proof.txt", text="Writing")

    async with Standin() as standin:
        standin.script(model)
        said = await run_turn(claude_cli, "Write a proof.", session, workspace, tmp_path, standin.url)

        first, second = standin.requests
        assert said == "I wrote it.\n"
        assert (workspace / "proof.txt").read_text() == "written\n"
        assert first.last_user_text == "Write a proof."
        assert (first.session, first.credential, first.is_after_tool) == (session, "sk-ant-test-1", False)
        assert (second.session, second.is_after_tool) == (session, True)
        assert [result.text for result in second.tool_results] == ["written"]
        assert second.mentions("Write a proof.")
        ended = [exchange.ended for exchange in standin.exchanges if exchange.request is first]
        assert ended[0] is not None
        assert first.started < ended[0] < second.started


async def run_turn(cli: Path, prompt: str, session: str, workspace: Path, home: Path, url: str) -> str:
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "IS_SANDBOX": "1",
        "NO_PROXY": "*",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": "sk-ant-test-1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    }
    process = await asyncio.create_subprocess_exec(
        cli, "-p", "--dangerously-skip-permissions", "--session-id", session, prompt,
        cwd=workspace, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
