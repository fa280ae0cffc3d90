"""Whether git would put the config directory's files into a repository, from where credentials never come back."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

GIT_TIME_LIMIT_SECONDS: Final = 10


def tracked_by_git(files: Iterable[Path], environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Those of `files` that lie in a git work tree and are not ignored there. None where git is absent or can't say.

    Blocks for as long as git takes.
    """
    by_directory: dict[Path, list[Path]] = {}
    for file in files:
        by_directory.setdefault(file.parent, []).append(file)
    found = []
    for directory, inside in by_directory.items():
        names = [file.name for file in inside]
        answer = _git(directory, environ, "rev-parse", "--is-inside-work-tree")
        if answer is None or answer.returncode != 0 or answer.stdout.strip() != b"true":
            continue
        ignored = _git(directory, environ, "check-ignore", "-z", "--stdin", given="\0".join(names).encode() + b"\0")
        if ignored is None or ignored.returncode not in (0, 1):
            continue
        safe = {os.fsdecode(name) for name in ignored.stdout.split(b"\0")}
        found += [file for file in inside if file.name not in safe]
    return tuple(found)


def _git(
    directory: Path, environ: Mapping[str, str], *arguments: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes] | None:
    # HOME is where the user's own ignore file lies; anything else (GIT_DIR of a hook, say) would mislead.
    kept = {name: environ[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME") if name in environ}
    # A work tree of another user tracks files all the same; no program that it configures is to run.
    options = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
    try:
        return subprocess.run(
            ("git", *options, "-C", str(directory), *arguments),
            input=given,
            capture_output=True,
            env={**kept, "LC_ALL": "C"},
            timeout=GIT_TIME_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
