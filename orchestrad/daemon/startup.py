"""Taking up a state directory: the lock, the store, the world as it was."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrad.clock.system import SystemClock, offset_for
from orchestrad.core.ids import run_token
from orchestrad.core.world import Entity, Fleet, HubRow, Settings, World, put
from orchestrad.errors import Refused
from orchestrad.store.port import Identity, Store


class AlreadyRunning(Refused):
    """Another daemon has this state directory."""


class StateUnusable(Refused):
    """The state directory can't be made or written."""


def make_state(directory: Path) -> None:
    """Makes the state directory, for its owner alone. Raises StateUnusable."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        for name in ("agents", "logs"):
            (directory / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateUnusable(
            f"the state directory {directory} can't be used: {error.strerror}. Give another `stateDirectory` in orchestrator.json."
        ) from error


def place_hooks(directory: Path, shipped: Path) -> Path:
    """Where agents find their scripts: a copy in the state directory, made once for each version of them.

    Engines mount it, also where the package itself lies in a container of its own; and an upgrade does not change the
    scripts under agents that are at work.
    """
    digest = hashlib.sha256()
    for path in sorted(shipped.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    place = directory / "hooks" / digest.hexdigest()[:12]
    if not place.is_dir():
        partial = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copytree(shipped, partial)
        for path in (partial, *partial.iterdir()):
            path.chmod(0o755)
        partial.rename(place)
    return place


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the state directory for this process. Raises AlreadyRunning with the pid of who has it."""
    with (directory / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise AlreadyRunning(
                f"orchestrad runs already on {directory} (pid {holder}). `orchestrad status` shows it, `orchestrad down` ends it."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


async def carried_clock(store: Store) -> SystemClock:
    """The machine's clock, whose elapsed time goes on from what was ever committed."""
    offset, kept = offset_for(kept=await store.setting("clock"), latest_elapsed=await store.latest_elapsed())
    await store.keep("clock", kept)
    return SystemClock(offset)


def tokens_of(world: World, secret: bytes) -> list[str]:
    """The tokens of runs that an earlier daemon began and that may still be at work: not for logs either."""
    return [run_token(secret, agent.name, agent.run.epoch) for agent in world.agents.values() if agent.run is not None]


def world_of(entities: Sequence[Entity], *, identity: Identity, name: str, settings: Settings) -> World:
    """The world that these rows tell; that of a new fleet when there are none."""
    world = World(Fleet(identity.fleet, name, settings), hub=HubRow())
    return put(world, list(entities))
