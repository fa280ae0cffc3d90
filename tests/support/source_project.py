"""A repository with a real project in it: the source distribution of a Python package, as its index gives it.

It is fetched once by pip, in the way that this machine's user has set pip up, and kept in .cache/test.
"""

import os
import pwd
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
CACHE: Final = ROOT / ".cache" / "test" / "sdist"
PACKAGE: Final = "click==8.2.1"  # small, pure, with tests and documents of its own; its build needs one small package
AUTHOR: Final = ("-c", "user.name=A Person", "-c", "user.email=person@example.invalid", "-c", "commit.gpgSign=false")


class NotToBeHad(RuntimeError):
    """The distribution is not here and could not be fetched; the text holds the command to try by hand."""


def source_distribution(package: str = PACKAGE) -> Path:
    """The package's source distribution; fetched when it is not in the cache. Raises NotToBeHad."""
    name, _, version = package.partition("==")
    kept = CACHE / f"{name}-{version}.tar.gz"
    if kept.is_file():
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", str(CACHE), package]
    # Tests have a home of their own; how this machine reaches its package index may stand in the real one.
    environment = {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not kept.is_file():
        raise NotToBeHad(f"the end-to-end tests need {kept.name}. Try: {' '.join(command)}\npip said: {done.stderr.strip()}")
    return kept


def make_upstream(directory: Path, more: Mapping[str, str]) -> Path:
    """A bare repository below `directory` whose branch main holds the project and the files of `more`."""
    work, upstream = directory / "first-commit", directory / "upstream.git"
    work.mkdir(parents=True)
    with tarfile.open(source_distribution()) as archive:
        for member in archive.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name and member.isfile():
                archive.extract(member, work, filter="data")
    for name, content in more.items():
        (work / name).write_text(content)
    git(directory, "init", "-q", "--bare", "-b", "main", str(upstream))
    git(work, "init", "-q", "-b", "main")
    git(work, "add", "-A", "-f")
    git(work, "commit", "-q", "-m", "Begin")
    git(work, "push", "-q", str(upstream), "main")
    return upstream


def git(at: Path, *arguments: str) -> str:
    """Runs git as a person of this machine would; gives what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**clean, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=at, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"`git {' '.join(arguments)}` in {at}: {done.stderr.strip()}")
    return done.stdout
