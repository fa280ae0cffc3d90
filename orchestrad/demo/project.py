"""Makes what `orchestrad demo` works on: an upstream repository with work in it, and a config directory that names it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrad.demo.sample import FILES, direction, list_items

PLACEHOLDER = "placeholder-the-scripted-agent-asks-no-model"


def make_project(directory: Path, workers: int) -> Path:
    """A bare repository in `directory`, with branch main, a direction, and lists for all workers but the last.

    The Manager is to write the last one. `directory` is made; blocks for as long as git takes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    upstream, work = directory / "upstream.git", directory / "first-commit"
    files = dict(FILES)
    files["PROJECT_DIRECTION.md"] = direction(workers, ready=workers - 1)
    for worker in range(1, workers):
        files[f"WORKER_{worker}_TASK_LIST.md"] = f"# Tasks of worker {worker}\n\n{list_items(worker, workers)}"
    for name, content in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    _git("init", "-q", "--bare", "-b", "main", str(upstream), at=directory)
    _git("init", "-q", "-b", "main", at=work)
    _git("add", "-A", at=work)
    _git("commit", "-q", "-m", "Count words", at=work)
    _git("push", "-q", str(upstream), "main", at=work)
    shutil.rmtree(work)
    return upstream


def make_config(
    directory: Path,
    upstream: Path,
    *,
    workers: int,
    state_directory: Path | None = None,
    name: str = "demo",
    pace: float | None = None,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """The config directory of a fleet of scripted agents under engine `process`; `directory`, made where it is missing.

    `pace`: seconds that an agent takes for a step; None leaves that to the agent. `more` is laid over the settings.
    """
    credentials = directory / "credentials"
    credentials.mkdir(parents=True, exist_ok=True)
    credential = credentials / "placeholder.json"
    descriptor = os.open(credential, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"env": {"ANTHROPIC_AUTH_TOKEN": PLACEHOLDER}}, file)
    settings: dict[str, Any] = {
        "repositoryUrl": str(upstream),
        "workerCount": workers,
        "claudeConfigs": "credentials/*.json",
        "name": name,
        "engine": "process",
        "agent": {"command": agent_command(pace)},
    }
    if state_directory is not None:
        settings["stateDirectory"] = str(state_directory)
    (directory / "orchestrator.json").write_text(json.dumps({**settings, **(more or {})}, indent=2) + "\n")
    return directory


def agent_command(pace: float | None = None) -> list[str]:
    """How the scripted agent is started; its arguments follow."""
    # -P: the workspace, in which it starts, may hold modules of any name.
    command = [sys.executable, "-P", "-m", "orchestrad.demo.agent"]
    return command if pace is None else ["env", f"ORCHESTRAD_SCRIPT_PACE={pace:g}", *command]


def _git(*arguments: str, at: Path) -> None:
    """Runs git without the user's own settings; its words are in the error."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean = {**kept, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    who = ("-c", "user.name=orchestrad demo", "-c", "user.email=demo@orchestrad.invalid", "-c", "commit.gpgSign=false")
    command = ["git", *who, *arguments]
    done = subprocess.run(command, cwd=at, env=clean, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cannot make the sample project: `git {' '.join(arguments)}` said: {done.stderr.strip()}")
