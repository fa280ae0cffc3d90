"""What a run looks like to Docker: the arguments that make its container, and what its container says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from docker.types import LogConfig
from docker.types import Mount as DockerMount

from orchestrad.containers.port import Mount, RunSeen, RunSpec, RunState
from orchestrad.core.ids import AgentName, ContainerId, Epoch, FleetId, derive

FLEET: Final = "io.orchestrad.fleet"
AGENT: Final = "io.orchestrad.agent"
EPOCH: Final = "io.orchestrad.epoch"

OBEYED_TERM: Final = 143
KILLED: Final = 137

# The engine's words to ours. `dead` and `removing` are half removed: the run is over, removing it again is harmless.
STATES: Final = {
    "created": RunState.CREATED,
    "running": RunState.RUNNING,
    "paused": RunState.RUNNING,
    "restarting": RunState.RUNNING,
    "removing": RunState.EXITED,
    "exited": RunState.EXITED,
    "dead": RunState.EXITED,
}


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """What all containers of a fleet have in common; None is "no limit", and for `image` "built from `base_image`"."""

    image: str | None = None
    base_image: str = "debian:bookworm-slim"
    user: str = "1000:1000"
    memory_bytes: int | None = None
    cpus: float | None = None
    pids: int | None = None
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    extra_context: Path | None = None  # a directory whose files join the image's build context; see docker/agent.Dockerfile


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet that containers belong to: its id (drawn once) and the name that people see."""

    id: FleetId
    name: str

    def container_name(self, agent: AgentName) -> str:
        """One name per agent, so that the engine itself refuses a second container of it."""
        return f"{self.name}-{agent}"

    @property
    def network(self) -> str:
        return f"{self.name}-agents"


def create_arguments(fleet: Fleet, settings: ContainerSettings, spec: RunSpec, *, image: str) -> dict[str, Any]:
    """The keyword arguments of `client.containers.create`."""
    program, *arguments = spec.command
    return {
        "name": fleet.container_name(spec.agent),
        "image": image,
        # As the entrypoint, so that one which a user's own image brings does not run instead.
        "entrypoint": [program],
        "command": arguments,
        "environment": {**settings.environment, **spec.environment},
        "working_dir": spec.working_directory,
        "user": settings.user,
        "hostname": spec.agent,
        "labels": {**spec.labels, **labels(fleet, spec, image=image)},
        "network": fleet.network,
        "extra_hosts": dict(settings.extra_hosts),
        # `mounts`, not `volumes`: those make a missing source as an empty directory of root's, these refuse it.
        "mounts": [_bind(mount) for mount in (*settings.mounts, *spec.mounts)],
        "tty": True,
        "stdin_open": True,
        "init": True,  # reaps, and hands signals to a program that, as pid 1, would ignore TERM
        "stop_signal": "SIGTERM",
        "restart_policy": {"Name": "no"},  # restarting is the daemon's decision
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777"},  # noqa: S108 - a path in the container; exec: tests build there
        "mem_limit": settings.memory_bytes,
        "memswap_limit": settings.memory_bytes,  # equal: no swap, so that a leak ends one agent and not the machine
        "nano_cpus": int(settings.cpus * 10**9) if settings.cpus else None,
        "pids_limit": settings.pids,
        # Terminal programs repaint for ever; two files of this size hold hours and can't fill the disk.
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "2"}),
    }


def labels(fleet: Fleet, spec: RunSpec, *, image: str) -> dict[str, str]:
    """Our labels, by which runs are found again, and Compose's, by which `docker compose -p NAME ps` and `logs` find them."""
    compose = "com.docker.compose."
    return {
        FLEET: fleet.id,
        AGENT: spec.agent,
        EPOCH: str(spec.epoch),
        compose + "project": compose_project(fleet.name),
        compose + "service": spec.agent,
        compose + "container-number": "1",
        compose + "oneoff": "False",
        compose + "config-hash": derive(image, *spec.command, digits=64),  # Compose overlooks containers without one
    }


def compose_project(name: str) -> str:
    """A fleet's name as Compose spells projects: lower case letters, digits, - and _."""
    return re.sub(r"[^a-z0-9_-]", "-", name.lower()).lstrip("-_") or "fleet"


def _bind(mount: Mount) -> DockerMount:
    return DockerMount(target=mount.target, source=str(mount.source), type="bind", read_only=mount.read_only)


def run_of(container: ContainerId, labels: Mapping[str, str], state: RunState) -> RunSeen | None:
    """The run that these labels name; None where they name none (a person's container with our fleet label, say)."""
    agent, epoch = labels.get(AGENT, ""), labels.get(EPOCH, "")
    if not agent or not epoch.isdecimal():
        return None
    return RunSeen(agent=AgentName(agent), epoch=Epoch(int(epoch)), id=container, state=state)
