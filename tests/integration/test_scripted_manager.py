"""The scripted agent as Manager, and the sample project that it and its workers are shown with."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrad.config.load import load
from orchestrad.core.tasklist import parse_list
from orchestrad.demo.project import make_config, make_project
from orchestrad.demo.sample import QUESTION
from orchestrad.demo.task import read_task
from tests.support.scripted_agent import HookServer, Place, terminal

DIGEST = "orchestrad 4fa1c0: {0}"


@pytest.fixture
def server() -> Iterator[HookServer]:
    hooks = HookServer()
    yield hooks
    hooks.close()


@pytest.fixture
def manager(tmp_path: Path, server: HookServer) -> Place:
    """A Manager's place whose workspace is a clone of the sample project for three workers."""
    place = Place(tmp_path, server)
    upstream = make_project(tmp_path / "project", 3)
    place.environment |= {"AGENT_NAME": "manager", "TOTAL_WORKERS": "3"}
    place.git("remote", "add", "origin", str(upstream))
    place.git("fetch", "-q", "origin")
    place.git("reset", "-q", "--hard", "origin/main")
    place.git("branch", "-q", "--set-upstream-to=origin/main")
    return place


def told(place: Place, server: HookServer, text: str) -> str:
    """The Manager's last words after it was told this."""
    before = len(server.of("Stop"))
    with terminal(place, DIGEST.format(text)) as agent:
        agent.until(lambda: len(server.of("Stop")) > before and place.status() == "idle", "the turn ends")
    return str(server.of("Stop")[-1]["last_assistant_message"])


def work_on(place: Place, branch: str, list_name: str, title: str) -> None:
    """Does what the task's script says, on a branch from the first commit, and pushes it."""
    items = parse_list((place.workspace / list_name).read_bytes()).items
    task = read_task(next(item.body for item in items if item.text == title))
    assert task is not None
    place.git("checkout", "-q", "-b", branch, "main")
    subprocess.run(["sh", "-c", task.script], cwd=place.workspace, check=True)
    place.git("commit", "-q", "-a", "-m", title)
    place.git("push", "-q", "origin", branch)
    place.git("checkout", "-q", "main")


def test_the_manager_writes_the_lists_that_are_missing_and_pushes_them(manager: Place, server: HookServer) -> None:
    told(manager, server, "read PROJECT_DIRECTION.md and write the task lists.")
    assert manager.git("show", "--format=", "--name-only", "origin/main").split() == ["WORKER_3_TASK_LIST.md"]
    found = parse_list((manager.workspace / "WORKER_3_TASK_LIST.md").read_bytes())
    assert found.problems == ()
    assert [item.text for item in found.items] == ["Count digits", "Count vowels", "Explain empty texts"]


def test_the_manager_leaves_lists_alone_that_have_tasks(manager: Place, server: HookServer) -> None:
    told(manager, server, "read PROJECT_DIRECTION.md and write the task lists.")
    tip = manager.git("rev-parse", "origin/main")
    assert told(manager, server, "PROJECT_DIRECTION.md has changed.") == "Noted."
    assert manager.git("rev-parse", "origin/main") == tip


def test_the_manager_settles_a_conflict_by_taking_both_sides(manager: Place, server: HookServer) -> None:
    work_on(manager, "worker-1/aa11", "WORKER_1_TASK_LIST.md", "Announce the counter of characters")
    work_on(manager, "worker-2/bb22", "WORKER_2_TASK_LIST.md", "Announce the counter of unique")
    manager.git("push", "-q", "origin", "worker-1/aa11:main")
    told(
        manager,
        server,
        "worker-3/cc33 was merged.\n\nConflict: branch worker-2/bb22 does not merge into main. Paths: CHANGELOG.md.",
    )
    changelog = manager.git("show", "origin/main:CHANGELOG.md")
    assert "- Counts characters.\n- Counts unique.\n" in changelog
    manager.git("merge-base", "--is-ancestor", "origin/worker-2/bb22", "origin/main")


def test_the_manager_answers_a_question_in_the_task_it_came_from(manager: Place, server: HookServer) -> None:
    told(manager, server, "read PROJECT_DIRECTION.md and write the task lists.")
    said = told(manager, server, f"worker-3 asks about «Explain empty texts»: {QUESTION}")
    assert QUESTION in said
    items = parse_list(manager.git("show", "origin/main:WORKER_3_TASK_LIST.md").encode()).items
    task = read_task(items[-1].body)
    assert "**Answer:**" in items[-1].body
    assert task is not None
    assert "ask" not in task.acts


def test_other_digests_are_noted_without_a_commit(manager: Place, server: HookServer) -> None:
    assert told(manager, server, "3 tasks were merged; nothing is needed.") == "Noted."


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_every_task_of_the_sample_project_does_its_work(tmp_path: Path, workers: int) -> None:
    upstream = make_project(tmp_path, workers)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(upstream), str(clone)], check=True)
    lists = sorted(clone.glob("WORKER_*_TASK_LIST.md"))
    assert len(lists) == workers - 1
    for file in lists:
        found = parse_list(file.read_bytes(), file.name)
        assert found.problems == ()
        for item in found.items:
            task = read_task(item.body)
            assert task is not None
            subprocess.run(["sh", "-ec", task.script], cwd=clone, check=True, capture_output=True)
            assert subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True).stdout


def test_the_sample_configuration_is_a_valid_one(tmp_path: Path) -> None:
    upstream = make_project(tmp_path / "project", 2)
    directory = make_config(tmp_path / "config", upstream, workers=2, state_directory=tmp_path / "state", pace=0.1)
    config = load(directory, {"HOME": str(tmp_path)})
    assert (config.engine, config.worker_count, config.name) == ("process", 2, "demo")
    assert [file.stat().st_mode & 0o777 for file in (directory / "credentials").iterdir()] == [0o600]
