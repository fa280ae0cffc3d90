"""What a test may leave behind: threads, processes, files, containers, networks. conftest.py asks after every test.

A process is a test's if it is a child of ours, or if it carries the test's mark in its environment: then it is found
too when it has become nobody's child (a tmux server, what a killed daemon left running). What a program ends by itself
a moment later is no leftover, so `left_behind` looks for a while before it says so.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from docker.client import DockerClient

MARK = "ORCHESTRAD_TEST_MARK"
FLEET_LABEL = "io.orchestrad.fleet"
TEST_LABEL = "io.orchestrad.test"

# An ended process is seen to be gone, and an ended thread joined, within milliseconds; the rest is for a busy machine.
PATIENCE = timedelta(seconds=2)
BETWEEN_LOOKS = timedelta(milliseconds=20)

Sight = Mapping[object, str]  # what is there: an identity that is never used twice, and how to name it to a person


@dataclass(frozen=True)
class Place:
    """Where to look for what a test leaves behind, and which of it would be this test's."""

    mark: str
    directories: tuple[Path, ...] = ()
    engine: str | None = None
    alone: bool = False  # nobody else uses the engine: whatever bears one of our labels was left by the test
    binds_below: Path = field(default=Path("/nonexistent"))  # else: only containers that mount something from here


def look(place: Place) -> Sight:
    sight = threads() | processes(place.mark) | files(place.directories)
    return sight | on_engine(place) if place.engine else sight


def left_behind(before: Sight, look_again: Callable[[], Sight], patience: timedelta = PATIENCE) -> list[str]:
    """What is there and was not `before`, in words; empty as soon as nothing is, at the latest after `patience`."""
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        left = sorted(name for identity, name in look_again().items() if identity not in before)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(BETWEEN_LOOKS.total_seconds())


def threads() -> dict[object, str]:
    return {thread: f"thread {thread.name!r}" for thread in threading.enumerate()}


def processes(mark: str) -> dict[object, str]:
    """Our children, and whoever bears the mark."""
    marked = f"{MARK}={mark}".encode()
    found: dict[object, str] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        # A process may end while we look at it; another user's environment can't be read, and is not ours.
        with contextlib.suppress(OSError):
            after_name = (directory / "stat").read_text().rpartition(")")[2].split()
            state, parent, started = after_name[0], int(after_name[1]), after_name[19]
            is_ours = parent == os.getpid() or marked in (directory / "environ").read_bytes().split(b"\0")
            if is_ours and int(directory.name) != os.getpid():
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                what = command or ("ended, not waited for" if state == "Z" else "no command line")
                found["process", directory.name, started] = f"process {directory.name}: {what[:200]}"
    return found


def files(directories: tuple[Path, ...]) -> dict[object, str]:
    return {path: f"file {path}" for directory in directories if directory.is_dir() for path in directory.iterdir()}


def on_engine(place: Place) -> dict[object, str]:
    """Containers and networks with our labels, running or not."""
    found: dict[object, str] = {}
    with contextlib.closing(DockerClient(base_url=place.engine)) as client:
        for label in (FLEET_LABEL, TEST_LABEL):
            for container in client.api.containers(all=True, filters={"label": label}):
                if place.alone or mounts_from(container, place.binds_below):
                    name = container["Names"][0].lstrip("/") if container["Names"] else container["Id"][:12]
                    found[container["Id"]] = f"container {name} ({container['State']})"
            if place.alone:
                networks = client.api.networks(filters={"label": label})
                found |= {network["Id"]: f"network {network['Name']}" for network in networks}
    return found


def mounts_from(container: Mapping[str, Any], directory: Path) -> bool:
    return any(Path(mount.get("Source", "")).is_relative_to(directory) for mount in container.get("Mounts", ()))


def repository_status(root: Path) -> set[str]:
    """What git says of the work tree, one line for each file that is changed or new."""
    command = ["git", "-C", str(root), "status", "--porcelain=v1", "--untracked-files=all"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())
