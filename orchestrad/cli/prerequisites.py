"""What a fleet needs, checked one by one: each found, or how to get it. `orchestrad doctor` shows it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrad.config.places import Places, socket_is_too_long

if TYPE_CHECKING:
    from orchestrad.config.model import Config

PYTHON, GIT, TMUX, DOCKER_API = (3, 11), (2, 38), (3, 2), (1, 41)
ROOM_NEEDED: Final = 1 << 30  # bytes; a clone and a home per agent, and the hub
ANSWER_WITHIN_SECONDS: Final = 15


class Verdict(StrEnum):
    """What a check came to."""

    FOUND = "found"
    WARNING = "warning"  # the fleet runs, and its owner should know
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing checked: what was found, and what to do about it ("" nothing)."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def machine(engine: str, environ: Mapping[str, str]) -> Iterator[Check]:
    """What this machine must have for a fleet on this engine."""
    version = sys.version_info[:3]
    yield _version("python", version, PYTHON, "install Python 3.11 or newer and orchestrad into it")
    yield _program("git", ["git", "--version"], GIT, "apt install git; macOS: brew install git")
    yield _program("tmux", ["tmux", "-V"], TMUX, "apt install tmux; macOS: brew install tmux")
    if engine == "docker":
        yield _docker(environ)


def fleet(config: "Config", environ: Mapping[str, str]) -> Iterator[Check]:
    """What this fleet needs beside the machine's programs."""
    if config.engine == "docker":
        yield _image(config, environ)
    else:
        yield from _process(config)
    yield from _credentials(config, environ)
    yield _repository(config, environ)
    yield from _state(config.state_directory)


def _version(name: str, found: tuple[int, ...], needed: tuple[int, int], remedy: str, before: str = "") -> Check:
    shown = before + ".".join(map(str, found))
    if found[:2] >= needed:
        return Check(name, Verdict.FOUND, shown)
    return Check(name, Verdict.MISSING, f"{shown}, which is too old: {needed[0]}.{needed[1]} is needed", remedy)


def _program(name: str, argv: list[str], needed: tuple[int, int], install: str) -> Check:
    try:
        said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=ANSWER_WITHIN_SECONDS).stdout.strip()
    except FileNotFoundError:
        return Check(name, Verdict.MISSING, "not on PATH", f"install it (Debian, Ubuntu: {install})")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, Verdict.MISSING, f"does not run: {error}", f"try {' '.join(argv)} by hand")
    number = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    if number is None:  # "tmux master" is newer than any number
        return Check(name, Verdict.FOUND, said)
    return _version(name, tuple(int(part) for part in number.groups() if part), needed, f"install a newer one ({install})")


def _docker(environ: Mapping[str, str]) -> Check:
    def ask(client: object) -> Check:
        version = client.version()  # type: ignore[attr-defined]  # the SDK has no types
        api = tuple(int(part) for part in version["ApiVersion"].split("."))
        return _version("docker", api, DOCKER_API, "install Docker Engine 20.10 or newer", f"engine {version['Version']}, API ")

    return _with_docker("docker", environ, ask)


def _image(config: "Config", environ: Mapping[str, str]) -> Check:
    from orchestrad.containers.image import BuiltImage, is_there  # noqa: PLC0415  (the SDK takes a while to import)
    from orchestrad.files import docker_directory  # noqa: PLC0415

    given = config.container.image
    name = given or BuiltImage(docker_directory(), config.container.base_image).name

    def ask(client: object) -> Check:
        if is_there(client, name):
            return Check("agent image", Verdict.FOUND, name)
        how = "pulled" if given else f"built on {config.container.base_image}"
        return Check(
            "agent image", Verdict.WARNING, f"{name} is not on the engine", f"it is {how} at the first start: minutes, once"
        )

    return _with_docker("agent image", environ, ask)


def _with_docker(name: str, environ: Mapping[str, str], ask: Callable[[object], Check]) -> Check:
    from orchestrad.containers.docker_engine import SILENCE, DockerEngine  # noqa: PLC0415  (as above)

    engine = DockerEngine(environ)
    remedy = 'start it, or let this user talk to it (try: docker version); without Docker set "engine": "process"'
    try:
        client = engine.connect()
    except SILENCE as error:
        return Check(name, Verdict.MISSING, f"no engine answers at {engine.host} ({_short(error)})", remedy)
    try:
        return ask(client)
    except SILENCE as error:
        return Check(name, Verdict.MISSING, f"the engine at {engine.host} failed ({_short(error)})", remedy)
    finally:
        client.close()


def _process(config: "Config") -> Iterator[Check]:
    program = config.agent.command[0]
    path = shutil.which(program)
    if path is None:
        remedy = "install Claude Code (https://code.claude.com/docs), or correct `agent.command`"
        yield Check("agent command", Verdict.MISSING, f"{program} is not on PATH", remedy)
    else:
        yield Check("agent command", Verdict.FOUND, path)
    yield Check(
        "isolation",
        Verdict.WARNING,
        "engine `process`: an agent can do whatever this user can, on this machine",
        'set "engine": "docker" for repositories and tasks that you do not trust',
    )


def _credentials(config: "Config", environ: Mapping[str, str]) -> Iterator[Check]:
    from orchestrad.config.credential_pool import look  # noqa: PLC0415  (pydantic)

    files = look(config.claude_configs, environ)
    usable = [file for file in files if file.credential is not None]
    agents = config.worker_count + config.manager.enabled
    labels = ", ".join(file.label for file in usable)
    if len(usable) > agents:
        yield Check("credentials", Verdict.FOUND, f"{len(usable)} for {agents} agents: {labels}")
    else:
        remedy = f"when one reaches its limit, its agents wait; more than {agents} would let them go on at once"
        yield Check("credentials", Verdict.WARNING, f"{len(usable)} for {agents} agents: {labels}", remedy)
    for file in files:
        for remark in file.remarks:
            yield Check("credentials", Verdict.WARNING, f"{file.path.name}: {remark}")


def _repository(config: "Config", environ: Mapping[str, str]) -> Check:
    import asyncio  # noqa: PLC0415

    from orchestrad.config.repository import check_repository  # noqa: PLC0415

    try:
        problems = asyncio.run(check_repository(config, environ))
    except FileNotFoundError:
        return Check("repository", Verdict.MISSING, "can't be asked without git", "install git")
    if problems:
        problem = problems[0]
        return Check("repository", Verdict.MISSING, problem.found, problem.remedy)
    return Check("repository", Verdict.FOUND, f"{config.repository_url.shown}, branch {config.branch}")


def _state(directory: Path) -> Iterator[Check]:
    parent = next(path for path in (directory, *directory.parents) if path.exists())
    elsewhere = "name another `stateDirectory` in orchestrator.json"
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        yield Check("state directory", Verdict.MISSING, f"{directory} can't be written", elsewhere)
    elif socket_is_too_long(Places(directory).socket):
        yield Check("state directory", Verdict.MISSING, f"{directory} is too long for a Unix socket", f"{elsewhere}, a shorter one")
    else:
        yield Check("state directory", Verdict.FOUND, str(directory))
    free = shutil.disk_usage(parent).free
    shown = f"{free / (1 << 30):.1f} GiB free at {parent}"
    if free < ROOM_NEEDED:
        yield Check("disk space", Verdict.WARNING, shown, "each agent has a clone and a home there: make room, or " + elsewhere)
    else:
        yield Check("disk space", Verdict.FOUND, shown)


def _short(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return said if len(said) <= 120 else f"{said[:119]}…"
