"""The real Claude Code CLI with the real scripts and directories: a turn's end becomes the next task."""

import asyncio
import contextlib
import json
import os
import pty
import shutil
import signal
import struct
import termios
from collections.abc import AsyncIterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from orchestrad.config.credential_file import Credential, CredentialKind
from orchestrad.config.secret import Secret
from orchestrad.containers.claude import argv, environment
from orchestrad.containers.homes import Homes, Life
from orchestrad.core.ids import ConversationId, Epoch, Nonce, Oid, worker
from orchestrad.credentials.placing import placement
from orchestrad.files import hooks_directory
from tests.support.agent_side import AgentSide, Answer, DaemonStandin, Post, until
from tests.support.leftovers import MARK
from tests.support.standin import ModelRequest, Reply, Standin, Text, Tool

pytestmark = pytest.mark.cli

AGENT = worker(1)
CONVERSATION = ConversationId("0b8a4a3e-7a43-4f0b-a1a5-3c2f6a4e9d10")
PROMPT = "orchestrad 4fa1c0ffee12: read the text and do the task"


@contextlib.asynccontextmanager
async def running(command: tuple[str, ...], variables: dict[str, str], directory: Path) -> AsyncIterator[None]:
    """A program on a terminal of its own, whose screen nobody looks at."""
    ours, theirs = pty.openpty()
    ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    loop = asyncio.get_running_loop()

    def drain() -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                os.read(ours, 65536)
            except OSError:
                loop.remove_reader(ours)

    loop.add_reader(ours, drain)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        loop.remove_reader(ours)
        os.close(ours)


@pytest.mark.parametrize("kind", [CredentialKind.TOKEN, CredentialKind.API_KEY])
async def test_a_stop_becomes_the_next_task(claude_cli: Path, tmp_path: Path, kind: CredentialKind) -> None:
    events: list[str] = []

    def model(request: ModelRequest) -> Reply:
        if request.is_after_tool:
            return Text("I have committed it.")
        if request.stop_answer is not None:
            return Text("Begun.")
        return Tool("echo work >mine.txt && git add -A && git commit -q -m Work && orch done -m written", text="Working")

    async with Standin() as standin, DaemonStandin() as daemon:
        standin.script(model)
        side = AgentSide(tmp_path, daemon.url)
        base = side.make_hub()
        oid = side.commit_on_hub("theirs.txt", "theirs")
        homes = Homes(tmp_path / "agents", engine="process", hooks=hooks_directory(), objects=side.hub / "objects")
        places = homes.places(AGENT)
        along = {"ANTHROPIC_BASE_URL": Secret(standin.url)}
        login = {
            CredentialKind.TOKEN: Credential(kind, Secret("sk-ant-oat01-testtoken"), "ANTHROPIC_AUTH_TOKEN", along),
            CredentialKind.API_KEY: Credential(kind, Secret("sk-ant-api03-testtesttesttesttest"), "ANTHROPIC_API_KEY", along),
        }[kind]
        life = Life(
            AGENT, Epoch(3), Secret("worker-1.3.proof"), daemon.url, "main", "worker-1/one", Oid(base), Nonce("4fa1c0ffee12"),
            "Do T-1.", placement(login, places.key_file),
        )  # fmt: skip
        await homes.prepare(life)
        point_at(homes.directory(AGENT) / "run/start", hub=side.hub, rescue=side.rescue)

        def script(post: Post) -> Answer:
            if post.path == "orch":
                return Answer("Noted.")
            if post.path != "hook":
                events.append(post.path)
                return Answer()
            events.append(post.lines["event"])
            if events.count("Stop") == 1 and post.lines["event"] == "Stop":
                block = json.dumps({"decision": "block", "reason": "Do T-2."})
                return Answer(block, checkout=f"worker-1/two {oid}", nonce="bbb2")
            return Answer()

        daemon.script = script
        command = argv(
            (str(claude_cli),), places, conversation=CONVERSATION, resume=False, prompt=PROMPT, settings=homes.settings(AGENT)
        )
        variables = environment(places, agent=AGENT, workers=1, daemon_host="127.0.0.1")
        variables |= {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", MARK: os.environ[MARK]}
        workspace = homes.directory(AGENT) / "workspace"
        async with running(command, variables, workspace):
            first = await standin.wait_for(lambda exchange: PROMPT in exchange.request.last_user_text, 60)
            handed = await standin.wait_for(lambda exchange: exchange.request.stop_answer is not None)
            await until(lambda: events.count("Stop") == 2 and {"event", "status"} <= set(events))
            await asyncio.wait_for(idle(homes), 10)
            session = await homes.session(AGENT)

        stops = [post for post in daemon.to("hook") if post.lines["event"] == "Stop"]
        assert handed.request.stop_answer == "Do T-2."
        assert first.request.credential == login.secret.reveal()
        decisive = [event for event in events if event in {"SessionStart", "UserPromptSubmit", "Stop", "acknowledge"}]
        assert decisive == ["SessionStart", "UserPromptSubmit", "Stop", "acknowledge", "Stop"]
        assert [(stop.lines["branch"], stop.lines["changes"], stop.lines["pushed"]) for stop in stops] == [
            ("worker-1/one", "0", "yes"),
            ("worker-1/two", "0", "yes"),
        ]
        assert side.hub_refs()["refs/heads/worker-1/one"] == stops[0].lines["head"]
        assert [(post.lines["verb"], post.text) for post in daemon.to("orch")] == [("done", "written")]
        assert session is not None
        assert (session.conversation, session.status) == (CONVERSATION, "idle")
        await homes.aclose()
    shutil.rmtree(homes.directory(AGENT))


async def idle(homes: Homes) -> None:
    while (seen := await homes.session(AGENT)) is None or seen.status != "idle":  # noqa: ASYNC110  a file rings no bell
        await asyncio.sleep(0.05)


def point_at(start: Path, **places: Any) -> None:
    """Plain repositories in the place of the ones that the daemon would serve."""
    lines = [line.partition(" ")[::2] for line in start.read_text().splitlines()]
    start.write_text("".join(f"{key} {places.get(key, value)}\n" for key, value in lines))
