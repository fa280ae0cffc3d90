"""The fleet's own bridge network: agents reach the daemon on its gateway, and not each other."""

import ipaddress
import socket
import sys
from typing import Any

from docker.errors import APIError

from orchestrad.containers.docker_run import FLEET, Fleet
from orchestrad.containers.port import CannotStart, Listener

VM_HOST = "host.docker.internal"  # how a container names the machine when the engine runs in a virtual one


def ensure_network(client: Any, fleet: Fleet) -> Listener:
    """Creates the network unless it is there, and says where the daemon listens on it. Raises CannotStart."""
    attributes = _find(client, fleet) or _create(client, fleet)
    owner = (attributes.get("Labels") or {}).get(FLEET)
    if owner != fleet.id:
        raise CannotStart(
            f"the Docker network {fleet.network!r} belongs to {f'the fleet {owner}' if owner else 'something else'}. "
            f"Give this fleet another `name`, or remove it: docker network rm {fleet.network}"
        )
    if engine_in_a_vm(client):
        return Listener(bind_host="127.0.0.1", agent_host=VM_HOST)
    gateway = gateway_of(attributes)
    if not _is_ours(gateway):
        raise CannotStart(
            f"the gateway {gateway} of the Docker network {fleet.network!r} is no address of this machine, so agents could not "
            "reach the daemon. Rootless and remote engines are not supported: use the machine's own engine, or engine `process`"
        )
    return Listener(bind_host=gateway, agent_host=gateway)


def remove_network(client: Any, fleet: Fleet) -> None:
    """Removes the network when no run of the fleet is on it; what is gone already, another's, or in use stays as it is."""
    attributes = _find(client, fleet)
    if attributes is None or (attributes.get("Labels") or {}).get(FLEET) != fleet.id:
        return
    try:
        client.api.remove_network(attributes["Id"])
    except APIError as answer:
        if answer.status_code not in (403, 404):  # 403: it has endpoints
            raise


def engine_in_a_vm(client: Any) -> bool:
    """Whether containers run in a virtual machine that this machine's addresses are not part of."""
    return sys.platform == "darwin" or "Docker Desktop" in client.info().get("OperatingSystem", "")


def gateway_of(attributes: dict[str, Any]) -> str:
    """The network's IPv4 gateway; where the engine names none, the first address, which is what it takes then."""
    for pool in attributes["IPAM"]["Config"]:
        subnet = ipaddress.ip_network(pool["Subnet"], strict=False)
        if subnet.version == 4:
            return str(pool.get("Gateway") or next(subnet.hosts()))
    raise CannotStart(f"the Docker network {attributes['Name']!r} has no IPv4 addresses. Remove it: it is made anew")


def _find(client: Any, fleet: Fleet) -> dict[str, Any] | None:
    # The engine's filter takes any name that contains this one.
    named: list[dict[str, Any]] = client.api.networks(names=[fleet.network])
    return next((each for each in named if each["Name"] == fleet.network), None)


def _create(client: Any, fleet: Fleet) -> dict[str, Any]:
    try:
        made = client.api.create_network(
            fleet.network,
            driver="bridge",
            check_duplicate=True,  # else the engine makes a second one of the same name
            options={"com.docker.network.bridge.enable_icc": "false"},
            labels={FLEET: fleet.id},
        )
    except APIError as answer:
        if answer.status_code == 409 and (found := _find(client, fleet)):
            return found
        if "address pool" in str(answer.explanation):
            raise CannotStart(
                f"cannot make the Docker network {fleet.network!r}: the engine has no free address range "
                f"({answer.explanation}). Remove networks that nothing uses: docker network prune"
            ) from answer
        raise
    attributes: dict[str, Any] = client.api.inspect_network(made["Id"])
    return attributes


def _is_ours(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
