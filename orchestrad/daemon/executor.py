"""Orders carried out: each action is one call of a port, or a few that can all be done twice. Nothing is decided here."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from orchestrad.api.connections import Answered, Connections
from orchestrad.clock.port import Clock
from orchestrad.containers.homes import Homes
from orchestrad.containers.port import Containers, NameTaken, RunState
from orchestrad.core.actions import (
    Action,
    AnswerHook,
    BranchFound,
    ClearComposer,
    CloseTerminal,
    FetchUpstream,
    FinishDaemon,
    ListRuns,
    LookAtScreen,
    MakeCommit,
    MoveBranch,
    OpenTerminal,
    PushUpstream,
    ReadBranch,
    ReadLimit,
    RemoveRun,
    Reply,
    StartRun,
    StopRun,
    TypePrompt,
)
from orchestrad.core.identity import ItemKey
from orchestrad.core.ids import AgentName, ContainerId, Oid, TaskId
from orchestrad.core.observations import Conflicting, Made, NothingNew, RunListed, RunsListed
from orchestrad.core.world import ScreenSeen
from orchestrad.daemon.lives import Lives
from orchestrad.daemon.words import Words, prompt_line
from orchestrad.errors import Gone, Unreachable
from orchestrad.hub.port import Conflict, Hub, Merged, MergeOrder, Tick
from orchestrad.terminals.composer import read_composer
from orchestrad.terminals.port import TerminalMissing, Terminals

LIMIT_LOOKS: Final = 10
LIMIT_LOOK_EVERY: Final = 0.1  # seconds; the line is written up to 115 ms after the hook: facts on StopFailure

Work = Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, as the executor and the observers see it."""

    containers: Containers
    terminals: Terminals
    hub: Hub
    homes: Homes
    clock: Clock
    connections: Connections


