"""What engine `docker` makes on a real engine, beyond the contract: image, network, limits, labels, refusals."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from docker.client import DockerClient

from orchestrad.containers.docker_engine import DockerEngine as Connection
from orchestrad.containers.docker_run import ContainerSettings
from orchestrad.containers.image import NAME, BuiltImage
from orchestrad.containers.port import CannotStart, EngineUnreachable, Mount, NameTaken
from tests.support.engines import FORGOTTEN_SOCKETS, OBEDIENT, DockerEngine, Ear, until

pytestmark = [pytest.mark.docker, pytest.mark.filterwarnings(FORGOTTEN_SOCKETS), pytest.mark.timeout(300)]

SETTINGS = ContainerSettings(user="1000:1000", memory_bytes=64 * 2**20, cpus=1.5, pids=100, environment={"COLOUR": "green"})


@pytest.fixture
async def engine(tmp_path: Path, docker_host: str, base_image: str) -> AsyncIterator[DockerEngine]:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "note").write_text("read me")
    settings = replace(SETTINGS, image=base_image, mounts=(Mount(shared, "/mnt"),))
    engine = DockerEngine(tmp_path, docker_host, settings)
    await engine.mend()
    yield engine
    await engine.aclose()


@pytest.fixture
def client(docker_host: str) -> Iterator[DockerClient]:
    with contextlib.closing(DockerClient(base_url=docker_host, timeout=120)) as client:
        yield client


async def inside(engine: DockerEngine, script: str, agent: str = "worker-1") -> str:
    """What a script prints in an agent's run."""
    printed: bytes = engine.client.containers.get(f"{engine.name}-{agent}").exec_run(["sh", "-c", script]).output
    return printed.decode().strip()


async def test_an_agent_has_the_settings_of_the_configuration_and_no_rights(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    run = await engine.begin(engine.spec(OBEDIENT))

    made = engine.client.api.inspect_container(run)
    host = made["HostConfig"]

    assert made["Config"]["User"] == "1000:1000"
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 * 2**20, 1_500_000_000, 100)
    assert (host["CapDrop"], host["SecurityOpt"], host["ReadonlyRootfs"]) == (["ALL"], ["no-new-privileges:true"], True)
    assert (host["Init"], host["RestartPolicy"]["Name"]) == (True, "no")
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}
    assert await inside(engine, "echo $COLOUR $GREETING; cat /mnt/note") == "green hello\nread me"
    for place, writable in (("/mnt", False), ("/", False), ("/tmp", True)):  # noqa: S108  in the container
        assert ("ok" in await inside(engine, f"touch {place}/x && echo ok")) is writable
    assert "CapEff:\t0000000000000000" in await inside(engine, "cat /proc/self/status")


async def test_agents_reach_the_daemon_on_the_gateway_and_not_each_other(engine: DockerEngine) -> None:
    listener = await engine.containers.prepare(lambda line: None)
    await engine.begin(engine.spec(OBEDIENT))
    other = await engine.begin(engine.spec("echo ready; exec git daemon --base-path=/tmp", agent="worker-2"))
    networks = engine.client.api.inspect_container(other)["NetworkSettings"]["Networks"]
    neighbour = networks[f"{engine.name}-agents"]["IPAddress"]
    with socket.create_server((listener.bind_host, 0)) as server:
        port = server.getsockname()[1]

        def knock(host: str, port: int) -> str:
            return f"timeout 1 bash -c 'exec 3<>/dev/tcp/{host}/{port}' && echo open || echo shut"

        async with asyncio.timeout(10):
            while not (await inside(engine, knock("127.0.0.1", 9418), agent="worker-2")).endswith("open"):
                pass  # each try takes the engine some 50 ms
        assert (await inside(engine, knock(listener.agent_host, port))).endswith("open")
        assert (await inside(engine, knock(neighbour, 9418))).endswith("shut")
        assert (await inside(engine, knock(f"{engine.name}-worker-2", 9418))).endswith("shut")


