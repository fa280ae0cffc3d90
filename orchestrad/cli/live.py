"""The live status of a daemon in the foreground: a few calm lines, drawn again only when they read otherwise."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrad.cli.happened import happened
from orchestrad.core.events import Event
from orchestrad.core.ids import MANAGER, Now, worker_number
from orchestrad.core.moments import length
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.why import plain
from orchestrad.core.why.agents import doing
from orchestrad.core.why.ending import ending
from orchestrad.core.why.who import who_acts_for_agent
from orchestrad.core.why.words import counted
from orchestrad.core.world import SECOND, World

if TYPE_CHECKING:
    from orchestrad.daemon.wiring import Fleet

EVENTS_SHOWN: Final = 6
PROBLEMS_SHOWN: Final = 3
LOOK_EVERY_SECONDS: Final = 1.0  # for the lengths of time; news is drawn sooner
AT_MOST_EVERY_SECONDS: Final = 0.15  # a busy fleet has many events a second, and nobody reads faster
S = AgentState
STYLES: Final = {
    S.WORKING: "green",
    S.WAITING: "green",
    S.READY: "default",
    S.STARTING: "cyan",
    S.STOPPING: "cyan",
    S.ATTENDED: "magenta",
    S.LIMITED: "yellow",
    S.BACKING_OFF: "yellow",
    S.FAILED: "bold red",
    S.PAUSED: "bold red",
    S.STOPPED: "dim",
}
FLEET_STYLES: Final = {FleetState.RUNNING: "green", FleetState.ENDING: "yellow", FleetState.ENDED: "dim"}


class LiveStatus:
    """Draws a fleet on a terminal until it is cancelled; the last picture stays there."""

    def __init__(self, console: Console | None = None, zone: tzinfo | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._zone = zone or datetime.now().astimezone().tzinfo or UTC
        self._recent: deque[tuple[int, str]] = deque(maxlen=EVENTS_SHOWN)
        self._news = asyncio.Event()

    async def show(self, fleet: "Fleet") -> None:
        """Draws this fleet until cancelled."""
        fleet.reactor.listeners.append(self.heard)
        await self.draw(lambda: fleet.reactor.world, fleet.reactor.now)

    def heard(self, world: World, events: Iterable[Event]) -> None:
        """Takes what has just happened; a listener of the reactor."""
        for event in events:
            line = happened(world, event)
            if line and (not self._recent or self._recent[-1][1] != line):
                self._recent.append((event.now.wall, line))
        self._news.set()

    async def draw(self, world: Callable[[], World], now: Callable[[], Now]) -> None:
        """Draws the world as it changes, until cancelled."""
        shown = ""
        with Live(console=self._console, auto_refresh=False, redirect_stdout=False) as live:
            try:
                while True:
                    self._news.clear()
                    picture = view(world(), now(), tuple(self._recent), self._zone)
                    if (text := self._text(picture)) != shown:
                        live.update(picture, refresh=True)
                        shown = text
                    await asyncio.sleep(AT_MOST_EVERY_SECONDS)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY_SECONDS):
                            await self._news.wait()
            finally:
                live.update(view(world(), now(), tuple(self._recent), self._zone), refresh=True)

    def _text(self, picture: Group) -> str:
        return "\n".join("".join(part.text for part in line) for line in self._console.render_lines(picture))


def view(world: World, now: Now, recent: Sequence[tuple[int, str]], zone: tzinfo) -> Group:
    """The picture: the fleet in a line, a line per agent, what is wrong, and what happened last."""
    parts: list[Text | Table] = [*_header(world), Text(), _agents(world, now, zone)]
    if problems := list(_problems(world)):
        parts += [Text(), *problems]
    if recent:
        parts += [Text(), *(_event(wall, line, zone) for wall, line in recent)]
    return Group(*parts, Text())  # the cursor rests on an empty line: an echoed ^C would wrap a full one and shift all


def _header(world: World) -> Iterator[Text]:
    fleet, hub = world.fleet, world.hub
    states = [task.state for task in world.tasks.values()]
    total = len(states) - states.count(TaskState.CANCELLED)
    done = [f"{states.count(TaskState.DONE)} of {counted(total, 'task')} done"]
    for state, words in ((TaskState.SUBMITTED, "in the merge queue"), (TaskState.BLOCKED, "blocked")):
        done += [f"{states.count(state)} {words}"] if state in states else []
    tip = f"{world.settings.branch} {hub.tip[:10]}" if hub.tip else f"{world.settings.branch} is being fetched"
    line = Text.assemble((plain(fleet.name), "bold"), "  ", (fleet.state.value, FLEET_STYLES[fleet.state]))
    yield _one_line(line.append(f"  {', '.join(done)}  {tip}"))
    if said := ending(world):
        again = "; Ctrl-C again stops them now" if said.startswith("waiting") else ""
        yield _one_line(Text(said + again, "yellow"))
    else:
        yield _one_line(Text("watch: orchestrad attach AGENT · ask: orchestrad why AGENT · end: Ctrl-C", "dim"))


def _agents(world: World, now: Now, zone: tzinfo) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    for options in ({}, {}, {"justify": "right"}):
        table.add_column(no_wrap=True, **options)  # type: ignore[arg-type]  # a literal's type is lost in the dict
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for agent in sorted(world.agents.values(), key=lambda agent: (agent.name != MANAGER, worker_number(agent.name) or 0)):
        if not agent.wanted and agent.run is None:
            continue
        for_ = length(now.elapsed - agent.since_at)
        state = Text(agent.state.value.replace("_", " "), STYLES[agent.state])
        style = "red" if who_acts_for_agent(world, agent) else ""
        table.add_row(f"  {plain(agent.name)}", state, Text(for_, "dim"), Text(plain(doing(world, agent, now, zone)), style))
    return table


def _problems(world: World) -> Iterator[Text]:
    hub = world.hub
    found = [*world.settings.problems, *hub.problems, world.glimpses.engine_trouble, hub.upstream_trouble, *world.glimpses.faults]
    found = [plain(problem) for problem in found if problem]
    for problem in found[:PROBLEMS_SHOWN]:
        yield _one_line(Text(f"  {problem}", "yellow"))
    if len(found) > PROBLEMS_SHOWN:
        yield Text(f"  {len(found) - PROBLEMS_SHOWN} more: orchestrad status", "yellow")


def _event(wall: int, line: str, zone: tzinfo) -> Text:
    at = datetime.fromtimestamp(wall // SECOND, UTC).astimezone(zone)
    return _one_line(Text.assemble((f"  {at:%H:%M:%S}  ", "dim"), line))


def _one_line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
