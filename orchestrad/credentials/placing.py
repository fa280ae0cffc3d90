"""Where Claude Code is to find a credential, so that it is used, swapped in seconds, and seen by nothing else; pure.

| kind | lies in | why |
|---|---|---|
| token, provider | `env` of the agent's settings | the CLI follows a change there within 1.2 s, without a restart |
| API key | a file that `apiKeyHelper` reads | in `env` it would show in the environment of every tool that the agent runs |

Source: facts on Claude Code, section 9 (observed with 2.1.329). The key's helper needs no approval in the home, and works
from the home's settings as it does from managed ones (engine `process`, seen once). An idle CLI was seen to make its first
request after a change with the old key all the same, the next with the new one: the helper is asked in the background.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from orchestrad.config.credential_file import API_KEY, SWITCHES, TOKENS, Credential, CredentialKind
from orchestrad.config.secret import Secret

KEY_FILE: Final = PurePath("/run/orchestrad/key")  # in a container; under engine process it lies in the run's directory
# Without it a changed key is used only after the old one got a 401, not after a 429.
HELPER_LIFE: Final = {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": Secret("1000")}

# What an agent must not inherit from the daemon's own environment: it would win over, or mix with, what is placed.
NOT_INHERITED: Final = frozenset({API_KEY, *TOKENS, *SWITCHES, "ANTHROPIC_BASE_URL", *HELPER_LIFE})


@dataclass(frozen=True, slots=True)
class Placement:
    """What to write for one credential: `env` into the agent's settings, `key` (if any) into `key_file`, both 0600."""

    env: Mapping[str, Secret]
    key: Secret | None
    key_file: PurePath

    def settings(self) -> dict[str, Any]:
        """The part of Claude Code's settings that this placement needs. It holds secrets in the clear: write, don't log."""
        part: dict[str, Any] = {"env": {name: value.reveal() for name, value in self.env.items()}}
        if self.key is not None:
            part["apiKeyHelper"] = f"cat {shlex.quote(str(self.key_file))}"
        return part


def placement(credential: Credential, key_file: PurePath = KEY_FILE) -> Placement:
    """How an agent is given `credential`; `key_file` is where it will see the key. An OAuth file has its own way: ValueError."""
    match credential.kind:
        case CredentialKind.TOKEN:
            return Placement({**credential.along, credential.variable: credential.secret}, None, key_file)
        case CredentialKind.API_KEY:
            return Placement({**credential.along, **HELPER_LIFE}, credential.secret, key_file)
        case CredentialKind.PROVIDER:
            return Placement(dict(credential.along), None, key_file)
        case CredentialKind.OAUTH_FILE:
            raise ValueError("an OAuth file is not placed by settings: this is a bug, it should not be in the pool")
