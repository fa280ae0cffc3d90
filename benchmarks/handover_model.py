"""The scripted model of the benchmark `handover`; runs in the stand-in's process.

Each task is one tool call (write a file, commit it, `orch done`) and a word that ends the turn. It looks at the agent's
workspace in the moment in which a request arrives: a task that comes before its branch is checked out ends the benchmark.
"""

import os
import re
from pathlib import Path

from tests.support.model_replies import Reply, Text, Tool
from tests.support.model_requests import ModelRequest

AGENTS = "ORCHESTRAD_BENCHMARK_AGENTS"  # names the directory of the agents, as this machine sees it
DELAY = "ORCHESTRAD_BENCHMARK_DELAY"  # seconds that the model takes for each reply

BRANCH = re.compile(r"You are on the branch ((worker-\d+)/\S+), made for this task")
_WORK = """\
set -e
branch=$(git symbolic-ref --short HEAD)
mkdir -p work
echo "$branch" >"work/$(echo "$branch" | tr / -).txt"
git add work
git commit -q -m "Write down where this was done"
orch done -m "Wrote down where this was done"
"""


def answer(request: ModelRequest) -> Reply:
    """What the model says. Raises what ends the benchmark: the stand-in tells it when it closes."""
    delay = float(os.environ[DELAY])
    if request.is_after_tool:
        failed = [result.text for result in request.tool_results if result.is_error]
        if failed:
            raise AssertionError(f"the tool call failed: {failed[0]}")
        return Text("Done.", delay=delay)
    if request.stop_answer is not None:
        check_branch(request.stop_answer)
    return Tool(_WORK, delay=delay)


def check_branch(task: str) -> None:
    """Whether the branch that a Stop's answer names is checked out by now."""
    named = BRANCH.search(task)
    if named is None:
        raise AssertionError(f"a Stop was answered with something that is no task: {task}")
    head = Path(os.environ[AGENTS], named[2], "workspace", ".git", "HEAD").read_text().strip()
    if head != f"ref: refs/heads/{named[1]}":
        raise AssertionError(f"the model was asked to work on {named[1]} while the workspace was at {head}")
