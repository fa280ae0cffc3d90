"""Taking up a state directory: the lock, the scripts, what an earlier daemon left at work."""

from pathlib import Path

import pytest

from orchestrad.core.ids import AgentName, Epoch, run_token
from orchestrad.core.states import AgentState
from orchestrad.daemon.logs import Redactor
from orchestrad.daemon.startup import AlreadyRunning, locked, make_state, place_hooks, tokens_of
from tests.support.worlds import a_world, worker


def test_tokens_of_runs_that_are_taken_up_are_in_no_log_line() -> None:
    world = a_world(worker("worker-1", AgentState.WORKING, epoch=3), worker("worker-2", AgentState.STOPPED))
    redactor = Redactor()
    redactor.know(tokens_of(world, b"secret"))
    token = run_token(b"secret", AgentName("worker-1"), Epoch(3))
    assert redactor(None, "info", {"said": f"Bash: curl -H 'Authorization: Bearer {token}'"}) == {
        "said": "Bash: curl -H 'Authorization: Bearer [secret]'"
    }


def test_the_scripts_are_copied_once_for_each_version_of_them(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "hook").write_text("#!/bin/sh\n")
    first = place_hooks(tmp_path, shipped)
    assert (first / "hook").read_text() == "#!/bin/sh\n"
    assert (first / "hook").stat().st_mode & 0o777 == 0o755
    assert place_hooks(tmp_path, shipped) == first
    (shipped / "hook").write_text("#!/bin/sh\nexit 0\n")
    second = place_hooks(tmp_path, shipped)
    assert second != first
    assert (first / "hook").read_text() == "#!/bin/sh\n"  # agents at work keep theirs


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    make_state(tmp_path)
    with locked(tmp_path), pytest.raises(AlreadyRunning, match=r"pid \d+"), locked(tmp_path):
        pass
