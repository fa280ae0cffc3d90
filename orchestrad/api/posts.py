"""What an agent's scripts send, read with care: nothing of it is trusted in paths, refs, logs or terminals.

The form is told in docs/agent-side.md: lines `key value`, an empty line, then the payload.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrad.core.ids import Oid

LARGEST: Final = 2 << 20  # bytes; the script cuts a payload at half of that
_HEAD: Final = re.compile(r"([a-z-]{1,24}) ([^\x00-\x1f\x7f]{0,500})")
_OID: Final = re.compile(r"[0-9a-f]{40}")
_NONCE: Final = re.compile(r"[0-9a-f]{1,64}")
_ID: Final = re.compile(r"(\d{1,9})\.(\d{1,15})")
_PROMPT: Final = re.compile(r"orchestrad ([0-9a-f]{12}): ")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BY_CLI: Final = ("<task-notification>", "Your claude.ai usage limit has reset.")


class BadPost(ValueError):
    """A post that can't be read; the text names the event, the agent's side of it, and what is missing."""


class Payload(BaseModel):
    """What Claude Code says to a hook. Fields that we don't know are ignored; source: facts on the CLI, section 3."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    session_id: str = Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")
    transcript_path: str = Field("", max_length=4096)
    prompt: str = ""
    source: str = ""
    reason: str = ""
    error: str = ""
    agent_id: str | None = None
    last_assistant_message: str | None = None
    background_tasks: list[Any] | None = None
    session_crons: list[Any] | None = None

    @property
    def background(self) -> int | None:
        """How much work runs on behind the turn; None when the CLI did not say."""
        if self.background_tasks is None or self.session_crons is None:
            return None
        return len(self.background_tasks) + len(self.session_crons)

    @property
    def nonce(self) -> str | None:
        """The nonce of a prompt that the daemon typed; None for all others."""
        found = _PROMPT.match(self.prompt)
        return found[1] if found else None

    @property
    def by_cli(self) -> bool:
        """Whether Claude Code began this turn by itself."""
        return self.prompt.startswith(_BY_CLI)


@dataclass(frozen=True, slots=True)
class ScriptPost:
    """A post of a script: its head, and the text behind it."""

    epoch: int
    n: int
    head: dict[str, str]
    text: str

    def oid(self, key: str) -> Oid | None:
        """An object's name from the head; None when absent or no such name."""
        value = self.head.get(key, "")
        return Oid(value) if _OID.fullmatch(value) else None

    def number(self, key: str) -> int:
        """A count from the head; 0 when absent."""
        value = self.head.get(key, "")
        return int(value) if value.isdecimal() and len(value) < 10 else 0

    def nonce(self) -> str:
        """The nonce in the head; "" when absent."""
        value = self.head.get("nonce", "")
        return value if _NONCE.fullmatch(value) else ""

    def payload(self, event: str, agent: str) -> Payload:
        """The payload of a hook. Raises BadPost."""
        try:
            return Payload.model_validate_json(self.text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its JSON"
            raise BadPost(f"hook {event} from {agent} can't be read at {where}: {first['msg']}") from error


def read_post(body: bytes) -> ScriptPost:
    """Reads a script's post. Raises BadPost."""
    head, _, text = body.decode("utf-8", "replace").partition("\n\n")
    values: dict[str, str] = {}
    for line in head.split("\n"):
        found = _HEAD.fullmatch(line)
        if found:
            values[found[1]] = _CONTROL.sub("", found[2])
    identity = _ID.fullmatch(values.get("id", ""))
    if identity is None:
        raise BadPost("a post has no id of the form EPOCH.N")
    return ScriptPost(int(identity[1]), int(identity[2]), values, text)


def words(text: str, *, most: int = 2000) -> str:
    """What an agent said, fit for logs, lists and terminals: no control characters, of bounded length."""
    text = _CONTROL.sub("", text).strip()
    return text if len(text) <= most else text[: most - 1] + "…"
