"""The user's credentials as the fleet sees them: what there is now, each by its label."""

from typing import Protocol

from orchestrad.config.credential_file import IN_USE, Credential, CredentialKind, NoCredential
from orchestrad.config.credential_pool import CredentialFile
from orchestrad.config.secret import Secret

__all__ = ["IN_USE", "Credential", "CredentialFile", "CredentialKind", "Credentials", "NoCredential", "Secret"]


class Credentials(Protocol):
    """Where credentials come from. Remembers nothing: each call looks anew."""

    async def read(self) -> tuple[CredentialFile, ...]:
        """Every file there is, ordered by path, the ones that can't be used included; empty if there is none.

        A label names one file in one answer. A credential is given by one file only: a double's says so in a remark.
        Raises Unreachable when it could not look.
        """
        ...

    async def close(self) -> None:
        """Lets go of what it holds; doing it twice is fine."""
        ...
