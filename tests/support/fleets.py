"""A whole fleet under test: a config directory, the daemon as a program of its own, and what it runs, seen from outside.

Nothing here imports orchestrad: what a user has is what a test has.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from docker.client import DockerClient

ROOT = Path(__file__).parent.parent.parent
LABEL = "io.orchestrad.fleet"
AGENT_LABEL = "io.orchestrad.agent"

EngineName = Literal["process", "docker"]


@dataclass
class FleetUnderTest:
    """One fleet; `directory` holds its config and state."""

    directory: Path
    engine: EngineName
    upstream: Path
    tmux_socket: str
    settings: Mapping[str, Any]
    name: str = "fut"
    daemons: "list[asyncio.subprocess.Process]" = field(default_factory=list)
    inspected: list[str] = field(default_factory=list)  # what the engine told of containers, or ps of processes

    @property
    def config(self) -> Path:
        return self.directory / "config"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def said(self) -> str:
        """All that the daemons printed."""
        return self.out.read_text(errors="replace")

    @property
    def out(self) -> Path:
        """Where they print; it stays when the fleet is cleared away."""
        return self.directory.with_name("daemon.out")

    def write_config(self, credentials: Mapping[str, Mapping[str, str]], **more: Any) -> None:
        """The config directory; `credentials` are the `env` parts of files, by name."""
        (self.config / "credentials").mkdir(parents=True, exist_ok=True)
        for name, env in credentials.items():
            file = self.config / "credentials" / f"{name}.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps({"env": env}))
        settings = {
            "repositoryUrl": str(self.upstream),
            "claudeConfigs": "credentials/*.json",
            "name": self.name,
            "engine": self.engine,
            "stateDirectory": str(self.state),
            "terminals": {"socket": self.tmux_socket},
            **self.settings,
            **more,
        }
        (self.config / "orchestrator.json").write_text(json.dumps(settings, indent=2))

    def _environment(self) -> dict[str, str]:
        """A home and a temporary directory of this fleet's user: what is kept there by intent is no leftover."""
        for name in ("home", "tmp"):
            (self.directory / name).mkdir(exist_ok=True)
        return {**os.environ, "HOME": str(self.directory / "home"), "TMPDIR": str(self.directory / "tmp")}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """The daemon, as a person starts it."""
        with self.out.open("ab") as out:
            daemon = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "orchestrad.cli.main", "--config", self.config, *arguments,
                cwd=ROOT, env=self._environment(), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self.daemons.append(daemon)
        return daemon

    async def ended(self, daemon: asyncio.subprocess.Process, within: float) -> int:
        """The daemon's exit status; when it does not end, what it printed last."""
        try:
            return await asyncio.wait_for(daemon.wait(), within)
        except TimeoutError:
            raise AssertionError(f"the daemon did not end within {within} s:\n{self.story()}") from None

    async def status(self) -> dict[str, Any]:
        """What `orchestrad status --json` prints; empty while no daemon answers."""
        done = await self._command("status", "--json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    async def command(self, *arguments: str) -> str:
        """What a command of the CLI prints; it must succeed."""
        done = await self._command(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def _command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "orchestrad.cli.main", name, "--config", str(self.config), *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=self._environment(), capture_output=True, text=True, check=False
        )

    def story(self, lines: int = 60) -> str:
        """The last that the daemon logged."""
        return "\n".join(self.said.splitlines()[-lines:])

    # ---- behind its back

    def ran(self) -> list[str]:
        """The steps that agents' tools ran, as often as they ran, worker by worker."""
        files = sorted((self.state / "agents").glob("*/home/ran"))
        return [line for file in files for line in file.read_text().splitlines()]

    async def kill_agent(self, agent: str) -> None:
        """SIGKILL for an agent's container, or for its CLI under engine `process`."""
        if self.engine == "docker":
            with contextlib.closing(DockerClient(base_url=os.environ["DOCKER_HOST"])) as client:
                for container in client.containers.list(filters={"label": f"{AGENT_LABEL}={agent}"}):
                    if self._is_ours(container.attrs):
                        self.inspected.append(json.dumps(container.attrs))
                        container.kill()
                        return
            raise AssertionError(f"no container of {agent} runs")
        pid = self.cli_of(agent)
        self.inspected.append((Path("/proc") / str(pid) / "cmdline").read_text())
        os.kill(pid, signal.SIGKILL)

    def cli_of(self, agent: str) -> int:
        """The pid of an agent's CLI (engine process)."""
        home = f"HOME={self.state / 'agents' / agent / 'home'}"
        for pid, argv, environment in processes():
            if argv and Path(argv[0]).name == "claude" and home in environment:
                return pid
        raise AssertionError(f"no CLI of {agent} runs")

    def sessions(self) -> list[str]:
        """The terminal sessions that there are."""
        return self._tmux("list-sessions", "-F", "#{session_name}").splitlines()

    def kill_tmux(self) -> None:
        """SIGKILL for the terminal server."""
        os.kill(int(self._tmux("display-message", "-p", "#{pid}")), signal.SIGKILL)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.tmux_socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def leftovers(self) -> list[str]:
        """Processes, terminal sessions, containers and networks that there are of this fleet."""
        place = str(self.directory)
        ours = {daemon.pid for daemon in self.daemons}
        found = [
            f"process {pid}: {' '.join(argv)[:150]}"
            for pid, argv, environment in processes()
            if pid not in ours and pid != os.getpid() and any(place in text for text in (*argv, *environment))
        ]
        found += [f"session {name}" for name in self.sessions()]
        if self.engine == "docker":
            with contextlib.closing(DockerClient(base_url=os.environ["DOCKER_HOST"])) as client:
                for row in client.api.containers(all=True, filters={"label": LABEL}):
                    if any(mount.get("Source", "").startswith(place) for mount in row.get("Mounts", ())):
                        found.append(f"container {row['Names']} ({row['State']})")
                found += [f"network {n['Name']}" for n in client.api.networks(names=[f"{self.name}-agents"])]
        return found

    def _is_ours(self, attributes: Mapping[str, Any]) -> bool:
        return any(mount.get("Source", "").startswith(str(self.directory)) for mount in attributes.get("Mounts", ()))

    async def aclose(self) -> None:
        """Ends all that is left of it, whatever happened."""
        for daemon in self.daemons:
            if daemon.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    daemon.kill()
                await daemon.wait()
        await asyncio.to_thread(self._clear_away)

    def _clear_away(self) -> None:
        self._tmux("kill-server")
        if self.engine == "docker":
            with contextlib.closing(DockerClient(base_url=os.environ["DOCKER_HOST"])) as client:
                for container in client.containers.list(all=True, filters={"label": LABEL}):
                    if self._is_ours(container.attrs):
                        container.remove(force=True)
                for network in client.networks.list(names=[f"{self.name}-agents"]):
                    network.remove()
        for pid in self._runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _runs(self) -> list[int]:
        place = str(self.state)
        return [pid for pid, argv, env in processes() if pid != os.getpid() and any(place in text for text in (*argv, *env))]


def processes() -> list[tuple[int, list[str], list[str]]]:
    """What runs on this machine: pid, argv, environment."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            argv = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
            environment = (directory / "environ").read_bytes().decode(errors="replace").split("\0")
            found.append((int(directory.name), argv, environment))
    return found
