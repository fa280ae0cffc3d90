"""What Claude Code writes into its home, read leniently: the session file, and the transcript's last error; pure.

The agent can write there what it likes, so nothing of it is trusted beyond its shape. Source: the CLI 2.1.329.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

STATUSES: Final = frozenset({"busy", "idle", "shell", "waiting"})
LONGEST_TEXT: Final = 1000  # characters of an error's text; notices of limits have about sixty


@dataclass(frozen=True, slots=True)
class SessionFile:
    """`$HOME/.claude/sessions/PID.json`: what the CLI is at; `status` is "" when it says none that we know."""

    conversation: str
    status: str
    updated_at_ms: int  # since 1970
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class ApiError:
    """The last error of the API that a transcript tells. `resets_at_s` (since 1970) only for a usage limit of an OAuth login."""

    text: str
    status: int | None = None
    kind: str = ""  # apiError: usage_limit_reached …
    limit: str = ""  # five_hour, seven_day …
    resets_at_s: int | None = None
    is_transient: bool | None = None
    request: str = ""


def read_session(content: bytes) -> SessionFile | None:
    """A session file; None when this is none."""
    data = _object(content)
    if not isinstance(data.get("sessionId"), str):
        return None
    status = data.get("status")
    return SessionFile(
        conversation=data["sessionId"][:LONGEST_TEXT],
        status=status if status in STATUSES else "",
        updated_at_ms=_whole(data.get("statusUpdatedAt")) or 0,
        waiting_for=_text(data.get("waitingFor")),
    )


def read_last_error(tail: bytes) -> ApiError | None:
    """The last error in the end of a transcript, whose first line may be cut; None when there is none."""
    for line in reversed(tail.split(b"\n")):
        if b'"isApiErrorMessage"' not in line:
            continue
        data = _object(line)
        if data.get("isApiErrorMessage") is True:
            return _api_error(data)
    return None


def _api_error(data: dict[str, Any]) -> ApiError:
    quota = data.get("quotaLimits")
    quota = quota if isinstance(quota, dict) else {}
    transient = data.get("apiErrorIsTransient")
    return ApiError(
        text=_message(data),
        status=_whole(data.get("apiErrorStatus")),
        kind=_text(data.get("apiError")) or _text(data.get("apiErrorType")) or _text(data.get("error")),
        limit=_text(quota.get("rateLimitType")),
        resets_at_s=_whole(quota.get("resetsAt")),
        is_transient=transient if isinstance(transient, bool) else None,
        request=_text(data.get("requestId")),
    )


def _message(data: dict[str, Any]) -> str:
    message = data.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [_text(block.get("text")) for block in content if isinstance(block, dict)]
        return "\n".join(part for part in parts if part)[:LONGEST_TEXT]
    return _text(content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _text(value: Any) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
