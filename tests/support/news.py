"""News for tests, said in one line: `a_stop(world, "worker-1", n=5)` is a Stop of a worker whose work is committed."""

from typing import Any, Literal

from orchestrad.core.ids import AgentName, ContainerId, ConversationId, Epoch, Oid
from orchestrad.core.observations import (
    Acknowledged,
    Prompted,
    RunDead,
    RunListed,
    RunsListed,
    Said,
    ScreensSeen,
    SessionEnded,
    SessionStarted,
    Stopped,
    TurnFailed,
    Workspace,
)
from orchestrad.core.world import ScreenSeen, Word, World
from tests.support.worlds import LATER, oid

HEAD = oid("c")


def a_workspace(branch: str | None, **fields: Any) -> Workspace:
    """A clean workspace on this branch with one commit that the hub has."""
    head: Oid | None = fields.get("head", HEAD)
    given: dict[str, Any] = {"head": head, "changes": 0, "operation": "", "hub_head": head, "commits": 1, "nonce": ""}
    return Workspace(branch, **{**given, **fields})


def _who(world: World, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    agent = world.agents[AgentName(name)]
    epoch = fields.pop("epoch", agent.epoch)
    return {"agent": agent.name, "epoch": Epoch(epoch)}


def a_stop(world: World, name: str, n: int, *, background: int | None = 0, connection: str = "", **fields: Any) -> Stopped:
    """A Stop of this agent, on its task's branch; `fields` go to the workspace (and `epoch`, `conversation`)."""
    who = _who(world, name, fields)
    agent = world.agents[AgentName(name)]
    conversation = fields.pop("conversation", agent.conversation or "conversation-1")
    task = world.tasks.get(agent.task) if agent.task else None
    branch = fields.pop("branch", task.attempt.branch if task and task.attempt else "main")
    workspace = a_workspace(branch, **fields)
    return Stopped(
        **who,
        n=n,
        connection=connection or f"{name}.{who['epoch']}.{n}",
        conversation=ConversationId(conversation),
        background=background,
        workspace=workspace,
    )


def a_prompt(world: World, name: str, n: int, *, nonce: str | None = None, by_cli: bool = False, **fields: Any) -> Prompted:
    """A prompt: a person's, unless it has a nonce or was the CLI's own."""
    who = _who(world, name, fields)
    conversation = ConversationId(fields.get("conversation", world.agents[AgentName(name)].conversation or "conversation-1"))
    return Prompted(**who, n=n, connection=f"{name} prompt {n}", conversation=conversation, nonce=nonce, by_cli=by_cli)


def a_word(
    world: World, name: str, n: int, verb: Literal["done", "blocked", "ask"] = "done", text: str = "", **fields: Any
) -> Said:
    """The agent calls `orch`."""
    no_change = fields.pop("no_change", False)
    return Said(**_who(world, name, fields), n=n, connection=f"{name} orch {n}", word=Word(verb, text, no_change))


def a_session(world: World, name: str, n: int = 1, *, source: str = "startup", **fields: Any) -> SessionStarted:
    """A conversation begins."""
    conversation = ConversationId(fields.pop("conversation", "conversation-1"))
    who = _who(world, name, fields)
    return SessionStarted(**who, n=n, connection=f"{name} session {n}", conversation=conversation, source=source)


def an_exit(world: World, name: str, n: int, reason: str = "prompt_input_exit", **fields: Any) -> SessionEnded:
    """A conversation is closed, by a person's /exit if nothing else is said."""
    return SessionEnded(**_who(world, name, fields), n=n, connection=f"{name} end {n}", reason=reason)


def an_api_failure(world: World, name: str, n: int, error: str = "overloaded_error", **fields: Any) -> TurnFailed:
    """An API error ends the turn."""
    return TurnFailed(
        **_who(world, name, fields), n=n, connection=f"{name} failure {n}", error=error, text="", transcript="/transcript"
    )


def an_acknowledgement(world: World, name: str, nonce: str, *, ok: bool = True, **fields: Any) -> Acknowledged:
    """The script has checked out, or could not."""
    return Acknowledged(**_who(world, name, fields), connection=f"{name} ack {nonce}", nonce=nonce, ok=ok, detail="")


def listed(name: str, epoch: int = 1, *, alive: bool = True, **fields: Any) -> RunListed:
    """One run as the engine shows it."""
    given: dict[str, Any] = {"container": ContainerId(f"container-{epoch}"), "exit_code": None, "out_of_memory": False}
    return RunListed(AgentName(name), Epoch(epoch), alive=alive, **{**given, **fields})


def a_list(*runs: RunListed, asked_at: int = LATER.elapsed) -> RunsListed:
    """All that the engine has."""
    return RunsListed(asked_at, runs)


def a_death(name: str, epoch: int = 1, *, exit_code: int | None = 1, **fields: Any) -> RunDead:
    """The engine tells of a death."""
    return RunDead(listed(name, epoch, alive=False, exit_code=exit_code, **fields))


def a_screen(name: str, **fields: Any) -> ScreensSeen:
    """The screen of an idle CLI with an empty composer."""
    given: dict[str, Any] = {"asked_at": LATER.elapsed, "status": "idle", "composer": "empty"}
    return ScreensSeen({AgentName(name): ScreenSeen(**{**given, **fields})})
