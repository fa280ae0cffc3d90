"""Engine `docker`: each run is a container, found again by its labels.

Nothing is remembered here. The container's name is the agent's, so the engine itself refuses a second run of it, also one
that a killed daemon ordered and that lands late.
"""

import asyncio
import contextlib
import math
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from docker.errors import APIError, ImageNotFound, NotFound

from orchestrad.containers.docker_engine import ANSWER_WITHIN, DockerEngine, explanation
from orchestrad.containers.docker_events import DockerEvents
from orchestrad.containers.docker_network import VM_HOST, ensure_network, remove_network
from orchestrad.containers.docker_run import AGENT, EPOCH, FLEET, STATES, ContainerSettings, Fleet, create_arguments, run_of
from orchestrad.containers.image import BuiltImage, GivenImage
from orchestrad.containers.port import CannotStart, Died, Doubt, Listener, NameTaken, RunSeen, RunSpec, RunState
from orchestrad.core.ids import AgentName, ContainerId, FleetId
from orchestrad.errors import Gone, OrchestradError
from orchestrad.files import docker_directory

OLDEST_API: Final = (1, 41)  # engine 20.10

# A chord that no one types by accident: detaching would leave a terminal without its agent.
DETACH_KEYS: Final = "ctrl-],ctrl-q,ctrl-]"


