"""The image that agents run in: the user's own, or one built from docker/agent.Dockerfile, once per set of inputs."""

import hashlib
import io
import tarfile
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from docker.errors import APIError, ImageNotFound

from orchestrad.containers.docker_engine import explanation
from orchestrad.containers.port import CannotStart, EngineUnreachable

Progress = Callable[[str], None]

NAME: Final = "orchestrad-agent"
DOCKERFILE: Final = "agent.Dockerfile"
CONTEXT: Final = (DOCKERFILE, "fetch-claude")
STEP_WIDTH: Final = 100  # of a step as progress shows it; scripts are long
LINES_TOLD: Final = 15  # of a failed build's output: enough to hold what a failing command said last
# What the stage that fetches the CLI is labelled with. It may hold a machine's registry access: gone after the build.
FETCH_STAGE: Final = {"dangling": True, "label": "io.orchestrad.stage=fetch"}


@dataclass(frozen=True, slots=True)
class GivenImage:
    """The user's own image, taken as it is."""

    name: str

    def ensure(self, client: Any, progress: Progress) -> None:
        """Pulls the image once if the engine lacks it. Raises CannotStart."""
        if is_there(client, self.name):
            return
        progress(f"pulling image {self.name}")
        name, _, tag = self.name.rpartition(":") if ":" in self.name.rpartition("/")[2] else (self.name, "", "latest")
        name, tag = (self.name, "") if "@" in self.name else (name, tag)
        try:
            for line in client.api.pull(name, tag=tag or None, stream=True, decode=True):
                if problem := line.get("error"):
                    raise self._missing(problem)
        except APIError as answer:
            raise self._missing(explanation(answer)) from answer
        if not is_there(client, self.name):
            raise EngineUnreachable(f"pulling image {self.name} broke off. Is the Docker engine running?")

    def _missing(self, reason: str) -> CannotStart:
        return CannotStart(
            f"image {self.name!r} is not on this engine and could not be pulled (docker: {reason}). "
            "Pull or build it, or change `container.image` in orchestrator.json; without that key an image is built"
        )


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image built from the shipped files. Its tag is a hash of what goes in, so that a tag that exists is never stale."""

    directory: Path  # with agent.Dockerfile and fetch-claude
    base_image: str
    extra_context: Path | None = None  # not part of the hash: it only brings nearer what would be fetched
    arguments: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        digest = hashlib.sha256(repr(sorted(self._arguments().items())).encode())
        for part in CONTEXT:
            digest.update(b"\0" + (self.directory / part).read_bytes())
        return f"{NAME}:{digest.hexdigest()[:12]}"

    def ensure(self, client: Any, progress: Progress) -> None:
        """Builds the image unless it exists. Raises CannotStart with the end of the build's output."""
        name = self.name
        if is_there(client, name):
            return
        progress(f"building image {name} on {self.base_image}; this is done once and may take minutes")
        try:
            with tempfile.TemporaryFile() as context:
                self._pack(context)
                context.seek(0)
                self._build(client, name, context, progress)
        finally:
            _forget_fetch_stage(client)
        if not is_there(client, name):
            raise EngineUnreachable(f"building image {name} broke off. Is the Docker engine running?")
        progress(f"image {name} is built")

    def _arguments(self) -> dict[str, str]:
        return {"BASE_IMAGE": self.base_image, **(self.arguments or {})}

    def _pack(self, into: IO[bytes]) -> None:
        with tarfile.open(fileobj=into, mode="w") as tar:
            for part in CONTEXT:
                tar.add(self.directory / part, arcname=part)
            if self.extra_context:
                tar.add(self.extra_context, arcname=".")

    def _build(self, client: Any, name: str, context: IO[bytes], progress: Progress) -> None:
        said: list[str] = []
        try:
            for line in _lines(
                client.api.build(
                    fileobj=context,
                    custom_context=True,
                    dockerfile=DOCKERFILE,
                    buildargs=self._arguments(),
                    tag=name,
                    rm=True,
                    forcerm=True,  # else a failed step leaves its container behind
                    decode=True,
                    use_config_proxy=True,
                )
            ):
                said.append(line)
                if line.startswith("Step "):
                    progress(f"image: {textwrap.shorten(line, STEP_WIDTH, placeholder=' …')}")
        except (APIError, BuildFailed) as failure:
            reason = explanation(failure) if isinstance(failure, APIError) else str(failure)
            told = "\n".join(f"  {line}" for line in said[-LINES_TOLD:])
            raise CannotStart(
                f"cannot build the agent image on base image {self.base_image!r}: {reason}\n{told}\n"
                "It needs its base image and, unless the CLI is in the build context, the network: see the output above. "
                "Set `container.baseImage` to an image that you have, or `container.image` to one with the CLI in it"
            ) from failure


class BuildFailed(Exception):
    """A step of the build failed; the text is the engine's."""


def is_there(client: Any, name: str) -> bool:
    """Whether the engine has the image already."""
    try:
        client.api.inspect_image(name)
    except ImageNotFound:
        return False
    return True


def _lines(output: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The build's output, line by line. Raises BuildFailed."""
    for part in output:
        if problem := part.get("error"):
            raise BuildFailed(problem)
        yield from filter(None, (line.rstrip() for line in io.StringIO(part.get("stream", ""))))


def _forget_fetch_stage(client: Any) -> None:
    try:
        client.api.prune_images(filters=FETCH_STAGE)
    except APIError:
        return  # another prune runs: that one takes it along
