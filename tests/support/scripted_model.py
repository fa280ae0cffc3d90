"""What the stand-in's model does as a Manager or a worker of a fleet: all of it read from the conversation, as a real one.

A job is known by its title and done in steps, one Bash call each. A step begins with a word that names it, so that a
conversation tells which steps it has had; and it writes its name into `$HOME/ran`, so that a test can count how often it
ran. Nothing here knows orchestrad but by the texts that it puts before an agent.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.support.model_requests import all_texts_of, blocks_of, texts_of
from tests.support.standin import ModelRequest, Reply, Text, Tool

PROMPT: Final = re.compile(r"^orchestrad [0-9a-f]+: read (\S+) and do what it says", re.MULTILINE)
TASK: Final = re.compile(r"^Your next task, from (\S+):\n+# (.+)$", re.MULTILINE)
CONFLICT: Final = re.compile(r"^- Conflict: '(.+?)' \(\S+\), branch .*? Settle it: (.*)$", re.MULTILINE)
DIGEST: Final = "News from your fleet of "
ROLE: Final = re.compile(r"You are (worker-\d+|the Manager)\b")
STEP: Final = re.compile(r"^: step (\S+);")
NOTIFIED: Final = "<task-notification>"

Wait = Callable[[], Awaitable[object]]


class Gate:
    """Holds a job back until the test opens it."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._opened = asyncio.Event()

    async def wait(self) -> None:
        self._reached.set()
        await self._opened.wait()

    async def has_come(self) -> None:
        """Returns when the model has got as far: its agent is in the middle of a turn."""
        await asyncio.wait_for(self._reached.wait(), 30)

    def open(self) -> None:
        self._opened.set()


@dataclass(frozen=True)
class Job:
    """One task as its list has it, and how a worker does it."""

    id: str
    title: str
    worker: int
    path: str = ""  # the file that it writes a line into; by default one of its own
    line: str = ""
    body: str = ""
    talks_first: bool = False  # the first turn says something and does nothing
    asks: str = ""  # a question without whose answer it can't be done
    answer: str = ""
    background: bool = False  # waits for a program that runs in the background
    lingers: bool = False  # its second step takes long enough to be killed in
    wait: Wait | None = None  # held back before its first step until this is so

    @property
    def file(self) -> str:
        return self.path or f"work/{self.id}.txt"

    @property
    def mark(self) -> str:
        return self.line or f"{self.id} was here"

    def item(self, *, answered: bool = False, ticked: bool = False) -> str:
        """Its item of a task list."""
        body = "".join(f"      {line}\n" for line in self.details(answered=answered))
        return f"- [{'x' if ticked else ' '}] {self.title} {{#{self.id}}}\n{body}"

    def details(self, *, answered: bool = False) -> list[str]:
        return [*self.body.splitlines(), *([f"Answer: {self.answer}"] if answered and self.answer else [])]

    def write(self) -> str:
        directory = f"mkdir -p {self.file.rpartition('/')[0] or '.'}"
        if self.path:
            return f"{directory} && sed -i '1s/.*/{self.mark}/' {self.file}"  # the line that others change too
        return f"{directory} && echo '{self.mark}' >>{self.file}"


