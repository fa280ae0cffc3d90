"""The agents' routes: posts of hooks, acknowledgements, `orch`. A payload becomes an observation, its answer is waited for."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from orchestrad.api.connections import Answered, Connections
from orchestrad.api.posts import BadPost, Payload, ScriptPost, read_post, words
from orchestrad.core.ids import AgentName, ConversationId, Epoch, Oid, read_token
from orchestrad.core.observations import (
    Acknowledged,
    Prompted,
    Said,
    SessionEnded,
    SessionStarted,
    Stopped,
    ToolUsed,
    TurnFailed,
    Workspace,
)
from orchestrad.core.states import TaskState
from orchestrad.core.world import Word, World
from orchestrad.errors import Gone, Unreachable
from orchestrad.hub.port import Hub

log = structlog.get_logger("orchestrad.hooks")

TOOL_EVENTS: Final = frozenset({"PreToolUse", "PostToolUse"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The run that a request's token names."""

    agent: AgentName
    epoch: Epoch


def caller_of(request: web.Request, secret: bytes) -> Caller:
    """Who calls. Raises HTTPUnauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    named = read_token(secret, token.strip()) if scheme.lower() == "bearer" else None
    if named is None:
        raise web.HTTPUnauthorized(text="no token of a run of this fleet\n")
    return Caller(*named)


class AgentRoutes:
    """What the scripts inside an agent may call."""

    def __init__(
        self,
        *,
        secret: bytes,
        connections: Connections,
        offer: Callable[[object], None],
        world: Callable[[], World],
        hub: Hub,
        heard: Callable[[AgentName, str, str], None],
    ) -> None:
        self._secret = secret
        self._connections = connections
        self._offer = offer
        self._world = world
        self._hub = hub
        self._heard = heard  # (agent, event, what is worth a line in its log)

    def add_to(self, app: web.Application) -> None:
        """Adds the routes."""
        app.router.add_post("/hook", self._hook)
        app.router.add_post("/acknowledge", self._acknowledge)
        app.router.add_post("/orch", self._orch)
        app.router.add_post("/event", self._event)
        app.router.add_post("/status", self._status)

    async def _post(self, request: web.Request) -> tuple[Caller, ScriptPost]:
        caller = caller_of(request, self._secret)
        try:
            post = read_post(await request.read())
        except BadPost as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        if post.epoch != caller.epoch:
            raise web.HTTPGone(text="that run is over\n")
        return caller, post

    async def _hook(self, request: web.Request) -> web.Response:
        caller, post = await self._post(request)
        event = post.head.get("event", "")
        try:
            payload = post.payload(event, caller.agent)
        except BadPost as error:
            log.warning("post.rejected", agent=caller.agent, why=words(str(error), most=300))
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        told = {"agent": caller.agent, "n": post.n, "hook": words(event, most=20)}
        log.debug("hook.arrived", **told)
        async with self._connections.open(f"{caller.agent}-{caller.epoch}-{event[:20]}") as (name, answer):
            observation = await self._observation(event, name, caller, post, payload)
            log.debug("hook.read", **told)
            if observation is None:
                answer.set_result(Answered())
            else:
                self._offer(observation)
            self._heard(caller.agent, event, _worth_telling(event, payload))
            answered = await answer
        log.debug("hook.answered", **told)
        return web.Response(status=answered.status, text=answered.text)

    async def _observation(self, event: str, connection: str, caller: Caller, post: ScriptPost, payload: Payload) -> object | None:
        agent, epoch, n = caller.agent, caller.epoch, post.n
        conversation = ConversationId(payload.session_id)
        match event:
            case "Stop":
                workspace = await self._workspace(agent, post)
                return Stopped(agent, epoch, n, connection, conversation, payload.background, workspace)
            case "UserPromptSubmit":
                return Prompted(agent, epoch, n, connection, conversation, payload.nonce, payload.by_cli)
            case "SessionStart":
                return SessionStarted(agent, epoch, n, connection, conversation, words(payload.source, most=40))
            case "SessionEnd":
                return SessionEnded(agent, epoch, n, connection, words(payload.reason, most=40))
            case "StopFailure" if payload.agent_id is None:
                text = words(payload.last_assistant_message or "", most=200)
                error = words(payload.error, most=60)
                return TurnFailed(agent, epoch, n, connection, error, text, payload.transcript_path)
        return None

    async def _workspace(self, agent: AgentName, post: ScriptPost) -> Workspace:
        """What the script said of the workspace, with what the hub knows of it; the hub's word is the proof."""
        branch, head = post.head.get("branch"), post.oid("head")
        hub_head: Oid | None = None
        commits = 0
        world = self._world()
        holder = world.agents.get(agent)
        task = world.tasks.get(holder.task) if holder and holder.task else None
        attempt = task.attempt if task and task.state is TaskState.ASSIGNED else None
        if attempt is not None and branch == attempt.branch and head is not None:
            try:
                hub_head = await self._hub.ref(f"refs/heads/{attempt.branch}")
                if hub_head == head and head != attempt.base:
                    commits = await self._hub.commits_between(attempt.base, head)
            except Gone as error:
                log.warning("commits.not_there", agent=agent, why=str(error))
            except Unreachable as error:  # unknown is not unproven: the script asks again
                log.warning("hub.not_asked", agent=agent, why=str(error))
                raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        return Workspace(
            branch=branch,
            head=head,
            changes=post.number("changes") + ("problem" in post.head),
            operation=post.head.get("operation", ""),
            hub_head=hub_head,
            commits=commits,
            nonce=post.nonce(),
        )

    async def _acknowledge(self, request: web.Request) -> web.Response:
        caller, post = await self._post(request)
        ok = post.head.get("result") == "ok"
        detail = words(post.text, most=500)
        if not ok:
            log.warning("checkout.failed", agent=caller.agent, why=detail)
        log.debug("acknowledgement.arrived", agent=caller.agent, n=post.n)
        async with self._connections.open(f"{caller.agent}-{caller.epoch}-acknowledge") as (name, answer):
            self._offer(Acknowledged(caller.agent, caller.epoch, name, post.nonce(), ok, detail))
            answered = await answer
        log.debug("acknowledgement.answered", agent=caller.agent, n=post.n)
        return web.Response(status=200 if answered.status == 200 else 409, text=answered.text)

    async def _orch(self, request: web.Request) -> web.Response:
        caller, post = await self._post(request)
        verb = post.head.get("verb", "")
        if verb == "tasks":
            return web.Response(text=_tasks_as_text(self._world(), caller.agent))
        if verb not in ("done", "blocked", "ask"):
            return web.Response(status=422, text=f"there is no `orch {words(verb, most=20)}`; `orch help` tells what there is\n")
        word = Word(verb, words(post.text), no_change="no-change" in post.head)  # type: ignore[arg-type]  # one of the three
        async with self._connections.open(f"{caller.agent}-{caller.epoch}-orch") as (name, answer):
            self._offer(Said(caller.agent, caller.epoch, post.n, name, word))
            self._heard(caller.agent, "orch", f"{verb}: {word.text}")
            answered = await answer
        return web.Response(status=200 if answered.status == 200 else 422, text=answered.text + "\n")

    async def _event(self, request: web.Request) -> web.Response:
        caller = caller_of(request, self._secret)
        try:
            data = json.loads(await request.read())
            name, conversation = str(data["hook_event_name"]), str(data["session_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest(text="no hook's payload\n") from error
        if name in TOOL_EVENTS:
            self._offer(ToolUsed(caller.agent, caller.epoch, ConversationId(conversation)))
        if name == "PreToolUse":
            told = data.get("tool_input")
            what = told.get("command") or told.get("file_path") or "" if isinstance(told, dict) else ""
            self._heard(caller.agent, name, words(f"{data.get('tool_name', '')}: {what}", most=200))
        return web.Response()

    async def _status(self, request: web.Request) -> web.Response:
        caller_of(request, self._secret)
        await request.read()
        return web.Response()


def _worth_telling(event: str, payload: Payload) -> str:
    match event:
        case "UserPromptSubmit":
            return words(payload.prompt, most=200)
        case "Stop" | "StopFailure":
            return words(payload.last_assistant_message or payload.error, most=400)
    return words(payload.source or payload.reason, most=40)


def _tasks_as_text(world: World, agent: AgentName) -> str:
    lines = []
    for task in sorted(world.tasks.values(), key=lambda t: (t.list, t.order)):
        whose = f", {task.attempt.agent}" if task.attempt and task.state is TaskState.ASSIGNED else ""
        mine = "*" if world.agents[agent].task == task.id else " "
        lines.append(f"{mine} [{task.state.value}{whose}] {task.list}: {task.text}")
    return "\n".join(lines or ["There are no tasks yet."]) + "\n"
