"""The secrets that are live now: what no log line shows and no push brings to where other agents read."""

import re
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from orchestrad.core.world import World
from orchestrad.credentials.port import CredentialFile, CredentialKind, Credentials
from orchestrad.daemon.startup import tokens_of
from orchestrad.errors import Unreachable

log = structlog.get_logger("orchestrad.secrets")

# Of what goes along with a credential; the rest (regions, models, addresses) is no secret and stands in innocent files too.
_SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|HEADERS")
_WITH_PASSWORD: Final = re.compile(r"://[^/]*@")


def secrets_of(files: Iterable[CredentialFile]) -> frozenset[str]:
    """The secret values of the credentials that agents may be given."""
    found: set[str] = set()
    for file in files:
        if (credential := file.credential) is None:
            continue
        if credential.kind is not CredentialKind.PROVIDER:  # that one's is made of all that goes along
            found.add(credential.secret.reveal())
        along = {name: value.reveal() for name, value in credential.along.items()}
        found |= {value for name, value in along.items() if _SECRET_NAME.search(name) or _WITH_PASSWORD.search(value)}
    return frozenset(found)


class LiveSecrets:
    """Gives the pool's secrets and the tokens of present runs, looked up at each call."""

    def __init__(self, pool: Credentials, *, world: Callable[[], World], secret: bytes) -> None:
        self._pool = pool
        self._world = world
        self._secret = secret
        self._last: frozenset[str] = frozenset()

    async def __call__(self) -> frozenset[str]:
        """While the files can't be read, what they held last counts: work must not wait for a disk."""
        try:
            self._last = secrets_of(await self._pool.read())
        except Unreachable as unreachable:
            log.warning("credentials.not_read", why=str(unreachable))
        return self._last | set(tokens_of(self._world(), self._secret))
