"""`orchestrad attach`: shows an agent's terminal, on whichever tmux server it is."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrad.cli import screen
from orchestrad.cli.failures import BadUsage, Failure
from orchestrad.cli.fleet import Fleet, config_option, find_fleet, read_config

INSTALL = "Install tmux 3.2 or newer (Debian, Ubuntu: apt install tmux; macOS: brew install tmux)"


@dataclass(frozen=True, slots=True)
class Server:
    """A tmux server, as `terminals.socket` names it: a name, a path, or None for the user's own."""

    socket: str | None

    @property
    def argv(self) -> list[str]:
        """The words that every tmux command to this server begins with."""
        return ["tmux", "-S" if self.socket and "/" in self.socket else "-L", self.socket or "default"]

    def path(self, environ: Mapping[str, str]) -> Path:
        """Where its socket lies."""
        if self.socket and "/" in self.socket:
            return Path(self.socket)
        return Path(environ.get("TMUX_TMPDIR") or "/tmp") / f"tmux-{os.getuid()}" / (self.socket or "default")  # noqa: S108 (tmux's)

    def sessions(self) -> list[str]:
        """The names of all its sessions; none when it does not run. Raises Failure without tmux."""
        try:
            said = subprocess.run(
                [*self.argv, "list-sessions", "-F", "#{session_name}"], capture_output=True, text=True, check=False, timeout=10
            )
        except FileNotFoundError:
            raise Failure(f"tmux is not on PATH. {INSTALL}") from None
        except subprocess.TimeoutExpired:
            raise Failure("tmux does not answer; is its server stopped? See: ps -o pid,stat,args -C tmux") from None
        return said.stdout.splitlines() if said.returncode == 0 else []


@click.command()
@config_option
@click.argument("agent", required=False)
@click.option("--read-only", "-r", is_flag=True, help="Only watch: nothing typed reaches the agent.")
@click.option("--print", "only_print", is_flag=True, help="Print the tmux command instead of running it.")
def attach(config_directory: Path | None, agent: str | None, read_only: bool, only_print: bool) -> None:
    """Show an agent's terminal; detach with tmux's own key (Ctrl-b d)."""
    fleet = find_fleet(config_directory)
    name, server, agents = _named(fleet)
    there = server.sessions()
    shown = {each: f"{name}-{each}" for each in agents if f"{name}-{each}" in there}
    chosen = agent if agent is not None else _picked(shown)
    if chosen not in shown:
        raise Failure(_why_not(fleet, chosen, shown, agents))
    argv, environ = command(server, shown[chosen], os.environ, read_only=read_only)
    if only_print:
        screen.say(" ".join(argv))
        return
    if not sys.stdin.isatty():
        raise BadUsage(f"attach needs a terminal. In one, run: {' '.join(argv)}")
    os.execvpe(argv[0], argv, environ)  # noqa: S606 (the terminal is handed over to tmux)


def command(server: Server, session: str, environ: Mapping[str, str], *, read_only: bool) -> tuple[list[str], dict[str, str]]:
    """What to run, and with which environment: inside the same server the client is switched, inside another one nested."""
    target = f"={session}"
    inside = environ.get("TMUX", "").partition(",")[0]
    if inside and _same_file(Path(inside), server.path(environ)):
        return [*server.argv, "switch-client", *(["-r"] if read_only else []), "-t", target], dict(environ)
    # tmux refuses to be nested while TMUX is set. The outer one's prefix must then be pressed twice to reach the inner.
    kept = {name: value for name, value in environ.items() if name != "TMUX"}
    return [*server.argv, "attach-session", *(["-r"] if read_only else []), "-t", target], kept


def _named(fleet: Fleet) -> tuple[str, Server, list[str]]:
    """The fleet's name, its tmux server, and its agents: from its daemon, else from its config."""
    if fleet.client is not None:
        document = fleet.client.status()
        return document["fleet"]["name"], Server(document["fleet"]["tmuxSocket"]), [a["name"] for a in document["agents"]]
    config = read_config(fleet.config_directory)
    workers = [f"worker-{number}" for number in range(1, config.worker_count + 1)]
    return config.name, Server(config.terminals.socket), [*(["manager"] if config.manager.enabled else []), *workers]


def _picked(shown: Mapping[str, str]) -> str:
    if not shown:
        raise Failure("no agent has a terminal now; `orchestrad status` tells what they do")
    if not sys.stdin.isatty():
        raise BadUsage(f"name the agent: orchestrad attach {'|'.join(shown)}")
    names = list(shown)
    for number, name in enumerate(names, 1):
        screen.say(f"{number:3}  {name}")
    answer: str = click.prompt("Which agent", default=names[0], show_default=True)
    return names[int(answer) - 1] if answer.isdecimal() and 0 < int(answer) <= len(names) else answer


def _why_not(fleet: Fleet, agent: str, shown: Mapping[str, str], agents: list[str]) -> str:
    if fleet.client is not None:
        sentence = fleet.client.why(agent)  # raises for a name that nobody has, naming the nearest
        if agent in agents:
            return f"{agent} has no terminal now: {sentence}"
    return f"{agent} has no terminal now. These have: {', '.join(shown) or 'none'}"


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
