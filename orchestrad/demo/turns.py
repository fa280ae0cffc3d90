"""The scripted agent's turns: from a prompt through steps and tools to the Stop hook, and on where that says so."""

import os
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from orchestrad.demo import tools
from orchestrad.demo.conversation import Conversation, SessionFile, new_uuid
from orchestrad.demo.hooks import Hooks, Verdict, verdict
from orchestrad.demo.loop import Activity, Job, Loop, Running, Wait
from orchestrad.demo.screen import MARK, Screen
from orchestrad.demo.steps import Call, Exit, Fail, Message, Say
from orchestrad.demo.work import Mind

TRANSCRIPT_LAG = 0.08  # seconds from the StopFailure hook's call to the transcript's line, as observed of the CLI
IDLE_NOTICE = 60.0  # seconds after a turn's end, once
_BLOCK_CAP = 8  # blocks in a row without a tool that the CLI honours, unless told otherwise
_OUTPUT_ROWS = 6
_ERRORS = {
    "rate_limit": "API Error: Request rejected (429) · rate limited",
    "usage_limit": "You've hit your 5-hour limit",
    "server_error": "API Error: 529 Overloaded",
    "authentication_failed": "API Error: 401 authentication failed",
    "billing_error": "Credit balance is too low",
}


class Turns:
    """The conversation and what happens in it. At most one turn runs; `interrupt` ends it."""

    def __init__(
        self, *, loop: Loop, screen: Screen, hooks: Hooks, conversation: Conversation, session: SessionFile, mind: Mind
    ) -> None:
        self._loop, self._screen, self._hooks, self._mind = loop, screen, hooks, mind
        self._session = session
        self.conversation = conversation
        self._pace = float(os.environ.get("ORCHESTRAD_SCRIPT_PACE", "0.2"))
        self._turn: Running | None = None
        self._prompt = self._prompt_id = ""
        self._is_answered = True
        self._queue: list[str] = []
        self._background: dict[str, dict[str, str]] = {}
        self._blocks = 0
        self._began = 0

    @property
    def is_busy(self) -> bool:
        return self._turn is not None and not self._turn.over

    @property
    def has_background(self) -> bool:
        return bool(self._background)

    def submit(self, text: str, kind: str = "prompt") -> None:
        """A prompt was sent: begins a turn, or joins the running one."""
        if self.is_busy:
            self._loop.spawn(self._queued(text))
        else:
            self._began += 1
            self._turn = self._loop.spawn(self._run(kind, text))

    def interrupt(self) -> None:
        """Escape: the turn ends where it is, and no hook tells of it."""
        if self._turn is None or self._turn.over:
            return
        self._turn.close()
        messages, composer = self.conversation.messages, self._screen.composer
        if messages and messages[-1].kind == "call":
            self._result(messages[-1].text, "[Request interrupted by user for tool use]", cut_off=True)
        elif not self._is_answered and not composer.text:
            if messages and messages[-1] == Message("prompt", self._prompt):
                self.conversation.withdraw()
                self._mind.start_over(messages)
            composer.text = self._prompt
        if self._queue and not composer.text:
            composer.text = "\n".join(self._queue)
        self._queue.clear()
        self._screen.has_queued = False
        self._screen.say("  ⎿ Interrupted by user", "bad")
        self._rest()

    def fire(self, event: str, matches: str = "", **fields: Any) -> Generator[Wait, None, Verdict]:
        """Fires one event's hooks and waits for all their answers."""
        jobs = self._hooks.jobs(self._payload(event, fields), matches=matches)
        if jobs:
            yield jobs
        return verdict(jobs)

    def rest(self) -> None:
        """The agent waits for input: says so in the session file and on the screen."""
        self._rest()

    def new_conversation(self, conversation: Conversation, mind: Mind) -> None:
        """`/clear`: what was said is forgotten."""
        self.conversation, self._mind = conversation, mind

    def _payload(self, event: str, fields: dict[str, Any]) -> dict[str, Any]:
        base = {
            "session_id": self.conversation.id,
            "transcript_path": str(self.conversation.transcript),
            "cwd": str(Path.cwd()),
            "hook_event_name": event,
        }
        if event != "SessionStart":
            base["prompt_id"] = self._prompt_id
        if event in ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Stop"):
            base["permission_mode"] = "bypassPermissions"
        return base | fields

    def _run(self, kind: str, text: str) -> Activity:
        self._prompt, self._prompt_id, self._is_answered = text, new_uuid(), False
        self._status("busy")
        self._screen.say(f"{MARK} {_short(text, 3)}", "strong")
        said = yield from self.fire("UserPromptSubmit", prompt=text)
        if said.blocked:
            self._screen.say(f"  ⎿ UserPromptSubmit operation blocked by hook: {said.reason}", "bad")
            if kind == "prompt":  # the refused text stands in the composer again
                self._screen.composer.text = text + self._screen.composer.text
            self._rest()
            return
        self._hear(kind, text)
        yield from self._chain()
        self._rest()

    def _queued(self, text: str) -> Activity:
        said = yield from self.fire("UserPromptSubmit", prompt=text)
        if said.blocked:
            self._screen.say(f"  ⎿ UserPromptSubmit operation blocked by hook: {said.reason}", "bad")
            self._screen.composer.text += text
        elif self.is_busy:
            self._queue.append(text)
            self._screen.say(f"{MARK} {_short(text, 3)} (queued)", "dim")
        else:  # the turn ended meanwhile
            self._turn = self._loop.spawn(self._late(text))
        self._screen.has_queued = bool(self._queue)
        self._screen.refresh()

    def _late(self, text: str) -> Activity:
        self._status("busy")
        self._hear("prompt", text)
        yield from self._chain()
        self._rest()

    def _chain(self) -> Activity:
        """Steps until a Stop hook lets the turn end."""
        stop_active = False
        self._blocks = 0
        while True:
            yield self._pace
            self._join_queue("queued")
            step = self._mind.next_step()
            match step:
                case Call():
                    yield from self._use(step)
                case Fail():
                    yield from self._fail(step)
                    return
                case Exit(status):
                    self.conversation.call("Bash", {"command": f"exit {status}"})
                    _die(status)
                case Say(text, final, seconds):
                    if seconds:
                        yield seconds
                    self.conversation.say(text)
                    self._mind.hear(Message("say", text))
                    self._is_answered = True
                    self._screen.say(f"● {text}")
                    if not final:
                        continue
                    goes_on = yield from self._stop(text, stop_active)
                    stop_active = goes_on
                    if not goes_on and not self._join_queue("prompt"):
                        return

    def _stop(self, said: str, stop_active: bool) -> Generator[Wait, None, bool]:
        """Whether the turn goes on."""
        background = [{"id": id_, **task} for id_, task in self._background.items()]
        more: dict[str, Any] = {"effort": {"level": "high"}, "stop_hook_active": stop_active, "last_assistant_message": said}
        answer = yield from self.fire("Stop", **more, background_tasks=background, session_crons=[])
        if answer.failure:
            self._screen.say(f"  ⎿ Stop hook failed: {answer.failure}", "bad")
        if not answer.blocked:
            return False
        self._blocks += 1
        cap = int(self._hooks.environment().get("CLAUDE_CODE_STOP_HOOK_BLOCK_CAP") or _BLOCK_CAP)
        if cap and self._blocks > cap:
            self._screen.say(f"  ⎿ Stop hook blocked {self._blocks} times in a row: ending the turn", "bad")
            return False
        self._screen.say("  ⎿ " + _short(answer.reason, 3).replace("\n", "\n    "), "accent")
        self._hear("feedback", f"Stop hook feedback:\n{answer.reason}")
        return True

    def _use(self, call: Call) -> Activity:
        use = self.conversation.call(call.tool, call.input)
        self._mind.hear(Message("call", use))
        self._is_answered = True
        self._blocks = 0
        shown = call.input.get("description") or f"{call.tool} {call.input.get('file_path', '')}"
        self._screen.say(f"● {shown}", "good")
        if command := call.input.get("command"):
            self._screen.say(f"  $ {_short(command, 2)}", "dim")
        named: dict[str, Any] = {"effort": {"level": "high"}, "tool_name": call.tool, "tool_input": call.input, "tool_use_id": use}
        answer = yield from self.fire("PreToolUse", call.tool, **named)
        if answer.blocked:
            self._result(use, f"Refused by hook: {answer.reason}", is_error=True)
            return
        began = time.monotonic()
        if call.tool != "Bash":
            done = tools.use_file(call.tool, call.input)
        elif call.input.get("run_in_background"):
            done = self._begin_background(call)
        else:
            job = tools.bash(call.input["command"], self._hooks.environment())
            yield [job]
            done = tools.ran(job)
        if call.tool == "Bash" and done.text:
            self._screen.say("  ⎿ " + _short(done.text, _OUTPUT_ROWS).replace("\n", "\n    "), "bad" if done.failed else "dim")
        duration = {"duration_ms": int((time.monotonic() - began) * 1000)}
        if done.failed:
            yield from self.fire("PostToolUseFailure", call.tool, **named, error=done.text, **duration)
        else:
            yield from self.fire("PostToolUse", call.tool, **named, tool_response=done.response, **duration)
        self._result(use, done.text, is_error=done.failed)

    def _fail(self, fail: Fail) -> Activity:
        error, _, argument = fail.error.partition(" ")
        text, details = _ERRORS.get(error, f"API Error: {error}"), dict[str, Any]()
        if error == "usage_limit":
            error, reset = "rate_limit", int(time.time() + float(argument or 3600))
            details = {"apiError": "usage_limit_reached", "apiErrorStatus": 429}
            details["quotaLimits"] = {"status": "rejected", "resetsAt": reset, "rateLimitType": "five_hour"}
            text += time.strftime(" · resets %H:%M (UTC)", time.gmtime(reset))
        self._screen.say(f"  ⎿ {text}", "bad")
        payload = self._payload("StopFailure", {"effort": {"level": "high"}, "error": error, "last_assistant_message": text})
        jobs: list[Job] = list(self._hooks.jobs(payload, matches=error))
        self._loop.spawn(_awaited(jobs))
        yield TRANSCRIPT_LAG
        self.conversation.fail(error, text, **details)
        self._mind.hear(Message("failure", text))

    def _begin_background(self, call: Call) -> tools.Done:
        id_ = f"b{os.urandom(4).hex()}"
        task = {"type": "shell", "status": "running", "description": call.input["description"], "command": call.input["command"]}
        self._background[id_] = task
        self._loop.spawn(self._watch_background(id_, call.input["command"]))
        text = f"Command running in background with ID: {id_}"
        return tools.Done(text, {"stdout": "", "stderr": "", "interrupted": False, "backgroundTaskId": id_})

    def _watch_background(self, id_: str, command: str) -> Activity:
        job = tools.bash(command, self._hooks.environment(), timeout=3600)
        yield [job]
        task = self._background.pop(id_)
        while self.is_busy:
            yield 0.05
        summary = f'Background command "{task["description"]}" completed (exit code {job.exit_code})'
        self.submit(
            f"<task-notification>\n<task-id>{id_}</task-id>\n<summary>{summary}</summary>\n</task-notification>", "notification"
        )

    def _join_queue(self, kind: str) -> bool:
        texts, self._queue = self._queue, []
        for text in texts:
            self._hear(kind, text)
        self._screen.has_queued = False
        return bool(texts)

    def _hear(self, kind: str, text: str) -> None:
        self.conversation.hear(kind, text)
        self._mind.hear(self.conversation.messages[-1])

    def _result(self, use: str, text: str, *, is_error: bool = False, cut_off: bool = False) -> None:
        self.conversation.result(use, text, is_error=is_error, cut_off=cut_off)
        self._mind.hear(self.conversation.messages[-1])

    def _rest(self) -> None:
        self._status("shell" if self._background else "idle")
        self._loop.spawn(self._notice(self._began))

    def _notice(self, turn: int) -> Activity:
        yield IDLE_NOTICE
        if turn == self._began and not self.is_busy:
            yield from self.fire("Notification", message="Claude is waiting for your input", notification_type="idle_prompt")

    def _status(self, status: str) -> None:
        self._session.write(self.conversation.id, status)
        self._screen.is_busy = status == "busy"
        self._screen.refresh()


def _die(status: int) -> None:
    if status == 128 + signal.SIGKILL:
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(status)


def _awaited(jobs: list[Job]) -> Activity:
    if jobs:
        yield jobs


def _short(text: str, rows: int) -> str:
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    more = [f"… +{len(lines) - rows} lines"] if len(lines) > rows else []
    return "\n".join([*lines[:rows], *more])
