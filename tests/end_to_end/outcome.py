"""What must be so when a fleet has ended, whatever happened on the way."""

from collections import Counter

from tests.support.clones import Clone
from tests.support.fleets import FleetUnderTest
from tests.support.scripted_model import FleetModel


def everything_is_merged_once(clone: Clone, script: FleetModel) -> None:
    lists = script.lists(answered=True, ticked=True)
    assert {name: clone.read(name) for name in lists} == lists
    assert clone.changed() == {*lists, *(job.file for job in script.jobs)}
    for job in script.jobs:
        assert clone.read(job.file).splitlines().count(job.mark) == 1, job.id
    done = clone.commits()
    assert {job.id: done[f"worker-{job.worker}", job.title] for job in script.jobs} == {job.id: 1 for job in script.jobs}
    assert clone.merged() == Counter(job.id for job in script.jobs)


def each_tool_ran_once(fleet: FleetUnderTest, script: FleetModel) -> None:
    ran = Counter(fleet.ran())
    expected = {step.name for job in script.jobs for step in script.steps(job)}
    assert {step: n for step, n in ran.items() if n != 1} == {}
    assert expected <= set(ran)
    assert not any(step.endswith("/lingered") for step in ran)


def secrets_were_not_written_down(fleet: FleetUnderTest, secrets: set[str]) -> None:
    """No credential in what the daemon printed, logged or stored, nor in what the engine tells of its containers."""
    kept = [fleet.out, *(fleet.state / "logs").rglob("*"), *fleet.state.glob("store*")]
    contents = {path.name: path.read_bytes() for path in kept if path.is_file()}
    contents["the engine's words"] = "\n".join(fleet.inspected).encode()
    assert [(name, secret) for name, content in contents.items() for secret in secrets if secret.encode() in content] == []
    assert any(name.startswith("store") for name in contents)
