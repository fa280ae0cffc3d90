"""Tells when something in the config directory, or beside a credential file, has changed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from watchfiles import awatch

from orchestrad.errors import Unreachable

# An editor's save is a handful of changes (write aside, rename, chmod): one look after the last of them is enough.
DEBOUNCE_MS: Final = 400
STEP_MS: Final = 50


async def changes(
    directories: Iterable[Path], stop: asyncio.Event | None = None, *, polling: bool | None = None
) -> AsyncIterator[frozenset[Path]]:
    """Yields the paths that changed, each time some did and then rested; ends when `stop` is set.

    A change is a reason to read again, not a fact: news may be late, twice, or about a temporary file. Raises
    Unreachable when a directory can't be watched, or no longer; `polling` is for file systems that send no news.
    """
    watched = sorted(set(directories))
    try:
        async for batch in awatch(
            *watched,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=stop,
            force_polling=polling,
            recursive=True,
        ):
            yield frozenset(Path(path) for _, path in batch)
            if missing := next((directory for directory in watched if not directory.is_dir()), None):
                raise Unreachable(f"cannot watch {missing}: it is gone. Settings stay as they are until it is back.")
    except (OSError, RuntimeError) as error:
        names = ", ".join(str(directory) for directory in watched)
        raise Unreachable(f"cannot watch {names}: {error}. Edits are not noticed until the next look.") from error
