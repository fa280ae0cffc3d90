"""Engines under test: the port, and what a test does behind its back.

`script` is what a run does, in words that each engine understands: shell for the real ones, knobs for the fake.
"""

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, Self
from uuid import uuid4

from docker.client import DockerClient

from orchestrad.containers.docker import DockerContainers
from orchestrad.containers.docker_run import ContainerSettings
from orchestrad.containers.fake import FakeContainers
from orchestrad.containers.port import Containers, Died, Doubt, Mount, RunSpec
from orchestrad.containers.process import ProcessContainers
from orchestrad.core.ids import AgentName, ContainerId, Epoch, FleetId
from tests.support.leftovers import MARK
from tests.support.pseudo_terminal import PseudoTerminal
from tests.support.socket_proxy import SocketProxy

OBEDIENT: Final = "echo ready; exec sleep 1000"
DEAF: Final = "trap '' TERM; echo ready; while :; do sleep 1; done"
SUSPENDED: Final = "echo ready; kill -STOP $$; exit 3"

# The SDK leaves a socket that could not connect to the garbage collector (docker/transport/unixconn.py, `connect`).
FORGOTTEN_SOCKETS: Final = "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"


async def until(is_so: Callable[[], object], limit: float = 15) -> None:
    """Waits for a condition, looked at often; TimeoutError when it never comes."""
    async with asyncio.timeout(limit):
        while not is_so():  # noqa: ASYNC110  what is waited for happens in other processes
            await asyncio.sleep(0.01)


class Engine(Protocol):
    """One adapter with one fleet."""

    containers: Containers

    def spec(self, script: str, *, agent: str = "worker-1", epoch: int = 1, mounts: tuple[Mount, ...] = ()) -> RunSpec: ...

    async def begin(self, spec: RunSpec) -> ContainerId:
        """Starts a run and waits until it is ready."""
        ...

    async def kill(self, run: ContainerId) -> None:
        """kill -9 of what the run runs."""
        ...

    def missing_mount(self) -> Mount: ...

    async def cut(self) -> None:
        """The engine goes away; runs go on."""
        ...

    async def mend(self) -> None: ...

    async def aclose(self) -> None: ...


class RealEngine:
    """What docker and process have in common: shell scripts, shown in a terminal that the test plays."""

    containers: Containers

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.terminals: dict[ContainerId, PseudoTerminal] = {}

    def spec(self, script: str, *, agent: str = "worker-1", epoch: int = 1, mounts: tuple[Mount, ...] = ()) -> RunSpec:
        own = self.directory / agent
        own.mkdir(exist_ok=True)
        return RunSpec(
            agent=AgentName(agent), epoch=Epoch(epoch), command=("sh", "-c", script), environment={"GREETING": "hello"},
            working_directory="/", mounts=mounts, directory=own,
        )  # fmt: skip

    async def begin(self, spec: RunSpec) -> ContainerId:
        """Starts a run and waits until it is ready."""
        raise NotImplementedError

    def make(self) -> Containers:
        """Another adapter for the same fleet, as after a restart of the daemon."""
        raise NotImplementedError

    def missing_mount(self) -> Mount:
        return Mount(self.directory / "not-there", "/mnt")

    async def open_terminal(self, run: ContainerId, environment: Mapping[str, str] = os.environ) -> PseudoTerminal:
        terminal = await PseudoTerminal.run(self.containers.terminal(run), environment)
        self.terminals[run] = terminal
        return terminal

    async def close_terminals(self) -> None:
        for terminal in self.terminals.values():
            await terminal.close()


