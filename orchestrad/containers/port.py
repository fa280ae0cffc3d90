"""What orchestrad needs of an engine that runs agents: start, stop, look, hear of deaths, and show a screen.

A *run* is one life of an agent, known by (agent, epoch). Adapters decide nothing and remember nothing: what runs is asked
of the engine each time. `Unreachable` is raised when the engine can't be asked; an empty list means that nothing is there.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Protocol

from orchestrad.core.ids import AgentName, ContainerId, Epoch
from orchestrad.errors import Refused, Unreachable


class EngineUnreachable(Unreachable):
    """The engine did not answer; whether a run lives is unknown."""


class NameTaken(Refused):
    """Another container holds this agent's name: look again, then adopt it or remove it by id."""


class CannotStart(Refused):
    """The engine understood the order and declined it: image missing, mount absent, limit impossible."""


class RunState(Enum):
    """What the engine says of a run; CREATED has not begun (engine `process`: its terminal is not open yet)."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of this machine (or of a volume) that the run sees at `target`. Under engine `process` it is only a promise."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that a run needs; nothing in it is secret (secrets lie in files of the mounts)."""

    agent: AgentName
    epoch: Epoch
    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_directory: str
    mounts: tuple[Mount, ...] = ()
    directory: Path = Path()  # the run's own directory on this machine; engine `process` records pid and exit there
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One run as the engine shows it. `out_of_memory` may be stale unless an `oom` event came with the death."""

    agent: AgentName
    epoch: Epoch
    id: ContainerId
    state: RunState
    exit_code: int | None = None
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Died:
    """A run ended; heard from the engine."""

    run: RunSeen


@dataclass(frozen=True, slots=True)
class Doubt:
    """Events may have been missed (the engine or its stream went away): whoever listens must list again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the daemon must listen so that agents reach it, and under which host they do."""

    bind_host: str
    agent_host: str


class Containers(Protocol):
    """Runs of one fleet on one engine."""

    async def prepare(self, progress: Callable[[str], None]) -> Listener:
        """Makes ready what all runs share (image, network); says what it does through `progress`, a line a step.

        Doing it twice is quick and harmless. Raises CannotStart with what to do, EngineUnreachable.
        """
        ...

    async def start(self, spec: RunSpec) -> ContainerId:
        """Starts a run and gives its id. Raises NameTaken, CannotStart, EngineUnreachable."""
        ...

    async def stop(self, run: ContainerId, *, grace: timedelta) -> None:
        """Asks the run to end (TERM), kills it after `grace`; returns when it is dead. A run that is gone is a success."""
        ...

    async def remove(self, run: ContainerId) -> None:
        """Removes what is left of a run, alive or dead, by id. A run that is gone is a success."""
        ...

    async def wake(self, run: ContainerId) -> None:
        """Sends CONT to a suspended run. Raises Gone when there is none."""
        ...

    async def list(self) -> tuple[RunSeen, ...]:
        """Every run of this fleet, dead ones too. Raises EngineUnreachable rather than giving an empty answer."""
        ...

    def events(self) -> AsyncIterator[Died | Doubt]:
        """Deaths as they happen; a Doubt first (on connecting) and after each reconnection. Ends only when closed."""
        ...

    def terminal(self, run: ContainerId) -> tuple[str, ...]:
        """The argv that a terminal runs to show this run and to type into it."""
        ...

    async def aclose(self) -> None:
        """Gives back connections and threads; runs go on."""
        ...
