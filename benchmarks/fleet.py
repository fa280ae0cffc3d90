"""A real fleet for a benchmark: a repository of some size, a config directory, the daemon in a process of its own."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine

ROOT = Path(__file__).parent.parent
PER_DIRECTORY = 100
FILE = "".join(f"Line {number} of a file that nobody changes.\n" for number in range(25))  # 1 kB
ON_DISK = "/var/tmp"  # noqa: S108  not /tmp, which may lie in memory, where it costs nothing to make a commit durable
END_LIMIT_S = 20


@dataclass(frozen=True)
class Place:
    """Where a fleet's things are."""

    name: str
    directory: Path

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def agents(self) -> Path:
        return self.state / "agents"

    @property
    def log(self) -> Path:
        return self.state / "logs" / "orchestrad.log"

    @property
    def said(self) -> Path:
        """What the daemon printed."""
        return self.directory / "daemon.txt"


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """A place for a fleet; all that the fleet made is removed at the end."""
    name = f"bench-{secrets.token_hex(3)}"
    directory = Path(tempfile.mkdtemp(prefix=f"orchestrad-{name}-", dir=os.environ.get("TMPDIR", ON_DISK)))
    try:
        yield Place(name, directory)
    finally:
        machine.remove_containers(name)
        machine.end_tmux(name)
        shutil.rmtree(directory, ignore_errors=True)


def make_upstream(where: Place, *, files: int, workers: int, tasks: int) -> Path:
    """A bare repository with so many files of 1 kB, and a list of so many tasks for each worker."""
    upstream = where.directory / "upstream.git"
    git = ["git", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q", "--bare", str(upstream)], check=True)
    contents = {f"src/part{n // PER_DIRECTORY:03d}/file{n:05d}.txt": f"{n}\n{FILE}" for n in range(files)}
    for worker in range(1, workers + 1):
        items = "".join(f"- [ ] Write down where task {number} was done\n" for number in range(1, tasks + 1))
        contents[f"WORKER_{worker}_TASK_LIST.md"] = f"# Tasks of worker {worker}\n\n{items}"
    parts = ["commit refs/heads/main\ncommitter Benchmark <benchmark@localhost> 1700000000 +0000\ndata 6\nBegin\n\n"]
    parts += [f"M 644 inline {name}\ndata {len(text)}\n{text}\n" for name, text in contents.items()]
    subprocess.run([*git, "-C", str(upstream), "fast-import", "--quiet"], input="".join(parts).encode(), check=True)
    return upstream


def make_config(where: Place, upstream: Path, *, workers: int, base_image: str, model: str) -> Path:
    """A config directory for a fleet without a Manager, whose agents ask the model at this address."""
    config = where.directory / "config"
    (config / "credentials").mkdir(parents=True)
    credential = config / "credentials" / "benchmark.json"
    credential.touch(mode=0o600)
    credential.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": model, "ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-benchmark"}}))
    settings: dict[str, Any] = {
        "repositoryUrl": str(upstream),
        "workerCount": workers,
        "claudeConfigs": "credentials/*.json",
        "name": where.name,
        "stateDirectory": str(where.state),
        "manager": {"enabled": False},
        "container": {"baseImage": base_image},
        "terminals": {"socket": where.name},
    }
    (config / "orchestrator.json").write_text(json.dumps(settings, indent=2))
    return config


@asynccontextmanager
async def daemon(where: Place, config: Path, *, log_level: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The daemon, told to end with the block; it leaves its agents at work, and `place` removes them."""
    options = ["--config", str(config), "--log-format", "json", "--log-level", log_level]
    with where.said.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orchestrad.cli.main", *options, cwd=ROOT, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def last_words(where: Place, lines: int = 15) -> str:
    """The end of what the daemon printed."""
    return "\n".join(where.said.read_text(errors="replace").splitlines()[-lines:]) if where.said.exists() else ""
