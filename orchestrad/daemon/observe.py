"""Watching the outside: what the engine and the terminals tell by themselves, and what has to be looked at now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from orchestrad.containers.port import Died, RunState
from orchestrad.core.ids import AgentName
from orchestrad.core.observations import EngineAway, RunDead, RunListed, SessionsListed, TerminalDead
from orchestrad.daemon.executor import Ports
from orchestrad.errors import OrchestradError

log = structlog.get_logger("orchestrad.observe")

LIST_TERMINALS_EVERY: Final = 15.0  # seconds; deaths are told by a hook, this finds what it missed
TRY_AGAIN_AFTER: Final = 1.0


async def watch_runs(ports: Ports, offer: Callable[[object], None], look_again: Callable[[], Awaitable[None]]) -> None:
    """Deaths as the engine tells them; after any doubt the runs are listed."""
    async for event in ports.containers.events():
        if isinstance(event, Died):
            run = event.run
            alive = run.state is not RunState.EXITED
            offer(RunDead(RunListed(run.agent, run.epoch, run.id, alive, run.exit_code, run.out_of_memory)))
        else:
            log.debug("engine.doubted", why=event.reason)
            await look_again()


async def watch_terminals(ports: Ports, offer: Callable[[object], None], fleet: str) -> None:
    """Deaths of terminals' programs, as the server tells them."""
    async for name in ports.terminals.deaths():
        if name.startswith(f"{fleet}-"):
            offer(TerminalDead(AgentName(name.removeprefix(f"{fleet}-")), ports.clock.now().elapsed))


async def list_terminals(ports: Ports, offer: Callable[[object], None], fleet: str) -> None:
    """The list of terminals, every so often."""
    while True:
        await asyncio.sleep(LIST_TERMINALS_EVERY)
        asked_at = ports.clock.now().elapsed
        try:
            seen = await ports.terminals.list()
        except OrchestradError as error:
            log.warning("terminals.away", why=str(error))
            continue
        prefix = f"{fleet}-"
        dead = {AgentName(s.name.removeprefix(prefix)): s.dead for s in seen if s.name.startswith(prefix)}
        offer(SessionsListed(asked_at, dead))


async def for_ever(name: str, work: Callable[[], Awaitable[None]], offer: Callable[[object], None]) -> None:
    """Keeps an observer at work: what it raises is logged, and it begins anew."""
    while True:
        try:
            await work()
        except OrchestradError as error:
            log.warning("observer.away", observer=name, why=str(error))
            if name == "runs":
                offer(EngineAway(str(error)))
        except Exception:
            log.exception("observer.raised", observer=name)
        await asyncio.sleep(TRY_AGAIN_AFTER)