class Meeting:
    """Where as many agents as there are to be wait for each other, so that their work begins from one state."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._here: set[str] = set()
        self._complete = asyncio.Event()

    def arrive(self, who: str) -> Wait:
        async def wait() -> None:
            self._here.add(who)
            if len(self._here) == self._size:
                self._complete.set()
            await self._complete.wait()

        return wait


@dataclass(frozen=True)
class Step:
    name: str
    command: str
    background: bool = False


def bash(step: Step) -> Tool:
    return Tool(f': step {step.name}; echo {step.name} >>"$HOME/ran"; {step.command}', background=step.background)


@dataclass
class Seen:
    """What a conversation holds since it was last given something to do."""

    title: str | None = None
    text: str = ""
    had: set[str] = field(default_factory=set)
    talked: bool = False
    notified: bool = False

    @classmethod
    def of(cls, request: ModelRequest) -> "Seen":
        seen = cls()
        for message in request.messages:
            if message.get("role") == "assistant":
                calls = [block["input"].get("command", "") for block in blocks_of(message) if block.get("type") == "tool_use"]
                seen.had |= {found[1] for call in calls if (found := STEP.match(call))}
                seen.talked = seen.talked or bool(texts_of(message))
            elif message.get("role") == "user":
                for text in all_texts_of(message):
                    if found := TASK.search(text):
                        seen = cls(title=found[2], text=text)
                    elif DIGEST in text:
                        seen = cls(text=text)
                    seen.notified = seen.notified or NOTIFIED in text
        return seen


@dataclass
class FleetModel:
    """The script for a whole fleet: `standin.script(FleetModel(jobs).answer)`."""

    jobs: Sequence[Job]
    delay: float = 0.0
    requests: dict[str, list[ModelRequest]] = field(default_factory=dict)  # by agent

    async def answer(self, request: ModelRequest) -> Reply:
        found = ROLE.search(request.system)
        if found is None:
            raise AssertionError(f"request {request.n} does not say who asks: {request.system[-500:]!r}")
        agent = "manager" if found[1] == "the Manager" else found[1]
        self.requests.setdefault(agent, []).append(request)
        for message in request.new_messages:
            for text in texts_of(message):
                if prompt := PROMPT.search(text):
                    return Tool(f"cat {prompt[1]}", text="I read what I am to do.", delay=self.delay)
        seen = Seen.of(request)
        if agent == "manager":
            step: Step | Text = next((s for s in self.manage(seen.text) if s.name not in seen.had), None) or Text("Noted.")
        else:
            step = await self.work(seen)
        return bash(step) if isinstance(step, Step) else step

    async def work(self, seen: Seen) -> Step | Text:
        job = next((job for job in self.jobs if job.title == seen.title), None)
        if job is None:
            return Text(f"I have nothing to do: {seen.title!r} is no task of mine.")
        if job.wait is not None:
            await job.wait()
        if job.talks_first and not seen.talked:
            return Text("I would begin with a look at the files.")
        if job.asks and job.answer not in seen.text:
            ask = Step(f"{job.id}/ask", f"orch ask '{job.asks}'")
            return ask if ask.name not in seen.had else Text("I wait for an answer.")
        for step in self.steps(job):
            if step.name not in seen.had:
                return step
            if step.background and not seen.notified:
                return Text("It runs; I go on when it has ended.")
        return Text("That is all.")

    @staticmethod
    def steps(job: Job) -> Iterator[Step]:
        if job.background:
            yield Step(f"{job.id}/background", f"sleep 1; echo ended >>$HOME/{job.id}.out", background=True)
        yield Step(f"{job.id}/edit", job.write())
        if job.lingers:
            yield Step(f"{job.id}/linger", f"sleep 60; echo {job.id}/lingered >>$HOME/ran")
        yield Step(f"{job.id}/commit", f"git add -A && git commit -q -m '{job.title}'")
        yield Step(f"{job.id}/done", f"orch done -m 'wrote {job.file}'")

    # ---- the Manager

    def manage(self, digest: str) -> Iterator[Step]:
        """What one digest asks for, step by step, in the words that the digest itself gives."""
        if "PROJECT_DIRECTION.md is new" in digest:
            yield Step("direction", "cat PROJECT_DIRECTION.md")
            write = "\n".join(f"cat >{name} <<'END'\n{text}END" for name, text in self.lists().items())
            yield Step("lists", f"{write}\ngit add -A && git commit -q -m 'Write the lists' && git push -q")
        for job in self.jobs:
            if job.asks and f"Question about {job.title!r}" in digest:
                edit = f"sed -i '/{{#{job.id}}}/a \\      Answer: {job.answer}' WORKER_{job.worker}_TASK_LIST.md"
                yield Step(
                    f"{job.id}/answer",
                    f"git pull -q origin main && {edit} && git commit -q -a -m 'Answer a question' && git push -q",
                )
        for title, words in CONFLICT.findall(digest):
            job = next(job for job in self.jobs if job.title == title)
            first, second = re.findall(r"`(git (?:fetch|merge) [^`]*)`", words)
            yield Step(f"{job.id}/catch-up", first)
            yield Step(f"{job.id}/merge", second)
            keep = f"sed -i '/^<<<<<<< /d; /^=======$/d; /^>>>>>>> /d' {job.file}"
            yield Step(f"{job.id}/settle", f"{keep} && git commit -q -a -m 'Keep both sides' && git push -q")

    def lists(self, *, answered: bool = False, ticked: bool = False) -> Mapping[str, str]:
        """The lists as the Manager writes them; at the end every item is answered and ticked."""
        found: dict[str, str] = {}
        for job in self.jobs:
            name = f"WORKER_{job.worker}_TASK_LIST.md"
            found.setdefault(name, f"# Tasks of worker {job.worker}\n\n")
            found[name] += job.item(answered=answered, ticked=ticked)
        return found
