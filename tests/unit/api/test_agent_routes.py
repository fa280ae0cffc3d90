"""The agents' routes on a real loopback socket: what their posts and pushes become, and what is refused."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from orchestrad.api.connections import Answered, Connections
from orchestrad.api.git import GitRoutes
from orchestrad.api.hooks import AgentRoutes
from orchestrad.api.posts import read_post, words
from orchestrad.api.server import MOST_AT_ONCE, agents_app
from orchestrad.core.ids import AgentName, Epoch, Oid, run_token
from orchestrad.core.observations import Offered, PushAsked, Stopped
from orchestrad.errors import Unreachable
from orchestrad.hub.fake import FakeHub
from orchestrad.hub.port import Authorize, Forbidden, GitReply, GitRequest, RefUpdate
from tests.support.worlds import a_world, at_work, manager, oid

SECRET = b"secret"
WORLD = a_world(at_work("worker-1", "t1"), manager())
BRANCH = "worker-1/t1"
STOP = f"id 1.7\nevent Stop\nbranch {BRANCH}\nhead {oid('c')}\nchanges 0\n\n" + '{"session_id":"s"}'


class HubOfAPush(FakeHub):
    """A hub that speaks so much HTTP: a push lands, and then the answer breaks off."""

    async def serve(self, request: GitRequest, *, rescue: bool, authorize: Authorize, forbidden: Forbidden) -> GitReply:
        async def body() -> AsyncGenerator[bytes, None]:
            yield b"unpack"
            if await authorize((RefUpdate("refs/for/main", None, oid("e")),)) is None:
                self.hub_refs["refs/for/main"] = oid("e")
            raise Unreachable("git's answer broke off")

        return GitReply(200, (), body())


class Daemon:
    """Serves the routes; what they report is in `heard`, and is answered with 200."""

    def __init__(self, hub: FakeHub) -> None:
        self.heard: list[object] = []
        self._connections = Connections(lambda _: None)
        self.app = agents_app()
        AgentRoutes(
            secret=SECRET,
            connections=self._connections,
            offer=self._offer,
            world=lambda: WORLD,
            hub=hub,
            heard=lambda *_: None,
        ).add_to(self.app)
        GitRoutes(
            secret=SECRET,
            connections=self._connections,
            offer=self._offer,
            hub=hub,
            branch="main",
            forbidden=self._no_secrets,
        ).add_to(self.app)

    async def _no_secrets(self) -> tuple[str, ...]:
        return ()

    def _offer(self, observation: object) -> None:
        self.heard.append(observation)
        if isinstance(observation, PushAsked | Stopped):
            self._connections.answer(observation.connection, Answered(200))


Served = Callable[[FakeHub], Awaitable[tuple[Daemon, "TestClient[web.Request, web.Application]"]]]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    clients = []

    async def serve(hub: FakeHub) -> tuple[Daemon, "TestClient[web.Request, web.Application]"]:
        daemon = Daemon(hub)
        client = TestClient(TestServer(daemon.app))
        await client.start_server()
        clients.append(client)
        return daemon, client

    yield serve
    for client in clients:
        await client.close()


def token(agent: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {run_token(SECRET, AgentName(agent), Epoch(1))}"}


async def test_a_stop_whose_work_could_not_be_looked_up_is_asked_for_again(served: Served) -> None:
    async def away(call: str) -> None:
        raise Unreachable(f"git can't be started for {call}")

    daemon, client = await served(FakeHub(before=away))
    async with client.post("/hook", data=STOP, headers=token("worker-1")) as response:
        assert response.status == 503  # the script tries again with the same id
    assert not any(isinstance(one, Stopped) for one in daemon.heard)


async def test_a_stop_whose_commits_the_hub_has_not_is_unproven(served: Served) -> None:
    daemon, client = await served(FakeHub())
    async with client.post("/hook", data=STOP, headers=token("worker-1")) as response:
        assert response.status == 200
    [stop] = [one for one in daemon.heard if isinstance(one, Stopped)]
    assert (stop.workspace.hub_head, stop.workspace.commits) == (None, 0)


async def test_what_the_manager_pushed_is_taken_even_if_its_client_never_heard_of_it(served: Served) -> None:
    daemon, client = await served(HubOfAPush())
    with pytest.raises(aiohttp.ClientError):
        async with client.post("/git/hub.git/git-receive-pack", headers=token("manager")) as response:
            await response.read()
    assert Offered(Oid(oid("e"))) in daemon.heard


@pytest.mark.parametrize("path", ["info/refs?service=git-upload-pack", "git-upload-pack"])
async def test_what_others_had_not_committed_is_not_given_out(served: Served, path: str) -> None:
    _, client = await served(FakeHub())
    async with client.get(f"/git/rescue.git/{path}", headers=token("worker-1")) as response:
        assert response.status == 403


async def test_one_run_holds_no_more_than_its_share_of_connections() -> None:
    app, release = agents_app(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    app.router.add_get("/wait", wait)
    async with TestClient(TestServer(app)) as client, asyncio.TaskGroup() as group:
        held = [group.create_task(client.get("/wait", headers=token("worker-1"))) for _ in range(MOST_AT_ONCE + 1)]
        [refused], _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        assert (await refused).status == 503
        others = group.create_task(client.get("/wait", headers=token("worker-2")))
        release.set()
        assert (await others).status == 200


def test_what_no_encoding_can_write_is_left_out() -> None:
    assert words("a\udcffb\x1b[31m") == "ab[31m"


def test_control_characters_in_a_head_go_no_further() -> None:
    post = read_post("id 1.2\nbranch a\x9b31m\u202eb\n\n".encode())
    assert post.head["branch"] == "a31mb"
