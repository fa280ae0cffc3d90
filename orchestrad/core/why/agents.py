"""Why an agent is where it is, one rule for each state."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import Final

from orchestrad.core import moments
from orchestrad.core.ids import MANAGER, Now, worker_number
from orchestrad.core.readiness import waits_for
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.tasklist import SHARED_LIST, list_name, worker_of
from orchestrad.core.why.words import counted, listed, plain, sentence, title, why_the_fleet_rests
from orchestrad.core.world import SECOND, Agent, Beginner, Delivery, DeliveryKind, Note, Task, World

S = AgentState
SPOKEN: Final = {state: state.value.replace("_", " ") for state in AgentState}
ROUTINE: Final = frozenset({S.READY, S.WORKING, S.STARTING})  # where what comes next says more than what was
NOUNS: Final = {  # of what the Manager is told, the most urgent first
    "conflict": "conflict",
    "upstream": "upstream conflict",
    "question": "question",
    "blocked": "blocked task",
    "problem": "list problem",
    "low": "short list",
    "direction": "new direction",
    "merged": "merge",
}
KEY_PRESSED: Final = 10 * SECOND  # nothing is typed to an agent while a person's last key is younger than this


def about_agent(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    """Its state, since when, the reason, and what would change it."""
    head = f"{agent.name} is {SPOKEN[agent.state]}, {moments.since(agent.since_wall, agent.since_at, now, zone)}"
    reason = plain(agent.reason)
    next_ = _RULES[agent.state](world, agent, now, zone)
    if "`orchestrad resume" in reason and "`orchestrad resume" in next_:
        next_ = ""  # the reason says already what a person has to do
    return sentence(head, reason, next_, _trouble(world, agent))


def doing(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    """The same in a few words, beside its name, state and time: its task, or the reason and what would change it."""
    if agent.state is S.WORKING and agent.task is not None:
        task = world.tasks[agent.task]
        return title(task) + (f", attempt {task.attempt.number}" if task.attempt and task.attempt.number > 1 else "")
    if agent.state is S.STOPPED and world.fleet.state is not FleetState.RUNNING:
        return plain(agent.reason)  # what the fleet is about stands above
    reason = "" if agent.state in ROUTINE and not agent.api_failures else plain(agent.reason)
    next_ = _RULES[agent.state](world, agent, now, zone)
    return "; ".join(filter(None, (reason, next_ if "`orchestrad resume" not in reason else "", _trouble(world, agent))))


def resume(agent: Agent) -> str:
    """The command that gives the agent back."""
    return f"`orchestrad resume {agent.name}`"


def _trouble(world: World, agent: Agent) -> str:
    faults = [fault for fault in world.glimpses.faults if agent.name in fault.split()]
    return f"a bug is in its way, please report it: {plain(faults[-1])}" if faults else ""


def _stopped(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    if not agent.wanted:
        return "a higher `workerCount` (or `manager.enabled`) in orchestrator.json brings it back"
    if rests := why_the_fleet_rests(world):
        return rests
    if agent.credential is None:
        return "no credential is there for it: put a file where `claudeConfigs` finds it"
    if world.glimpses.runs_at is None:
        trouble = plain(world.glimpses.engine_trouble)
        return f"it starts once the engine has told what runs{f' ({trouble})' if trouble else ''}"
    if agent.start_at is not None and agent.start_at > now.elapsed:
        return f"it starts {moments.until(agent.start_at, now, zone)}"
    booting = [str(other.name) for other in world.agents.values() if other.state is S.STARTING]
    if len(booting) >= world.settings.boots_at_once:
        return f"it starts when one of those starting now is up ({listed(booting)})"
    return "it starts in a moment"


def _starting(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    run = agent.run
    if run is None or run.launched_at is None:
        trouble = plain(world.glimpses.engine_trouble)
        return f"the engine is asked to start its run{f', but {trouble}' if trouble else ''}"
    if not run.terminal:
        return "its run is there and its terminal is being opened"
    late = moments.until(run.launched_at + world.settings.start_timeout, now, zone)
    return f"its run is there and its SessionStart hook is waited for; without one it is started anew {late}"


def _ready(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    if agent.start_at is not None and agent.start_at > now.elapsed and agent.api_failures:
        return f"it is told to go on {moments.until(agent.start_at, now, zone)}"
    if not agent.wanted:
        return "it is being drained and ends now"
    if rests := why_the_fleet_rests(world):
        return rests
    delivery = agent.delivery
    if delivery is not None:
        return _on_its_way(world, agent, delivery, now, zone)
    if agent.name == MANAGER:
        waiting = [note for note in world.notes.values() if note.nonce is None]
        if any(note.wakes for note in waiting):
            return f"there {'is' if len(waiting) == 1 else 'are'} {counted(len(waiting), 'thing')} to tell it, in a moment"
        return "there is nothing to tell it; it is woken when a list runs low, work is blocked or conflicts, or a worker asks"
    if agent.task is not None:
        return f"it holds {title(world.tasks[agent.task])}, which is put before it in a moment"
    return _no_task(world, agent, now, zone)


def _on_its_way(world: World, agent: Agent, delivery: Delivery, now: Now, zone: tzinfo) -> str:
    what = {
        DeliveryKind.TASK: title(world.tasks[delivery.task]) if delivery.task else "a task",
        DeliveryKind.CONTINUE: "the word to go on",
        DeliveryKind.DIGEST: f"a digest of {counted(len(delivery.notes), 'note')}",
    }[delivery.kind]
    if delivery.delivered_at is not None:
        return f"{what} was delivered, and it has not begun"
    sent = f"{what} was sent to it {_ago(delivery.sent_at, now)} and not acknowledged" if delivery.sent_at is not None else ""
    return f"{sent or f'{what} is for it'}{_kept_from_typing(world, agent)}"


def _kept_from_typing(world: World, agent: Agent) -> str:
    screen = world.glimpses.screens.get(agent.name)
    if screen is None:
        return ", its screen is looked at before anything is typed"
    attach = f"`orchestrad attach {agent.name}`"
    if screen.composer == "dialog":
        return f"; a dialog stands open on its screen ({plain(screen.text)[:80]}): answer it with {attach}"
    if screen.composer == "typed":
        return f"; somebody's line stands in its composer: send or clear it with {attach}"
    if screen.status in ("busy", "waiting"):
        return f"; Claude Code says that it is {screen.status}, and nothing is typed before it is idle"
    if screen.key_age is not None and screen.key_age < KEY_PRESSED:
        return "; a person is at its keyboard, and it is typed when no key was pressed for 10 s"
    return "; it is typed in a moment"


def _no_task(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    if world.hub.tip is None or world.hub.read is None:
        return "the task lists were not read yet"
    number = worker_number(agent.name) or 0
    mine = [t for t in world.tasks.values() if t.state is TaskState.OPEN and (worker_of(t.list) == number or t.list == SHARED_LIST)]
    if not mine:
        who = "the Manager is asked for more" if world.settings.manager else "there is no Manager to write more"
        return f"no task is open for it; {who}, and an item `- [ ] …` in {list_name(number)} on `{world.settings.branch}` is taken"
    return f"of {counted(len(mine), 'open task')} none can begin: {listed([_held(world, t, now, zone) for t in mine])}"


def _held(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    if waits := waits_for(world, task):
        return f"{task.id} waits for {listed(waits)}"
    return f"{task.id} is tried again {moments.until(task.not_before, now, zone)}"


def _working(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    if agent.task is not None:
        task = world.tasks[agent.task]
        number = f", attempt {task.attempt.number}" if task.attempt and task.attempt.number > 1 else ""
        return f"it works on {title(task)}{number}; when its turn ends, that task is checked and the next one handed over"
    delivery = agent.delivery
    notes = [world.notes[note] for note in delivery.notes if note in world.notes] if delivery else []
    if notes:
        return f"it was told of {_in_short(notes)}"
    return "when its turn ends, it is handed what is next"


def _in_short(notes: Iterable[Note]) -> str:
    """How many of each kind, those that need something first: "1 conflict and 2 merges"."""
    kinds = Counter[str](note.kind for note in notes)
    return listed([counted(kinds[kind], noun) for kind, noun in NOUNS.items() if kind in kinds], len(NOUNS))


def _waiting(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    late = moments.until(agent.since_at + world.settings.waiting_timeout, now, zone)
    return f"it goes on when that ends, or {late} at the latest"


def _attended(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    timeout = world.settings.attended_timeout
    late = moments.until(agent.turn_at + timeout, now, zone)
    if agent.turn is Beginner.PERSON:
        late = f"{moments.length(timeout)} after that person's turn has ended"
    holds = f" ({title(world.tasks[agent.task])} stays with it)" if agent.task else ""
    return f"unless somebody goes on talking to it, it gets work again {late}{holds}; {resume(agent)} gives it back now"


def _limited(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    if agent.limit_check is not None:
        return "when that limit ends is being read from its transcript"
    if agent.limited_until_wall is None:
        return f"nothing but a person ends this: mend the credential, then {resume(agent)}"
    return f"it goes on by itself {moments.until_wall(agent.limited_until_wall, now, zone)}"


def _stopping(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    again = agent.wanted and world.fleet.state is FleetState.RUNNING
    return f"its run is being ended{' and another follows' if again else ''}"


def _backing_off(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    if rests := why_the_fleet_rests(world):
        return rests
    number = f"run {agent.epoch} was the {_ordinal(agent.deaths)} in a row to die, " if agent.deaths > 1 else ""
    if agent.start_at is None or agent.start_at <= now.elapsed:
        return f"{number}{'and ' if number else ''}{_stopped(world, agent, now, zone)}"
    return f"{number}it starts again {moments.until(agent.start_at, now, zone)}; {resume(agent)} starts it now"


def _person_only(world: World, agent: Agent, now: Now, zone: tzinfo) -> str:
    return f"it stays so until {resume(agent)}; `orchestrad logs {agent.name}` shows what it did last"


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _ago(at: int | None, now: Now) -> str:
    return f"{moments.length(now.elapsed - at)} ago" if at is not None else ""


_RULES: Final[dict[AgentState, Callable[[World, Agent, Now, tzinfo], str]]] = {
    S.STOPPED: _stopped,
    S.STARTING: _starting,
    S.READY: _ready,
    S.WORKING: _working,
    S.WAITING: _waiting,
    S.ATTENDED: _attended,
    S.LIMITED: _limited,
    S.STOPPING: _stopping,
    S.BACKING_OFF: _backing_off,
    S.FAILED: _person_only,
    S.PAUSED: _person_only,
}
