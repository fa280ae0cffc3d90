"""`orchestrad logs`: what the daemon wrote, all of it or what is about one agent; with a daemon or without."""

import json
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import click

from orchestrad.cli import screen
from orchestrad.cli.attach import Server
from orchestrad.cli.failures import Failure
from orchestrad.cli.fleet import Fleet, config_option, find_fleet

LOOK_EVERY_SECONDS: Final = 0.2
TAIL_BYTES: Final = 1 << 20  # of a log's end that is read for its last lines
SCREEN_LINES: Final = 30
COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "red"}
NOT_SHOWN: Final = ("timestamp", "level", "event", "logger", "exception", "why")


@click.command()
@config_option
@click.argument("agent", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="How many lines of the past.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are written: one JSON object each.")
def logs(config_directory: Path | None, agent: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show the daemon's log, or what it says of AGENT and what that one's terminal shows."""
    fleet = find_fleet(config_directory)
    if agent is not None and fleet.client is not None:
        fleet.client.why(agent)  # refuses a name that nobody has, and names the nearest
    path = fleet.places.log if agent is None else fleet.places.agent_log(Path(agent).name)
    if not path.is_file():
        raise Failure(f"there is no log at {path}: nothing of {agent or 'this fleet'} has been written there yet")
    shown: Callable[[str], str] = _safe if as_json else readable
    try:
        for line in _lines(path, lines, follow=follow):
            screen.say(shown(line))
        if agent is not None and not as_json:
            _show_terminal(fleet, agent)
    except (KeyboardInterrupt, BrokenPipeError):
        return  # both are how a reader says that it has seen enough


def readable(line: str) -> str:
    """A line of the log as people read it: "14:02:11  turn.ended  worker-1  its turn ended"."""
    try:
        told: dict[str, Any] = json.loads(line)
        at = datetime.fromisoformat(told["timestamp"]).astimezone()
    except (ValueError, KeyError, TypeError):
        return _safe(line)
    level = str(told.get("level", ""))
    event = click.style(screen.clean(told.get("event", "")).ljust(18), fg=COLOURS.get(level))
    about = " ".join(screen.clean(told[name]) for name in ("agent", "task") if name in told)
    rest = [f"{name}={screen.clean(value)}" for name, value in told.items() if name not in (*NOT_SHOWN, "agent", "task")]
    why = screen.clean(told["why"]) if told.get("why") else ""
    text = f"{screen.dim(f'{at:%H:%M:%S}')}  {event}  {'  '.join(filter(None, (about, why, *rest)))}"
    if told.get("exception"):
        text += "".join(f"\n    {_safe(part)}" for part in str(told["exception"]).splitlines())
    return text


def _lines(path: Path, lines: int, *, follow: bool) -> Iterator[str]:
    """The last lines of a log, then those that come; a log that is turned over is followed into the new file."""
    file = path.open("rb")
    try:
        yield from _last(file, lines)
        while follow:
            if line := file.readline():
                yield line.decode(errors="replace")
            elif _is_another(path, file):
                file.close()
                file = path.open("rb")
            else:
                time.sleep(LOOK_EVERY_SECONDS)
    finally:
        file.close()


def _last(file: IO[bytes], lines: int) -> deque[str]:
    """The last lines; the file stands at its end afterwards."""
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL_BYTES))
    return deque(file.read().decode(errors="replace").splitlines(), maxlen=lines)


def _is_another(path: Path, file: IO[bytes]) -> bool:
    try:
        return path.stat().st_ino != Path(f"/dev/fd/{file.fileno()}").stat().st_ino
    except OSError:
        return False


def _show_terminal(fleet: Fleet, agent: str) -> None:
    """The last lines of its terminal, when a daemon runs to say which that is."""
    if fleet.client is None:
        return
    document = fleet.client.status()
    session = next((a["session"] for a in document["agents"] if a["name"] == agent), None)
    argv = [*Server(document["fleet"]["tmuxSocket"]).argv, "capture-pane", "-p", "-t", f"={session}:"]
    try:
        shown = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return
    lines = shown.stdout.rstrip().splitlines()[-SCREEN_LINES:] if shown.returncode == 0 else []
    if lines:
        screen.say("")
        screen.say(screen.bold(f"its terminal shows (orchestrad attach {agent})"))
    for line in lines:
        screen.say(f"  {_safe(line)}")


def _safe(line: str) -> str:
    """A line, its indent kept, without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in line.rstrip("\r\n").expandtabs())
