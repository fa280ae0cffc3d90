"""The live status: what it shows, and that it is drawn again only when it reads otherwise."""

import asyncio
import io
from dataclasses import replace
from datetime import UTC

from rich.console import Console

from orchestrad.cli.happened import happened
from orchestrad.cli.live import LiveStatus, view
from orchestrad.core.events import Event, Glimpsed, RunEnded, TaskAssigned, TaskDone, TurnEnded
from orchestrad.core.ids import Now
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.world import World, put
from tests.support.worlds import a_fleet, a_world, an_attempt, at, manager, oid, task, worker

S = AgentState
NOW = at("14:05")
WORLD = a_world(
    manager(),
    worker("worker-1", S.WORKING, task="t1"),
    worker("worker-2", S.FAILED, reason="8 in a row"),
    worker("worker-3", S.STOPPED, wanted=False, reason="drained"),
    task("t2", TaskState.DONE, merged=oid("c")),
    problems=("workerCount: found 0",),
)


def shown(world: World, columns: int = 100, recent: tuple[tuple[int, str], ...] = ()) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, height=40, highlight=False)
    with console.capture() as capture:
        console.print(view(world, NOW, recent, UTC))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_picture_has_the_fleet_its_agents_what_is_wrong_and_what_happened() -> None:
    assert shown(WORLD, recent=((at("14:04").wall, "t2 is merged"),)) == [
        "demo  running  1 of 2 tasks done  main aaaaaaaaaa",
        "watch: orchestrad attach AGENT · ask: orchestrad why AGENT · end: Ctrl-C",
        "",
        "  manager   ready    5 min  there is nothing to tell it; it is woken when a list runs low, work is …",
        "  worker-1  working  5 min  t1 «T1»",
        "  worker-2  failed   5 min  8 in a row; it stays so until `orchestrad resume worker-2`; `orchestrad…",
        "",
        "  workerCount: found 0",
        "",
        "  14:04:00  t2 is merged",
        "",
    ]


def test_an_ending_fleet_says_what_it_waits_for_and_how_not_to_wait() -> None:
    ending = put(WORLD, [replace(a_fleet(), state=FleetState.ENDING)])
    assert shown(ending)[1] == "waiting for 1 turn to end (worker-1); Ctrl-C again stops them now"


def test_no_line_is_longer_than_the_terminal() -> None:
    assert max(map(len, shown(WORLD, columns=50, recent=((NOW.wall, "x" * 200),)))) <= 50


def test_what_a_person_may_want_to_follow_is_put_in_words() -> None:
    def told(event: Event) -> str:
        return happened(WORLD, event)

    t1, worker_1 = "t1", "worker-1"
    assert told(TaskAssigned(now=NOW, task=t1, attempt=an_attempt("worker-1", "t1"))) == "worker-1 begins t1 «T1»"  # type: ignore[arg-type]
    assert told(TaskDone(now=NOW, task=t1, merged=oid("c"), checked=True, reason="merged")) == "t1 «T1» is merged"  # type: ignore[arg-type]
    died = RunEnded(now=NOW, agent=worker_1, epoch=1, state=S.BACKING_OFF, deaths=1, start_at=0, reason="killed\x1b")  # type: ignore[arg-type]
    assert told(died) == "worker-1 stopped working: killed?"
    assert told(TurnEnded(now=NOW, agent=worker_1, epoch=1, n=1, state=S.READY)) == ""  # type: ignore[arg-type]
    assert told(Glimpsed(now=NOW)) == ""


async def test_it_is_drawn_when_something_has_changed_and_else_left_alone() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, height=40, force_terminal=True, highlight=False)
    status = LiveStatus(console, UTC)
    world, looks = [WORLD], [0]

    def now() -> Now:
        looks[0] += 1
        return NOW

    async def looked(times: int) -> None:
        before = looks[0]
        async with asyncio.timeout(10):
            while looks[0] < before + times:
                status.heard(world[0], [])
                await asyncio.sleep(0.01)

    drawing = asyncio.create_task(status.draw(lambda: world[0], now), name="draw")
    await looked(1)
    drawn = len(out.getvalue())
    await looked(2)
    assert len(out.getvalue()) == drawn
    world[0] = put(WORLD, [task("t9", TaskState.DONE)])
    await looked(2)
    assert "2 of 3 tasks done" in out.getvalue()[drawn:]
    drawing.cancel()
    await asyncio.gather(drawing, return_exceptions=True)
