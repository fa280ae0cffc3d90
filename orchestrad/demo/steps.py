"""What the scripted agent can do next, and what its conversation is made of."""

from collections.abc import Generator
from typing import Any, NamedTuple


class Message(NamedTuple):
    """One entry of a conversation.

    Kinds: prompt, queued (typed in mid-turn), feedback (a Stop's answer), notification (of background work); say, call,
    failure (an API error) by the agent; result of a call, `ok` unless the call was cut off.
    """

    kind: str
    text: str
    ok: bool = True


class Call(NamedTuple):
    """Use a tool."""

    tool: str
    input: dict[str, Any]


class Say(NamedTuple):
    """Say something after `seconds` of thought; `final` ends the turn."""

    text: str
    final: bool = False
    seconds: float = 0


class Fail(NamedTuple):
    """End the turn with an API error."""

    error: str


class Exit(NamedTuple):
    """Die with this status."""

    status: int


Step = Call | Say | Fail | Exit
Plan = Generator[Step, str, None]


def bash(command: str, description: str, *, background: bool = False) -> Call:
    """A call of the Bash tool."""
    more = {"run_in_background": True} if background else {}
    return Call("Bash", {"command": command, "description": description, **more})


def quoted(text: str) -> str:
    """For the shell."""
    return "'" + text.replace("'", "'\\''") + "'"
