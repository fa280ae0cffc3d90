"""Fleets that run are found; files of dead ones go."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrad.config.places import Places, socket_is_too_long
from orchestrad.daemon import registry


@pytest.fixture(autouse=True)
def own_state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state directory of a daemon that listens."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(Places(tmp_path).socket))
        listener.listen()
        yield tmp_path


def test_a_registered_fleet_is_found_until_it_unregisters(state: Path) -> None:
    registry.register("demo", state, Path("/config"))
    assert registry.running() == [registry.Running("demo", os.getpid(), state, Path("/config"))]
    registry.unregister(state)
    registry.unregister(state)
    assert registry.running() == []


def test_a_fleet_whose_daemon_was_killed_is_forgotten(state: Path, tmp_path: Path) -> None:
    registry.register("demo", tmp_path / "gone", Path("/config"))
    (file,) = (tmp_path / "xdg" / "orchestrad" / "running").iterdir()
    file.write_text(file.read_text().replace(str(os.getpid()), "4194305"))  # no process has a number that high
    assert registry.running() == []
    assert not file.exists()


def test_a_fleet_that_is_starting_or_ending_is_not_forgotten(tmp_path: Path) -> None:
    registry.register("demo", tmp_path / "silent", Path("/config"))
    assert registry.running() == []
    assert len(list((tmp_path / "xdg" / "orchestrad" / "running").iterdir())) == 1


def test_a_file_that_says_nothing_is_removed(tmp_path: Path) -> None:
    registry.register("demo", tmp_path, Path("/config"))
    (file,) = (tmp_path / "xdg" / "orchestrad" / "running").iterdir()
    file.write_text("{")
    assert registry.running() == []
    assert not file.exists()


def test_a_path_that_no_unix_socket_can_have_is_noticed(tmp_path: Path) -> None:
    assert not socket_is_too_long(Places(Path("/home/you/.local/state/orchestrad/project")).socket)
    assert socket_is_too_long(Places(tmp_path / ("ä" * 50)).socket)
