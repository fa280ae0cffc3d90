"""Refs: read from their files, moved by `git update-ref` with the value they must have, durable when a move returns.

git syncs the content of a ref, not the directory in which it renames it into place; the directory is synced here, so
that a merge which the store calls done is still there after a power cut.
"""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrad.core.ids import Oid
from orchestrad.errors import Refused
from orchestrad.hub.names import ZERO, is_oid, is_ref_name
from orchestrad.hub.run import Git, GitFailed, reason_of

# git holds the lock of a ref for milliseconds. One this old was left behind by a process that was killed.
STALE: Final = timedelta(seconds=10)

_LOOK_AGAIN_S: Final = 0.1
# No request is served for so long, see http.py; a push that an earlier daemon began may still be coming in.
ABANDONED: Final = timedelta(hours=1)


async def read_ref(git: Git, name: str) -> Oid | None:
    """What a full ref name points at, read from its file or `packed-refs`; None if it isn't there or is no name."""
    if not is_ref_name(name):
        return None
    for _ in range(2):  # a ref that is being packed goes from the file to the pack: the file first, then the pack
        try:
            text = (git.directory / name).read_text("ascii").strip()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return _packed(git.directory).get(name)
        except UnicodeDecodeError:
            text = ""
        if is_oid(text):
            return Oid(text)
    # A symbolic ref, or something that only git can tell.
    done = await git.run("rev-parse", "--verify", "--quiet", f"{name}^{{object}}", accept=(0, 1, 128))
    return Oid(done.out.decode().strip()) if done.status == 0 else None


async def read_refs(git: Git, prefix: str) -> Mapping[str, Oid]:
    """All refs whose full name begins with `prefix`, which may end in the middle of a word."""
    directory = prefix.rpartition("/")[0]
    if directory and not is_ref_name(f"{directory}/x"):
        return {}
    done = await git.run("for-each-ref", "--format=%(objectname) %(refname)", *([directory] if directory else []))
    lines = (line.partition(" ") for line in done.out.decode("utf-8", "replace").splitlines())
    return {name: Oid(oid) for oid, _, name in lines if name.startswith(prefix)}


async def move_ref(git: Git, name: str, *, new: Oid | None, expected: Oid | None) -> bool:
    """See `Hub.move`. Raises Refused for what is no ref or object name, GitFailed when git can't write."""
    if not is_ref_name(name) or any(oid is not None and not is_oid(oid) for oid in (new, expected)):
        raise Refused(f"can't move {name[:80]!r}: it, or a commit given with it, is no name that git knows. This is a bug.")
    found = await read_ref(git, name)
    if found == expected != new:
        order = [name, new, expected or ZERO] if new is not None else ["-d", name, expected or ZERO]
        done = await git.run("update-ref", "--no-deref", *order, accept=(0, 1, 128))
        if done.status and remove_stale_lock(git.directory, name):
            done = await git.run("update-ref", "--no-deref", *order, accept=(0, 1, 128))
        found = await read_ref(git, name)
        if done.status and found == expected:  # not a race lost: it could not be written
            raise GitFailed("update-ref", reason_of(done.err))
    if found != new:
        return False
    await asyncio.to_thread(sync_directories, git.directory, name)
    return True


def sync_directories(repository: Path, name: str) -> None:
    """Makes the place of a ref in its directories durable."""
    for parent in Path(name).parents:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # git removes empty ones
            directory = os.open(repository / parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def remove_stale_lock(repository: Path, name: str) -> bool:
    """Removes the locks of one ref that a killed process left; whether there was one."""
    removed = [_remove_if_stale(lock) for lock in _locks(repository, name)]
    return any(removed)


async def wait_for_lock(repository: Path, name: str) -> None:
    """Returns when nobody holds the lock of a ref that only we move: at once, or when what a killed git left is stale.

    git removes its lock when it is told to end, but not if that comes right after it made the file.
    """
    locks = _locks(repository, name)
    for _ in range(int(2 * STALE.total_seconds() / _LOOK_AGAIN_S)):  # bounded: a clock may have been set back
        if not any(lock.exists() and not _remove_if_stale(lock) for lock in locks):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


def remove_leftovers(repository: Path) -> None:
    """Removes what killed processes left: locks, and pushes that were never finished."""
    for lock in (*repository.glob("*.lock"), *(repository / "refs").rglob("*.lock")):
        _remove_if_stale(lock)
    for quarantine in (repository / "objects").glob("tmp_objdir-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - quarantine.stat().st_mtime > ABANDONED.total_seconds():
                shutil.rmtree(quarantine, ignore_errors=True)


def _locks(repository: Path, name: str) -> tuple[Path, ...]:
    """What git locks to move a ref; HEAD, since it names the shared branch and has a log of its moves."""
    return tuple(repository / f"{locked}.lock" for locked in (name, "HEAD", "packed-refs"))


def _remove_if_stale(lock: Path) -> bool:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if time.time() - lock.stat().st_mtime > STALE.total_seconds():
            lock.unlink()
            return True
    return False


def _packed(repository: Path) -> Mapping[str, Oid]:
    try:
        lines = (repository / "packed-refs").read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return {}
    fields = (line.partition(" ") for line in lines if line[:1] not in ("#", "^"))
    return {name: Oid(oid) for oid, _, name in fields if is_oid(oid)}
