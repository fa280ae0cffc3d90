"""Where the user's repository is: the forms that `repositoryUrl` may take, and what of one may be shown."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]*$"
NAME_LENGTH: Final = 40  # with "-worker-100" it still fits a host name (63) and leaves room in a socket's path

_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP: Final = re.compile(r"^(?:[\w.-]+@)?[\w.-]+:[^/:\s].*$|^(?:[\w.-]+@)?[\w.-]+:/.+$")
# Greedy up to the last @: a password that should have been percent-encoded may hold a / or an @ itself.
_LOGIN: Final = re.compile(r"(?i)(https?://)\S*@|(\b[a-z0-9+.-]+://)[^\s@]*:\S*@")


class UrlKind(StrEnum):
    """How git reaches the repository."""

    HTTPS = "https"
    HTTP = "http"
    SSH = "ssh"
    SCP = "scp"
    FILE = "file"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """A repository as git is to be asked for it; `shown` is what people may see, without a login's password."""

    kind: UrlKind
    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        return redact(self.url)

    @property
    def slug(self) -> str:
        """A fleet's name from the last segment; "fleet" where that has no letter or digit of ASCII."""
        segments = [part for part in re.split(r"[/:]", self.url.rstrip("/")) if part and part != ".git"]
        return slug(segments[-1].removesuffix(".git")) if segments else "fleet"

    def __str__(self) -> str:
        return self.shown


def parse_repository_url(text: str, directory: Path, home: Path) -> RepositoryUrl | None:
    """The repository that `text` names, a path taken from `directory`; None if it has no form that is known and safe."""
    if not text or text.startswith("-") or "::" in text or any(not part.isprintable() for part in text):
        return None  # git would read an option, or a transport that runs a command
    if scheme := _SCHEME.match(text):
        kind = scheme[1].lower()
        rest = text[scheme.end() :]
        if kind not in {"https", "http", "ssh", "file"} or not rest or (kind != "file" and rest.startswith("/")):
            return None
        return RepositoryUrl(UrlKind(kind), text)
    if _SCP.match(text) and not text.startswith(("/", ".", "~")):
        return RepositoryUrl(UrlKind.SCP, text)
    return RepositoryUrl(UrlKind.PATH, str(absolute(text, directory, home)))


def absolute(text: str, directory: Path, home: Path) -> Path:
    """The path that `text` means in a file of `directory`, `~` being `home`; nothing is looked up."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return (directory / text).absolute()


def redact(text: str) -> str:
    """`text` without the login of any URL in it; the user name of ssh, which is no secret, stays."""
    return _LOGIN.sub(lambda match: f"{match[1] or match[2]}…@", text)


def slug(text: str) -> str:
    """A safe name made of `text`; "fleet" when nothing of it can be used."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:NAME_LENGTH].strip("-") or "fleet"
