"""The stand-in in a process of its own."""

import time
from pathlib import Path

import aiohttp
import pytest

from tests.support.standin_process import StandinProcess

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "go"}], "tools": [{"name": "Bash"}]}


async def test_its_log_has_this_machines_times(tmp_path: Path) -> None:
    async with (
        StandinProcess("tests.support.standin:answer_at_once", log=tmp_path / "log") as standin,
        aiohttp.ClientSession() as http,
    ):
        before = time.monotonic()
        async with http.post(f"{standin.url}/v1/messages", json=ASKED, headers={"x-api-key": "key-1"}) as answer:
            assert "Done." in await answer.text()
        after = time.monotonic()

    (exchange,) = standin.exchanges()
    assert (exchange.credential, exchange.last_user_text, exchange.is_agents) == ("key-1", "go", True)
    assert exchange.ended is not None
    assert before < exchange.started < exchange.ended < after


async def test_a_script_that_does_not_exist_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="before it served"):
        await StandinProcess("tests.support.standin:no_such_script", log=tmp_path / "log").__aenter__()
