"""What Claude Code's hooks say, and what is read from it: the first table of docs/signals.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrad.core.observations import Prompted, SessionEnded, SessionStarted, Stopped, ToolUsed, TurnFailed


@dataclass(frozen=True)
class HookSays:
    """A hook with these fields, the observation that it becomes (None: it is answered, and nothing follows), and its fields."""

    hook: str
    says: str
    payload: Mapping[str, Any]
    becomes: type | None
    reads: Mapping[str, object] = field(default_factory=dict)
    by_http: bool = False  # posted by the CLI itself to /event, not by the script to /hook


NONE: dict[str, Any] = {"background_tasks": [], "session_crons": []}
TASK = {"id": "b1", "type": "shell", "status": "running"}
OURS = "orchestrad 4fa1c0ffee12: read /run/orchestrad/texts/4fa1c0ffee12 and do the task it describes."
GOES_ON = "Your claude.ai usage limit has reset. Continue the task…"


def prompt(says: str, text: str, **reads: object) -> HookSays:
    return HookSays("UserPromptSubmit", says, {"prompt": text}, Prompted, reads)


SAYS = [
    *(
        HookSays("SessionStart", f"`source` {source}", {"source": source}, SessionStarted, {"source": source})
        for source in ("startup", "resume", "clear", "compact")
    ),
    prompt("begins with `orchestrad NONCE: `", OURS, nonce="4fa1c0ffee12", by_cli=False),
    prompt("has that elsewhere", f"What does this mean? {OURS}", nonce=None, by_cli=False),
    prompt("begins with `<task-notification>`", "<task-notification>b1 ended", nonce=None, by_cli=True),
    prompt("begins with `Your claude.ai usage limit has reset.`", GOES_ON, nonce=None, by_cli=True),
    prompt("anything else", "how far are you?", nonce=None, by_cli=False),
    HookSays("Stop", "`background_tasks` [], `session_crons` []", NONE, Stopped, {"background": 0}),
    HookSays("Stop", "one background task", {**NONE, "background_tasks": [TASK]}, Stopped, {"background": 1}),
    HookSays("Stop", "one of each", {"background_tasks": [TASK], "session_crons": [{}]}, Stopped, {"background": 2}),
    HookSays("Stop", "no `background_tasks`", {"session_crons": []}, Stopped, {"background": None}),
    HookSays("Stop", "no `session_crons`", {"background_tasks": []}, Stopped, {"background": None}),
    HookSays("Stop", "one background task, no `session_crons`", {"background_tasks": [TASK]}, Stopped, {"background": None}),
    HookSays("Stop", "`stop_hook_active` true", {**NONE, "stop_hook_active": True}, Stopped, {"background": 0}),
    *(
        HookSays("StopFailure", f"`error` {error}", {"error": error}, TurnFailed, {"error": error})
        for error in ("rate_limit", "server_error", "authentication_failed", "billing_error", "invalid_request")
    ),
    HookSays("StopFailure", "with `agent_id`: a sub-agent's", {"error": "rate_limit", "agent_id": "a1"}, None),
    *(
        HookSays("SessionEnd", f"`reason` {reason}", {"reason": reason}, SessionEnded, {"reason": reason})
        for reason in ("clear", "prompt_input_exit", "logout", "other")
    ),
    *(HookSays(name, "any", {"tool_name": "Bash"}, ToolUsed, by_http=True) for name in ("PreToolUse", "PostToolUse")),
    *(HookSays(name, "any", {}, None, by_http=True) for name in ("PreCompact", "Notification", "ConfigChange")),
]
