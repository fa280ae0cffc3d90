"""What all tests share: a home of their own, the machine's parts by name, and the check that nothing is left behind."""

import asyncio
import contextlib
import inspect
import ipaddress
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from docker.client import DockerClient
from docker.errors import DockerException, ImageNotFound

from tests.support.leftovers import MARK, Place, Sight, left_behind, look, repository_status
from tests.support.standin import Standin

ROOT = Path(__file__).parent.parent
SETUP = 'Run `script/test`, or `eval "$(script/test up)"` once to run pytest by hand.'
ALONE = bool(os.environ.get("ORCHESTRAD_TEST_ALONE"))  # nobody else works in this tree or on this engine

SCRATCH = pytest.StashKey[Path]()
BEFORE = pytest.StashKey[tuple[Place, Sight]]()
NUMBERS = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Gives the tests a home and a temporary directory of their own: nothing of the user's is read or written, and
    what a test forgets there is noticed. `tmp_path` stays where pytest puts it."""
    scratch = Path(tempfile.mkdtemp(prefix="orchestrad-tests-"))
    config.stash[SCRATCH] = scratch
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    for variable, name in (("TMPDIR", "tmp"), ("HOME", "home")):
        (scratch / name).mkdir()
        os.environ[variable] = str(scratch / name)
    for variable in [name for name in os.environ if name.startswith(("XDG_", "GIT_", "ORCHESTRAD_CONFIG"))]:
        del os.environ[variable]
    tempfile.tempdir = None  # asked for anew, so that Python follows TMPDIR


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[SCRATCH], ignore_errors=True)


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Remembers what is there before the test; pytest_runtest_teardown looks again when all fixtures are closed."""
    scratch = request.config.stash[SCRATCH]
    mark = os.environ[MARK] = f"{os.getpid()}-{next(NUMBERS)}"
    place = Place(
        mark=mark,
        directories=(scratch / "tmp", scratch / "home"),
        engine=request.getfixturevalue("docker_host") if "docker_host" in request.fixturenames else None,
        alone=ALONE,
        binds_below=tmp_path_factory.getbasetemp(),
    )
    request.node.stash[BEFORE] = (place, look(place))
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("leaves_no_task_behind")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    yield
    if BEFORE not in item.stash:  # its setup failed before it could leave anything
        return
    place, before = item.stash[BEFORE]
    if left := left_behind(before, partial(look, place)):
        pytest.fail("the test left behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture
async def leaves_no_task_behind() -> AsyncIterator[None]:
    """Set up before the test's other fixtures and so closed after them, while the loop still runs."""
    yield
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        await asyncio.wait(tasks, timeout=1)  # what was cancelled a moment ago may still be closing
    left = [str(task.get_coro()) for task in tasks if not task.done()]
    if left:
        pytest.fail("the test left tasks behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(scope="module", autouse=ALONE)
def leaves_the_repository_as_it_was() -> Iterator[None]:
    """For each module and not each test, because git needs 10 ms; only when nobody edits the work tree meanwhile."""
    before = repository_status(ROOT)
    yield
    if changed := repository_status(ROOT) ^ before:
        pytest.fail("the module's tests changed the repository:\n  " + "\n  ".join(sorted(changed)), pytrace=False)


@pytest.fixture(scope="session")
def docker_host() -> str:
    """The engine's address."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        with contextlib.closing(DockerClient(base_url=host)) as client:
            client.ping()
    except DockerException as error:
        pytest.fail(f"no Docker engine answers at {host} ({error}). {SETUP}", pytrace=False)
    return host


@pytest.fixture(scope="session")
def base_image(docker_host: str) -> str:
    """A Debian with git and curl, which the agent image is built on."""
    image = os.environ.get("ORCHESTRAD_TEST_BASE_IMAGE")
    if not image:
        pytest.fail(f"ORCHESTRAD_TEST_BASE_IMAGE names no image. {SETUP}", pytrace=False)
    with contextlib.closing(DockerClient(base_url=docker_host)) as client:
        try:
            client.images.get(image)
        except ImageNotFound:
            pytest.fail(f"image {image} is not on the engine at {docker_host}. {SETUP}", pytrace=False)
    return image


@pytest.fixture(scope="session")
def bridge_address(docker_host: str) -> str:
    """An address of this machine that containers on any bridge of the engine reach: for what a test serves to them."""
    with contextlib.closing(DockerClient(base_url=docker_host)) as client:
        pool = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    # An engine that was never started again names no gateway: then it is the first address.
    return str(pool.get("Gateway") or next(ipaddress.ip_network(pool["Subnet"], strict=False).hosts()))


@pytest.fixture(scope="session")
def claude_cli() -> Path:
    """The real Claude Code CLI, of the version that agents run."""
    path = Path(os.environ.get("ORCHESTRAD_TEST_CLAUDE", ""))
    if not path.is_file():
        pytest.fail(f"ORCHESTRAD_TEST_CLAUDE names no Claude Code CLI. {SETUP}", pytrace=False)
    return path


@pytest.fixture
def tmux_socket() -> Iterator[str]:
    """The name (`tmux -L NAME`) of a tmux server that is this test's only; it is killed when the test has ended."""
    if shutil.which("tmux") is None:
        pytest.fail(f"tmux is not installed. {SETUP}", pytrace=False)
    name = f"orchestrad-test-{secrets.token_hex(4)}"
    yield name
    # It fails when no server runs there any more, or none ever did.
    subprocess.run(["tmux", "-L", name, "kill-server"], capture_output=True, check=False)
    directory = Path(os.environ.get("TMUX_TMPDIR", "/tmp")) / f"tmux-{os.getuid()}"  # noqa: S108  tmux's own place
    (directory / name).unlink(missing_ok=True)


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    """The stand-in for the Messages API, on loopback."""
    async with Standin() as standin:
        yield standin
