"""Credentials from the files that `claudeConfigs` matches."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrad.config.credential_pool import CredentialFile, look


class FileCredentials:
    """Reads the files at each call; `${VAR}` in them is taken from `environ`, the daemon's environment."""

    def __init__(self, pattern: Path, environ: Mapping[str, str]) -> None:
        self._pattern = pattern
        self._environ = dict(environ)
        # The files may lie on a network's disk: such a wait is to hold up this adapter alone.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="credentials")

    async def read(self) -> tuple[CredentialFile, ...]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, look, self._pattern, self._environ)

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
