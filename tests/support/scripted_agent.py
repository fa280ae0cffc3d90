"""Runs the scripted agent in a terminal of its own, beside a server that answers its hooks."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from orchestrad.demo.project import agent_command
from tests.support.leftovers import MARK

LIMIT = 20.0  # seconds that any one thing may take
CONVERSATION = "0f0e0d0c-0b0a-4908-a706-050403020100"
_SGR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")

Answer = dict[str, Any] | int | None


class HookServer:
    """Keeps every payload in `posts`; `answers[EVENT]` are given in order, each a JSON object or an HTTP status."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: dict[str, list[Answer]] = {}
        self.hold = threading.Event()  # while it is clear, a Stop waits
        self.hold.set()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
                hooks.posts.append(payload)
                hooks.headers.append({name.lower(): value for name, value in self.headers.items()})
                if payload["hook_event_name"] == "Stop":
                    hooks.hold.wait(LIMIT)
                waiting = hooks.answers.get(payload["hook_event_name"], [])
                answer = waiting.pop(0) if waiting else None
                body = json.dumps(answer).encode() if isinstance(answer, dict) else b""
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [post for post in list(self.posts) if post["hook_event_name"] == event]

    def events(self) -> list[str]:
        return [post["hook_event_name"] for post in list(self.posts)]


class Place:
    """A home, a workspace with a first commit, a fake `orch` that notes what was said, and settings with all hooks."""

    def __init__(self, directory: Path, server: HookServer) -> None:
        self.directory, self.server = directory, server
        self.home, self.workspace = directory / "home", directory / "workspace"
        self.orch_log = directory / "orch.log"
        tools = directory / "tools"
        for path in (self.home, self.workspace, tools):
            path.mkdir()
        (tools / "orch").write_text(f'#!/bin/sh\necho "$*" >> {self.orch_log}\n')
        (tools / "orch").chmod(0o755)
        gitconfig = directory / "gitconfig"
        gitconfig.write_text("[user]\nname = worker\nemail = worker@example.invalid\n[init]\ndefaultBranch = main\n")
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "IS_SANDBOX": "1",
            "GIT_CONFIG_GLOBAL": str(gitconfig),
            "GIT_CONFIG_NOSYSTEM": "1",
            "ORCHESTRAD_HOOKS": str(tools),
            "ORCHESTRAD_SCRIPT_PACE": "0.01",
            "AGENT_TOKEN": "token-1",
            MARK: os.environ.get(MARK, ""),  # what an agent leaves behind is noticed
        }
        trusted = {str(self.workspace): {"hasTrustDialogAccepted": True}}
        (self.home / ".claude.json").write_text(json.dumps({"hasCompletedOnboarding": True, "projects": trusted}))
        http = {
            "type": "http",
            "url": f"{server.url}/hook",
            "timeout": 15,
            "headers": {"Authorization": "Bearer ${AGENT_TOKEN}", "X-Home": "${HOME}"},
            "allowedEnvVars": ["AGENT_TOKEN"],
        }
        names = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "StopFailure", "SessionEnd")
        hooks: dict[str, Any] = {name: [{"hooks": [http]}] for name in names}
        command = f"curl -sS -m 5 -H 'content-type: application/json' --data-binary @- {server.url}/hook >/dev/null || true"
        hooks["SessionStart"] = [{"hooks": [{"type": "command", "command": command, "timeout": 10}]}]
        self.settings = directory / "settings.json"
        self.settings.write_text(json.dumps({"skipDangerousModePermissionPrompt": True, "hooks": hooks}))
        self.git("init", "-q")
        self.git("commit", "-q", "--allow-empty", "-m", "first")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.workspace, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def subjects(self) -> list[str]:
        return self.git("log", "--reverse", "--format=%s").splitlines()

    def said(self) -> list[str]:
        """What `orch` was told, a line each."""
        return self.orch_log.read_text().splitlines() if self.orch_log.exists() else []

    def text(self, name: str, content: str) -> str:
        """A file with a task's text; the result is the prompt that names it."""
        path = self.directory / name
        path.write_text(content)
        return f"orchestrad 4fa1c0: read {path} and do the task it describes."

    def argv(self, *arguments: str) -> list[str]:
        return [*agent_command(), "--dangerously-skip-permissions", "--settings", str(self.settings), *arguments]

    def status(self) -> str | None:
        """What the newest session file says."""
        files = sorted((self.home / ".claude" / "sessions").glob("*.json"), key=lambda file: file.stat().st_mtime)
        return str(json.loads(files[-1].read_text())["status"]) if files else None

    def transcript(self) -> list[dict[str, Any]]:
        (path,) = (self.home / ".claude" / "projects").glob("*/*.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


class Terminal:
    """A program on a pseudo-terminal: what it drew, and keys for it."""

    def __init__(self, argv: list[str], place: Place) -> None:
        self._master, slave = pty.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=place.environment, cwd=place.workspace, start_new_session=True
        )
        os.close(slave)
        self.output = ""
        self._is_open = True

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Reads what is drawn until the condition holds."""
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {LIMIT} s: {what}\n{self.text()[-3000:]}")
            self._read(0.02)

    def wait(self) -> int:
        """The exit status."""
        self.until(lambda: self.process.poll() is not None, "the program ends")
        return self.process.returncode

    def text(self) -> str:
        return _SGR.sub("", self.output)

    def composer(self) -> str:
        """What stands in the composer as drawn last."""
        self._read(0)
        after = self.text().rpartition("\u276f\u00a0")[2]
        return after.partition("\r\n─")[0].replace("\r\n  ", "\n")

    def hang_up(self) -> None:
        """The terminal goes away under the program."""
        os.close(self._master)
        self._is_open = False

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self._is_open:
            os.close(self._master)

    def _read(self, wait: float) -> None:
        while select.select([self._master], [], [], wait)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                data = b""
            if not data:
                if wait:  # the program has closed its end, and may still be about to exit
                    time.sleep(wait)
                return
            self.output += data.decode(errors="replace")
            wait = 0


@contextmanager
def terminal(place: Place, *arguments: str) -> Iterator[Terminal]:
    """The scripted agent at work, killed at the end if it still lives."""
    running = Terminal(place.argv(*arguments), place)
    try:
        yield running
    finally:
        running.close()
