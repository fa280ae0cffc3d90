"""Elapsed time: it goes on across restarts of the daemon and boots of the machine, and never back."""

import itertools

import pytest

from orchestrad.clock import system
from orchestrad.clock.fake import FakeClock
from orchestrad.clock.system import SystemClock, offset_for


def test_elapsed_time_never_goes_back_and_both_clocks_run() -> None:
    clock = SystemClock(0)
    seen = [clock.now() for _ in range(100)]
    assert all(later.elapsed >= earlier.elapsed for earlier, later in itertools.pairwise(seen))


def test_within_a_boot_a_daemon_that_starts_again_goes_on_with_the_same_offset() -> None:
    offset, kept = offset_for(kept=None, latest_elapsed=0)
    before = SystemClock(offset).now().elapsed
    again, kept_again = offset_for(kept=kept, latest_elapsed=before)
    assert (again, kept_again) == (offset, kept)


def test_after_a_boot_it_goes_on_from_what_was_committed_last(monkeypatch: pytest.MonkeyPatch) -> None:
    _, kept = offset_for(kept=None, latest_elapsed=0)
    monkeypatch.setattr(system, "boot_id", lambda: "another boot")
    latest = 10**15  # more than the machine was up
    offset, kept_again = offset_for(kept=kept, latest_elapsed=latest)
    assert latest < SystemClock(offset).now().elapsed < latest + 10**9
    assert kept_again == f"another boot {offset}"


def test_a_system_that_does_not_name_its_boots_counts_each_start_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "boot_id", lambda: "")
    offset, kept = offset_for(kept=" 5", latest_elapsed=10**15)
    assert offset != 5
    assert SystemClock(offset).now().elapsed > 10**15
    assert kept == f" {offset}"


def test_the_fake_clock_moves_as_it_is_told() -> None:
    clock = FakeClock(wall=10, elapsed=1)
    clock.advance(microseconds=5)
    clock.jump(microseconds=-3)
    assert clock.now() == (12, 6)
