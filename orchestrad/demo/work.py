"""The scripted agent's mind: from what was said so far to the next step.

A *matter* is one text that asks for something; its plan is a generator that yields steps and is sent what each brought.
The conversation's messages drive it, so a resumed agent that hears them again stands where the killed one stood.
"""

import re
from collections.abc import Sequence

from orchestrad.demo import direction
from orchestrad.demo.steps import Call, Exit, Fail, Message, Plan, Say, Step, bash, quoted
from orchestrad.demo.task import Task, prose_task, read_task

_FROM_DAEMON = re.compile(r"orchestrad [0-9A-Za-z]+: (.*)", re.DOTALL)
_READ = re.compile(r"\bread `?(/[^\s`]+)")


class Mind:
    """What the agent is at, and under it what it was at before."""

    def __init__(self, *, is_manager: bool, workers: int) -> None:
        self._is_manager, self._workers = is_manager, workers
        self._matters: list[tuple[Plan, Step]] = []
        self._stubborn = False

    def start_over(self, messages: Sequence[Message]) -> None:
        """Forgets all but these messages."""
        self._matters.clear()
        self._stubborn = False
        for message in messages:
            self.hear(message)

    def next_step(self) -> Step:
        return self._matters[-1][1] if self._matters else Say("There is nothing more to do.", final=True)

    def hear(self, message: Message) -> None:
        """Takes in one message of the conversation, in order, its own ones too."""
        if message.kind == "call":
            return
        if message.kind in ("say", "failure", "result"):
            # A call that was cut off is done again; a death that was ordered is not.
            if self._matters and (message.ok or isinstance(self._matters[-1][1], Exit)):
                plan, _ = self._matters.pop()
                self._advance(plan, message.text)
            return
        self._advance(self._consider(message), None)

    def _advance(self, plan: Plan, brought: str | None) -> None:
        try:
            step = plan.send(brought) if brought is not None else next(plan)
        except StopIteration:
            return
        self._matters.append((plan, step))

    def _consider(self, message: Message) -> Plan:
        text = message.text.removeprefix("Stop hook feedback:").strip()
        if message.kind in ("prompt", "queued"):
            # A long paste arrives wrapped.
            text = re.sub(r"</?pasted_content[^>]*>", "", text).strip()
            found = _FROM_DAEMON.match(text)
            if found is None:
                yield Say(
                    f"You said: {text.splitlines()[0][:200] if text else 'nothing'}. I am scripted, so that is all I can say.",
                    message.kind == "prompt",
                )
                return
            text = found[1]
            if path := _READ.search(text):
                text = yield Call("Read", {"file_path": path[1]})
        if self._is_manager:
            if self._matters and "continue" in text[:200].lower():
                return
            yield from direction.manage(text, self._workers)
        elif (task := read_task(text)) is not None:
            self._matters.clear()  # a new task: whatever was left of another is somebody else's now
            self._stubborn = "stubborn" in task.acts
            yield from _work(task)
        elif self._stubborn and message.kind == "feedback":
            yield Say("I would rather not.", final=True)
        elif self._matters:
            return  # a reminder, or "continue": what was begun goes on
        elif message.kind == "notification":
            yield Say("Noted.", final=True)
        elif "continue" in text[:200].lower():
            yield Say("There is nothing to go on with.", final=True)
        else:
            yield from _work(prose_task(text))


def _work(task: Task) -> Plan:
    acts = task.acts
    if "talk" in acts:
        yield Say("I have read the task and will think about it.", final=True)
    if "pause" in acts:
        yield Say(f"Working on: {task.title}", seconds=float(acts["pause"] or 1))
    if "fail" in acts:
        yield Fail(acts["fail"] or "rate_limit")
    for verb in ("ask", "blocked"):
        if verb in acts:
            yield bash(f"orch {verb} {quoted(acts[verb])}", "Tell the fleet")
            yield Say(f"I said {verb}: {acts[verb]}", final=True)
            return
    if task.script:
        yield bash(task.script, task.title)
    if "exit" in acts:
        yield Exit(int(acts["exit"] or 1))
    if "no-commit" in acts:
        yield Say("That is done, I think.", final=True)
    if "no-change" not in acts:
        yield bash(f"git add -A && git commit -q -m {quoted(task.title)} && git log --oneline -1", "Commit the work")
    if "background" in acts:
        yield bash(f"sleep {float(acts['background'] or 1):g}", "Run the long checks", background=True)
        yield Say("The long checks are running.", final=True)
    if "no-done" in acts:
        yield Say("The work is committed.", final=True)
    no_change = f" --no-change {quoted(acts['no-change'])}" if "no-change" in acts else ""
    yield bash(f"orch done{no_change} -m {quoted(task.title)}", "Say that the task is done")
    yield Say(f"Done: {task.title}", final=True)
