"""A local stand-in for the Messages API: the real Claude Code CLI talks to it, a test scripts what the model says.

    async with Standin() as standin:
        standin.script(lambda request: Text() if request.is_after_tool else Tool("make"))
        ...                                     # start the CLI with ANTHROPIC_BASE_URL=standin.url
        exchange = await standin.wait_for(lambda exchange: "task 2" in exchange.request.last_user_text)

The script is asked once for each request of an agent's turn; it may be a coroutine function, which lets a test hold a
reply back. What goes wrong in it is raised again when the stand-in closes. Nothing here knows orchestrad.
Source of the routes and shapes: observed with Claude Code 2.1.329.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.support import model_replies
from tests.support.model_replies import Error, HangUp, Reply, Text, Tool
from tests.support.model_requests import ModelRequest, read_request, wants_stream

__all__ = ["Error", "Exchange", "HangUp", "ModelRequest", "Reply", "Script", "Standin", "Text", "Tool"]

Script = Callable[[ModelRequest], Reply | Awaitable[Reply]]

LARGEST_BODY = 64 * 1024 * 1024  # a request holds the whole conversation: 50 kB at its beginning


@dataclass
class Exchange:
    """A request and what became of it. Times are CLOCK_MONOTONIC in seconds, comparable between processes.

    `ended` is taken just before the piece that ends the message is written, so that a time counted from it is never
    too short; it stays None for a reply that was held back, refused or lost.
    """

    request: ModelRequest
    reply: Reply | None = None
    ended: float | None = None


def answer_at_once(request: ModelRequest) -> Reply:
    return Text()


class Standin:
    """Serves at `host` (loopback, or a bridge's address for containers) on a port that the system chooses.

    `when_over` is told of each exchange once its reply is out.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, when_over: Callable[[Exchange], None] = lambda exchange: None
    ) -> None:
        self.host = host
        self.port = port
        self._when_over = when_over
        self.exchanges: list[Exchange] = []
        self.other_requests: list[str] = []  # "METHOD path" of what is not a request for a message
        self._script: Script = answer_at_once
        self._refused: dict[str, Error] = {}
        self._mistakes: list[Exception] = []
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def requests(self) -> list[ModelRequest]:
        """What agents' turns asked, oldest first."""
        return [exchange.request for exchange in self.exchanges if exchange.request.is_agents]

    def script(self, script: Script) -> None:
        """From the next request on, `script` says what the model answers."""
        self._script = script

    def refuse(self, credential: str, error: Error) -> None:
        """From the next request on, whoever uses `credential` gets `error` and the script is not asked."""
        self._refused[credential] = error

    def accept(self, credential: str) -> None:
        self._refused.pop(credential, None)

    async def wait_for(self, is_it: Callable[[Exchange], bool], timeout: float = 30.0) -> Exchange:  # noqa: ASYNC109  a test reads best with its limit at the call
        """The first exchange of an agent's turn of which `is_it` is true; looked at when it begins and when it ends.

        Raises TimeoutError, which tells what was asked instead, after `timeout` seconds.
        """

        def found() -> Exchange | None:
            return next((one for one in self.exchanges if one.request.is_agents and is_it(one)), None)

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError:
            asked = "\n".join(f"  {request.n}: {request.last_user_text[:200]!r}" for request in self.requests)
            raise TimeoutError(f"no such request within {timeout} s; the agents asked:\n{asked or '  nothing'}") from None
        exchange = found()
        assert exchange is not None
        return exchange

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/v1/messages", self._message)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        app.router.add_get("/", self._hello)
        app.router.add_get("/api/hello", self._hello)
        app.router.add_route("*", "/{tail:.*}", self._unknown)
        # A held reply ends when its client goes away, and a closing stand-in waits for no reply.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        if self._mistakes and kind is None:
            raise ExceptionGroup("the stand-in's script failed", self._mistakes)

    async def _message(self, http: web.Request) -> web.StreamResponse:
        started = time.monotonic()
        body = await http.read()
        number = len(self.exchanges) + 1
        request = read_request(body, http.headers, n=number, started=started, peer=http.remote or "")
        exchange = Exchange(request)
        self.exchanges.append(exchange)
        await self._tell()
        exchange.reply = reply = await self._reply_to(request)
        await asyncio.sleep(reply.delay)
        match reply:
            case Error():
                response: web.StreamResponse = web.json_response(
                    reply.body(f"req_{number}"), status=reply.status, headers=reply.headers
                )
            case HangUp():
                self._drop(http)
                response = web.Response()
            case _ if wants_stream(body):
                response = await self._stream(http, exchange, reply)
            case _:
                exchange.ended = time.monotonic()
                response = web.json_response(
                    model_replies.message(reply, reply_id=str(number), model=request.model),
                    headers={"request-id": f"req_{number}"},
                )
        self._when_over(exchange)
        await self._tell()
        return response

    async def _reply_to(self, request: ModelRequest) -> Reply:
        if refusal := self._refused.get(request.credential):
            return refusal
        if not request.is_agents:
            return Text("A title")
        try:
            reply = self._script(request)
            return await reply if inspect.isawaitable(reply) else reply
        except Exception as mistake:  # noqa: BLE001  a test's own mistake must end the test, not this server
            self._mistakes.append(mistake)
            return Error.out_of_credit()  # the one refusal that the CLI doesn't try again

    async def _stream(self, http: web.Request, exchange: Exchange, reply: Text | Tool) -> web.StreamResponse:
        reply_id = str(exchange.request.n)
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream", "cache-control": "no-cache", "request-id": f"req_{reply_id}"}
        )
        await response.prepare(http)
        await response.write(model_replies.opening(reply, reply_id=reply_id, model=exchange.request.model))
        pieces = list(model_replies.body(reply, reply_id=reply_id))
        for piece in pieces:
            await response.write(piece)
            if reply.end_after:
                await asyncio.sleep(reply.end_after / len(pieces))
        if reply.cut:
            self._drop(http)
            return response
        exchange.ended = time.monotonic()
        await response.write_eof(model_replies.ending(reply))
        return response

    @staticmethod
    def _drop(http: web.Request) -> None:
        if http.transport is not None:
            http.transport.abort()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _count_tokens(self, http: web.Request) -> web.Response:
        return web.json_response({"input_tokens": max(1, len(await http.read()) // 4)})

    async def _hello(self, http: web.Request) -> web.Response:
        self.other_requests.append(f"{http.method} {http.path}")
        return web.json_response({})

    async def _unknown(self, http: web.Request) -> web.Response:
        self.other_requests.append(f"{http.method} {http.path}")
        return web.json_response(Error(404, "not_found_error", "not found").body("req_0"), status=404)
