"""What a benchmark needs of the machine, and the words that say what is missing."""

import contextlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from docker.client import DockerClient
from docker.errors import DockerException, ImageNotFound

from orchestrad.containers.docker_network import gateway_of

SETUP = 'Run `eval "$(script/test up)"` first; `script/test down` ends what it starts.'


class NotReady(Exception):
    """Something that is measured with is not there, or what is measured did not work; the text says what to do."""


def base_image() -> str:
    """The base of the agents' image. Raises NotReady when it, the engine, tmux or git is missing."""
    for program in ("git", "tmux", "docker"):
        if shutil.which(program) is None:
            raise NotReady(f"{program} is not installed. {SETUP}")
    image = os.environ.get("ORCHESTRAD_TEST_BASE_IMAGE")
    if not image:
        raise NotReady(f"ORCHESTRAD_TEST_BASE_IMAGE names no image. {SETUP}")
    with _docker() as client:
        try:
            client.images.get(image)
        except ImageNotFound as missing:
            raise NotReady(f"the image {image} is not on the engine. {SETUP}") from missing
    return image


def bridge_address() -> str:
    """An address of this machine that containers on any of the engine's bridges reach."""
    with _docker() as client:
        return gateway_of(client.networks.get("bridge").attrs)


def remove_containers(project: str) -> None:
    """Removes a fleet's containers and its network, by the name of its Compose project."""
    with _docker() as client:
        containers = client.containers.list(all=True, filters={"label": f"com.docker.compose.project={project}"})
        with ThreadPoolExecutor(max_workers=10) as threads:
            list(threads.map(lambda container: container.remove(force=True, v=True), containers))
        for network in client.networks.list(names=[f"{project}-agents"]):
            network.remove()


def end_tmux(socket: str) -> None:
    """Ends the tmux server of this name, if it runs."""
    subprocess.run(["tmux", "-L", socket, "kill-server"], capture_output=True, check=False)
    place = Path(os.environ.get("TMUX_TMPDIR", "/tmp")) / f"tmux-{os.getuid()}"  # noqa: S108  tmux's own place
    (place / socket).unlink(missing_ok=True)


def _docker() -> contextlib.closing[DockerClient]:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    client = DockerClient(base_url=host)
    try:
        client.ping()
    except DockerException as error:
        client.close()
        raise NotReady(f"no Docker engine answers at {host} ({error}). {SETUP}") from error
    return contextlib.closing(client)
