"""A change in the config directory is noticed, however an editor saves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrad.config.watch import changes
from orchestrad.errors import Unreachable


async def until_seen(news: AsyncIterator[frozenset[Path]], path: Path) -> None:
    async with asyncio.timeout(20):
        async for batch in news:
            if path in batch:
                return


async def edited_until_seen(directory: Path, edit: str) -> None:
    """Edits again and again until it is noticed: when the watch has begun can't be seen from outside."""
    stop = asyncio.Event()
    target = directory / "orchestrator.json"
    seen = asyncio.create_task(until_seen(changes([directory], stop), target))
    count = 0
    while not seen.done():
        count += 1
        aside = directory / ".orchestrator.json.swp"
        match edit:
            case "in place":
                target.write_text(str(count))
            case "renamed over":
                aside.write_text(str(count))
                aside.rename(target)
            case "removed":
                target.touch()
                target.unlink()
        await asyncio.wait([seen], timeout=1)
    stop.set()
    await seen


@pytest.mark.parametrize("edit", ["in place", "renamed over", "removed"])
async def test_an_edit_is_noticed(tmp_path: Path, edit: str) -> None:
    await edited_until_seen(tmp_path, edit)


async def test_a_watch_ends_when_asked(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(20):
        assert [batch async for batch in changes([tmp_path], stop)] == []


async def test_a_directory_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot watch"):
        async for _ in changes([tmp_path / "nowhere"]):
            pass