class Executor:
    """Carries out one action at a call; what it raises is of the three kinds, or a bug."""

    def __init__(self, ports: Ports, *, lives: Lives, words: Words, fleet: str, branch: str, finish: Callable[[int], None]) -> None:
        self._ports = ports
        self._lives = lives
        self._words = words
        self._fleet = fleet
        self._branch = branch
        self._finish = finish
        self._work: Mapping[type, Work] = {
            AnswerHook: self._answer_hook,
            Reply: self._reply,
            StartRun: self._start_run,
            StopRun: self._stop_run,
            RemoveRun: self._remove_run,
            ListRuns: self._list_runs,
            OpenTerminal: self._open_terminal,
            CloseTerminal: self._close_terminal,
            LookAtScreen: self._look_at_screen,
            TypePrompt: self._type_prompt,
            ClearComposer: self._clear_composer,
            ReadLimit: self._read_limit,
            ReadBranch: self._read_branch,
            MakeCommit: self._make_commit,
            MoveBranch: self._move_branch,
            FetchUpstream: self._fetch_upstream,
            PushUpstream: self._push_upstream,
            FinishDaemon: self._finish_daemon,
        }

    async def execute(self, action: Action) -> object:
        """Carries out `action`, gives its result. Raises Unreachable, Refused, Gone."""
        return await self._work[type(action)](action)

    def session(self, agent: AgentName) -> str:
        """The name of an agent's terminal session."""
        return f"{self._fleet}-{agent}"

    # ---- answers

    async def _answer_hook(self, action: AnswerHook) -> None:
        lines = []
        if action.checkout is not None:
            lines.append(f"checkout {action.checkout[0]} {action.checkout[1]}")
        if action.nonce is not None:
            lines.append(f"nonce {action.nonce}")
        block = {"decision": "block", "reason": self._words.say(action.block)} if action.block is not None else None
        text = "".join(f"{line}\n" for line in lines) + "\n" + (json.dumps(block) if block else "")
        self._ports.connections.answer(action.connection, Answered(action.status, text))

    async def _reply(self, action: Reply) -> None:
        self._ports.connections.answer(action.connection, Answered(200 if action.ok else 422, action.text))

    # ---- runs and terminals

    async def _start_run(self, action: StartRun) -> ContainerId:
        role = self._words.role(action.agent, workers=action.workers, main=self._branch)
        text = self._words.say(action.text) if action.text is not None else None
        spec = await self._lives.prepare(action, text=text, role=role)
        try:
            return await self._ports.containers.start(spec)
        except NameTaken as taken:
            raise Unreachable(str(taken)) from taken  # looked at again: adopted, or removed by id

    async def _stop_run(self, action: StopRun) -> None:
        await self._ports.containers.stop(action.container, grace=timedelta(microseconds=action.grace))

    async def _remove_run(self, action: RemoveRun) -> None:
        await self._ports.containers.remove(action.container)

    async def _list_runs(self, action: ListRuns) -> RunsListed:
        asked_at = self._ports.clock.now().elapsed
        runs = await self._ports.containers.list()
        listed = tuple(
            RunListed(run.agent, run.epoch, run.id, run.state is not RunState.EXITED, run.exit_code, run.out_of_memory)
            for run in runs
        )
        return RunsListed(asked_at, listed)

    async def _open_terminal(self, action: OpenTerminal) -> None:
        name, argv = self.session(action.agent), self._ports.containers.terminal(action.container)
        passed = {key: os.environ[key] for key in ("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH") if key in os.environ}
        try:
            await self._ports.terminals.reopen(name, argv, environment=passed, title=action.agent)
        except TerminalMissing:
            await self._ports.terminals.open(name, argv, environment=passed, title=action.agent)

    async def _close_terminal(self, action: CloseTerminal) -> None:
        await self._ports.terminals.close(self.session(action.agent))

    # ---- screens

    async def _look_at_screen(self, action: LookAtScreen) -> ScreenSeen:
        now = self._ports.clock.now()
        name = self.session(action.agent)
        file = await self._ports.homes.session(action.agent)
        composer = read_composer(await self._ports.terminals.screen(name))
        seen = next((s for s in await self._ports.terminals.list() if s.name == name), None)
        key_age = None
        if seen is not None and seen.last_key_at is not None:
            key_age = max(0, now.wall - seen.last_key_at * 1_000_000)
        return ScreenSeen(
            asked_at=now.elapsed,
            status=file.status if file else "",
            composer=composer.state.value,
            text=composer.text,
            key_age=key_age,
            status_age=max(0, now.wall - file.updated_at_ms * 1000) if file else 0,
        )

    async def _type_prompt(self, action: TypePrompt) -> None:
        place = await self._ports.homes.place_text(action.agent, action.nonce, self._words.say(action.text))
        await self._ports.terminals.paste(self.session(action.agent), prompt_line(action.nonce, str(place)))

    async def _clear_composer(self, action: ClearComposer) -> None:
        await self._ports.terminals.press(self.session(action.agent), "C-u")

    async def _read_limit(self, action: ReadLimit) -> int | None:
        for _ in range(LIMIT_LOOKS):
            error = await self._ports.homes.last_error(action.agent, action.transcript)
            if error is not None:
                return error.resets_at_s * 1_000_000 if error.resets_at_s is not None else None
            await asyncio.sleep(LIMIT_LOOK_EVERY)
        return None

    # ---- the hub

    async def _read_branch(self, action: ReadBranch) -> BranchFound:
        hub = self._ports.hub
        seen = await hub.look()
        contained: set[TaskId] = set()
        for task, head in action.heads.items():
            if await self._contains(seen.tip, head):
                contained.add(task)
        return BranchFound(
            tip=seen.tip,
            lists=seen.lists,
            direction=seen.direction,
            contained=frozenset(contained),
            upstream_contained=action.upstream is not None and await self._contains(seen.tip, action.upstream),
            offer=await hub.ref(f"refs/for/{self._branch}"),
        )

    async def _contains(self, tip: Oid, oid: Oid) -> bool:
        try:
            return await self._ports.hub.is_ancestor(oid, tip)
        except Gone:
            return False

    async def _make_commit(self, action: MakeCommit) -> object:
        order = MergeOrder(
            onto=action.onto,
            source=action.source,
            ticks=tuple(Tick(ItemKey(t.list, t.id, t.text, t.occurrence)) for t in action.ticks),
            message=action.message,
            at=action.at_wall // 1_000_000,
            lists_from_source=action.lists_from_source,
            fast_forward=action.fast_forward,
        )
        result = await self._ports.hub.merge(order)
        if isinstance(result, Merged):
            return Made(result.oid)
        return Conflicting(result.paths) if isinstance(result, Conflict) else NothingNew()

    async def _move_branch(self, action: MoveBranch) -> bool:
        return await self._ports.hub.move(f"refs/heads/{self._branch}", new=action.new, expected=action.expected)

    async def _fetch_upstream(self, action: FetchUpstream) -> Oid:
        return await self._ports.hub.fetch()

    async def _push_upstream(self, action: PushUpstream) -> bool:
        return await self._ports.hub.push(action.oid)

    async def _finish_daemon(self, action: FinishDaemon) -> None:
        self._finish(action.status)
        await asyncio.Event().wait()  # the reactor is being ended; an outcome would only have this ordered again
