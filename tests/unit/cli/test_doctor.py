"""Each prerequisite is found, or told with how to get it."""

import json
from pathlib import Path

import pytest

from orchestrad.cli.prerequisites import Check, Verdict, machine
from tests.support.config_directory import ConfigDirectory, a_config_directory
from tests.unit.cli.conftest import Run


@pytest.fixture
def directory(tmp_path: Path) -> ConfigDirectory:
    return a_config_directory(tmp_path)


async def checked(run: Run, directory: ConfigDirectory, code: int) -> dict[str, list[Check]]:
    result = await run("doctor", "--json", "--config", str(directory.path))
    assert result.exit_code == code, result.output
    found: dict[str, list[Check]] = {}
    for check in json.loads(result.output)["checks"]:
        found.setdefault(check["name"], []).append(Check(**{**check, "verdict": Verdict(check["verdict"])}))
    return found


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens there. (The SDK leaves a socket open when a path, which is the default, leads to no engine.)"""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


async def test_what_is_missing_is_told_with_what_to_do_and_status_1(run: Run, directory: ConfigDirectory, tmp_path: Path) -> None:
    directory.settings(
        repositoryUrl=str(tmp_path / "nowhere"),
        engine="process",
        agent={"command": ["no-such-claude"]},
        stateDirectory=str(tmp_path / ("s" * 120)),
    )
    found = await checked(run, directory, 1)
    missing = {name: check.remedy for name, checks in found.items() for check in checks if check.verdict is Verdict.MISSING}
    assert set(missing) == {"agent command", "repository", "state directory"}
    assert all(missing.values())
    assert found["isolation"][0].verdict is Verdict.WARNING
    assert found["credentials"][0].found == "1 for 4 agents: pool-1"


async def test_a_config_that_is_wrong_is_missing_with_every_problem(run: Run, directory: ConfigDirectory) -> None:
    directory.settings(workerCount="three", modle="opus")
    assert len((await checked(run, directory, 1))["config"]) == 2


async def test_an_engine_that_does_not_answer_is_missing(run: Run, directory: ConfigDirectory) -> None:
    found = await checked(run, directory, 1)
    assert found["docker"][0].verdict is Verdict.MISSING
    assert "process" in found["docker"][0].remedy
    assert found["agent image"][0].verdict is Verdict.MISSING


def test_a_program_that_is_not_there_or_too_old_is_told_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = {check.name: check for check in machine("process", {})}
    assert checks["git"].found == "2.30.1, which is too old: 2.38 is needed"
    assert checks["git"].remedy == "install a newer one (apt install git; macOS: brew install git)"
    assert (checks["tmux"].verdict, checks["tmux"].found) == (Verdict.MISSING, "not on PATH")


async def test_people_read_a_line_for_each_and_a_summary(run: Run, directory: ConfigDirectory) -> None:
    directory.settings(workerCount=0)
    lines = (await run("doctor", "--config", str(directory.path))).output.splitlines()
    assert lines[0].split()[:2] == ["ok", "python"]
    assert lines[-1].startswith("to mend: ")
