"""A daemon as people meet it: the real routes on a real Unix socket, over a world that a test sets."""

import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrad.api.people import People
from orchestrad.api.server import serve_unix
from orchestrad.api.status import About
from orchestrad.config.places import Places
from orchestrad.core.apply import apply
from orchestrad.core.decide import decide
from orchestrad.core.ids import Now
from orchestrad.core.world import World
from orchestrad.store.port import HistoryRow


@dataclass
class Daemon:
    """Takes observations as the reactor does, without a store."""

    world: World
    time: Now
    state_directory: Path
    config_directory: Path = Path("/home/you/orch")
    tmux_socket: str | None = None
    asked: list[object] = field(default_factory=list)
    rows: list[HistoryRow] = field(default_factory=list)

    async def submit(self, observation: object) -> None:
        self.asked.append(observation)
        for event in decide(self.world, observation, self.time):
            self.world = apply(self.world, event)

    async def history(
        self, *, after: int = 0, limit: int = 500, agent: str | None = None, task: str | None = None
    ) -> list[HistoryRow]:
        rows = [r for r in self.rows if r.seq > after and agent in (None, r.agent) and task in (None, r.task)]
        return rows[-limit:] if after < 0 else rows[:limit]

    def happened(self, kind: str, *, agent: str | None = None, task: str | None = None, reason: str = "", **data: Any) -> None:
        """One more event of the past."""
        self.rows.append(
            HistoryRow(len(self.rows) + 1, self.time.wall, self.time.elapsed, kind, agent, task, reason, json.dumps(data))
        )

    def about(self) -> About:
        return About(
            os.getpid(), self.config_directory, self.state_directory, "process", self.tmux_socket, ("model: not in use yet",)
        )

    def people(self) -> People:
        return People(world=lambda: self.world, now=lambda: self.time, submit=self.submit, history=self.history, about=self.about)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[Path]:
        """On the socket of its state directory."""
        socket = Places(self.state_directory).socket
        runner = await serve_unix(self.people().application(), socket)
        try:
            yield socket
        finally:
            await runner.cleanup()
