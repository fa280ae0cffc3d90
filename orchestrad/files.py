"""Where the files lie that ship beside the code: `hooks/` and `docker/`, in a checkout or in an installed package."""

import re
from functools import cache
from pathlib import Path
from typing import Final

_PACKED: Final = Path(__file__).parent / "_files"  # where the wheel has them
_ROOT: Final = _PACKED if _PACKED.is_dir() else Path(__file__).parent.parent

HOOKS: Final = _ROOT / "hooks"
DOCKER: Final = _ROOT / "docker"


def hooks_directory() -> Path:
    """What agents run from `$ORCHESTRAD_HOOKS`: the hook script, `orch`, the entrypoint."""
    return HOOKS


def docker_directory() -> Path:
    """What the agent image is built from."""
    return DOCKER


@cache
def cli_version() -> str:
    """The version of Claude Code that agents run; docker/agent.Dockerfile is the one place that says it."""
    found = re.search(r"^ARG CLAUDE_CODE_VERSION=(\S+)$", (DOCKER / "agent.Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("docker/agent.Dockerfile names no CLAUDE_CODE_VERSION: this is a bug")
    return found[1]
