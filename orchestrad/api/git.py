"""The agents' only remote, over smart HTTP: a push is put to the reactor at the moment of its ref updates."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import structlog
from aiohttp import web

from orchestrad.api.connections import Connections
from orchestrad.api.hooks import caller_of
from orchestrad.core.ids import MANAGER
from orchestrad.core.observations import Offered, PushAsked
from orchestrad.errors import Unreachable
from orchestrad.hub.policy import may_push
from orchestrad.hub.port import Forbidden, GitRequest, Hub, RefUpdate, Verdict

log = structlog.get_logger("orchestrad.git")

UPLOAD_PACK: Final = "git-upload-pack"  # the service that gives commits out


class GitRoutes:
    """`/git/hub.git` and `/git/rescue.git`."""

    def __init__(
        self,
        *,
        secret: bytes,
        connections: Connections,
        offer: Callable[[object], None],
        hub: Hub,
        branch: str,
        forbidden: Forbidden,
    ) -> None:
        self._secret = secret
        self._connections = connections
        self._offer = offer
        self._hub = hub
        self._branch = branch
        self._forbidden = forbidden

    def add_to(self, app: web.Application) -> None:
        """Adds the routes."""
        app.router.add_route("*", "/git/{repository:hub|rescue}.git{path:/.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        caller = caller_of(request, self._secret)
        rescue = request.match_info["repository"] == "rescue"
        if rescue and UPLOAD_PACK in (request.match_info["path"].strip("/"), request.query.get("service")):
            raise web.HTTPForbidden(text="what agents had not committed is for people to read\n")
        allowed: list[RefUpdate] = []

        async def authorize(updates: tuple[RefUpdate, ...]) -> Verdict:
            refusal = may_push(caller.agent, updates, branch=self._branch, rescue=rescue) or ""
            async with self._connections.open(f"{caller.agent}-{caller.epoch}-push") as (name, answer):
                self._offer(PushAsked(caller.agent, caller.epoch, name, refusal))
                answered = await answer
            if answered.status != 200:
                log.info("push.refused", agent=caller.agent, why=answered.text)
                return answered.text
            allowed.extend(updates)
            return None

        asked = GitRequest(
            method=request.method,
            path=request.match_info["path"],
            query=request.query_string,
            content_type=request.headers.get("Content-Type", ""),
            content_encoding=request.headers.get("Content-Encoding", ""),
            protocol=request.headers.get("Git-Protocol", ""),
            body=_body(request),
            user=caller.agent,
        )
        try:
            reply = await self._hub.serve(asked, rescue=rescue, authorize=authorize, forbidden=self._forbidden)
        except Unreachable as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
        try:
            await response.prepare(request)
            async for part in reply.body:
                await response.write(part)
        finally:  # a push whose client is gone may have landed, and is not made a second time: it is up to date
            await reply.body.aclose()
            await self._offered(caller.agent, allowed)
        await response.write_eof()
        return response

    async def _offered(self, agent: str, allowed: list[RefUpdate]) -> None:
        """What the Manager gave for the shared branch, once it has landed."""
        for update in allowed:
            is_offer = agent == MANAGER and update.ref == f"refs/for/{self._branch}"
            if is_offer and update.new is not None and await self._hub.ref(update.ref) == update.new:
                self._offer(Offered(update.new))


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    async for part in request.content.iter_any():
        yield part
