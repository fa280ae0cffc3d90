"""What the stand-in for the Messages API was asked, as a test wants to read it.

Claude Code mixes notes of its own into the conversation: messages with the role `system` and text in
`<system-reminder>` blocks. Neither is something that a person or the daemon said, so neither is shown as such here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
STOP_HOOK = "Stop hook feedback:\n"


@dataclass(frozen=True)
class ToolResult:
    tool_use_id: str
    text: str
    is_error: bool


@dataclass(frozen=True)
class ModelRequest:
    """One request for a message. `n` counts from 1; `started` is CLOCK_MONOTONIC when its headers had arrived."""

    n: int
    started: float
    credential: str
    session: str
    model: str
    peer: str
    messages: Sequence[Mapping[str, Any]]
    tools: frozenset[str]
    system: str = ""

    @property
    def is_agents(self) -> bool:
        """Whether an agent's turn asks; else the CLI does, for a title or to see that it is connected."""
        return bool(self.tools)

    @cached_property
    def user_texts(self) -> list[str]:
        """All that was said to the model, oldest first, one entry for each block of text."""
        return [text for message in self.messages if message.get("role") == "user" for text in texts_of(message)]

    @property
    def last_user_text(self) -> str:
        """What was last said to the model; empty if nothing was."""
        return self.user_texts[-1] if self.user_texts else ""

    @property
    def stop_answer(self) -> str | None:
        """What the Stop hook answered, if that is the last thing said to the model."""
        text = self.last_user_text
        return text[len(STOP_HOOK) :] if text.startswith(STOP_HOOK) else None

    @cached_property
    def tool_results(self) -> list[ToolResult]:
        """The results that this request brings: those after the model's last message."""
        return [result for message in self.new_messages for result in results_of(message)]

    @property
    def is_after_tool(self) -> bool:
        """Whether this request brings tool results and nothing that was said to the model."""
        return bool(self.tool_results) and not any(texts_of(message) for message in self.new_messages)

    @cached_property
    def new_messages(self) -> list[Mapping[str, Any]]:
        """The user's messages since the model's last one."""
        new: list[Mapping[str, Any]] = []
        for message in reversed(self.messages):
            if message.get("role") == "assistant":
                break
            if message.get("role") == "user":
                new.append(message)
        return new[::-1]

    @cached_property
    def tool_calls(self) -> list[Mapping[str, Any]]:
        """The inputs of all tool calls that the conversation holds, oldest first."""
        return [
            block["input"]
            for message in self.messages
            if message.get("role") == "assistant"
            for block in blocks_of(message)
            if block.get("type") == "tool_use"
        ]

    def mentions(self, text: str) -> bool:
        """Whether `text` stands anywhere in the conversation, said by anyone."""
        return any(text in block for message in self.messages for block in all_texts_of(message))


def read_request(body: bytes, headers: Mapping[str, str], *, n: int, started: float, peer: str) -> ModelRequest:
    """Raises ValueError if the body is no request for a message."""
    asked = json.loads(body)
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        raise ValueError(f"request {n} to the Messages API has no list of messages")
    return ModelRequest(
        n=n,
        started=started,
        credential=headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer "),
        session=headers.get("x-claude-code-session-id", ""),
        model=str(asked.get("model", "")),
        peer=peer,
        messages=asked["messages"],
        tools=frozenset(str(tool.get("name")) for tool in asked.get("tools") or []),
        system="\n".join(str(block.get("text", "")) for block in blocks_of({"content": asked.get("system")})),
    )


def wants_stream(body: bytes) -> bool:
    return bool(json.loads(body).get("stream"))


def blocks_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def texts_of(message: Mapping[str, Any]) -> list[str]:
    """The message's texts without reminders; a block that holds nothing else is left out."""
    texts = (REMINDER.sub("", block["text"]).strip() for block in blocks_of(message) if block.get("type") == "text")
    return [text for text in texts if text]


def results_of(message: Mapping[str, Any]) -> list[ToolResult]:
    return [
        ToolResult(str(block.get("tool_use_id")), "\n".join(texts_in_result(block)), bool(block.get("is_error")))
        for block in blocks_of(message)
        if block.get("type") == "tool_result"
    ]


def texts_in_result(block: Mapping[str, Any]) -> list[str]:
    return [str(part.get("text", "")) for part in blocks_of(block) if part.get("type") == "text"]


def all_texts_of(message: Mapping[str, Any]) -> list[str]:
    """Every text of the message: what is said, what a tool was asked, what it answered."""
    found = []
    for block in blocks_of(message):
        match block.get("type"):
            case "text":
                found.append(str(block["text"]))
            case "tool_use":
                found += [value for value in block["input"].values() if isinstance(value, str)]
            case "tool_result":
                found += texts_in_result(block)
    return found
