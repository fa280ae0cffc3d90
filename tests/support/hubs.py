"""A hub and its upstream, as tests handle them: the one in memory, and git's own repositories by plain git commands."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orchestrad.core.ids import Oid
from orchestrad.hub.fake import FakeHub
from orchestrad.hub.git import GitHub
from orchestrad.hub.port import Hub

Files = Mapping[str, bytes]


class HubBench(Protocol):
    """What a contract test does to a hub besides calling it."""

    @property
    def hub(self) -> Hub: ...
    def commit(self, files: Files, *parents: Oid) -> Oid:
        """A commit with exactly these files, in the hub, named by no ref."""
        ...

    def files(self, commit: Oid) -> Files: ...
    def parents(self, commit: Oid) -> tuple[Oid, ...]: ...
    def message(self, commit: Oid) -> str: ...
    def upstream_tip(self) -> Oid | None: ...
    def upstream_moves(self, files: Files) -> Oid:
        """Someone pushes a commit with exactly these files on top of upstream's branch."""
        ...

    def upstream_is_rewritten(self, files: Files) -> Oid: ...
    def upstream_goes_away(self) -> None: ...
    def upstream_comes_back(self) -> None: ...
    def upstream_refuses(self, reason: str) -> None: ...


class FakeBench:
    def __init__(self, files: Files) -> None:
        self.hub = FakeHub(files=files)

    def commit(self, files: Files, *parents: Oid) -> Oid:
        return self.hub.commit(files, parents, message="work")

    def files(self, commit: Oid) -> Files:
        return self.hub.commits[commit].files

    def parents(self, commit: Oid) -> tuple[Oid, ...]:
        return self.hub.commits[commit].parents

    def message(self, commit: Oid) -> str:
        return self.hub.commits[commit].message

    def upstream_tip(self) -> Oid | None:
        return self.hub.upstream_tip

    def upstream_moves(self, files: Files) -> Oid:
        tip = self.hub.upstream_tip
        self.hub.upstream_tip = self.hub.commit(files, [tip] if tip else [], message="theirs")
        return self.hub.upstream_tip

    def upstream_is_rewritten(self, files: Files) -> Oid:
        self.hub.upstream_tip = self.hub.commit(files, message="anew")
        return self.hub.upstream_tip

    def upstream_goes_away(self) -> None:
        self.hub.upstream_away = True

    def upstream_comes_back(self) -> None:
        self.hub.upstream_away = False

    def upstream_refuses(self, reason: str) -> None:
        self.hub.upstream_refusal = reason


class GitBench:
    def __init__(self, place: Path, files: Files) -> None:
        self.place = place
        self.upstream = place / "upstream.git"
        git("init", "-q", "--bare", "-b", "main", self.upstream)
        self._upstream_gets(files)
        self.hub = GitHub(place / "state", url=str(self.upstream), branch="main")
        self.repository = place / "state" / "hub.git"

    def commit(self, files: Files, *parents: Oid) -> Oid:
        return commit_files(self.repository, files, parents)

    def files(self, commit: Oid) -> Files:
        return read_files(self.repository, commit)

    def parents(self, commit: Oid) -> tuple[Oid, ...]:
        line = git("rev-list", "--parents", "--no-walk", commit, repository=self.repository)
        return tuple(Oid(oid) for oid in line.decode().split()[1:])

    def message(self, commit: Oid) -> str:
        return git("log", "-1", "--format=%B", commit, repository=self.repository).decode().strip()

    def upstream_tip(self) -> Oid | None:
        return Oid(git("rev-parse", "refs/heads/main", repository=self.upstream).decode().strip())

    def upstream_moves(self, files: Files) -> Oid:
        tip = self.upstream_tip()
        return self._upstream_gets(files, *([tip] if tip else []))

    def upstream_is_rewritten(self, files: Files) -> Oid:
        return self._upstream_gets(files)

    def upstream_goes_away(self) -> None:
        self.upstream.rename(self.place / "away.git")

    def upstream_comes_back(self) -> None:
        (self.place / "away.git").rename(self.upstream)

    def upstream_refuses(self, reason: str) -> None:
        hook = self.upstream / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho '{reason}' >&2\nexit 1\n")
        hook.chmod(0o755)

    def _upstream_gets(self, files: Files, *parents: Oid) -> Oid:
        oid = commit_files(self.upstream, files, parents)
        git("update-ref", "refs/heads/main", oid, repository=self.upstream)
        return oid


def git(*arguments: str | Path, repository: Path | None = None, stdin: bytes = b"", **environment: str) -> bytes:
    """What plain git prints; fails the test when git fails."""
    chosen = [f"--git-dir={repository}"] if repository else []
    identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
    done = subprocess.run(
        ["git", *chosen, *arguments], input=stdin, capture_output=True, env={**os.environ, **identity, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout


_WHO = {"NAME": "someone", "EMAIL": "someone@example.invalid", "DATE": "1700000000 +0000"}


def commit_files(repository: Path, files: Mapping[str, bytes], parents: tuple[Oid, ...] = (), mode: str = "100644") -> Oid:
    """A commit made by plain git; a path may have surrogates, which stand for bytes that are no UTF-8."""
    return commit_entries(repository, {path: (mode, data) for path, data in files.items()}, parents)


def commit_entries(repository: Path, entries: Mapping[str, tuple[str, bytes]], parents: tuple[Oid, ...] = ()) -> Oid:
    index = str(repository / "index.of-test")
    lines = []
    for path, (mode, data) in entries.items():
        blob = git("hash-object", "-w", "--stdin", repository=repository, stdin=data).decode().strip()
        lines.append(f"{mode} {blob}\t".encode() + os.fsencode(path) + b"\0")
    git("read-tree", "--empty", repository=repository, GIT_INDEX_FILE=index)
    git("update-index", "-z", "--index-info", repository=repository, stdin=b"".join(lines), GIT_INDEX_FILE=index)
    tree = git("write-tree", repository=repository, GIT_INDEX_FILE=index).decode().strip()
    Path(index).unlink(missing_ok=True)
    given = [word for parent in parents for word in ("-p", parent)]
    return Oid(git("commit-tree", *given, "-m", "work", tree, repository=repository).decode().strip())


def read_files(repository: Path, commit: str) -> Mapping[str, bytes]:
    records = git("ls-tree", "-r", "-z", commit, repository=repository).split(b"\0")[:-1]
    heads = [record.partition(b"\t") for record in records]
    return {os.fsdecode(path): git("cat-file", "blob", head.split()[2].decode(), repository=repository) for head, _, path in heads}
