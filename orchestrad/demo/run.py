"""`orchestrad demo`: a whole fleet in a few seconds, with everything real but the model."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrad.config.places import Places
from orchestrad.daemon.service import run
from orchestrad.daemon.wiring import Show
from orchestrad.demo.project import make_config, make_project

WORKERS = 3


def main(*, keep: Path | None = None, pace: float | None = None, show: Show | None = None) -> int:
    """Makes a project, runs a Manager and three workers on it until all is merged, says where to look; the exit status."""
    directory = keep or Path(tempfile.mkdtemp(prefix="orchestrad-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    state = directory / "state"
    upstream = make_project(directory, WORKERS)
    name = f"demo-{os.urandom(2).hex()}" if keep is None else "demo"
    config = make_config(directory / "config", upstream, workers=WORKERS, state_directory=state, name=name, pace=pace)
    _say(f"A fleet of {WORKERS} workers and a Manager begins on {upstream}")
    _say(f"Watch one: tmux attach -t {name}-worker-1    (leave with Ctrl-b d)\n")
    status = run(config, until_done=True, show=show, log_level="info")
    ticked, unticked = _boxes(upstream)
    _say(f"\n{ticked} of {ticked + unticked} tasks merged into main.")
    _say(f"  the work:  git -C {upstream} log --graph --oneline main")
    _say(f"  the log:   {Places(state).log}")
    _say(f"  again, slower, with time to attach to an agent: {_program()} demo --pace 1")
    if status != 0 or unticked:  # by SIGTERM or a closed terminal: its agents may be at work still
        _say(f"  go on:     {_program()} --config {config} --until-done    (Ctrl-C ends it)")
    _say(f"  remove it: rm -r {directory}")
    return status if unticked == 0 else 1


def _program() -> str:
    """What to type to start this program: its name where a shell finds it, else its path."""
    started = Path(sys.argv[0])
    return started.name if shutil.which(started.name) else os.path.relpath(started)


def _boxes(upstream: Path) -> tuple[int, int]:
    """Ticked and unticked items, as git has them."""
    found = subprocess.run(
        ["git", "-C", str(upstream), "grep", "-hE", r"^- \[[ x]\]", "main", "--", "*TASK_LIST.md"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    ticked = sum(1 for line in found if line.startswith("- [x]"))
    return ticked, len(found) - ticked


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
