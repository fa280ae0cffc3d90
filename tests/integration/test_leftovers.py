"""The check for what is left behind: on a real engine, and in a run of pytest of its own."""

import contextlib
import os
import signal
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from docker.client import DockerClient
from docker.types import Mount

from tests.support.leftovers import TEST_LABEL, Place, left_behind, look

pytest_plugins = ["pytester"]

AT_ONCE = timedelta(0)
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.docker
def test_a_container_with_our_label_is_named(docker_host: str, base_image: str, tmp_path: Path) -> None:
    name = f"orchestrad-test-{uuid4().hex[:8]}"
    place = Place(mark="none", engine=docker_host, binds_below=tmp_path)
    before = look(place)
    mounts = [Mount("/work", str(tmp_path), "bind", read_only=True)]

    with contextlib.closing(DockerClient(base_url=docker_host)) as client:
        container = client.containers.create(base_image, name=name, labels={TEST_LABEL: name}, mounts=mounts)
        try:
            assert left_behind(before, lambda: look(place), AT_ONCE) == [f"container {name} (created)"]
        finally:
            container.remove(force=True)

    assert left_behind(before, lambda: look(place), AT_ONCE) == []


FORGETFUL = """
import asyncio, subprocess, sys, tempfile, threading

async def test_task():
    test_task.kept = asyncio.create_task(asyncio.sleep(60, "watch containers"))

def test_thread():
    threading.Thread(target=threading.Event().wait, name="watch", daemon=True).start()

def test_process():
    subprocess.run(["sh", "-c", "setsid sleep 60 & echo $! >pid"], check=True)

def test_file():
    tempfile.mkdtemp(prefix="orchestrad-")

def test_tidy():
    with tempfile.TemporaryDirectory():
        pass

async def test_tidy_task():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
"""


def test_a_test_that_forgets_something_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(FORGETFUL)

    result = pytester.runpytest_subprocess("-p", "tests.conftest")
    os.kill(int((pytester.path / "pid").read_text()), signal.SIGKILL)

    result.assert_outcomes(passed=6, errors=4)
    for line in ("the test left tasks behind:", "*thread 'watch'", "*process *: sleep 60", "*/orchestrad-*"):
        result.stdout.fnmatch_lines([line])
