"""The rows of docs/signals.md, section by section; see `tests.support.signals` for what they are made of."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrad.core.ids import ConversationId, Epoch
from orchestrad.core.observations import (
    EndAsked,
    EngineAway,
    Left,
    Offered,
    PushAsked,
    ResumeAsked,
    SessionsListed,
    TerminalDead,
    ToolUsed,
)
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Agent, Beginner, Glimpses, Hand, Post, Route, Word
from tests.support import signals as s
from tests.support.news import (
    a_death,
    a_list,
    a_prompt,
    a_screen,
    a_session,
    a_stop,
    a_word,
    an_acknowledgement,
    an_api_failure,
    an_exit,
    listed,
)
from tests.support.signals import WHO, Before, Consequence, Signal, before, then_state
from tests.support.worlds import EARLIER, LATER, a_run, an_attempt, at, at_work, oid, seconds, task, worker

S, T = AgentState, TaskState
N = 5  # of a post that is new; the earlier one in worlds that have one is N - 1
HAD = T.ASSIGNED  # where its task stays in most rows


def at_work_with(words: str, task_fields: Mapping[str, Any] | None = None, **fields: Any) -> Before:
    """In the turn of its task, with something more to it."""
    agent: Agent = replace(at_work(WHO, "t1"), **fields)
    mine = replace(s.T1, **task_fields) if task_fields else s.T1
    return before(words, agent, mine, s.T2)


def a_row(
    signal: str, b: Before, *news: object, to: AgentState, has: TaskState | None = HAD, then: tuple[Consequence, ...], **rest: Any
) -> Signal:
    return Signal(signal, b, news, to, has, then, **rest)


def starts(signal: str, b: Before, source: str, **how: Any) -> Signal:
    return a_row(signal, b, a_session(b.world, WHO, N, source=source, **how.pop("fields", {})), **how)


def prompt(
    signal: str, b: Before, *, n: int = N, nonce: str | None = None, by_cli: bool = False, epoch: int = 1, **how: Any
) -> Signal:
    return a_row(signal, b, a_prompt(b.world, WHO, n, nonce=nonce, by_cli=by_cli, epoch=epoch), **how)


def stop(
    signal: str, b: Before, *, n: int = N, workspace: Mapping[str, Any] | None = None, background: int | None = 0, **how: Any
) -> Signal:
    return a_row(signal, b, a_stop(b.world, WHO, n, background=background, **(workspace or {})), **how)


def failure(signal: str, b: Before, error: str, *, n: int = N, **how: Any) -> Signal:
    return a_row(signal, b, an_api_failure(b.world, WHO, n, error), **how)


def tool(b: Before, conversation: str) -> ToolUsed:
    agent = b.world.agents[WHO]
    return ToolUsed(WHO, agent.epoch, ConversationId(conversation))


def acknowledged(signal: str, b: Before, nonce: str = "nonce-1", *, ok: bool = True, **how: Any) -> Signal:
    return a_row(signal, b, an_acknowledgement(b.world, WHO, nonce, ok=ok), **how)


def push(epoch: int) -> PushAsked:
    return PushAsked(WHO, Epoch(epoch), "push", "")


NEW_RUN = before("a later run of it", worker(WHO, epoch=3), task("t2", T.BLOCKED))
DONE = Word("done", "all tests pass")
SAID = at_work_with("… and `orch done` was said", word=DONE)
CHAINED = at_work_with(
    "… in the answer to a Stop, and `orch done` was said", word=DONE, post=Post(Epoch(1), N - 1, Hand(s.held().nonce))
)
ALONE = before("… and `orch done` was said, no other task", replace(at_work(WHO, "t1"), word=DONE), s.T1)
ASKED = at_work_with("… and was asked whether it is done", silent_stops=1)
REMINDED = at_work_with("… and was reminded twice", reminders=2)
HOPELESS = at_work_with("… its third attempt, and was reminded twice", {"failures": 2}, reminders=2)
OWN_TURN = before(
    "in a turn that the CLI began, its task not acknowledged",
    worker(WHO, S.WORKING, task="t1", turn=Beginner.CLI, turn_at=EARLIER.elapsed, delivery=s.given(Route.TYPED)),
)
ANSWERED = before(
    "its last Stop was answered with a task",
    worker(WHO, task="t1", delivery=s.given(Route.ANSWER), post=Post(Epoch(1), N, Hand(s.held().nonce))),
)
TAKEN_AWAY = before(
    "its last Stop was answered with a task that was taken from it since",
    worker(WHO, post=Post(Epoch(1), N, Hand(s.held().nonce))),
    task("t2", T.BLOCKED),
)
PROMPTED = at_work_with("… by a prompt with this id", prompt_post=N, prompt_answer=Hand(s.held().nonce))
TYPED = before(
    "a typed prompt was let through, nothing began",
    replace(at_work(WHO, "t1"), delivery=s.given(Route.TYPED, delivered_at=EARLIER.elapsed, conversation="conversation-1")),
)
GONE_BY_EXIT = before("a person typed /exit", worker(WHO, task="t1", delivery=s.held(), run=a_run(left=True)))
PERSONS_EARLIER = before(
    "in a person's turn for 2 min",
    worker(WHO, S.ATTENDED, task="t1", delivery=s.held(), turn=Beginner.PERSON, turn_at=EARLIER.elapsed),
)
TOLD_EARLIER = an_attempt(WHO, "t1", told="what it said earlier")
STOP_OPEN = before(
    "a task is in the answer to its Stop, which is on its way",
    s.HANDED.world.agents[WHO],
    s.T1,
    s.T2,
    Glimpses(runs_at=0, stops={"stop": (WHO, Epoch(1), N)}),
)
YOUNG = a_run(begun_at=EARLIER.elapsed)
DIED_ONCE = at_work_with("… and had crashed once a moment ago", deaths=1, run=YOUNG)
DIED_OFTEN = at_work_with("… and had crashed seven times", deaths=7, run=YOUNG)
REFUSED = before(
    "its credential was refused", worker(WHO, S.LIMITED, task="t1", delivery=s.held(), reason="its credential was refused")
)
SLOW = before("launched 2 min ago, no SessionStart", worker(WHO, S.STARTING, task="t1", delivery=s.given(Route.ARGV)))

BEGINNINGS = [
    starts("SessionStart `startup`", s.STARTING, "startup", to=S.READY, then=(s.SAME, s.TYPED_SOON)),
    starts("SessionStart `resume`", s.STARTING, "resume", to=S.READY, then=(s.SAME, s.TYPED_SOON)),
    starts(
        "SessionStart `clear` (a person typed /clear)",
        s.AT_WORK,
        "clear",
        fields={"conversation": "new"},
        to=S.READY,
        then=(s.WHOLE,),
    ),
    starts("SessionStart `clear`", s.LEFT_TO_PERSON, "clear", fields={"conversation": "new"}, to=S.ATTENDED, then=(s.NOT_TYPED,)),
    starts("SessionStart `clear`", s.SPENT, "clear", fields={"conversation": "new"}, to=S.LIMITED, then=(s.NOT_TYPED,)),
    starts("SessionStart `compact` (PreCompact before it says nothing)", s.AT_WORK, "compact", to=S.WORKING, then=(s.NOT_A_TURN,)),
    starts("SessionStart of an old run", NEW_RUN, "startup", fields={"epoch": 2}, to=S.READY, has=None, then=(s.NOTHING,)),
    a_row("No SessionStart within 90 s", SLOW, to=S.STOPPING, then=(s.ENDS,)),
]

PROMPTS = [
    prompt("Our prompt, its nonce fresh", s.DUE, nonce="nonce-1", to=S.WORKING, then=(s.PASSES_WITH_BRANCH, s.DELIVERED, s.TASKS)),
    prompt("Our prompt, SessionStart lost", s.STARTING, nonce="nonce-1", to=S.WORKING, then=(s.PASSES_WITH_BRANCH, s.DELIVERED)),
    prompt("Our prompt a second time", s.AT_WORK, nonce="nonce-1", to=S.WORKING, then=(s.REFUSED, s.NOT_A_TURN)),
    prompt("The same post again", PROMPTED, nonce="nonce-1", to=S.WORKING, then=(s.PASSES_WITH_BRANCH, s.NOTHING)),
    prompt("An older post, whosever it was", PROMPTED, n=N - 1, to=S.WORKING, then=(s.PASSES, s.NOTHING)),
    prompt("Our prompt, superseded", s.DUE, nonce="other", to=S.READY, then=(s.REFUSED, s.SAME)),
    prompt("Our prompt", s.ENDING, nonce="nonce-1", to=S.STOPPING, then=(s.REFUSED,)),
    prompt("A prompt of an old run", NEW_RUN, epoch=2, to=S.READY, has=None, then=(s.OVER, s.NOTHING)),
    prompt("A person's prompt", s.IDLE, to=S.ATTENDED, has=None, then=(s.PASSES, s.PERSONS)),
    prompt("A person's prompt", s.DUE, to=S.ATTENDED, then=(s.PASSES, s.PERSONS, s.SAME, s.NOT_TYPED)),
    prompt("A person's prompt", s.AT_WORK, to=S.WORKING, then=(s.PASSES, s.NOT_A_TURN)),
    prompt("A person's prompt", s.WAITING, to=S.ATTENDED, then=(s.PASSES, s.PERSONS)),
    prompt("A person's prompt", s.SPENT, to=S.ATTENDED, then=(s.PASSES, s.PERSONS)),
    prompt("`<task-notification>`", s.WAITING, by_cli=True, to=S.WORKING, then=(s.PASSES, s.TASKS)),
    prompt("`<task-notification>`", s.AT_WORK, by_cli=True, to=S.WORKING, then=(s.PASSES, s.NOT_A_TURN)),
    prompt("`<task-notification>`", s.PERSONS_BACKGROUND, by_cli=True, to=S.ATTENDED, then=(s.PASSES, s.PERSONS)),
    prompt("`<task-notification>`", s.IN_PERSONS_TURN, by_cli=True, to=S.ATTENDED, then=(s.PASSES, s.PERSONS)),
    prompt("`<task-notification>`", s.LEFT_TO_PERSON, by_cli=True, to=S.ATTENDED, then=(s.PASSES, s.PERSONS)),
    prompt("The CLI continues after a limit", s.SPENT, by_cli=True, to=S.WORKING, then=(s.PASSES, s.TASKS)),
    prompt("The CLI continues after a limit", s.SPENT_FOR_PERSON, by_cli=True, to=S.ATTENDED, then=(s.PASSES, s.PERSONS)),
]

WITHIN = [
    acknowledged("Acknowledgement, checked out", s.HANDED, to=S.WORKING, then=(s.ACCEPTED, s.DELIVERED, s.TASKS)),
    acknowledged("Acknowledgement, checked out, again", s.AT_WORK, to=S.WORKING, then=(s.ACCEPTED, s.NOTHING)),
    acknowledged("Acknowledgement, checkout failed", s.HANDED, ok=False, to=S.READY, then=(s.DECLINED, s.SAME, s.TYPED_SOON)),
    acknowledged("Acknowledgement of a delivery that was superseded", s.HANDED, "other", to=S.READY, then=(s.DECLINED, s.SAME)),
    acknowledged("Acknowledgement", s.ENDING, to=S.STOPPING, then=(s.DECLINED, s.NOTHING)),
    a_row("Tool hook (PreToolUse, PostToolUse)", s.ARRIVED, tool(s.ARRIVED, "conversation-1"), to=S.WORKING, then=(s.STARTED,)),
    a_row("Tool hook of another conversation", s.ARRIVED, tool(s.ARRIVED, "other"), to=S.WORKING, then=(s.NOTHING,)),
    a_row("Tool hook", s.IN_PERSONS_TURN, tool(s.IN_PERSONS_TURN, "conversation-1"), to=S.ATTENDED, then=(s.NOTHING,)),
    a_row("`orch done`, `blocked`, `ask`", s.AT_WORK, a_word(s.AT_WORK.world, WHO, N), to=S.WORKING, then=(s.ACCEPTED, s.WORD)),
    a_row("`orch done`", s.IN_PERSONS_TURN, a_word(s.IN_PERSONS_TURN.world, WHO, N), to=S.ATTENDED, then=(s.ACCEPTED, s.WORD)),
    a_row("`orch done` without a task", s.IDLE, a_word(s.IDLE.world, WHO, N), to=S.READY, has=None, then=(s.DECLINED, s.NOTHING)),
    a_row(
        "`orch done` of an old run",
        NEW_RUN,
        a_word(NEW_RUN.world, WHO, N, epoch=2),
        to=S.READY,
        has=None,
        then=(s.DECLINED, s.NOTHING),
    ),
    a_row("A push of the present run", s.AT_WORK, push(1), to=S.WORKING, then=(s.ACCEPTED, s.NOTHING)),
    a_row("A push of an old run", s.AT_WORK, push(0), to=S.WORKING, then=(s.DECLINED, s.NOTHING)),
    a_row("The Manager's push landed", s.AT_WORK, Offered(oid("e")), to=S.WORKING, then=(s.OFFERED,)),
]

STOPS = [
    stop(
        "Stop, `background_tasks` or `session_crons` not empty",
        SAID,
        background=1,
        to=S.WAITING,
        then=(s.ALLOWED, s.WORD, then_state("`waitingTimeout` later: ready", 1800, S.READY)),
    ),
    stop("Stop, one of those fields absent: unknown", SAID, background=None, to=S.WAITING, then=(s.ALLOWED, s.WORD)),
    stop("Stop, background work", s.IN_PERSONS_TURN, background=1, to=S.WAITING, then=(s.ALLOWED, s.PERSONS)),
    stop(
        "Stop",
        s.IN_PERSONS_TURN,
        to=S.ATTENDED,
        then=(s.ALLOWED, s.NOT_TYPED, then_state("`attendedTimeout` later: ready", 600, S.READY)),
    ),
    stop("Stop of a turn of which nobody told", s.IDLE, to=S.ATTENDED, has=None, then=(s.ALLOWED,)),
    stop("Stop of a turn of which nobody told", s.HANDED, to=S.ATTENDED, then=(s.ALLOWED, s.SAME, s.NOT_TYPED)),
    stop("Stop", at_work_with("… and the item was edited", {"attempt": TOLD_EARLIER}), to=S.WORKING, then=(s.TOLD_OF_EDIT,)),
    stop("Stop, proven", SAID, to=S.READY, has=T.SUBMITTED, then=(s.NEXT_TASK,)),
    stop("Stop, proven, in a chain of blocks", CHAINED, to=S.READY, has=T.SUBMITTED, then=(s.NEXT_TASK,)),
    stop("Stop, proven", ALONE, to=S.READY, has=T.SUBMITTED, then=(s.ALLOWED,)),
    stop("Stop, proven", s.AT_WORK, to=S.WORKING, then=(s.QUESTION,)),
    stop("Stop, proven", ASKED, to=S.READY, has=T.SUBMITTED, then=(s.NEXT_TASK,)),
    stop("Stop, no commit", s.AT_WORK, workspace={"commits": 0}, to=S.WORKING, then=(s.REMINDER,)),
    stop("Stop, no commit", SAID, workspace={"commits": 0}, to=S.WORKING, then=(s.REMINDER,)),
    stop("Stop, uncommitted paths", SAID, workspace={"changes": 2}, to=S.WORKING, then=(s.REMINDER,)),
    stop("Stop, another branch", SAID, workspace={"branch": "main"}, to=S.WORKING, then=(s.REMINDER,)),
    stop("Stop, detached head", SAID, workspace={"branch": None}, to=S.WORKING, then=(s.REMINDER,)),
    stop("Stop, a rebase in progress", SAID, workspace={"operation": "rebase"}, to=S.WORKING, then=(s.REMINDER,)),
    stop("Stop, not pushed", SAID, workspace={"hub_head": None, "commits": 0}, to=S.WORKING, then=(s.REMINDER,)),
    stop(
        "Stop, no commit",
        at_work_with("… and `orch done --no-change` was said", word=Word("done", "as is", no_change=True)),
        workspace={"commits": 0},
        to=S.READY,
        has=T.SUBMITTED,
        then=(s.NEXT_TASK,),
    ),
    stop("Stop, no commit", REMINDED, workspace={"commits": 0}, to=S.READY, has=T.OPEN, then=(s.NEXT_TASK,)),
    stop("Stop, uncommitted paths", REMINDED, workspace={"changes": 1}, to=S.STOPPING, has=T.OPEN, then=(s.ALLOWED, s.ENDS)),
    stop("Stop, no commit", HOPELESS, workspace={"commits": 0}, to=S.READY, has=T.BLOCKED, then=(s.NEXT_TASK,)),
    stop(
        "Stop",
        at_work_with("… and `orch blocked` was said", word=Word("blocked", "no key")),
        to=S.READY,
        has=T.BLOCKED,
        then=(s.NEXT_TASK,),
    ),
    stop(
        "Stop",
        at_work_with("… and `orch ask` was said", word=Word("ask", "which?")),
        to=S.READY,
        has=T.BLOCKED,
        then=(s.NEXT_TASK,),
    ),
    stop("Stop", at_work_with("… and the item was removed", {"listed": False}), to=S.READY, has=T.CANCELLED, then=(s.NEXT_TASK,)),
    stop("Stop", OWN_TURN, to=S.READY, then=(s.SAME,)),
    stop(
        "Stop, the task's branch was checked out, the acknowledgement lost",
        s.HANDED,
        workspace={"nonce": "nonce-1", "commits": 0},
        to=S.READY,
        then=(s.SAME_TASK,),
    ),
    stop("Stop, no commit", s.ARRIVED, workspace={"commits": 0}, to=S.WORKING, then=(s.STARTED, s.REMINDER)),
    stop("Stop, another branch", s.ARRIVED, workspace={"branch": "main"}, to=S.WORKING, then=(s.NOT_STARTED, s.REMINDER)),
    stop("The same post again", ANSWERED, to=S.READY, then=(s.SAME_TASK, s.NOTHING)),
    stop("The same post again", TAKEN_AWAY, to=S.READY, has=None, then=(s.ALLOWED, s.NOTHING)),
    stop("An older post", ANSWERED, n=N - 1, to=S.READY, then=(s.ALLOWED, s.NOTHING)),
    stop("Stop of an old run", NEW_RUN, workspace={"epoch": 2}, to=S.READY, has=None, then=(s.OVER, s.NOTHING)),
    stop(
        "Stop, proven",
        before("its run was told to end, and `orch done` was said", replace(s.ENDING.world.agents[WHO], word=DONE)),
        to=S.STOPPING,
        has=T.SUBMITTED,
        then=(s.ALLOWED,),
    ),
]

BREAKS = [
    failure("StopFailure `server_error` and all not named below", s.AT_WORK, "server_error", to=S.READY, then=(s.CONTINUES_SOON,)),
    failure("StopFailure `server_error`", s.IN_PERSONS_TURN, "server_error", to=S.ATTENDED, then=(s.NOT_TYPED,)),
    failure("StopFailure `server_error`", s.LEFT_TO_PERSON, "server_error", to=S.ATTENDED, then=(s.NOT_TYPED,)),
    failure("StopFailure `rate_limit`", s.AT_WORK, "rate_limit", to=S.LIMITED, then=(s.READ_LIMIT, s.NOT_TYPED)),
    failure("StopFailure `authentication_failed`", s.AT_WORK, "authentication_failed", to=S.LIMITED, then=(s.FOR_A_PERSON,)),
    failure("StopFailure `billing_error`", s.AT_WORK, "billing_error", to=S.LIMITED, then=(s.FOR_A_PERSON,)),
    failure("StopFailure `invalid_request`", s.AT_WORK, "invalid_request", to=S.READY, then=(s.CONTINUES_SOON,)),
    failure(
        "StopFailure `invalid_request`",
        at_work_with("… and the API had failed twice in a row", api_failures=2),
        "invalid_request",
        to=S.STOPPING,
        has=T.OPEN,
        then=(s.ENDS,),
    ),
    failure(
        "The same post of a StopFailure again",
        at_work_with("… after a failure with this id", other_post=N),
        "server_error",
        to=S.WORKING,
        then=(s.NOTHING,),
    ),
    a_row(
        "Session file `idle` for 10 s, no Stop: Escape",
        s.AT_WORK,
        a_screen(WHO, status_age=seconds(11)),
        to=S.ATTENDED,
        then=(s.NOT_TYPED, then_state("`attendedTimeout` later: ready", 600, S.READY)),
    ),
    a_row(
        "Session file `idle` for 10 s, no Stop: Escape",
        PERSONS_EARLIER,
        a_screen(WHO, status_age=seconds(11)),
        to=S.ATTENDED,
        then=(s.NOT_TYPED, then_state("`attendedTimeout` later: ready", 600, S.READY)),
    ),
    a_row("`attendedTimeout` passes", s.IN_PERSONS_TURN, now=at("14:30"), to=S.ATTENDED, then=(s.PERSONS, s.LOOKED_AT)),
    a_row("Session file `idle`", s.AT_WORK, a_screen(WHO, status_age=seconds(5)), to=S.WORKING, then=(s.NOT_A_TURN,)),
    a_row(
        "Session file `busy`", s.AT_WORK, a_screen(WHO, status="busy", status_age=seconds(60)), to=S.WORKING, then=(s.NOT_A_TURN,)
    ),
    a_row(
        "Session file `idle` for 10 s: the prompt was withdrawn",
        TYPED,
        a_screen(WHO, status_age=seconds(11)),
        to=S.READY,
        then=(s.SAME, s.TYPED_SOON),
    ),
    a_row(
        "The connection is closed: the answer is lost, or Escape killed the script",
        STOP_OPEN,
        Left("stop"),
        to=S.READY,
        then=(s.UNANSWERED, s.SAME, s.TYPED_SOON),
    ),
    a_row(
        "A suspended process (Ctrl-Z): the engine lists it alive, nothing is heard",
        s.AT_WORK,
        a_list(listed(WHO)),
        to=S.WORKING,
        then=(s.NOT_A_TURN,),
    ),
]

ENDS = [
    a_row("SessionEnd `clear`", s.AT_WORK, an_exit(s.AT_WORK.world, WHO, N, "clear"), to=S.WORKING, then=(s.NOT_A_TURN,)),
    a_row(
        "SessionEnd `prompt_input_exit` (a person's /exit)",
        s.LEFT_TO_PERSON,
        an_exit(s.LEFT_TO_PERSON.world, WHO, N),
        to=S.ATTENDED,
        then=(s.LEFT,),
    ),
    a_row("SessionEnd `other`, `logout`", s.AT_WORK, an_exit(s.AT_WORK.world, WHO, N, "other"), to=S.WORKING, then=(s.NOT_A_TURN,)),
    a_row(
        "Exit status 0",
        GONE_BY_EXIT,
        a_death(WHO, exit_code=0),
        to=S.STARTING,
        then=(s.NO_CRASH, s.CLEARS_AWAY, s.RESUMES, s.CONTINUE),
    ),
    a_row(
        "Exit status 0, no SessionEnd", s.AT_WORK, a_death(WHO, exit_code=0), to=S.STARTING, then=(s.CRASHED, s.RESUMES, s.CONTINUE)
    ),
    a_row(
        "Exit status 1, or 143 that we did not ask for",
        s.AT_WORK,
        a_death(WHO, exit_code=143),
        to=S.STARTING,
        then=(s.CRASHED, s.CLEARS_AWAY, s.RESUMES, s.CONTINUE),
    ),
    a_row(
        "Exit status 137 (kill -9)", s.AT_WORK, a_death(WHO, exit_code=137), to=S.STARTING, then=(s.CRASHED, s.RESUMES, s.CONTINUE)
    ),
    a_row(
        "Exit status 137, out of memory",
        s.AT_WORK,
        a_death(WHO, exit_code=137, out_of_memory=True),
        to=S.STARTING,
        then=(s.CRASHED, s.RESUMES, s.CONTINUE),
    ),
    a_row("Exit, status unknown", s.AT_WORK, a_death(WHO, exit_code=None), to=S.STARTING, then=(s.CRASHED, s.RESUMES, s.CONTINUE)),
    a_row("Exit", s.ARRIVED, a_death(WHO), to=S.STARTING, then=(s.CRASHED, s.RESUMES, s.WHOLE)),
    a_row("Exit", s.HANDED, a_death(WHO), to=S.STARTING, then=(s.CRASHED, s.RESUMES, s.SAME)),
    a_row("Exit", s.IN_PERSONS_TURN, a_death(WHO), to=S.STARTING, then=(s.CRASHED, s.RESUMES, s.CONTINUE)),
    a_row("Exit", DIED_ONCE, a_death(WHO), to=S.BACKING_OFF, then=(s.CRASHED,)),
    a_row("Exit", DIED_OFTEN, a_death(WHO), to=S.FAILED, then=(s.CRASHED, s.FOR_A_PERSON)),
    a_row("Exit", s.ENDING, a_death(WHO, exit_code=143), to=S.STARTING, then=(s.NO_CRASH, s.RESUMES)),
    a_row("Exit of an old run", NEW_RUN, a_death(WHO, epoch=2), to=S.READY, has=None, then=(s.CLEARS_AWAY, s.NOTHING)),
    a_row("Gone from the engine's list", s.AT_WORK, a_list(), to=S.STARTING, then=(s.CRASHED, s.STARTS, s.RESUMES)),
    a_row("The engine can't be asked", s.AT_WORK, EngineAway("no socket"), to=S.WORKING, then=(s.NOTHING,)),
    a_row("The terminal's program ended", s.AT_WORK, TerminalDead(WHO, LATER.elapsed), to=S.WORKING, then=(s.LISTS, s.REOPENS)),
    a_row("The terminal session is gone", s.AT_WORK, SessionsListed(LATER.elapsed, {}), to=S.WORKING, then=(s.REOPENS,)),
    a_row(
        "The fleet is to end",
        s.AT_WORK,
        EndAsked(seconds(30), "down"),
        to=S.WORKING,
        then=(then_state("30 s later: stopping", 30, S.STOPPING),),
    ),
    a_row("The fleet is to end", s.DUE, EndAsked(seconds(30), "down"), to=S.STOPPING, then=(s.ENDS,)),
    a_row(
        "The fleet is to end, and the run has ended",
        s.ENDING,
        EndAsked(seconds(30), "down"),
        a_death(WHO),
        to=S.STOPPED,
        then=(s.NO_CRASH,),
    ),
]


def resume(b: Before, to: AgentState, *then: Consequence, has: TaskState | None = HAD) -> Signal:
    return a_row("`orchestrad resume AGENT`", b, ResumeAsked(WHO), to=to, has=has, then=then)


def without_run(words: str, state: AgentState, **fields: Any) -> Before:
    agent = worker(
        WHO, state, task="t1", delivery=s.held(), conversation=ConversationId("conversation-1"), spoken=True, epoch=1, **fields
    )
    return before(words, agent)


RETURNS = [
    resume(s.LEFT_TO_PERSON, S.READY, s.CONTINUE, s.TYPED_NOW),
    resume(s.WAITING, S.READY, s.CONTINUE),
    resume(s.SPENT, S.READY, s.CONTINUE),
    resume(REFUSED, S.STOPPING, s.ENDS),
    resume(before("held by a person", worker(WHO, S.PAUSED, task="t1", delivery=s.held())), S.READY, s.CONTINUE),
    resume(without_run("its breaker is open", S.FAILED, deaths=8), S.STARTING, s.RESUMES, s.STARTS, s.CONTINUE),
    resume(without_run("its next start is at 14:30", S.BACKING_OFF, start_at=at("14:30").elapsed), S.STARTING, s.RESUMES, s.STARTS),
    a_row(
        "The time of its next start has come",
        without_run("its next start is at 14:02", S.BACKING_OFF, start_at=LATER.elapsed),
        to=S.STARTING,
        then=(s.RESUMES, s.STARTS, s.CONTINUE),
    ),
    a_row("The limit is over", s.SPENT, to=S.READY, now=at("14:30"), then=(s.CONTINUE,)),
    a_row("A task may begin", before("no run yet", worker(WHO, S.STOPPED)), to=S.STARTING, has=None, then=(s.STARTS,)),
]

SECTIONS: Mapping[str, list[Signal]] = {
    "A conversation begins": BEGINNINGS,
    "A turn begins: UserPromptSubmit": PROMPTS,
    "Within a turn": WITHIN,
    "A turn ends: Stop": STOPS,
    "A turn breaks off": BREAKS,
    "A conversation or run ends": ENDS,
    "What was held goes on": RETURNS,
}
ROWS = [row for rows in SECTIONS.values() for row in rows]
