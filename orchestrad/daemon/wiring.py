"""Where ports meet their adapters: the only place that names concrete ones."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from orchestrad.api.connections import Connections
from orchestrad.api.git import GitRoutes
from orchestrad.api.hooks import AgentRoutes
from orchestrad.api.people import People
from orchestrad.api.server import agents_app, serve_tcp, serve_unix
from orchestrad.api.status import About
from orchestrad.config.keys import notices
from orchestrad.config.load import load
from orchestrad.config.model import Config
from orchestrad.config.places import Places
from orchestrad.config.problems import ConfigErrors
from orchestrad.config.watch import changes
from orchestrad.containers.docker import DockerContainers
from orchestrad.containers.docker_run import ContainerSettings
from orchestrad.containers.guarded import Owner
from orchestrad.containers.homes import Homes
from orchestrad.containers.port import Containers, Mount
from orchestrad.containers.process import ProcessContainers
from orchestrad.core.actions import ListRuns
from orchestrad.core.events import Event
from orchestrad.core.ids import AgentName, FleetId
from orchestrad.core.observations import ConfigRead, DaemonStarted, Left
from orchestrad.core.states import IN_TURN
from orchestrad.core.world import Credential, Settings
from orchestrad.credentials.files import FileCredentials
from orchestrad.daemon import chronicle, observe, registry
from orchestrad.daemon.executor import Executor, Ports
from orchestrad.daemon.lives import Lives
from orchestrad.daemon.logs import Redactor
from orchestrad.daemon.reactor import Reactor
from orchestrad.daemon.secrets import LiveSecrets, secrets_of
from orchestrad.daemon.settings import credentials_of, settings_of
from orchestrad.daemon.startup import carried_clock, place_hooks, tokens_of, world_of
from orchestrad.daemon.words import Words
from orchestrad.files import hooks_directory
from orchestrad.hub.git import GitHub
from orchestrad.store.sqlite import SqliteStore
from orchestrad.terminals.tmux import TmuxTerminals

log = structlog.get_logger("orchestrad.wiring")

# What an agent of this machine needs of its surroundings to reach the model, beside what the engine passes on anyway.
PASSED_ON: Final = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"),
)


@dataclass(slots=True)
class Fleet:
    """A fleet that is ready to run."""

    reactor: Reactor
    executor: Executor
    observers: dict[str, Callable[[], Coroutine[Any, Any, None]]]
    first: tuple[object, ...]
    finished: "asyncio.Future[int]"
    events: list[Event] = field(default_factory=list)

    def busy(self) -> list[str]:
        """Agents whose turns are under way."""
        return sorted(agent.name for agent in self.reactor.world.agents.values() if agent.state in IN_TURN)

    async def run(self, leave: asyncio.Event, show: "Show | None") -> int:
        """Runs until the fleet has ended (its exit status) or `leave` is set (0, agents left at work)."""
        reactor = asyncio.create_task(self.reactor.run(), name="reactor")
        tasks: list[asyncio.Task[None]] = [reactor]
        for observation in self.first:
            self.reactor.offer(observation)
        for name, work in self.observers.items():
            tasks.append(asyncio.create_task(observe.for_ever(name, work, self.reactor.offer), name=name))
        if show is not None:
            tasks.append(asyncio.create_task(show(self), name="live status"))
        left = asyncio.create_task(leave.wait(), name="leave")
        try:
            any_end: set[asyncio.Future[Any]] = {reactor, left, self.finished}
            await asyncio.wait(any_end, return_when=asyncio.FIRST_COMPLETED)
            if reactor.done():
                reactor.result()
            return self.finished.result() if self.finished.done() else 0
        finally:
            for task in (*tasks, left):
                task.cancel()
            await asyncio.gather(*tasks, left, return_exceptions=True)


Show = Callable[[Fleet], Coroutine[Any, Any, None]]


@asynccontextmanager
async def wire(
    config: Config, directory: Path, redactor: Redactor, *, until_done: bool, progress: Callable[[str], None]
) -> AsyncIterator[Fleet]:
    """Opens everything, in the order in which one thing needs the other; closes it again in reverse.

    Raises what the ports raise when they can't be used: each says what to do.
    """
    state = config.state_directory
    places = Places(state)
    async with AsyncExitStack() as stack:
        store = SqliteStore(places.store)
        stack.push_async_callback(store.aclose)
        await store.open()
        identity = await store.identity()
        clock = await carried_clock(store)

        terminals = TmuxTerminals(config.terminals.socket, f"{config.name}-", identity.fleet)
        stack.push_async_callback(terminals.aclose)
        await terminals.check()
        hub = GitHub(state, url=config.repository_url.url, branch=config.branch)
        stack.push_async_callback(hub.close)
        await hub.prepare(progress)
        containers = _containers(config, identity.fleet)
        stack.push_async_callback(containers.aclose)
        listener = await containers.prepare(progress)

        finished: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        reactor_box: list[Reactor] = []

        def offer(observation: object) -> None:
            reactor_box[0].offer(observation)

        connections = Connections(lambda name: offer(Left(name)))
        homes = _homes(config)
        stack.push_async_callback(homes.aclose)
        ports = Ports(containers, terminals, hub, homes, clock, connections)
        pool = FileCredentials(config.claude_configs, os.environ)
        stack.push_async_callback(pool.close)
        app = agents_app()
        kept = await store.setting("agents-port")
        lives = Lives(config, identity=identity, homes=homes, pool=pool, redactor=redactor, agent_host=listener.agent_host)

        def finish(status: int) -> None:
            if not finished.done():
                finished.set_result(status)

        executor = Executor(ports, lives=lives, words=Words(directory), fleet=config.name, branch=config.branch, finish=finish)
        notes: list[str] = []
        settings, credentials = await _read(config, pool, redactor, notes, until_done=until_done)
        world = world_of(await store.load(), identity=identity, name=config.name, settings=settings)
        redactor.know(tokens_of(world, identity.secret))
        reactor = Reactor(world, clock=clock, store=store, execute=executor.execute)
        reactor_box.append(reactor)
        reactor.listeners.append(chronicle.tell)

        AgentRoutes(
            secret=identity.secret,
            connections=connections,
            offer=offer,
            world=lambda: reactor.world,
            hub=hub,
            heard=_heard,
        ).add_to(app)
        GitRoutes(
            secret=identity.secret,
            connections=connections,
            offer=offer,
            hub=hub,
            branch=config.branch,
            forbidden=LiveSecrets(pool, world=lambda: reactor.world, secret=identity.secret),
        ).add_to(app)
        runner, port = await serve_tcp(app, host=listener.bind_host, port=int(kept or 0))
        stack.push_async_callback(runner.cleanup)
        await store.keep("agents-port", str(port))
        lives.port = port

        def about() -> About:
            return About(os.getpid(), directory, state, config.engine, config.terminals.socket, tuple(notes))

        people = People(world=lambda: reactor.world, now=clock.now, submit=reactor.submit, history=store.history, about=about)
        stack.push_async_callback((await serve_unix(people.application(), places.socket)).cleanup)
        registry.register(config.name, state, directory)
        stack.callback(registry.unregister, state)

        async def look_again() -> None:
            reactor.offer(await executor.execute(ListRuns("events may have been missed")))

        async def watch_config() -> None:
            await _watch_config(config, directory, pool, redactor, notes, reactor, until_done=until_done)

        observers: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "runs": lambda: observe.watch_runs(ports, offer, look_again),
            "terminals": lambda: observe.watch_terminals(ports, offer, config.name),
            "terminal list": lambda: observe.list_terminals(ports, offer, config.name),
            "config": watch_config,
        }
        yield Fleet(reactor, executor, observers, (DaemonStarted(), ConfigRead(settings, credentials)), finished)


def _user(config: Config) -> str:
    """Whose agents' processes are: the daemon's user, unless that is root."""
    own = f"{os.getuid()}:{os.getgid()}" if os.getuid() else "1000:1000"
    return config.container.user or own


def _homes(config: Config) -> Homes:
    owner = None
    if config.engine == "docker" and os.getuid() == 0:
        uid, _, gid = _user(config).partition(":")
        owner = Owner(int(uid), int(gid or uid))
    return Homes(
        config.state_directory / "agents",
        engine=config.engine,
        hooks=place_hooks(config.state_directory, hooks_directory()),
        objects=config.state_directory / "hub.git" / "objects",
        owner=owner,
    )


def _containers(config: Config, fleet: FleetId) -> Containers:
    if config.engine == "process":
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return ProcessContainers(fleet=fleet, registry=config.state_directory / "processes", environment=passed)
    extra = os.environ.get("ORCHESTRAD_BUILD_CONTEXT_EXTRA")
    settings = ContainerSettings(
        image=config.container.image,
        base_image=config.container.base_image,
        user=_user(config),
        memory_bytes=config.container.memory,
        cpus=config.container.cpus,
        pids=config.container.pids,
        mounts=tuple(Mount(Path(m.source), str(m.target)) for m in config.container.mounts),
        environment=config.container.environment,
        extra_context=Path(extra) if extra else None,
    )
    return DockerContainers(fleet=fleet, name=config.name, settings=settings)


async def _read(
    config: Config,
    pool: FileCredentials,
    redactor: Redactor,
    notes: list[str],
    *,
    until_done: bool,
    problems: tuple[str, ...] = (),
) -> tuple[Settings, tuple[Credential, ...]]:
    files = await pool.read()
    redactor.know(secrets_of(files))
    notes[:] = [str(notice) for notice in notices(config)]
    for file in files:
        notes += [f"{file.path.name}: {remark}" for remark in file.remarks]
    return settings_of(config, until_done=until_done, problems=problems), credentials_of(files)


async def _watch_config(
    config: Config,
    directory: Path,
    pool: FileCredentials,
    redactor: Redactor,
    notes: list[str],
    reactor: Reactor,
    *,
    until_done: bool,
) -> None:
    """Each edit of the config directory: taken when it is valid, else shown, and nothing changes."""
    async for _ in changes([directory]):
        problems: tuple[str, ...] = ()
        fresh = reactor.world.settings
        try:
            edited = await asyncio.to_thread(load, directory, os.environ)
        except ConfigErrors as errors:
            problems = tuple(str(problem) for problem in errors.problems)
            log.error("config.rejected", problems=list(problems))
            edited = config
        else:
            config = edited
            log.info("config.read")
        fresh, credentials = await _read(edited, pool, redactor, notes, until_done=until_done, problems=problems)
        reactor.offer(ConfigRead(fresh, credentials))


def _heard(agent: AgentName, event: str, text: str) -> None:
    """What an agent's hooks tell, as lines of its log."""
    log.info("agent.heard", agent=agent, event_name=event, said=text)
