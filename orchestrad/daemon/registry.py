"""Which fleets run on this machine: a small file for each, so that the CLI finds one without being told where.

A file is a hint. A fleet runs if its socket answers; files of the dead are removed by whoever finds them.
"""

import contextlib
import hashlib
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from orchestrad.config.places import Places

ANSWER_WITHIN_SECONDS: Final = 1.0  # to a connect, which the kernel answers for a busy daemon too


@dataclass(frozen=True, slots=True)
class Running:
    """A fleet whose daemon is alive."""

    name: str
    pid: int
    state_directory: Path
    config_directory: Path


def register(name: str, state_directory: Path, config_directory: Path) -> None:
    """Tells others of this process's fleet; to be called when its socket listens."""
    file = _file(state_directory)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {
        "name": name,
        "pid": os.getpid(),
        "stateDirectory": str(state_directory.absolute()),
        "configDirectory": str(config_directory.absolute()),
    }
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(told))
    partial.replace(file)


def unregister(state_directory: Path) -> None:
    """The fleet ends. What is gone already is a success."""
    _file(state_directory).unlink(missing_ok=True)


def running() -> list[Running]:
    """The fleets of this user that answer, by name."""
    found = []
    for file in sorted(_directory().glob("*.json")):
        entry = _read(file)
        if entry is not None and answers(Places(entry.state_directory).socket):
            found.append(entry)
        elif entry is None or not _is_alive(entry.pid):
            file.unlink(missing_ok=True)
    return sorted(found, key=lambda entry: (entry.name, entry.state_directory))


def answers(path: Path) -> bool:
    """Whether somebody listens on this Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_WITHIN_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _directory() -> Path:
    return platformdirs.user_state_path("orchestrad") / "running"


def _file(state_directory: Path) -> Path:
    key = hashlib.sha256(str(state_directory.absolute()).encode()).hexdigest()[:16]
    return _directory() / f"{key}.json"


def _read(file: Path) -> Running | None:
    try:
        told = json.loads(file.read_text())
        return Running(str(told["name"]), int(told["pid"]), Path(told["stateDirectory"]), Path(told["configDirectory"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
