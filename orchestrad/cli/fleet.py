"""Which fleet a command is about: `--config`, `ORCHESTRAD_CONFIG`, else the only one running."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrad.cli.client import Client
from orchestrad.cli.failures import BadUsage, NoDaemon
from orchestrad.config.places import Places

if TYPE_CHECKING:
    from orchestrad.config.model import Config

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet that was found. `client` is None when no daemon runs."""

    places: Places
    client: Client | None
    config_directory: Path


def config_option(command: F) -> F:
    """`--config`, which may stand before or after the command's name."""
    return click.option(
        "--config",
        "config_directory",
        type=click.Path(path_type=Path),
        envvar="ORCHESTRAD_CONFIG",
        help="The fleet's config directory; default: $ORCHESTRAD_CONFIG, else the only fleet running.",
    )(command)


def chosen(given: Path | None) -> Path | None:
    """The config directory that was named, after the command or before it."""
    parent = click.get_current_context().find_root().params.get("config_directory")
    named = given if given is not None else parent
    return Path(named).expanduser() if named is not None else None


def running_fleet(given: Path | None) -> tuple[Client, Fleet]:
    """The daemon to talk to. Raises NoDaemon, also when several run and none was named."""
    fleet = find_fleet(given, without_daemon=False)
    if fleet.client is None:
        raise NoDaemon(f"no daemon runs for {fleet.config_directory}. Start it: orchestrad --config {fleet.config_directory}")
    return fleet.client, fleet


def find_fleet(given: Path | None, *, without_daemon: bool = True) -> Fleet:
    """The fleet that is meant. One without a daemon is found by its config, which takes longer to read.

    Raises NoDaemon, BadUsage.
    """
    from orchestrad.daemon.registry import running  # noqa: PLC0415  (`--help` should not look for fleets)

    directory = chosen(given)
    fleets = running()
    if directory is not None:
        for fleet in fleets:
            if _same(fleet.config_directory, directory):
                places = Places(fleet.state_directory)
                return Fleet(places, Client(places.socket), fleet.config_directory)
        return _without_daemon(directory, read=without_daemon)
    if not fleets:
        raise NoDaemon("no fleet is running. Start one: orchestrad --config DIR")
    if len(fleets) > 1:
        names = ", ".join(f"{fleet.name} ({fleet.config_directory})" for fleet in fleets)
        raise NoDaemon(f"{len(fleets)} fleets are running: {names}. Name one of them with --config DIR")
    places = Places(fleets[0].state_directory)
    return Fleet(places, Client(places.socket), fleets[0].config_directory)


def _without_daemon(directory: Path, *, read: bool) -> Fleet:
    if not directory.is_dir():
        raise BadUsage(f"{directory}: no such directory; --config names the directory that holds orchestrator.json")
    if not read:
        raise NoDaemon(f"no daemon runs for {directory}. Start it: orchestrad --config {directory}")
    config = read_config(directory)
    return Fleet(Places(config.state_directory), None, directory)


def read_config(directory: Path) -> "Config":
    """The settings in this directory. Raises BadUsage with everything that is wrong."""
    import os  # noqa: PLC0415

    from orchestrad.config.load import load  # noqa: PLC0415  (pydantic takes 200 ms to import)
    from orchestrad.config.problems import ConfigErrors  # noqa: PLC0415

    try:
        return load(directory, os.environ)
    except ConfigErrors as errors:
        raise BadUsage(str(errors)) from errors


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
