"""The pure part of engine `docker`: names, labels, which engine, which gateway."""

import pytest

from orchestrad.containers.docker_engine import engine_host
from orchestrad.containers.docker_network import gateway_of
from orchestrad.containers.docker_run import AGENT, EPOCH, compose_project, run_of
from orchestrad.containers.port import CannotStart, RunSeen, RunState
from orchestrad.core.ids import AgentName, ContainerId, Epoch


@pytest.mark.parametrize(
    ("name", "project"), [("orch", "orch"), ("My.Fleet", "my-fleet"), ("_x", "x"), ("Ünï", "n-"), ("...", "fleet")]
)
def test_a_fleets_name_becomes_one_that_compose_takes(name: str, project: str) -> None:
    assert compose_project(name) == project


def test_a_run_is_read_from_its_labels() -> None:
    labels = {AGENT: "worker-2", EPOCH: "14"}

    assert run_of(ContainerId("c"), labels, RunState.CREATED) == RunSeen(
        AgentName("worker-2"), Epoch(14), ContainerId("c"), RunState.CREATED
    )


@pytest.mark.parametrize("labels", [{}, {AGENT: "worker-2"}, {AGENT: "worker-2", EPOCH: "x"}, {EPOCH: "1"}])
def test_a_container_without_our_labels_is_no_run(labels: dict[str, str]) -> None:
    assert run_of(ContainerId("c"), labels, RunState.RUNNING) is None


def test_the_engine_is_the_one_that_the_environment_names() -> None:
    assert engine_host({"DOCKER_HOST": "unix:///x/docker.sock"}) == "unix:///x/docker.sock"


@pytest.mark.parametrize(
    ("pools", "gateway"),
    [
        ([{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}], "172.18.0.1"),
        ([{"Subnet": "10.1.2.0/24"}], "10.1.2.1"),
        ([{"Subnet": "fd00::/64", "Gateway": "fd00::1"}, {"Subnet": "10.1.2.0/24", "Gateway": "10.1.2.254"}], "10.1.2.254"),
    ],
)
def test_the_gateway_is_the_networks_ipv4_one(pools: list[dict[str, str]], gateway: str) -> None:
    assert gateway_of({"Name": "n", "IPAM": {"Config": pools}}) == gateway


def test_a_network_without_ipv4_is_refused_by_name() -> None:
    with pytest.raises(CannotStart, match="'n'"):
        gateway_of({"Name": "n", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}})
