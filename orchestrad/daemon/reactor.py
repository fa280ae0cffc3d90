"""The one task that owns the world: decide, settle, commit, swap, plan, and start what is ordered.

Durable before visible: nothing is answered, typed, merged or started before what it follows from is committed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from orchestrad.api.posts import words
from orchestrad.clock.port import Clock
from orchestrad.core.actions import Action
from orchestrad.core.agenda import Agenda
from orchestrad.core.apply import fold
from orchestrad.core.decide import decide
from orchestrad.core.events import Event, Glimpsed
from orchestrad.core.ids import Now
from orchestrad.core.observations import Failed, Outcome
from orchestrad.core.plan import plan
from orchestrad.core.settle import ConcernFailed, Restless, settle
from orchestrad.core.world import Entity, Glimpses, Removed, World, key_of
from orchestrad.daemon.orders import Orders, time_limit
from orchestrad.errors import Gone, Refused, Unreachable
from orchestrad.store.port import CommitFailed, Store

log = structlog.get_logger("orchestrad.reactor")

BATCH: Final = 256  # observations that are decided together at most
ASIDE_FOR: Final = 60_000_000  # microseconds after which a concern that raised is tried again

OVER: Final = "the daemon is ending; ask again when it is back"

Execute = Callable[[Action], Awaitable[object]]


@dataclass(slots=True)
class _Batch:
    """What one batch changes, row by row, and why."""

    world: World
    rows: dict[tuple[type, str], Entity | Removed] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def add(self, event: Event) -> None:
        self.world, changed = fold(self.world, event)
        for entity in changed:
            if isinstance(entity, Removed):
                self.rows[entity.kind, entity.key] = entity
            elif not isinstance(entity, Glimpses):
                self.rows[type(entity), key_of(entity)] = entity
        if not isinstance(event, Glimpsed):
            self.events.append(event)

    def copy(self) -> "_Batch":
        return _Batch(self.world, dict(self.rows), list(self.events))


class Reactor:
    """Takes observations, owns the world, gives orders."""

    def __init__(self, world: World, *, clock: Clock, store: Store, execute: Execute) -> None:
        self._world = world
        self._clock = clock
        self._store = store
        self._execute = execute
        self._orders = Orders()
        self._news: asyncio.Queue[tuple[object, asyncio.Future[None] | None]] = asyncio.Queue()
        self._aside: dict[tuple[str, str | None], int] = {}
        self._over = False
        self._running: set[asyncio.Task[None]] = set()
        self.listeners: list[Callable[[World, list[Event]], None]] = []

    @property
    def world(self) -> World:
        """All that is known and committed."""
        return self._world

    def now(self) -> Now:
        """The present instant, on the clock that all is decided by."""
        return self._clock.now()

    def offer(self, observation: object) -> None:
        """Takes news without waiting for what becomes of it."""
        self._news.put_nowait((observation, None))

    async def submit(self, observation: object) -> None:
        """Takes news; returns when all that follows from it is durable. Raises Unreachable when the daemon ends before that."""
        if self._over:
            raise Unreachable(OVER)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news.put_nowait((observation, done))
        await done

    async def run(self) -> None:
        """Works until cancelled. Raises CommitFailed: then the store is to be loaded anew."""
        wake_at: int | None = None
        try:
            while True:
                wake_at = await self._turn(await self._gather(wake_at))
        finally:
            self._over = True
            while not self._news.empty():
                _refuse(self._news.get_nowait()[1])
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _gather(self, wake_at: int | None) -> list[tuple[object, asyncio.Future[None] | None]]:
        """What has arrived; waits for the first, no longer than until the alarm."""
        news = []
        try:
            if wake_at is None:
                news.append(await self._news.get())
            else:
                wait = max(0, wake_at - self._clock.now().elapsed) / 1_000_000
                async with asyncio.timeout(wait):
                    news.append(await self._news.get())
        except TimeoutError:
            pass
        while len(news) < BATCH and not self._news.empty():
            news.append(self._news.get_nowait())
        return news

    async def _turn(self, news: list[tuple[object, asyncio.Future[None] | None]]) -> int | None:
        """One batch; gives the instant of the alarm."""
        agenda = Agenda(self._clock.now())
        batch = _Batch(self._world)
        for observation, _ in news:
            decided = self._decided(batch, observation, agenda)
            if isinstance(observation, Outcome):  # one that was rejected would be ordered again at once and for ever
                failed = isinstance(observation.result, Failed) or decided is None
                self._orders.end(observation.action, failed=failed, elapsed=agenda.now.elapsed)
            batch = decided or batch
        batch = self._settled(batch, agenda)
        if batch.rows or batch.events:
            try:
                await self._store.commit(list(batch.rows.values()), batch.events)
            except BaseException as error:
                for _, done in news:
                    _refuse(done)
                if isinstance(error, Exception) and not isinstance(error, CommitFailed):
                    raise CommitFailed(f"a commit was given up: {type(error).__name__}: {error}") from error
                raise
        self._world = batch.world
        for _, done in news:
            if done is not None and not done.done():
                done.set_result(None)
        for listener in self.listeners:
            try:
                listener(self._world, batch.events)
            except Exception:
                log.exception("listener.raised")
        for action in self._planned(agenda):
            if self._orders.take(action, agenda):
                task = asyncio.create_task(self._carried_out(action), name=f"{type(action).__name__} {action.key}")
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return agenda.wake_at

    def _decided(self, batch: _Batch, observation: object, agenda: Agenda) -> _Batch | None:
        """The batch with what this news makes; None when it was rejected."""
        tried = batch.copy()
        try:
            for event in decide(tried.world, observation, agenda.now):
                tried.add(event)
        except Exception as error:
            log.exception("observation.rejected", observation=type(observation).__name__)
            self._tell(batch, agenda, f"news of kind {type(observation).__name__} was rejected: {error}")
            self._send_away(batch, observation)
            return None
        return tried

    def _send_away(self, batch: _Batch, observation: object) -> None:
        """Whoever waits for what became of rejected news is not left waiting: its turn ends, and is looked at again."""
        connection = getattr(observation, "connection", None)
        if isinstance(connection, str):
            glimpses = batch.world.glimpses
            replies = {**glimpses.replies, connection: (False, "orchestrad could not take this; `orchestrad status` says why")}
            batch.world = replace(batch.world, glimpses=replace(glimpses, replies=replies))

    def _settled(self, batch: _Batch, agenda: Agenda) -> _Batch:
        while True:
            tried = batch.copy()
            try:
                for event in settle(tried.world, agenda, aside=self._set_aside(agenda)):
                    tried.add(event)
            except ConcernFailed as error:
                self._put_aside(batch, error, agenda)
            except Restless as error:
                log.exception("settle.restless")
                self._tell(batch, agenda, str(error))
                return batch
            else:
                return tried

    def _planned(self, agenda: Agenda) -> list[Action]:
        while True:
            try:
                return plan(self._world, agenda, aside=self._set_aside(agenda))
            except ConcernFailed as error:
                batch = _Batch(self._world)
                self._put_aside(batch, error, agenda)
                self._world = batch.world

    def _set_aside(self, agenda: Agenda) -> list[tuple[str, str | None]]:
        self._aside = {name: until for name, until in self._aside.items() if not agenda.passed(until)}
        return list(self._aside)

    def _put_aside(self, batch: _Batch, error: ConcernFailed, agenda: Agenda) -> None:
        log.error("concern.set_aside", concern=error.concern, agent=error.agent, exc_info=error.__cause__)
        self._aside[error.concern, error.agent] = agenda.now.elapsed + ASIDE_FOR
        whom = f" for {error.agent}" if error.agent else ""
        self._tell(batch, agenda, f"{error.concern}{whom} was set aside for a minute: {error.__cause__!r}")

    def _tell(self, batch: _Batch, agenda: Agenda, fault: str) -> None:
        faults = {**batch.world.glimpses.faults, fault: str(agenda.now.wall)}
        batch.world = replace(batch.world, glimpses=replace(batch.world.glimpses, faults=dict(list(faults.items())[-10:])))

    async def _carried_out(self, action: Action) -> None:
        """Carries out one order and reports what it came to; never raises but when it is cancelled."""
        result: object
        try:
            async with asyncio.timeout(time_limit(action)):
                result = await self._execute(action)
        except TimeoutError:
            result = Failed("late", f"{type(action).__name__} took longer than {time_limit(action):.0f} s")
        except Unreachable as error:
            result = Failed("unreachable", words(str(error)))
        except Refused as error:
            result = Failed("refused", words(str(error)))
        except Gone as error:
            result = Failed("gone", words(str(error)))
        except Exception as error:
            log.exception("action.raised", action=type(action).__name__, key=action.key)
            result = Failed("bug", words(f"{type(error).__name__}: {error}"))
        if isinstance(result, Failed) and result.kind != "bug":
            log.info("action.failed", action=type(action).__name__, key=action.key, kind=result.kind, why=result.text)
        self.offer(Outcome(action, result))


def _refuse(done: asyncio.Future[None] | None) -> None:
    """Tells whoever waits that it is not known whether this news became durable."""
    if done is not None and not done.done():
        done.set_exception(Unreachable(OVER))
