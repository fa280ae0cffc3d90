"""Where the files lie that are shipped with the package and not imported: hooks/ and docker/.

In a checkout they are at the repository's root, in an installed wheel inside the package (`[tool.hatch.build]` in
pyproject.toml puts them there).
"""

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent


def hooks_directory() -> Path:
    """What agents run from `$ORCHESTRAD_HOOKS`: the hook script, `orch`, the entrypoint."""
    return _shipped("hooks")


def docker_directory() -> Path:
    """What the agent image is built from."""
    return _shipped("docker")


def _shipped(name: str) -> Path:
    for directory in (PACKAGE / "_files" / name, PACKAGE.parent / name):
        if directory.is_dir():
            return directory
    raise FileNotFoundError(f"the installed orchestrad lacks its {name}/ directory ({PACKAGE}). Install it again")
