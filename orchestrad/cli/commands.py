"""The short commands to a running daemon: why, resume, task retry, down."""

import time
from pathlib import Path
from typing import Final

import click

from orchestrad.cli import screen
from orchestrad.cli.client import Client
from orchestrad.cli.failures import NoDaemon
from orchestrad.cli.fleet import config_option, running_fleet

GRACE_SECONDS: Final = 30.0  # as Ctrl-C in the foreground gives
LOOK_EVERY_SECONDS: Final = 0.2

as_json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.command()
@config_option
@click.argument("agent_or_task", metavar="AGENT|TASK")
@as_json_option
def why(config_directory: Path | None, agent_or_task: str, as_json: bool) -> None:
    """Tell why an agent or a task is where it is, and what would change it."""
    client, _ = running_fleet(config_directory)
    _answer(client.why(agent_or_task), as_json=as_json)


@click.command()
@config_option
@click.argument("agent")
@as_json_option
def resume(config_directory: Path | None, agent: str, as_json: bool) -> None:
    """Give an agent back that a person held, or start one that had failed."""
    client, _ = running_fleet(config_directory)
    _answer(client.resume(agent), as_json=as_json)


@click.group()
def task() -> None:
    """Commands on single tasks."""


@task.command()
@config_option
@click.argument("task_id", metavar="TASK")
@as_json_option
def retry(config_directory: Path | None, task_id: str, as_json: bool) -> None:
    """Give a blocked task out again."""
    client, _ = running_fleet(config_directory)
    _answer(client.retry(task_id), as_json=as_json)


@click.command()
@config_option
@click.option("--now", is_flag=True, help="Don't wait for turns to end.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 86_400),
    default=GRACE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long turns may take to end.",
)
@click.option("--wait/--no-wait", default=True, help="Return when the daemon has ended (default), or at once.")
def down(config_directory: Path | None, now: bool, grace: float, wait: bool) -> None:
    """End the fleet: turns may end, then all agents are stopped with their work saved."""
    client, _ = running_fleet(config_directory)
    said = client.down(0 if now else grace)
    if not wait:
        screen.say(screen.clean(said))
        return
    try:
        _until_gone(client, said)
    except KeyboardInterrupt:
        screen.say("it goes on ending; `orchestrad down` again stops its agents now")


def _until_gone(client: Client, said: str) -> None:
    last = ""
    while True:
        hint = "; `orchestrad down --now` stops them now" if said.startswith("waiting") else ""
        if said != last:
            screen.say(screen.clean(said) + hint)
            last = said
        time.sleep(LOOK_EVERY_SECONDS)
        try:
            said = client.ending()
        except NoDaemon:
            screen.say("its daemon has ended")
            return


def _answer(text: str, *, as_json: bool) -> None:
    if as_json:
        screen.say_json({"version": 1, "text": text})
    else:
        screen.say(screen.clean(text))
