"""Reads a task's text for the scripted agent: its title, the script to run, and how to behave.

The script is a fenced block with the info string `sh`. Behaviour stands in a comment: `<!-- act: pause 2, ask "Which
colour?" -->`; BEHAVIOURS lists what there is.
"""

import re
from typing import NamedTuple

from orchestrad.demo.steps import quoted

BEHAVIOURS = {
    "title": "the commit's subject, instead of what the text begins with",
    "pause": "N: think for N seconds before the work",
    "no-commit": "leave the work uncommitted, until a reminder",
    "no-done": "commit, but do not say done, until a reminder",
    "no-change": "WHY: say `orch done --no-change WHY` and commit nothing",
    "stubborn": "answer reminders with words only",
    "talk": "end the first turn without doing anything",
    "blocked": "WHY: say `orch blocked WHY` instead of working",
    "ask": "QUESTION: say `orch ask QUESTION` instead of working",
    "background": "SECONDS: end the turn with work still running, and say done when it has ended",
    "fail": "KIND: end the turn with this API error, once; `usage_limit N` has a reset in N seconds",
    "exit": "STATUS: die in the middle of the work, once; 137 dies as by kill -9",
}

_ACTS = re.compile(r"<!--\s*act:\s*(.*?)\s*-->", re.DOTALL)
_ACT = re.compile(r'([a-z][a-z-]*)((?:\s+(?:"[^"]*"|[^\s,"]+))*)')
_FENCE = re.compile(r"^([ \t>]*)(`{3,}|~{3,})sh\b[^\n]*\n(.*?)^[ \t>]*\2`*[ \t]*$", re.DOTALL | re.MULTILINE)
_CREATE = re.compile(r"^[ \t]*(?:[-*] )?Create (?:the )?file `?([^\s`]+)`? with [`\"“]?(.+?)[`\"”]?\.?$", re.MULTILINE)
_TITLES = tuple(
    map(
        re.compile,
        (r"«(.+?)»", r"^[-*] \[[ xX]\] (.+)", r"^#+ (.+)", r"^\*\*(.+?)\*\*", r"^(?:Your )?(?:next )?[Tt]ask\b[^:]*: (.+)"),
    )
)
_FEEDBACK = "Stop hook feedback:"
_TITLE_LIMIT = 72  # git's own convention for a subject


class Task(NamedTuple):
    title: str
    script: str
    acts: dict[str, str]


def read_task(text: str) -> Task | None:
    """The task that a text describes; None for a text without script, behaviour or `Create file X with Y`."""
    acts = _acts(text)
    scripts = [_dedented(found) for found in _FENCE.finditer(text)]
    scripts += [
        f"mkdir -p {quoted(_parent(path))}\nprintf '%s\\n' {quoted(what)} > {quoted(path)}" for path, what in _CREATE.findall(text)
    ]
    # The instructions around a task may show how `orch` is used: that is no work.
    scripts = [script for script in scripts if not script.lstrip("$ ").startswith(("orch ", "git "))]
    if not scripts and not acts:
        return None
    return Task(acts.get("title") or title_of(text), "\n".join(scripts), acts)


def prose_task(text: str) -> Task:
    """A task of words only: it is noted in a file of its own, so that there is something to commit."""
    title = title_of(text)
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "note"
    return Task(title, f"mkdir -p notes\nprintf '%s\\n' {quoted(title)} >> notes/{name}.md", {})


def title_of(text: str) -> str:
    """What to call the work: the first line that quotes, ticks, heads or names something, else the first line of words."""
    lines = [line.strip() for line in _ACTS.sub("", text).splitlines() if line.strip() and line.strip() != _FEEDBACK]
    for line in lines:
        for pattern in _TITLES:
            if found := pattern.search(line):
                return _shortened(re.sub(r"\s*\{#?[^{}]*\}$", "", found[1]))
    return _shortened(lines[0]) if lines else "Work"


def _acts(text: str) -> dict[str, str]:
    acts: dict[str, str] = {}
    for comment in _ACTS.findall(text):
        for name, argument in _ACT.findall(comment):
            acts[name] = argument.strip().strip('"')
    unknown = sorted(acts.keys() - BEHAVIOURS.keys())
    if unknown:
        acts = {name: argument for name, argument in acts.items() if name in BEHAVIOURS}
        acts["blocked"] = f"I know no behaviour {', '.join(unknown)}; there are {', '.join(BEHAVIOURS)}."
    return acts


def _dedented(found: re.Match[str]) -> str:
    indent = found[1]
    return "\n".join(line.removeprefix(indent) for line in found[3].splitlines())


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _shortened(line: str) -> str:
    line = line.strip().rstrip(":")
    return line if len(line) <= _TITLE_LIMIT else line[: _TITLE_LIMIT - 1] + "…"
