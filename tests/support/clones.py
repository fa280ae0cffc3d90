"""What upstream holds when a fleet has ended, read by git from a fresh clone. Nothing here knows orchestrad."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.source_project import git


@dataclass(frozen=True)
class Clone:
    path: Path

    @classmethod
    def of(cls, upstream: Path, directory: Path) -> Self:
        git(directory, "clone", "-q", "--branch", "main", f"file://{upstream}", "clone")
        return cls(directory / "clone")

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def changed(self) -> set[str]:
        """The paths that differ from the first commit."""
        first = git(self.path, "rev-list", "--max-parents=0", "HEAD").split()[0]
        return set(git(self.path, "diff", "--name-only", "--no-renames", first, "HEAD").splitlines())

    def commits(self) -> Counter[tuple[str, str]]:
        """How often each subject by each author stands in the history."""
        lines = git(self.path, "log", "--format=%an%x09%s", "HEAD").splitlines()
        found = (line.partition("\t")[::2] for line in lines)
        return Counter((author, subject) for author, subject in found)

    def merged(self) -> Counter[str]:
        """How often each task was merged or found merged, by the trailers of the commits on the branch itself."""
        log = git(self.path, "log", "--first-parent", "--format=%(trailers:key=Task,valueonly,separator=%x0A)", "HEAD")
        return Counter(line for line in log.splitlines() if line)