class DockerContainers:
    """Runs of one fleet on one Docker engine: the one that the docker command would use in this environment."""

    def __init__(
        self, *, fleet: FleetId, name: str, settings: ContainerSettings, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._fleet = Fleet(fleet, name)
        self._settings = settings
        self._image = (
            GivenImage(settings.image)
            if settings.image
            else BuiltImage(docker_directory(), settings.base_image, settings.extra_context)
        )
        self._engine = DockerEngine(environment)
        self._listeners: set[DockerEvents] = set()
        self._has_network = False

    @property
    def image(self) -> str:
        """The name of the image that runs start from."""
        return self._image.name

    async def prepare(self, progress: Callable[[str], None]) -> Listener:
        loop = asyncio.get_running_loop()

        def tell(line: str) -> None:
            with contextlib.suppress(RuntimeError):  # whoever asked is gone, and the loop with them
                loop.call_soon_threadsafe(progress, line)

        def ready(client: Any) -> Listener:
            _check_versions(client)
            self._image.ensure(client, tell)
            return ensure_network(client, self._fleet)

        listener = await self._engine.call_at_length("make the Docker engine ready", ready)
        self._has_network = True
        if listener.agent_host == VM_HOST:
            # Docker Desktop knows the name by itself, other virtual machines do not.
            hosts = {VM_HOST: "host-gateway", **self._settings.extra_hosts}
            self._settings = replace(self._settings, extra_hosts=hosts)
        return listener

    async def start(self, spec: RunSpec) -> ContainerId:
        arguments = create_arguments(self._fleet, self._settings, spec, image=self._image.name)
        return await self._engine.call(f"start {spec.agent}", lambda client: self._start(client, spec.agent, arguments))

    def _start(self, client: Any, agent: AgentName, arguments: dict[str, Any]) -> ContainerId:
        try:
            container = client.containers.create(**arguments)
        except ImageNotFound as answer:
            raise CannotStart(
                f"cannot start {agent}: image {arguments['image']!r} is not on this engine (docker: {explanation(answer)}). "
                "Restart orchestrad, which builds or pulls it, or set `container.image` in orchestrator.json"
            ) from answer
        except APIError as answer:
            if answer.status_code == 409:
                raise _name_taken(client, agent, arguments["name"]) from answer
            if answer.is_client_error():
                raise _declined(agent, answer) from answer
            raise
        try:
            container.start()
        except APIError as answer:
            # Whatever the status: the engine says that nothing runs. Its remains would hold the agent's name.
            _remove(client, container.id)
            raise _declined(agent, answer) from answer
        return ContainerId(container.id)

    async def stop(self, run: ContainerId, *, grace: timedelta) -> None:
        def stop(client: Any) -> None:
            try:
                client.api.stop(run, timeout=math.ceil(grace.total_seconds()))
            except NotFound:
                return

        await self._engine.call(f"stop the run {run[:12]}", stop)

    async def remove(self, run: ContainerId) -> None:
        await self._engine.call(f"remove the run {run[:12]}", lambda client: _remove(client, run))

    async def wake(self, run: ContainerId) -> None:
        def wake(client: Any) -> None:
            try:
                client.api.kill(run, signal="SIGCONT")
            except APIError as answer:
                if answer.status_code in (404, 409):
                    raise Gone(f"the run {run[:12]} can't be woken: it has ended ({explanation(answer)})") from answer
                raise

        await self._engine.call(f"wake the run {run[:12]}", wake)

    async def list(self) -> tuple[RunSeen, ...]:
        return await self._engine.call("list the fleet's containers", self._list)

    def _list(self, client: Any) -> tuple[RunSeen, ...]:
        # The low-level call: one request instead of one per container, and no failure when one vanishes in between.
        rows = client.api.containers(all=True, filters={"label": f"{FLEET}={self._fleet.id}"})
        seen = (run_of(ContainerId(row["Id"]), row["Labels"], STATES[row["State"]]) for row in rows)
        return tuple(sorted(filter(None, (_with_exit(client, run) for run in seen if run)), key=lambda run: (run.agent, run.epoch)))

    async def events(self) -> AsyncIterator[Died | Doubt]:
        listener = DockerEvents(self._engine, self._fleet.id)
        self._listeners.add(listener)
        news = listener.news()
        try:
            async for item in news:
                yield item
        finally:
            self._listeners.discard(listener)
            await news.aclose()

    def terminal(self, run: ContainerId) -> tuple[str, ...]:
        # The engine is named outright: a terminal server has an environment of its own.
        return ("docker", "--host", self._engine.host, "attach", "--sig-proxy=false", f"--detach-keys={DETACH_KEYS}", run)

    async def aclose(self) -> None:
        for listener in tuple(self._listeners):
            listener.close()
        # An engine has some thirty address ranges for networks; with agents at work it stays, and the next daemon finds it.
        has_network, self._has_network = self._has_network, False
        with contextlib.suppress(OrchestradError):
            if has_network:
                await self._engine.call("remove the fleet's network", lambda client: remove_network(client, self._fleet))
        await self._engine.aclose()


def _check_versions(client: Any) -> None:
    version = client.version()
    if tuple(map(int, version["ApiVersion"].split("."))) < OLDEST_API:
        raise CannotStart(
            f"the Docker engine {version['Version']} is too old: its API is {version['ApiVersion']}, 1.41 is needed. "
            "Install Docker 20.10 or newer"
        )
    if shutil.which("docker") is None:
        raise CannotStart(
            "the docker command is not on PATH, and terminals show agents with `docker attach`. "
            "Install it (Debian, Ubuntu: docker.io or docker-cli)"
        )


def _with_exit(client: Any, run: RunSeen) -> RunSeen | None:
    """The run with how it ended, if it has; None when it was removed meanwhile."""
    if run.state is not RunState.EXITED:
        return run
    try:
        state = client.api.inspect_container(run.id)["State"]
    except NotFound:
        return None
    return replace(run, exit_code=state["ExitCode"], out_of_memory=state["OOMKilled"])


def _remove(client: Any, container: str) -> None:
    try:
        client.api.remove_container(container, force=True, v=True)
    except NotFound:
        return
    except APIError as answer:
        if answer.status_code != 409 or "already in progress" not in explanation(answer):
            raise
        _await_removal(client, container)


def _await_removal(client: Any, container: str) -> None:
    try:
        client.api.wait(container, condition="removed", timeout=ANSWER_WITHIN.total_seconds())
    except NotFound:
        return


def _name_taken(client: Any, agent: AgentName, name: str) -> NameTaken:
    try:
        holder = client.api.inspect_container(name)
    except NotFound:
        return NameTaken(f"cannot start {agent}: the container name {name!r} was taken a moment ago. It is free now: start again")
    labels = holder["Config"]["Labels"] or {}
    if FLEET in labels:
        whose = f"{labels.get(AGENT)} of fleet {labels[FLEET]}, epoch {labels.get(EPOCH)}"
    else:
        whose = f"labels: {labels or 'none'}"
    return NameTaken(
        f"cannot start {agent}: container {holder['Id'][:12]} ({whose}; {holder['State']['Status']}) holds the name {name!r}. "
        f"If it is nobody's, remove it: docker rm -f {holder['Id'][:12]}"
    )


def _declined(agent: AgentName, answer: APIError) -> CannotStart:
    return CannotStart(
        f"cannot start {agent}: the Docker engine declined (docker: {explanation(answer)}). "
        "Check `container` in orchestrator.json, then: orchestrad doctor"
    )
