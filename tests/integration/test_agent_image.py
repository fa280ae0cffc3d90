"""docker/agent.Dockerfile, built the way the product builds it: with the SDK, so by the classic builder."""

import contextlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from docker.client import DockerClient
from docker.errors import BuildError

# The stages stay on the engine, untagged: the next build takes them instead of copying 360 MB again.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

DOCKER = Path(__file__).parent.parent.parent / "docker"
SECRET = "a-token-of-this-machine"


@pytest.fixture
def client(docker_host: str) -> Iterator[DockerClient]:
    with contextlib.closing(DockerClient(base_url=docker_host, timeout=120)) as client:
        yield client


def context(directory: Path) -> Path:
    """docker/ as the build context wants it, with the CLI of ORCHESTRAD_BUILD_CONTEXT_EXTRA when there is one."""
    shutil.copytree(DOCKER, directory)
    extra = os.environ.get("ORCHESTRAD_BUILD_CONTEXT_EXTRA")
    if extra:
        shutil.copytree(extra, directory, dirs_exist_ok=True)
    return directory


def add_host_configuration(directory: Path) -> None:
    content = f"export REGISTRY_TOKEN={SECRET}\n".encode()
    with tarfile.open(directory / "hostconf.tar", "w") as tar:
        entry = tarfile.TarInfo("etc/hostconf.env")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


def test_the_image_has_the_tools_and_the_pinned_cli_and_nothing_of_the_build(
    client: DockerClient, base_image: str, claude_cli: Path, tmp_path: Path
) -> None:
    directory = context(tmp_path / "context")
    add_host_configuration(directory)
    tag = f"orchestrad-test/agent-{uuid4().hex[:8]}"

    client.images.build(
        path=str(directory), dockerfile="agent.Dockerfile", buildargs={"BASE_IMAGE": base_image}, tag=tag,
        network_mode="none", rm=True, forcerm=True,
    )  # fmt: skip
    try:
        said = client.containers.run(
            tag,
            ["sh", "-c", "claude --version; whoami; git --version; curl --version; ls /context /etc/hostconf.env; env"],
            user="1000:1000",
            network_mode="none",
            stderr=True,
            remove=True,
        ).decode()
    finally:
        client.images.remove(tag)

    (version,) = re.findall(r"^ARG CLAUDE_CODE_VERSION=(.*)$", (DOCKER / "agent.Dockerfile").read_text(), re.MULTILINE)
    assert f"{version} (Claude Code)\nagent\ngit version" in said
    assert "cannot access '/context'" in said
    assert "cannot access '/etc/hostconf.env'" in said
    assert SECRET not in said


def test_another_version_of_the_cli_is_not_built_in(client: DockerClient, base_image: str, tmp_path: Path) -> None:
    directory = context(tmp_path / "context")
    (directory / "cli").mkdir(exist_ok=True)
    (directory / "cli" / "claude").unlink(missing_ok=True)
    (directory / "cli" / "claude").write_text("#!/bin/sh\necho '0.0.1 (Claude Code)'\n")

    with pytest.raises(BuildError) as failure:
        client.images.build(
            path=str(directory), dockerfile="agent.Dockerfile", buildargs={"BASE_IMAGE": base_image},
            network_mode="none", rm=True, forcerm=True,
        )  # fmt: skip

    told = "".join(str(line.get("stream", "")) for line in failure.value.build_log)
    assert "is not version" in told
