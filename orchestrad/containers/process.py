"""Engine `process`: each run is a process of this machine, a child of the runner that its terminal runs.

What runs is read from files each time. REGISTRY/AGENT is a link to the run's directory, AGENT's only one: making it is what
claims the agent's name, and the directory holds what runner.py describes. A run begins when its terminal opens, and is
CREATED until then.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGTERM
from typing import Final, TypeVar

from orchestrad.containers import runner
from orchestrad.containers.port import CannotStart, Died, Doubt, EngineUnreachable, Listener, NameTaken, RunSeen, RunSpec
from orchestrad.containers.process_events import ProcessWatch
from orchestrad.containers.process_life import ended, ends_within, send
from orchestrad.containers.process_run import ProcessRun
from orchestrad.containers.runner import MARK, sync_directory, write_durably
from orchestrad.core.ids import AgentName, ContainerId, Epoch, FleetId
from orchestrad.errors import Gone

T = TypeVar("T")

# Of the daemon's own environment; anything else in there may be a secret or mean another terminal.
PASSED_ON: Final = ("LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")

RUNNER_ENDS_WITHIN: Final = timedelta(seconds=5)  # it kills and reaps all descendants in this time, or gets killed itself


class ProcessContainers:
    """Runs of one fleet as processes; `registry` is this fleet's own directory. Agents' doings are not confined."""

    def __init__(self, *, fleet: FleetId, registry: Path, environment: Mapping[str, str] | None = None) -> None:
        self._fleet = fleet
        self._registry = registry
        self._environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | dict(environment or {})
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="process")
        self._watches: set[ProcessWatch] = set()

    async def prepare(self, progress: Callable[[str], None]) -> Listener:
        del progress  # nothing here takes time
        try:
            self._registry.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise CannotStart(
                f"cannot make {self._registry} ({problem}). Make it writable, or change `stateDirectory`"
            ) from problem
        return Listener(bind_host="127.0.0.1", agent_host="127.0.0.1")

    async def start(self, spec: RunSpec) -> ContainerId:
        run = await self._call(lambda: self._register(spec))
        self._stir()
        return run.id

    def _register(self, spec: RunSpec) -> ProcessRun:
        run = ProcessRun(self._fleet, spec.agent, spec.directory.absolute() / "process" / str(spec.epoch))
        environment = {**self._environment, **spec.environment, MARK: run.mark}
        _check(spec, environment)
        link = self._registry / spec.agent
        if link.is_symlink():
            raise self._name_taken(spec.agent)
        try:
            shutil.rmtree(run.directory, ignore_errors=True)  # of a start that a kill interrupted before the link was made
            run.directory.mkdir(mode=0o700, parents=True)
            shown = {"command": spec.command, "environment": environment, "working_directory": spec.working_directory}
            write_durably(run.directory / "spec.json", json.dumps(shown, indent=1))
            link.symlink_to(run.directory)
            sync_directory(self._registry)
        except FileExistsError as taken:
            raise self._name_taken(spec.agent) from taken
        except FileNotFoundError as missing:
            raise EngineUnreachable(f"cannot start {spec.agent}: {self._registry} is not there ({missing})") from missing
        except OSError as problem:
            raise CannotStart(f"cannot start {spec.agent}: {problem}. Make room or rights in {run.directory.parent}") from problem
        return run

    def _name_taken(self, agent: AgentName) -> NameTaken:
        holder = self._find(agent)
        return NameTaken(f"cannot start {agent}: {holder.id if holder else 'another run'} holds its name; remove that one first")

    async def stop(self, run: ContainerId, *, grace: timedelta) -> None:
        files = await self._call(lambda: self._by_id(run))
        if files is None:
            return
        await self._call(files.cancel)
        process = files.runner()
        if process is not None:
            obeyed = grace > timedelta() and send(process, SIGTERM) and await ends_within(process, grace)
            if not obeyed and send(process, runner.KILL_NOW) and not await ends_within(process, RUNNER_ENDS_WITHIN):
                send(process, SIGKILL)
                await ended(process)
        await self._call(files.see)

    async def remove(self, run: ContainerId) -> None:
        await self.stop(run, grace=timedelta())
        await self._call(lambda: self._unregister(run))
        self._stir()

    def _unregister(self, run: ContainerId) -> None:
        if files := self._by_id(run):
            (self._registry / files.agent).unlink(missing_ok=True)
            shutil.rmtree(files.directory, ignore_errors=True)

    async def wake(self, run: ContainerId) -> None:
        files = await self._call(lambda: self._by_id(run))
        process = files.runner() if files else None
        if process is None or not send(process, SIGCONT):
            raise Gone(f"{run} can't be woken: it does not run")

    async def list(self) -> tuple[RunSeen, ...]:
        return await self._call(self._look)

    def _look(self) -> tuple[RunSeen, ...]:
        try:
            agents = sorted(link.name for link in self._registry.iterdir())
        except OSError as problem:
            raise EngineUnreachable(
                f"cannot list the fleet's processes: {self._registry} can't be read ({problem}). Is the state directory there?"
            ) from problem
        found = (self._find(AgentName(agent)) for agent in agents)
        return tuple(run.see() for run in found if run)

    async def events(self) -> AsyncIterator[Died | Doubt]:
        watch = ProcessWatch(self.list, lambda run: files.runner() if (files := self._by_id(run)) else None)
        self._watches.add(watch)
        news = watch.news()
        try:
            async for item in news:
                yield item
        finally:
            self._watches.discard(watch)
            await news.aclose()

    def terminal(self, run: ContainerId) -> tuple[str, ...]:
        agent, epoch = _parts(run)
        # -I and -S: nothing of the user's Python setup applies, and the pane shows its agent sooner.
        return (sys.executable, "-I", "-S", runner.__file__, str(self._registry / agent), str(epoch))

    async def aclose(self) -> None:
        for watch in tuple(self._watches):
            watch.close()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def _call(self, do: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, do)

    def _stir(self) -> None:
        for watch in self._watches:
            watch.stir()

    def _find(self, agent: AgentName) -> ProcessRun | None:
        try:
            directory = (self._registry / agent).readlink()
        except OSError:  # removed meanwhile, or a file that someone put here
            return None
        return ProcessRun(self._fleet, agent, directory) if directory.name.isdecimal() else None

    def _by_id(self, run: ContainerId) -> ProcessRun | None:
        found = self._find(_parts(run)[0])
        return found if found and found.id == run else None


def _parts(run: ContainerId) -> tuple[AgentName, Epoch]:
    _, agent, epoch = run.split(":")
    return AgentName(agent), Epoch(int(epoch))


def _check(spec: RunSpec, environment: Mapping[str, str]) -> None:
    """What an engine of containers would refuse, this one refuses too. Raises CannotStart."""
    for mount in spec.mounts:
        if not mount.source.exists():
            raise CannotStart(
                f"cannot start {spec.agent}: {mount.source} is not there, which it is to see. Make it, or drop the mount"
            )
    if not Path(spec.working_directory).is_dir():
        raise CannotStart(f"cannot start {spec.agent}: its working directory {spec.working_directory} is not there. Make it")
    if shutil.which(spec.command[0], path=environment.get("PATH")) is None:
        raise CannotStart(
            f"cannot start {spec.agent}: the program {spec.command[0]!r} is not found. "
            "Install it, or set `agent.command` in orchestrator.json"
        )
