"""The stand-in for the Messages API in a process of its own, so that a benchmark's loop doesn't wait for it.

    async with StandinProcess("benchmarks.handover:model", log=directory / "exchanges.jsonl") as standin:
        ...                                     # start the CLI with ANTHROPIC_BASE_URL=standin.url
        for exchange in standin.exchanges(): ...

The script is named, because it runs over there. The process ends when its stdin is closed, so it never outlives the
one who started it.
"""

import argparse
import asyncio
import importlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from tests.support.standin import Exchange, Script, Standin

ROOT = Path(__file__).parent.parent.parent
START_LIMIT_S = 30  # it needs 0.5 s; with ten agents starting beside it, several


@dataclass(frozen=True)
class LoggedExchange:
    """One exchange as the log keeps it; times are CLOCK_MONOTONIC in seconds, as in this process."""

    n: int
    started: float
    ended: float | None
    credential: str
    session: str
    is_agents: bool
    is_after_tool: bool
    last_user_text: str


class StandinProcess:
    def __init__(self, script: str, *, log: Path, host: str = "127.0.0.1", environment: Mapping[str, str] | None = None) -> None:
        """`environment` is what the script is told: variables beside those of this process."""
        self.url = ""
        self._environment = {**os.environ, **(environment or {})}
        self._command = [sys.executable, "-m", __name__, "--script", script, "--log", str(log), "--host", host]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    def exchanges(self) -> list[LoggedExchange]:
        """Those whose reply is out, in the order in which they ended."""
        return [LoggedExchange(**json.loads(line)) for line in self._log.read_text().splitlines()]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=ROOT, env=self._environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_LIMIT_S):
            self.url = (await self._process.stdout.readline()).decode().strip()
        if not self.url:
            status = await self._process.wait()
            raise RuntimeError(f"the stand-in ended with status {status} before it served; its stderr says why")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.communicate()
        if self._process.returncode and kind is None:
            raise RuntimeError(f"the stand-in ended with status {self._process.returncode}; its stderr says why")


def script_named(name: str) -> Script:
    module, _, function = name.partition(":")
    script: Script = getattr(importlib.import_module(module), function)
    return script


def write_to(log: TextIO, exchange: Exchange) -> None:
    request = exchange.request
    logged = LoggedExchange(
        n=request.n,
        started=request.started,
        ended=exchange.ended,
        credential=request.credential,
        session=request.session,
        is_agents=request.is_agents,
        is_after_tool=request.is_after_tool,
        last_user_text=request.last_user_text,
    )
    log.write(json.dumps(asdict(logged)) + "\n")
    log.flush()


async def serve(host: str, script: Script, log: TextIO) -> None:
    async with Standin(host, when_over=lambda exchange: write_to(log, exchange)) as standin:
        standin.script(script)
        sys.stdout.write(f"{standin.url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--script", required=True, type=script_named, help="module:function")
    parser.add_argument("--log", required=True, type=Path)
    options = parser.parse_args()
    with options.log.open("w") as log:
        asyncio.run(serve(options.host, options.script, log))


if __name__ == "__main__":
    main()