class ProcessEngine(RealEngine):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.registry = directory / "registry"
        self._commands: dict[ContainerId, int] = {}
        self.containers = self.make()

    def make(self) -> ProcessContainers:
        return ProcessContainers(fleet=FleetId("fleet-1"), registry=self.registry, environment={MARK: os.environ[MARK]})

    async def begin(self, spec: RunSpec) -> ContainerId:
        run = await self.containers.start(spec)
        terminal = await self.open_terminal(run)
        await until(lambda: "ready" in terminal.text)
        self._commands[run] = self.command_pid(run)
        return run

    def runner_pid(self, run: ContainerId) -> int:
        return int((self.registry / run.split(":")[1] / "pid").read_text().split()[0])

    def command_pid(self, run: ContainerId) -> int:
        runner = self.runner_pid(run)
        return int(Path(f"/proc/{runner}/task/{runner}/children").read_text().split()[0])

    async def kill(self, run: ContainerId) -> None:
        os.kill(self._commands[run], signal.SIGKILL)

    async def cut(self) -> None:
        self.registry.rename(self.registry.with_name("unmounted"))

    async def mend(self) -> None:
        self.registry.with_name("unmounted").rename(self.registry)

    async def aclose(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            await self.mend()
        await self.containers.aclose()
        successor = self.make()
        for run in await successor.list():
            await successor.remove(run.id)
        await successor.aclose()
        await self.close_terminals()


class DockerEngine(RealEngine):
    """The real engine behind a socket that can be cut."""

    def __init__(self, directory: Path, host: str, settings: ContainerSettings) -> None:
        super().__init__(directory)
        self.name = f"orchestrad-test-{uuid4().hex[:8]}"
        self.host = host
        # Not below `directory`: a Unix socket's path may have 107 bytes.
        self._sockets = Path(tempfile.mkdtemp())
        self._proxy = SocketProxy(self._sockets / "docker.sock", Path(host.removeprefix("unix://")))
        self._settings = settings
        self.containers = self.make()
        self.client = DockerClient(base_url=host)

    def make(self, *, fleet: str | None = None, settings: ContainerSettings | None = None) -> DockerContainers:
        environment = {**os.environ, "DOCKER_HOST": f"unix://{self._proxy.path}"}
        fleet_id = FleetId(fleet or f"id-of-{self.name}")
        return DockerContainers(fleet=fleet_id, name=self.name, settings=settings or self._settings, environment=environment)

    async def begin(self, spec: RunSpec) -> ContainerId:
        run = await self.containers.start(spec)
        await until(lambda: b"ready" in self.client.api.logs(run))
        return run

    async def kill(self, run: ContainerId) -> None:
        self.client.api.kill(run, signal="SIGKILL")

    async def cut(self) -> None:
        await self._proxy.cut()

    async def mend(self) -> None:
        await self._proxy.mend()

    async def aclose(self) -> None:
        await self.containers.aclose()
        await self.close_terminals()
        await self.cut()
        await asyncio.to_thread(self._clean_up)
        shutil.rmtree(self._sockets)
        gc.collect()  # FORGOTTEN_SOCKETS are to be noticed in this test and not in a later one

    def _clean_up(self) -> None:
        label = {"label": f"io.orchestrad.fleet=id-of-{self.name}"}
        for container in self.client.api.containers(all=True, filters=label):
            self.client.api.remove_container(container["Id"], force=True)
        for network in self.client.api.networks(filters=label):
            self.client.api.remove_network(network["Id"])
        self.client.close()


class FakeEngine:
    def __init__(self) -> None:
        self.containers: FakeContainers = FakeContainers()
        self._agents: dict[ContainerId, AgentName] = {}

    def spec(self, script: str, *, agent: str = "worker-1", epoch: int = 1, mounts: tuple[Mount, ...] = ()) -> RunSpec:
        return RunSpec(
            agent=AgentName(agent),
            epoch=Epoch(epoch),
            command=("sh", "-c", script),
            environment={},
            working_directory="/",
            mounts=mounts,
        )

    async def begin(self, spec: RunSpec) -> ContainerId:
        run = await self.containers.start(spec)
        self._agents[run] = spec.agent
        if spec.command[-1] == DEAF:
            self.containers.deaf.add(spec.agent)
        if spec.command[-1] == SUSPENDED:
            self.containers.suspended[run] = 3
        return run

    async def kill(self, run: ContainerId) -> None:
        self.containers.die(self._agents[run])

    def missing_mount(self) -> Mount:
        self.containers.absent.add(Path("/not-there"))
        return Mount(Path("/not-there"), "/mnt")

    async def cut(self) -> None:
        self.containers.unreachable()

    async def mend(self) -> None:
        self.containers.reachable()

    async def aclose(self) -> None:
        await self.containers.aclose()


class Ear:
    """Listens to an engine's news for a test."""

    def __init__(self, containers: Containers) -> None:
        self.heard: list[Died | Doubt] = []
        self._containers = containers
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen(), name="listen to the engine")
        await until(lambda: self.doubts)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    @property
    def doubts(self) -> list[Doubt]:
        return [item for item in self.heard if isinstance(item, Doubt)]

    @property
    def deaths(self) -> list[Died]:
        return [item for item in self.heard if isinstance(item, Died)]

    def has_ended(self) -> bool:
        """Whether the engine's news came to an end by themselves."""
        return self._listening is not None and self._listening.done()

    async def death(self) -> Died:
        await until(lambda: self.deaths)
        return self.deaths[0]

    async def _listen(self) -> None:
        events: AsyncIterator[Died | Doubt] = self._containers.events()
        async for item in events:
            self.heard.append(item)
