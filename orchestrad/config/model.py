"""Every setting of a fleet: the one place from which the schema, the reference page and the errors come.

The keys of later versions are accepted already, so that a file needn't change again: `InUse` says which are at work.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from orchestrad.config import values as v
from orchestrad.config.repository_url import RepositoryUrl


class InUse(StrEnum):
    """Whether this version acts on a key."""

    YES = "yes"
    DEFAULT_ONLY = "default only"
    NOT_YET = "not yet"


def about(description: str, in_use: InUse = InUse.YES, **constraints: Any) -> FieldInfo:
    """A key's documentation, with the bounds of its value."""
    field: FieldInfo = Field(description=description, json_schema_extra={"x-inUse": in_use.value}, **constraints)
    return field


class Section(BaseModel):
    """A JSON object of the settings file: camelCase there, snake_case here, unknown keys refused, never changed."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True)


class Manager(Section):
    """The agent that writes the task lists."""

    enabled: Annotated[bool, about("Whether there is a Manager; without one the lists are worked through as they stand.")] = True
    low_water: Annotated[int, about("Open tasks per worker at which the Manager is woken to write more.", ge=0)] = 2
    rebalance: Annotated[
        bool, about("Whether the Manager is asked to move tasks from long lists to short ones.", InUse.DEFAULT_ONLY)
    ] = False


class Project(Section):
    """What agents are told of the repository."""

    test_command: Annotated[v.Text | None, about("How to run the tests, told to every agent.")] = None
    test_instructions: Annotated[v.Text | None, about("What else an agent should know about testing.")] = None
    key_files: Annotated[tuple[v.Text, ...], about("Files of the repository that every agent should read first.")] = ()


class Terminals(Section):
    """The tmux sessions that people attach to."""

    socket: Annotated[
        v.Text | None,
        about("Name of a tmux socket (`tmux -L NAME`), or its path; default: the server that plain `tmux` talks to."),
    ] = None


class Restart(Section):
    """How soon an agent that died is started again."""

    first: Annotated[v.Delay, about("Wait before the first restart.")] = timedelta(0)
    factor: Annotated[float, about("By how much each further wait is longer.", ge=1, le=100, allow_inf_nan=False)] = 2.0
    max: Annotated[v.Delay, about("The longest wait between two starts.")] = timedelta(seconds=300)
    forget_after: Annotated[v.Timeout, about("Time without a crash after which earlier ones are forgotten.")] = timedelta(
        seconds=600
    )
    breaker: Annotated[int, about("Crashes in a row after which a person is asked instead.", ge=1)] = 8


class Agent(Section):
    """How each agent lives and how long it may take."""

    command: Annotated[tuple[v.Text, ...], about("How the CLI is started under engine `process`.", min_length=1)] = ("claude",)
    context: Annotated[
        Literal["auto", "keep", "clear"],
        about("Whether a conversation goes on into the next task, or a fresh one begins.", InUse.NOT_YET),
    ] = "auto"
    max_reminders: Annotated[int, about("Turns ended without proof before an attempt has failed.", ge=0)] = 2
    max_retries: Annotated[int, about("Further attempts at a task before it is blocked.", ge=0)] = 2
    retry_delay: Annotated[v.Delay, about("Wait between two attempts at a task.")] = timedelta(seconds=5)
    inactivity_timeout: Annotated[
        v.Timeout, about("Time without a sign of progress after which an agent is nudged.", InUse.NOT_YET)
    ] = timedelta(seconds=300)
    max_runtime: Annotated[v.Timeout, about("The longest an attempt may take.", InUse.NOT_YET)] = timedelta(seconds=3600)
    attended_timeout: Annotated[v.Timeout, about("Time after a person's last turn until the agent gets tasks again.")] = timedelta(
        seconds=600
    )
    waiting_timeout: Annotated[v.Timeout, about("The longest that an agent waits for background work of an ended turn.")] = (
        timedelta(seconds=1800)
    )
    repository_hooks: Annotated[bool, about("Whether the repository's own Claude Code hooks run too.")] = True
    resume: Annotated[bool, about("Whether a restarted agent goes on with its conversation.")] = True
    max_tokens: Annotated[int | None, about("Tokens after which an agent gets no new task.", InUse.DEFAULT_ONLY, gt=0)] = None
    max_cost: Annotated[
        float | None,
        about("Dollars after which an agent gets no new task.", InUse.DEFAULT_ONLY, gt=0, allow_inf_nan=False),
    ] = None
    restart: Annotated[Restart, about("How soon an agent that died is started again.")] = Restart()


class Container(Section):
    """What an agent's container is made of (engine `docker`)."""

    image: Annotated[
        v.Image | None, about("An image with the CLI in it, used as it is; default: one built at the first start.")
    ] = None
    base_image: Annotated[v.Image, about("The image that the built one starts from.")] = "debian:bookworm-slim"
    user: Annotated[v.User | None, about("UID:GID that agents run as; default: the daemon's, or 1000:1000 when that is root.")] = (
        None
    )
    memory: Annotated[v.Memory, about("The most memory that one agent and all it starts may use.")] = 4 * 2**30
    cpus: Annotated[
        float | None, about("The most processors that one agent may use; default: no limit.", gt=0, allow_inf_nan=False)
    ] = None
    pids: Annotated[int, about("The most processes and threads that one agent may have.", ge=64)] = 512
    mounts: Annotated[tuple[v.ReadOnlyMount, ...], about('Read-only mounts, each "HOST_PATH:/CONTAINER_PATH".')] = ()
    environment: Annotated[v.Environment, about("Variables for every agent; no place for secrets.")] = Field(default_factory=dict)


