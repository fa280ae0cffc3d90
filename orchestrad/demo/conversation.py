"""What the scripted agent leaves in its home: the transcript of a conversation, and the session file with its status."""

import json
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrad.demo.steps import Message

VERSION = "2.1.329"  # the CLI whose files these look like
CUT_OFF = "[Tool call interrupted: the process ended while it ran; its outcome is unknown.]"


class CannotBegin(Exception):
    """The conversation asked for can't be had; the CLI exits with status 1."""


class Conversation:
    """One conversation, written to its transcript line by line, each line before anything follows from it."""

    def __init__(self, home: Path, cwd: Path, id_: str, *, resume: bool) -> None:
        """Raises CannotBegin for an id that was used, or, with `resume`, for one that nobody used."""
        self.id, self._cwd = id_, cwd
        slug = re.sub(r"[^A-Za-z0-9]", "-", str(cwd))
        self.transcript = home / ".claude" / "projects" / slug / f"{id_}.jsonl"
        self.messages: list[Message] = []
        self._last_uuid: str | None = None
        if resume and not self.transcript.exists():
            raise CannotBegin(f"No conversation found with session ID: {id_}")
        if not resume and self.transcript.exists():
            raise CannotBegin(f"Error: Session ID {id_} is already in use.")
        if resume:
            self._load()

    def say(self, text: str) -> None:
        self._write("assistant", [{"type": "text", "text": text}], Message("say", text))

    def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """Records the call of a tool; the result is its id."""
        use = f"toolu_{os.urandom(9).hex()}"
        block = {"type": "tool_use", "id": use, "name": tool, "input": arguments}
        self._write("assistant", [block], Message("call", use))
        return use

    def result(self, use: str, text: str, *, is_error: bool = False, cut_off: bool = False) -> None:
        block = {"type": "tool_result", "tool_use_id": use, "content": text, "is_error": is_error or cut_off}
        self._write("user", [block], Message("result", text, ok=not cut_off))

    def hear(self, kind: str, text: str) -> None:
        """Records what was said to the agent."""
        self._write("user", text, Message(kind, text))

    def fail(self, error: str, text: str, **details: Any) -> None:
        """Records an API error."""
        more = {"isApiErrorMessage": True, "error": error, "apiErrorIsTransient": False, **details}
        self._write("assistant", [{"type": "text", "text": text}], Message("failure", text), **more)

    def withdraw(self) -> None:
        """Takes the last message out of the conversation; the transcript keeps it."""
        self.messages.pop()
        self._append({"type": "system", "subtype": "withdrawn"})

    def _write(self, role: str, content: Any, message: Message, **more: Any) -> None:
        self.messages.append(message)
        line = {"type": role, "message": {"role": role, "content": content}, "kind": message.kind, "ok": message.ok}
        self._append(line | more)

    def _append(self, line: dict[str, Any]) -> None:
        uuid = new_uuid()
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        place = {"sessionId": self.id, "cwd": str(self._cwd), "version": VERSION, "timestamp": stamp}
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        with self.transcript.open("a") as file:
            file.write(json.dumps({"parentUuid": self._last_uuid, "uuid": uuid, **place, **line}) + "\n")
        self._last_uuid = uuid

    def _load(self) -> None:
        for raw in self.transcript.read_text().splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                continue  # the kill cut this line off
            self._last_uuid = line["uuid"]
            if line["type"] == "system":
                self.messages.pop()
                continue
            content = line["message"]["content"]
            if isinstance(content, list):
                block = content[0]
                content = block.get("text") or block.get("content") or block.get("id") or ""
            self.messages.append(Message(line["kind"], content, line["ok"]))
        if self.messages and self.messages[-1].kind == "call":
            self.result(self.messages[-1].text, CUT_OFF, cut_off=True)


class SessionFile:
    """`$HOME/.claude/sessions/PID.json`: what the CLI is at, for whoever looks."""

    def __init__(self, home: Path, cwd: Path) -> None:
        self._path = home / ".claude" / "sessions" / f"{os.getpid()}.json"
        self._cwd = cwd
        self.status = ""

    def write(self, session: str, status: str, waiting_for: str | None = None) -> None:
        """Status: busy, idle, shell (turn ended, background work running), waiting."""
        self.status = status
        now = time.time_ns() // 1_000_000
        content = {"pid": os.getpid(), "sessionId": session, "cwd": str(self._cwd), "status": status, "statusUpdatedAt": now}
        if waiting_for is not None:
            content["waitingFor"] = waiting_for
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".tmp")
        new.write_text(json.dumps(content))
        new.replace(self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def new_uuid() -> str:
    """A random version 4 UUID; the uuid module costs 9 ms of the start."""
    h = os.urandom(16).hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"
