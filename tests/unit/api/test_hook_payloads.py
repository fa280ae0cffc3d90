"""Every row of the first table of docs/signals.md: the hook is posted, and what the row says is read from it."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from orchestrad.api.connections import Answered, Connections
from orchestrad.api.hooks import AgentRoutes
from orchestrad.api.server import agents_app
from orchestrad.containers.claude import SCRIPT_TIMEOUTS, TOLD_BY_HTTP
from orchestrad.core.ids import AgentName, Epoch, run_token
from orchestrad.hub.fake import FakeHub
from tests.support.hook_payloads import SAYS, HookSays
from tests.support.worlds import a_world, at_work

SECRET = b"secret"
TOKEN = {"Authorization": f"Bearer {run_token(SECRET, AgentName('worker-1'), Epoch(1))}"}
Served = tuple[list[object], "TestClient[web.Request, web.Application]"]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    heard: list[object] = []
    connections = Connections(lambda _: None)

    def offer(observation: object) -> None:
        heard.append(observation)
        connections.answer(getattr(observation, "connection", ""), Answered())

    app = agents_app()
    world = a_world(at_work("worker-1", "t1"))
    AgentRoutes(
        secret=SECRET, connections=connections, offer=offer, world=lambda: world, hub=FakeHub(), heard=lambda *_: None
    ).add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield heard, client


@pytest.mark.parametrize("row", SAYS, ids=lambda row: f"{row.hook} {row.says}")
async def test_what_the_row_says_is_read_from_the_hook(served: Served, row: HookSays) -> None:
    heard, client = served
    payload = json.dumps({"session_id": "s", "hook_event_name": row.hook, **row.payload})

    path, body = ("/event", payload) if row.by_http else ("/hook", f"id 1.7\nevent {row.hook}\n\n{payload}")
    async with client.post(path, data=body, headers=TOKEN) as response:
        assert response.status == 200

    assert [type(one) for one in heard] == ([row.becomes] if row.becomes else [])
    for one in heard:
        assert {name: getattr(one, name) for name in row.reads} == dict(row.reads)


def test_every_hook_that_the_policy_sets_is_in_some_row() -> None:
    assert {row.hook for row in SAYS if not row.by_http} == set(SCRIPT_TIMEOUTS)
    assert {row.hook for row in SAYS if row.by_http} == set(TOLD_BY_HTTP)