class Merge(Section):
    """How finished work comes into `branch`."""

    mode: Annotated[Literal["queue", "manager"], about("Who merges: the daemon's queue, or the Manager.", InUse.DEFAULT_ONLY)] = (
        "queue"
    )
    gate: Annotated[v.Text | None, about("A shell command that must succeed on the merged tree first.", InUse.DEFAULT_ONLY)] = None
    gate_timeout: Annotated[v.Timeout, about("The longest that the gate may take.", InUse.NOT_YET)] = timedelta(seconds=900)
    gate_network: Annotated[bool, about("Whether the gate may use the network.", InUse.NOT_YET)] = False
    strategy: Annotated[Literal["merge", "squash"], about("What a merge leaves in the history.", InUse.DEFAULT_ONLY)] = "merge"
    conflicts: Annotated[Literal["manager", "author"], about("Who settles a conflict.", InUse.DEFAULT_ONLY)] = "manager"


class Credentials(Section):
    """How the pool of credentials is used."""

    rotate_above: Annotated[
        float,
        about("Percent of a limit's window above which an agent changes credential.", InUse.NOT_YET, gt=0, le=100),
    ] = 95.0
    max_agents_each: Annotated[int | None, about("The most agents that share one credential.", InUse.DEFAULT_ONLY, ge=1)] = None
    command: Annotated[
        v.Text | None, about("A shell command that prints a credential, for a secret manager.", InUse.DEFAULT_ONLY)
    ] = None


class Budget(Section):
    """What the fleet may spend."""

    max_cost_per_day: Annotated[
        float | None,
        about("Dollars a day after which no new task is given.", InUse.DEFAULT_ONLY, gt=0, allow_inf_nan=False),
    ] = None


class Notify(Section):
    """How a person is told that the fleet needs them."""

    command: Annotated[v.Text | None, about("A shell command that is run with the news.", InUse.DEFAULT_ONLY)] = None
    webhook: Annotated[v.Text | None, about("A URL to which the news is posted.", InUse.DEFAULT_ONLY)] = None


def _name(data: Mapping[str, Any]) -> str:
    url: RepositoryUrl = data["repository_url"]
    return url.slug


def _state_directory(data: Mapping[str, Any]) -> Path:
    return platformdirs.user_state_path("orchestrad") / str(data["name"])


class Config(Section):
    """A fleet's settings, read and checked; relative paths have become absolute ones."""

    model_config = ConfigDict(title="orchestrad: settings of a fleet")

    repository_url: Annotated[v.Repository, about("The repository to work on: https, http, ssh, user@host:path, file, or a path.")]
    worker_count: Annotated[int, about("How many workers there are, beside the Manager.", ge=1, le=100)]
    claude_configs: Annotated[v.GlobText, about('The credential files, as a glob, e.g. "credentials/*.json".')]
    branch: Annotated[v.Branch, about("The branch that work is merged into; it must exist.")] = "main"
    name: Annotated[
        v.Name, about("The fleet's name: of its containers, tmux sessions and state; default: from `repositoryUrl`.")
    ] = Field(default_factory=_name)
    engine: Annotated[
        Literal["docker", "process"], about("Where agents live: in containers, or as plain processes of this machine.")
    ] = "docker"
    state_directory: Annotated[
        v.PathText, about("Where the fleet keeps what it knows; default: the user's state directory, by name.")
    ] = Field(default_factory=_state_directory)
    listen: Annotated[v.Address, about("Where people's requests are answered, on this machine alone.", InUse.NOT_YET)] = v.Listen(
        "127.0.0.1", 0
    )
    model: Annotated[v.Model | None, about("The model that agents use; default: the CLI's own choice.")] = None
    manager: Annotated[Manager, about("The agent that writes the task lists.")] = Manager()
    project: Annotated[Project, about("What agents are told of the repository.")] = Project()
    terminals: Annotated[Terminals, about("The tmux sessions that people attach to.")] = Terminals()
    agent: Annotated[Agent, about("How each agent lives and how long it may take.")] = Agent()
    container: Annotated[Container, about("What an agent's container is made of (engine `docker`).")] = Container()
    merge: Annotated[Merge, about("How finished work comes into `branch`.")] = Merge()
    credentials: Annotated[Credentials, about("How the pool of credentials is used.")] = Credentials()
    budget: Annotated[Budget, about("What the fleet may spend.")] = Budget()
    notify: Annotated[Notify, about("How a person is told that the fleet needs them.")] = Notify()
