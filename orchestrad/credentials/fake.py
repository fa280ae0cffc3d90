"""Credentials in memory, for tests: the same contract, and knobs for trouble."""

from collections.abc import Mapping
from pathlib import Path

from orchestrad.config.credential_file import NoCredential
from orchestrad.config.credential_pool import CredentialFile, judge
from orchestrad.errors import Unreachable


class FakeCredentials:
    """Files that exist here only. Content is judged as that of real ones."""

    def __init__(self, files: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._files: dict[Path, tuple[bytes | NoCredential, int]] = {}
        self._environ = dict(environ or {})
        self._unreachable: str | None = None
        for name, text in (files or {}).items():
            self.write(name, text)

    async def read(self) -> tuple[CredentialFile, ...]:
        if self._unreachable is not None:
            raise Unreachable(f"cannot list the credentials: {self._unreachable}. Look again later.")
        return judge(((path, content, mode) for path, (content, mode) in self._files.items()), self._environ)

    async def close(self) -> None:
        pass

    def write(self, name: str, text: str, *, mode: int = 0o600) -> None:
        """The user puts or replaces a file."""
        self._files[Path("/credentials") / name] = (text.encode(), mode)

    def delete(self, name: str) -> None:
        """The user removes a file."""
        del self._files[Path("/credentials") / name]

    def make_unreadable(self, name: str) -> None:
        """The file stays listed, but opening it fails."""
        why = NoCredential("a file that can't be read: fake", "a file that the daemon's user can read", "chmod it")
        self._files[Path("/credentials") / name] = (why, 0)

    def go_away(self, reason: str = "fake disk is gone") -> None:
        """No look succeeds until `come_back`."""
        self._unreachable = reason

    def come_back(self) -> None:
        self._unreachable = None