async def test_a_run_that_exceeds_its_memory_is_told_as_such(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    async with Ear(engine.containers) as ear:
        await engine.containers.start(engine.spec("exec tail /dev/zero"))

        death = (await ear.death()).run

    assert (death.exit_code, death.out_of_memory) == (137, True)


async def test_a_program_that_is_not_in_the_image_is_a_run_that_died(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    async with Ear(engine.containers) as ear:
        await engine.containers.start(replace(engine.spec(""), command=("no-such-program",)))

        assert (await ear.death()).run.exit_code == 127


async def test_a_container_of_a_foreign_fleet_with_the_same_name_is_refused_by_name_and_left_alone(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    ours = await engine.begin(engine.spec(OBEDIENT))
    foreign = engine.make(fleet="another-fleet")

    with pytest.raises(CannotStart, match=f"belongs to the fleet id-of-{engine.name}"):
        await foreign.prepare(lambda line: None)
    with pytest.raises(NameTaken, match=f"{ours[:12]}.*of fleet id-of-{engine.name}, epoch 1"):
        await foreign.start(engine.spec(OBEDIENT))

    assert await foreign.list() == ()
    assert [run.id for run in await engine.containers.list()] == [ours]
    await foreign.aclose()


async def test_a_start_that_fails_late_leaves_no_container_that_would_hold_the_name(engine: DockerEngine) -> None:
    # given no network: the container can be made and not started
    with pytest.raises(CannotStart, match="declined"):
        await engine.containers.start(engine.spec(OBEDIENT))

    assert await engine.containers.list() == ()


async def test_an_image_that_is_nowhere_is_refused_with_what_to_do(engine: DockerEngine) -> None:
    told: list[str] = []
    containers = engine.make(settings=ContainerSettings(image="localhost:1/no-such-image:1"))

    with pytest.raises(CannotStart, match=r"no-such-image:1.*`container\.image`"):
        await containers.prepare(told.append)
    with pytest.raises(CannotStart, match="no-such-image:1"):
        await containers.start(engine.spec(OBEDIENT))

    assert told == ["pulling image localhost:1/no-such-image:1"]
    await containers.aclose()


async def test_deaths_are_heard_of_again_after_the_engine_was_away(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    run = await engine.begin(engine.spec(OBEDIENT))
    async with Ear(engine.containers) as ear:
        await engine.cut()
        with pytest.raises(EngineUnreachable, match="docker version"):
            await engine.containers.list()
        await engine.mend()
        await until(lambda: len(ear.doubts) > 1)

        await engine.kill(run)

        assert (await ear.death()).run.exit_code == 137


async def test_listening_to_an_engine_that_is_away_at_first_begins_when_it_answers(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    await engine.cut()
    listening = asyncio.create_task(Ear(engine.containers).__aenter__())

    with pytest.raises(EngineUnreachable):
        await engine.containers.list()
    await engine.mend()

    ear = await listening
    assert len(ear.doubts) == 1
    await ear.__aexit__()


async def test_the_fleet_has_the_labels_that_compose_looks_for(engine: DockerEngine) -> None:
    await engine.containers.prepare(lambda line: None)
    run = await engine.begin(engine.spec(OBEDIENT, agent="worker-3"))

    labels = engine.client.api.inspect_container(run)["Config"]["Labels"]

    assert labels["com.docker.compose.project"] == engine.name
    assert labels["com.docker.compose.service"] == "worker-3"
    assert labels["com.docker.compose.oneoff"] == "False"
    assert labels["com.docker.compose.config-hash"]


async def test_giving_up_on_a_long_preparation_holds_nothing_up(docker_host: str) -> None:
    client = Connection({**os.environ, "DOCKER_HOST": docker_host})
    let_go = threading.Event()
    asking = asyncio.create_task(client.call_at_length("wait", lambda _: let_go.wait()))
    await asyncio.sleep(0)

    asking.cancel()
    async with asyncio.timeout(5):
        await client.aclose()

    let_go.set()


class TestImage:
    """A tiny Dockerfile under the names of the real one; the real one has tests of its own."""

    @pytest.fixture
    def recipe(self, tmp_path: Path, base_image: str, client: DockerClient) -> Iterator[BuiltImage]:
        (tmp_path / "agent.Dockerfile").write_text(
            f"# {uuid4()}\nARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nCOPY extra /extra\nRUN grep -q wanted /extra && echo it is there\n"
        )
        (tmp_path / "fetch-claude").write_text("#!/bin/sh\n")
        extra = tmp_path / "more"
        extra.mkdir()
        (extra / "extra").write_text("what is wanted\n")
        recipe = BuiltImage(tmp_path, base_image, extra)
        yield recipe
        with contextlib.suppress(Exception):
            client.images.remove(recipe.name, force=True)

    def test_an_image_is_built_once_and_never_again(self, client: DockerClient, recipe: BuiltImage) -> None:
        told: list[str] = []
        recipe.ensure(client, told.append)
        first = client.images.get(recipe.name).id
        assert told[0].startswith(f"building image {NAME}:")
        assert any(line.startswith("image: Step 4/4") for line in told)

        told.clear()
        recipe.ensure(client, told.append)

        assert told == []
        assert client.images.get(recipe.name).id == first

    def test_other_inputs_are_another_image(self, recipe: BuiltImage) -> None:
        before = recipe.name

        (recipe.directory / "fetch-claude").write_text("#!/bin/sh\nexit 1\n")

        assert recipe.name != before
        assert replace(recipe, base_image="other").name != recipe.name
        assert replace(recipe, extra_context=None).name == recipe.name

    def test_a_build_that_fails_says_what_its_last_step_said(self, client: DockerClient, recipe: BuiltImage) -> None:
        dockerfile = recipe.directory / "agent.Dockerfile"
        dockerfile.write_text(dockerfile.read_text() + "RUN echo the last words; exit 3\n")

        with pytest.raises(CannotStart, match=r"(?s)returned a non-zero code: 3.*the last words.*container\.baseImage"):
            recipe.ensure(client, lambda line: None)

    def test_a_base_image_that_is_nowhere_is_named(self, client: DockerClient, recipe: BuiltImage) -> None:
        with pytest.raises(CannotStart, match="localhost:1/no-such-base"):
            replace(recipe, base_image="localhost:1/no-such-base").ensure(client, lambda line: None)
