"""What a credential file holds, told by its content and never by its name; pure.

Lies here, and not in `orchestrad.credentials`, because a file that is none of the kinds is a mistake of configuration.
Source: facts on Claude Code, "Unattended start" and "Credentials and limits".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any, Final

from orchestrad.config.overrides import Unset, expand
from orchestrad.config.secret import Secret

LARGEST: Final = 64 * 1024  # bytes; real ones have a few hundred, and a huge file is a glob that matches too much

API_KEY: Final = "ANTHROPIC_API_KEY"
TOKENS: Final = ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN")
SWITCHES: Final = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX")
# What goes along with a credential: where requests go, and what the cloud providers' own logins need.
ALONG: Final = re.compile(
    r"^(ANTHROPIC_|AWS_|VERTEX_|GOOGLE_|CLOUD_ML_REGION$|CLAUDE_CODE_USE_|CLAUDE_CODE_SKIP_(BEDROCK|VERTEX)_AUTH$)"
)

_BARE_KEY: Final = re.compile(r"^sk-ant-api\d{2}-[\w-]{8,}$", re.ASCII)
_BARE_TOKEN: Final = re.compile(r"^sk-ant-oat\d{2}-[\w-]{8,}$", re.ASCII)
_HEADER_SAFE: Final = re.compile(r"^[\x21-\x7e]+$")


class CredentialKind(StrEnum):
    """How Claude Code is to be given a credential, and whether agents may share it."""

    TOKEN = auto()
    API_KEY = auto()
    PROVIDER = auto()
    """Bedrock or Vertex: the login is the provider's own, carried by `env`."""
    OAUTH_FILE = auto()
    """A login that the CLI renews by itself: recognised, not in use yet."""


IN_USE: Final = frozenset({CredentialKind.TOKEN, CredentialKind.API_KEY, CredentialKind.PROVIDER})


class NoCredential(ValueError):
    """The content holds no credential that can be used. Its words never hold any of the content's values."""

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(f"found {found}, expected {expected}. {remedy}.")


@dataclass(frozen=True, slots=True)
class Credential:
    """A login as its file gives it. `variable` is the CLI's name for `secret`, empty where it has none."""

    kind: CredentialKind
    secret: Secret
    variable: str = ""
    along: Mapping[str, Secret] = field(default_factory=dict)
    """Further variables that the CLI needs with it, e.g. ANTHROPIC_BASE_URL."""

    @property
    def fingerprint(self) -> str:
        return self.secret.fingerprint


def parse_credential(content: bytes, environ: Mapping[str, str]) -> tuple[Credential, tuple[str, ...]]:
    """The credential in a file's content, and the names of settings in `env` that agents are not given.

    `${VAR}` in a value of `env` is taken from `environ`. Raises NoCredential.
    """
    if len(content) > LARGEST:
        raise _none_of_the_kinds(f"more than {LARGEST // 1024} KiB")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _none_of_the_kinds("bytes that are no UTF-8 text") from None
    if not text:
        raise NoCredential("an empty file", "a credential", "write one into it, or remove the file")
    if text[0] not in '{["':
        return _bare(text), ()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise NoCredential(f"broken JSON{place}", "JSON, or just a key or token", "mend it there") from None
    if isinstance(data, str):
        return _bare(data.strip()), ()
    if isinstance(data, dict) and "claudeAiOauth" in data:
        return _oauth(data["claudeAiOauth"]), ()
    if isinstance(data, dict) and isinstance(data.get("env"), dict):
        return _settings(data["env"], environ)
    raise _none_of_the_kinds("JSON without `env` or `claudeAiOauth`")


def _bare(text: str) -> Credential:
    if _BARE_KEY.match(text):
        return Credential(CredentialKind.API_KEY, Secret(text), API_KEY)
    if _BARE_TOKEN.match(text):
        return Credential(CredentialKind.TOKEN, Secret(text), TOKENS[0])
    raise _none_of_the_kinds("a text that begins neither as a key nor as a token")


def _oauth(login: Any) -> Credential:
    names = ("refreshToken", "accessToken")
    values = [login.get(name) for name in names] if isinstance(login, dict) else []
    secret = next((value for value in values if isinstance(value, str) and value), None)
    if secret is None:
        raise NoCredential("`claudeAiOauth` without tokens", "a login of Claude Code", "log in again and copy the file")
    return Credential(CredentialKind.OAUTH_FILE, Secret(secret))


def _settings(env: dict[str, Any], environ: Mapping[str, str]) -> tuple[Credential, tuple[str, ...]]:
    values = {name: _value(name, value, environ) for name, value in env.items() if _is_ours(name)}
    left_out = tuple(sorted(name for name in env if not _is_ours(name)))
    logins = [name for name in (API_KEY, *TOKENS) if name in values]
    if len(logins) > 1:
        raise NoCredential(f"{' and '.join(logins)} in one `env`", "one credential in each file", "put each into a file of its own")
    switches = [name for name in SWITCHES if name in values and values[name].reveal() not in {"0", "false"}]
    along = {name: value for name, value in values.items() if name not in logins}
    if logins:
        kind = CredentialKind.API_KEY if logins[0] == API_KEY else CredentialKind.TOKEN
        return Credential(kind, values[logins[0]], logins[0], along), left_out
    if switches:
        # Such a login may be many values, or none where the machine itself has the right: all of them tell it apart.
        together = "\n".join(f"{name}={value.reveal()}" for name, value in sorted(along.items()))
        return Credential(CredentialKind.PROVIDER, Secret(together), "", along), left_out
    raise _none_of_the_kinds("`env` without a credential")


def _value(name: str, value: Any, environ: Mapping[str, str]) -> Secret:
    if not isinstance(value, str):
        raise NoCredential(f"`env.{name}` that is no text", "a text", 'put it into "…"')
    try:
        text = expand(value, environ).strip()
    except Unset as unset:
        raise NoCredential(
            f"`env.{name}` with ${{{unset.name}}}, which is not set",
            "a variable of the daemon's environment",
            f"export {unset.name}, or write the value itself",
        ) from None
    if not text:
        raise NoCredential(f"an empty `env.{name}`", "a value", "write it, or remove the variable")
    is_login = name == API_KEY or name in TOKENS
    if not (_HEADER_SAFE.match(text) if is_login else text.isprintable()):
        raise NoCredential(f"`env.{name}` with a blank or control character in it", "one word", "copy it again")
    return Secret(text)


def _is_ours(name: str) -> bool:
    return name in TOKENS or ALONG.match(name) is not None


def _none_of_the_kinds(found: str) -> NoCredential:
    return NoCredential(
        found,
        f"settings with `env` ({API_KEY}, {TOKENS[1]} or {TOKENS[0]}), or just a key (sk-ant-api…) or token (sk-ant-oat…)",
        "correct it, or let `claudeConfigs` match credential files only",
    )
