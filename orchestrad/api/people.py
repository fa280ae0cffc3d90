"""What people ask of the daemon and tell it: status, why, events, and the few commands. Served on a Unix socket.

Whoever may open the socket may command the fleet: it lies in the state directory, which is its owner's alone.
A command is answered when what follows from it is durable.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

from aiohttp import web
from pydantic import Field, ValidationError

from orchestrad.api.status import About, Part, status
from orchestrad.core.ids import Now, micros
from orchestrad.core.observations import EndAsked, ResumeAsked, RetryAsked
from orchestrad.core.why import Nobody, tell, why
from orchestrad.core.why.ending import ending
from orchestrad.core.why.find import agent_called, task_called
from orchestrad.core.world import World
from orchestrad.errors import Refused, Unreachable
from orchestrad.store.port import HistoryRow

GRACE_SECONDS: Final = 30.0
LARGEST_BODY: Final = 16_384  # a command is a few words
MOST_ROWS: Final = 1000  # of history in one piece: a few hundred kB
FOLLOW_EVERY: Final = timedelta(milliseconds=300)  # a person reads along; nothing is polled while nobody does


class History(Protocol):
    """Reads the events of the past; see `Store.history`."""

    def __call__(
        self, *, after: int = 0, limit: int = 500, agent: str | None = None, task: str | None = None
    ) -> Awaitable[list[HistoryRow]]: ...


class Down(Part):
    """The body of `POST /down`."""

    grace_seconds: float = Field(GRACE_SECONDS, ge=0, le=86_400, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class EventsAsked:
    """The query of `GET /events`."""

    after: int
    limit: int
    agent: str | None
    task: str | None
    follow: bool


class NothingToDo(Refused):
    """The command would change nothing; the text says why."""


class People:
    """The routes. `submit` takes an observation and returns when all that follows from it is durable."""

    def __init__(
        self,
        *,
        world: Callable[[], World],
        now: Callable[[], Now],
        submit: Callable[[object], Awaitable[None]],
        history: History,
        about: Callable[[], About],
        zone: tzinfo | None = None,
    ) -> None:
        self._world = world
        self._now = now
        self._submit = submit
        self._history = history
        self._about = about
        self._zone = zone
        self._closing = asyncio.Event()

    def application(self) -> web.Application:
        """The aiohttp application of these routes."""
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_errors])
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/status", self._status),
                web.get("/why", self._why),
                web.get("/events", self._events),
                web.post("/down", self._down),
                web.post("/resume/{agent}", self._resume),
                web.post("/retry/{task}", self._retry),
            ]
        )
        app.on_shutdown.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        self._closing.set()  # whoever follows events would hold the server's end up

    async def _health(self, _: web.Request) -> web.Response:
        world = self._world()
        return web.json_response({"version": 1, "state": world.fleet.state.value, "ending": ending(world)})

    async def _status(self, _: web.Request) -> web.Response:
        found = status(self._world(), self._now(), self._about(), self._local())
        return web.Response(text=found.model_dump_json(by_alias=True), content_type="application/json")

    async def _why(self, request: web.Request) -> web.Response:
        return _told(why(self._world(), request.query.get("of", ""), self._now(), self._local()))

    async def _down(self, request: web.Request) -> web.Response:
        asked = Down.model_validate_json(await request.read() or b"{}")
        grace = micros(timedelta(seconds=asked.grace_seconds))
        await self._submit(EndAsked(grace, "a person asked for it"))
        return _told(ending(self._world()))

    async def _resume(self, request: web.Request) -> web.Response:
        before = agent_called(self._world(), request.match_info["agent"])
        await self._submit(ResumeAsked(before.name))
        after = self._world().agents[before.name]
        sentence = tell(self._world(), after, self._now(), self._local())
        if (after.state, after.since_at, after.epoch) == (before.state, before.since_at, before.epoch):
            raise NothingToDo(f"There is nothing to resume: {sentence}")
        return _told(sentence)

    async def _retry(self, request: web.Request) -> web.Response:
        before = task_called(self._world(), request.match_info["task"])
        await self._submit(RetryAsked(before.id))
        after = self._world().tasks[before.id]
        sentence = tell(self._world(), after, self._now(), self._local())
        if (after.state, after.since_at, after.attempts) == (before.state, before.since_at, before.attempts):
            raise NothingToDo(f"Only a blocked task can be given out again: {sentence}")
        return _told(sentence)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        asked = _events_asked(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            async for row in self._rows(asked):
                await response.write(json.dumps(event_json(row), ensure_ascii=False).encode() + b"\n")
            await response.write_eof()
        return response

    async def _rows(self, asked: EventsAsked) -> AsyncIterator[HistoryRow]:
        """What is there, up to the limit; then, if followed, all that comes."""
        after, limit = asked.after, min(asked.limit, MOST_ROWS)
        while True:  # until cancelled: whoever reads along has gone
            rows = await self._history(after=after, limit=limit, agent=asked.agent, task=asked.task)
            for row in rows:
                yield row
            if not asked.follow or self._closing.is_set():
                return
            after, limit = (rows[-1].seq if rows else max(after, 0)), MOST_ROWS
            if not rows:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FOLLOW_EVERY.total_seconds()):
                        await self._closing.wait()

    def _local(self) -> tzinfo:
        return self._zone or datetime.now().astimezone().tzinfo or UTC


def event_json(row: HistoryRow) -> dict[str, object]:
    """An event of the past as scripts read it."""
    return {
        "seq": row.seq,
        "at": datetime.fromtimestamp(row.wall / 1_000_000, UTC).isoformat(timespec="milliseconds"),
        "kind": row.kind,
        "agent": row.agent,
        "task": row.task,
        "reason": row.reason,
        "data": json.loads(row.body),
    }


def _events_asked(request: web.Request) -> EventsAsked:
    query = request.query

    def number(name: str, default: int) -> int:
        try:
            return int(query.get(name, default))
        except ValueError:
            raise web.HTTPBadRequest(text=f"{name} must be a whole number") from None

    return EventsAsked(
        after=number("after", 0),
        limit=max(0, number("limit", 500)),
        agent=query.get("agent"),
        task=query.get("task"),
        follow=query.get("follow", "0") not in ("0", "", "false"),
    )


def _told(text: str) -> web.Response:
    return web.json_response({"text": text})


@web.middleware
async def _errors(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    try:
        return await handler(request)
    except Nobody as error:
        return _refused(404, str(error))
    except NothingToDo as error:
        return _refused(409, str(error))
    except Unreachable as error:
        return _refused(503, str(error))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return _refused(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except web.HTTPClientError as error:
        return _refused(error.status, error.text or error.reason)


def _refused(status_code: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status_code)
