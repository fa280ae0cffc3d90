"""What the stand-in for the Messages API may answer, and how that looks on the wire.

A test says `Text`, `Tool`, `Error` or `HangUp`; `standin.py` sends it. The shapes were observed with Claude Code 2.1.329.
All times are in seconds.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CHUNK = 40  # characters of text in one delta: small enough that a slow reply has many


@dataclass(frozen=True)
class Text:
    """The model says something and its turn ends.

    `delay` passes before the first byte, then the text is streamed over `end_after`. With `cut`, the connection is
    dropped when the text is out and before the message is complete.
    """

    text: str = "Done."
    delay: float = 0.0
    end_after: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Tool:
    """The model calls a tool, the Bash tool with `command` unless `name` and `input` say otherwise; `text` comes first."""

    command: str = ""
    text: str = ""
    background: bool = False
    name: str = "Bash"
    input: Mapping[str, Any] | None = None
    delay: float = 0.0
    end_after: float = 0.0
    cut: bool = False

    def arguments(self) -> Mapping[str, Any]:
        if self.input is not None:
            return self.input
        arguments: dict[str, Any] = {"command": self.command, "description": "Work on the task"}
        if self.background:
            arguments["run_in_background"] = True
        return arguments


@dataclass(frozen=True)
class Error:
    """The API refuses, with this status and kind; the constructors below are the refusals that matter to a fleet."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @classmethod
    def usage_limit(cls, resets_at: int, window: str = "five_hour") -> "Error":
        """A subscription's window is spent until `resets_at` (epoch seconds); five_hour, seven_day, seven_day_opus."""
        short = {"five_hour": "5h"}.get(window, "7d")
        unified = "anthropic-ratelimit-unified-"
        headers = {
            f"{unified}status": "rejected",
            f"{unified}reset": str(resets_at),
            f"{unified}representative-claim": window,
            f"{unified}{short}-status": "rejected",
            f"{unified}{short}-reset": str(resets_at),
            f"{unified}{short}-utilization": "1.0",
            f"{unified}overage-status": "rejected",
            "retry-after": "3600",
        }
        return cls(429, "rate_limit_error", "This request would exceed your account's rate limit.", headers)

    @classmethod
    def throttled(cls) -> "Error":
        return cls(429, "rate_limit_error", "Too many requests at once.", {"retry-after": "1"})

    @classmethod
    def overloaded(cls) -> "Error":
        return cls(529, "overloaded_error", "Overloaded")

    @classmethod
    def server_error(cls) -> "Error":
        return cls(500, "api_error", "Internal server error")

    @classmethod
    def unauthorized(cls) -> "Error":
        return cls(401, "authentication_error", "invalid x-api-key")

    @classmethod
    def revoked(cls) -> "Error":
        return cls(403, "permission_error", "OAuth token has been revoked. Please obtain a new token.")

    @classmethod
    def out_of_credit(cls) -> "Error":
        return cls(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")

    def body(self, request_id: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": self.kind, "message": self.message}, "request_id": request_id}


@dataclass(frozen=True)
class HangUp:
    """The connection is lost before any answer."""

    delay: float = 0.0


Reply = Text | Tool | Error | HangUp


def content_of(reply: Text | Tool, reply_id: str) -> list[dict[str, Any]]:
    """The finished message's content blocks; a tool call's id is made from `reply_id`."""
    blocks: list[dict[str, Any]] = []
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    if isinstance(reply, Tool):
        blocks.append({"type": "tool_use", "id": f"toolu_{reply_id}", "name": reply.name, "input": reply.arguments()})
    return blocks


def message(reply: Text | Tool, *, reply_id: str, model: str) -> dict[str, Any]:
    """The whole answer at once, for a request that doesn't ask for a stream."""
    return {
        "id": f"msg_{reply_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content_of(reply, reply_id),
        "stop_reason": stop_reason(reply),
        "stop_sequence": None,
        "usage": usage(),
    }


def stop_reason(reply: Text | Tool) -> str:
    return "tool_use" if isinstance(reply, Tool) else "end_turn"


def usage() -> dict[str, int]:
    return {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5}


def opening(reply: Text | Tool, *, reply_id: str, model: str) -> bytes:
    start = {**message(reply, reply_id=reply_id, model=model), "content": [], "stop_reason": None}
    return event("message_start", message=start)


def body(reply: Text | Tool, *, reply_id: str) -> Iterator[bytes]:
    """The content as events, in the pieces in which a slow reply is sent."""
    for index, block in enumerate(content_of(reply, reply_id)):
        if block["type"] == "text":
            empty = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        else:
            empty = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        yield event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)


def ending(reply: Text | Tool) -> bytes:
    delta = {"stop_reason": stop_reason(reply), "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 5}) + event("message_stop")


def pieces(text: str) -> list[str]:
    return [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
