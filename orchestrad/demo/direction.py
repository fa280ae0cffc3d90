"""What the scripted agent does as Manager: writes lists from the direction, settles conflicts, answers questions.

The direction holds each worker's list ready-made, in a fenced block with the info string `tasks worker-N`.
"""

import re

from orchestrad.demo.steps import Call, Plan, Say, bash, quoted

DIRECTION = "PROJECT_DIRECTION.md"
ANSWER = "**Answer:** as a newcomer would expect it; keep it small."

_LISTS = "WORKER_*_TASK_LIST.md"
_TASKS = re.compile(r"^(`{3,}|~{3,})tasks worker-(\d+)[ \t]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_BRANCH = re.compile(r"\bworker-\d+/[\w-]+(?:\.[\w-]+)*")
_QUESTION = re.compile(r'^([^:\n]+):(.*?<!-- act: ask "([^"]*)"[^>]*-->.*)$', re.MULTILINE)
# Up to the newest shared branch, whichever that is called.
_CATCH_UP = 'git fetch -q origin && git merge -q --no-edit "origin/$(git branch --show-current)"'


def manage(text: str, workers: int) -> Plan:
    """Deals with one digest."""
    did: list[str] = []
    branches = conflicting_branches(text)
    asked = re.search(r"\b(ask|question)", text, re.IGNORECASE) is not None
    if branches or asked:
        yield bash(_CATCH_UP, "Catch up with the shared branch")
    for branch in branches:
        yield bash(_take_both_sides(branch), f"Merge {branch}, keeping the lines of both sides")
        did.append(f"settled {branch}")
    if asked:
        found = yield bash(f"grep -HF 'act: ask' {_LISTS} || true", "Find the questions in the lists")
        for name, line, question in _QUESTION.findall(found):
            if _plain(question) in _plain(text):
                yield Call("Edit", {"file_path": name, "old_string": line, "new_string": answered(line)})
                did.append(f"answered «{question}»")
        if any(one.startswith("answered") for one in did):
            yield bash(f"git add -A && git commit -q -m {quoted('Answer a question in its task')}", "Commit the answer")
    if DIRECTION in text:
        yield from _write_lists(workers, did)
    if did:
        yield bash("git push -q", "Hand it in")
    yield Say(f"I have {', '.join(did)}." if did else "Noted.", final=True)


def conflicting_branches(text: str) -> list[str]:
    """The workers' branches named in the paragraphs that speak of a conflict, each once."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if "conflict" in part.lower()]
    named = list(dict.fromkeys(_BRANCH.findall("\n".join(paragraphs))))
    return named or (list(dict.fromkeys(_BRANCH.findall(text))) if paragraphs else [])


def answered(line: str) -> str:
    """A list's line with its question replaced by the answer."""
    return re.sub(r"<!-- act: ask .*?-->", ANSWER, line)


def lists_in(direction: str) -> dict[int, str]:
    """The lists that a direction holds ready, by worker."""
    return {int(number): body for _, number, body in _TASKS.findall(direction)}


def _write_lists(workers: int, did: list[str]) -> Plan:
    direction = yield Call("Read", {"file_path": DIRECTION})
    counted = yield bash(f"grep -Hc '^[-*] \\[' {_LISTS} || true", "Count the tasks of each list")
    filled = {int(n) for n in re.findall(r"WORKER_(\d+)_TASK_LIST\.md:[1-9]", counted)}
    missing = {n: body for n, body in sorted(lists_in(direction).items()) if n <= workers and n not in filled}
    for number, body in missing.items():
        content = f"# Tasks of worker {number}\n\n{body}"
        yield Call("Write", {"file_path": f"WORKER_{number}_TASK_LIST.md", "content": content})
    if missing:
        names = ", ".join(f"worker {n}" for n in missing)
        yield bash(f"git add -A && git commit -q -m {quoted(f'Write the list of {names}')}", "Commit the lists")
        did.append(f"written the list of {names}")


def _take_both_sides(branch: str) -> str:
    return (
        "mkdir -p .git/info && echo '* merge=union' > .git/info/attributes\n"
        f"git merge -q --no-edit {quoted(f'origin/{branch}')} || git merge --abort\n"
        "rm -f .git/info/attributes\n"
        "git log --oneline -1"
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
