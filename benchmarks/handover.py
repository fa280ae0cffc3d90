"""How long an agent waits between two tasks: from the end of the model's stream to its next request.

A real fleet: the daemon in its own process, the Claude Code CLI in containers, git, the hub, the merges and the pushes
to upstream that a hand-over brings about. Only the model is scripted, in a process of its own, whose clock (the machine's
monotonic one) gives both times; it also checks that the next task's branch is checked out when the request arrives.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import handover_model, machine
from benchmarks.figures import Case
from benchmarks.fleet import Place, daemon, last_words, make_config, make_upstream, place
from benchmarks.machine import NotReady
from benchmarks.parts import parts_of
from tests.support.standin_process import LoggedExchange, StandinProcess

LOOK_EVERY_S: Final = 0.5
SILENCE_S: Final = 60  # no hand-over for so long: something is broken; ten CLIs need 15 s to start


@dataclass(frozen=True)
class Setting:
    """One case: how many agents on how many files, with a model how slow, and how many hand-overs are measured.

    With --quick there are `n_quick`, or as many as there are after `quick_s` seconds.
    """

    name: str
    agents: int
    files: int
    delay: float
    n: int
    n_quick: int
    quick_s: float
    goal: str


SETTINGS: Final = (
    Setting("alone-200", agents=1, files=200, delay=0.5, n=120, n_quick=6, quick_s=9, goal="p50 < 90"),
    Setting("ten-200", agents=10, files=200, delay=3, n=200, n_quick=10, quick_s=17, goal="p99 < 300"),
    Setting("alone-20000", agents=1, files=20_000, delay=0.5, n=120, n_quick=5, quick_s=8, goal="p50 < 170"),
)


@dataclass(frozen=True)
class HandOver:
    """One wait of one agent; CLOCK_MONOTONIC in seconds."""

    agent: str
    ended: float
    started: float

    @property
    def ms(self) -> float:
        return (self.started - self.ended) * 1000


async def measure(options: argparse.Namespace) -> Sequence[Case]:
    """Runs the cases, one after the other. Raises NotReady."""
    base_image = machine.base_image()
    wanted = [setting for setting in SETTINGS if not options.case or setting.name in options.case]
    if not wanted:
        raise NotReady(f"there is no such case. There are: {', '.join(setting.name for setting in SETTINGS)}.")
    return [await _case(setting, base_image, quick=options.quick, explain=options.explain) for setting in wanted]


async def _case(setting: Setting, base_image: str, *, quick: bool, explain: bool) -> Case:
    n = setting.n_quick if quick else setting.n
    load = round(os.getloadavg()[0], 2)
    begun = time.monotonic()
    async with place() as where:
        tasks = 2 * n // setting.agents + 8  # agents that boot early have done more when all are up
        upstream = make_upstream(where, files=setting.files, workers=setting.agents, tasks=tasks)
        log = where.directory / "exchanges.jsonl"
        environment = {handover_model.AGENTS: str(where.agents), handover_model.DELAY: str(setting.delay)}
        model = StandinProcess("benchmarks.handover_model:answer", log=log, host=machine.bridge_address(), environment=environment)
        async with model:
            config = make_config(where, upstream, workers=setting.agents, base_image=base_image, model=model.url)
            async with daemon(where, config, log_level="debug" if explain else "info") as process:
                limit = begun + setting.quick_s if quick else None
                measured = await _measured(model, process, where, agents=setting.agents, n=n, limit=limit)
        told = parts_of([(one.agent, one.ended, one.started) for one in measured], where.log) if explain else {}
    more = {"load_1m": load, "agents": setting.agents, "files": setting.files, "took_s": round(time.monotonic() - begun)}
    return Case(setting.name, [one.ms for one in measured], setting.goal, told, more)


async def _measured(
    model: StandinProcess, process: asyncio.subprocess.Process, where: Place, *, agents: int, n: int, limit: float | None
) -> list[HandOver]:
    """The first `n` hand-overs from when every agent has begun: starting ten CLIs keeps two cores busy for 15 s.

    At `limit` (CLOCK_MONOTONIC) whatever there is has to do, also some from before that.
    """
    seen = 0
    quiet_since = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        exchanges = model.exchanges()
        first: dict[str, float] = {}
        for exchange in exchanges:
            first.setdefault(exchange.session, exchange.started)
        found = list(hand_overs(exchanges))
        measured = [one for one in found if one.ended > max(first.values())]
        if len(first) == agents and len(measured) >= n:
            return measured[:n]
        if limit is not None and time.monotonic() > limit and found:
            return (measured if len(first) == agents and measured else found)[:n]
        now = time.monotonic()
        if len(found) > seen:
            seen, quiet_since = len(found), now
        if process.returncode is not None or now > quiet_since + SILENCE_S:
            why = "the daemon ended" if process.returncode is not None else f"nothing was handed over for {SILENCE_S} s"
            raise NotReady(f"{why}; it said:\n{last_words(where)}")


def hand_overs(exchanges: Sequence[LoggedExchange]) -> Iterator[HandOver]:
    """Each pair of a reply that ended a turn and the request that brought the next task, in the order of their end."""
    before: dict[str, LoggedExchange] = {}
    for exchange in sorted((e for e in exchanges if e.is_agents), key=lambda e: e.started):
        last = before.get(exchange.session)
        branch = handover_model.BRANCH.search(exchange.last_user_text)
        if last and last.ended and last.is_after_tool and branch:
            yield HandOver(branch[2], last.ended, exchange.started)
        before[exchange.session] = exchange
