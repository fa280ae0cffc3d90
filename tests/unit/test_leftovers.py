"""The check that every test undergoes, tried on what it must notice."""

import os
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.leftovers import MARK, Place, left_behind, look, repository_status

AT_ONCE = timedelta(0)


def left(place: Place, before: object, patience: timedelta = AT_ONCE) -> list[str]:
    assert isinstance(before, dict)
    return left_behind(before, lambda: look(place), patience)


def test_a_test_that_does_nothing_leaves_nothing_behind() -> None:
    place = Place(mark="none")

    assert left(place, look(place)) == []


def test_a_running_thread_is_named() -> None:
    place, end = Place(mark="none"), threading.Event()
    before = look(place)

    thread = threading.Thread(target=end.wait, name="watch containers")
    thread.start()

    assert left(place, before) == ["thread 'watch containers'"]
    end.set()
    assert left(place, before, timedelta(seconds=5)) == []
    thread.join()


def test_a_running_child_is_named_by_its_command() -> None:
    place = Place(mark="none")
    before = look(place)

    with subprocess.Popen(["sleep", "60"]) as child:
        assert left(place, before) == [f"process {child.pid}: sleep 60"]
        child.kill()

    assert left(place, before) == []


def test_a_child_that_nobody_waited_for_is_named() -> None:
    place = Place(mark="none")
    before = look(place)

    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert left(place, before) == [f"process {child.pid}: ended, not waited for"]


def test_a_process_that_is_nobodys_child_is_found_by_its_mark(tmp_path: Path) -> None:
    place = Place(mark="a-mark-of-this-test")
    before = look(place)

    subprocess.run(
        ["sh", "-c", "setsid sleep 60 & echo $! > pid"],
        check=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], MARK: place.mark},
    )

    pid = int((tmp_path / "pid").read_text())
    assert [name.split(":")[0] for name in left(place, before)] == [f"process {pid}"]
    os.kill(pid, 9)
    assert left(place, before, timedelta(seconds=5)) == []


def test_a_file_in_the_temporary_directory_is_named(tmp_path: Path) -> None:
    place = Place(mark="none", directories=(tmp_path,))
    before = look(place)

    (tmp_path / "forgotten").touch()

    assert left(place, before) == [f"file {tmp_path / 'forgotten'}"]


def test_a_new_file_in_a_repository_shows_in_its_status(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    before = repository_status(tmp_path)

    (tmp_path / "forgotten").touch()

    assert repository_status(tmp_path) - before == {"?? forgotten"}


def test_the_home_of_the_tests_is_not_the_users(request: pytest.FixtureRequest) -> None:
    assert "orchestrad-tests-" in str(Path.home())
    assert "orchestrad-tests-" in os.environ["TMPDIR"]
