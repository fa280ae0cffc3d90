"""Looks for live secrets in what a push brings, while it is still in git's quarantine: no agent has read it then.

All that came is looked at, reachable or not, since all of it would lie in the hub's objects, which every agent reads. One
`git cat-file` streams it; a second command finds the path, once there is something to tell.
"""

import asyncio
import re
from asyncio.subprocess import DEVNULL
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrad.core.ids import Oid
from orchestrad.hub.needles import Needles, Search
from orchestrad.hub.port import RefUpdate, Verdict
from orchestrad.hub.run import CHUNK, Git, GitFailed, running

TIME_LIMIT: Final = timedelta(seconds=20)  # some GB; whoever pushes waits that long, and the agent's Stop with it
MOST_NAMED: Final = 3  # places in one refusal, which is one line
PATH_LIMIT: Final = 150  # characters of each of them
_QUARANTINE: Final = re.compile(r"[\w-]+", re.ASCII)  # git's own name for it, below the objects


@dataclass(frozen=True, slots=True)
class _Finding:
    oid: Oid
    kind: str
    line: int


async def refusal_of(git: Git, quarantine: str, updates: Sequence[RefUpdate], secrets: Collection[str]) -> Verdict:
    """Why a push is refused that brings one of the secrets, or that can't be searched in time; else None.

    `quarantine` is the name of the directory below the repository's objects in which its objects are. The reason has
    path and line, never the secret. Raises GitFailed when git could not read them.
    """
    needles = Needles(secrets)
    if not needles or all(update.new is None for update in updates):
        return None
    if not _QUARANTINE.fullmatch(quarantine):
        raise GitFailed("receive-pack", f"it named {quarantine[:60]!r} as the place of a push")
    if any(needles.line(update.ref.encode("utf-8", "replace")) for update in updates):
        return said_of(["a ref's name"])
    objects = git.directory / "objects"
    incoming = git.environment | {"GIT_OBJECT_DIRECTORY": str(objects / quarantine)}
    together = Git(git.directory)
    together.environment |= incoming | {"GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(objects)}
    try:
        async with asyncio.timeout(TIME_LIMIT.total_seconds()):
            found = await _findings(git, incoming, needles)
            if not found:
                return None
            paths = await _paths(together, updates)
    except TimeoutError:
        return (
            f"this push is too large to be searched for secrets within {TIME_LIMIT.total_seconds():.0f} s, nothing was changed."
            " Push it in parts, earlier commits first, and leave out what can be made anew."
        )
    return said_of([_place(paths.get(one.oid), one.line, needles, other=_other(one)) for one in found])


def said_of(places: Sequence[str]) -> str:
    """The refusal that names these places."""
    return (
        f"a live credential or token, as it is or in base64, is in {'; '.join(sorted(set(places))[:MOST_NAMED])}. Nothing was"
        " changed. Take it out of every commit of this push (git commit --amend, or git reset --soft and commit again), and push."
    )


async def _findings(git: Git, environment: dict[str, str], needles: Needles) -> list[_Finding]:
    """The first new objects that hold a secret."""
    found: list[_Finding] = []
    argv = git.argv("cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer")
    async with running(argv, environment=environment, stdin=DEVNULL) as process:
        if process.stdout is None:
            raise AssertionError("what is searched comes through a pipe: this is a bug in running()")
        while head := await process.stdout.readline():
            oid, kind, size = head.decode().split()
            line = await _search(process.stdout, int(size), needles)
            # A pack is completed by old objects that its deltas build upon; they are nothing that this push brings.
            if line is not None and (await git.run("cat-file", "-e", oid, accept=(0, 1))).status == 1:
                found.append(_Finding(Oid(oid), kind, line))
                if len(found) == MOST_NAMED:
                    return found
        if await process.wait() != 0:
            raise GitFailed("cat-file", "what was pushed could not be read")
    return found


async def _search(stdout: asyncio.StreamReader, size: int, needles: Needles) -> int | None:
    """Reads one object and the line's end behind it; the line on which it holds a secret."""
    search = Search(needles)
    left = size
    while left:
        piece = await stdout.read(min(left, CHUNK))
        if not piece:
            raise GitFailed("cat-file", "it ended in the middle of an object")
        left -= len(piece)
        search.feed(piece)
    await stdout.readexactly(1)
    return search.line


async def _paths(git: Git, updates: Sequence[RefUpdate]) -> dict[Oid, str]:
    """The paths of what is new."""
    tips = "".join(f"{update.new}\n" for update in updates if update.new is not None)
    done = await git.run("rev-list", "--objects", "--stdin", "--not", "--all", stdin=tips.encode())
    pairs = (line.partition(b" ") for line in done.out.split(b"\n"))
    return {Oid(oid.decode()): path.decode("utf-8", "replace") for oid, _, path in pairs if path}


def _place(path: str | None, line: int, needles: Needles, *, other: str) -> str:
    # A file without a path is reached by none of the pushed refs; a path may hold the secret itself.
    if path is None or needles.line(path.encode("utf-8", "replace")) is not None:
        return other
    short = path if len(path) <= PATH_LIMIT else f"…{path[-PATH_LIMIT:]}"
    return f"{short}, line {line}"


def _other(finding: _Finding) -> str:
    what = {"tree": "a file's name", "commit": f"the text of commit {finding.oid[:12]}"}
    return what.get(finding.kind, f"the {finding.kind} {finding.oid[:12]}, line {finding.line}")


def _quoted(path: Path) -> str:
    """As git reads it in a list of paths that are parted by colons."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
