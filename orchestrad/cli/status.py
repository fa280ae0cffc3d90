"""`orchestrad status`: the fleet at a glance, grouped by who must act."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from orchestrad.cli import screen
from orchestrad.cli.fleet import config_option, running_fleet

AT_WORK: Final = ("working", "waiting", "attended")
INDENT: Final = "  "
QUEUE_SHOWN: Final = 8


@click.command()
@config_option
@click.option("--tasks", is_flag=True, help="List every task too.")
@click.option("--json", "as_json", is_flag=True, help="The whole document, for scripts.")
def status(config_directory: Path | None, tasks: bool, as_json: bool) -> None:
    """Show the fleet, grouped by who must act."""
    client, _ = running_fleet(config_directory)
    document = client.status()
    if as_json:
        screen.say_json(document)
        return
    for line in page(document, tasks=tasks):
        screen.say(line)


def page(document: dict[str, Any], *, tasks: bool = False) -> Iterator[str]:
    """The lines of the page."""
    yield from header(document)
    agents, all_tasks = document["agents"], document["tasks"]
    persons = [a for a in agents if a["needs"] == "person"]
    names = max((len(a["name"]) for a in agents), default=0)
    yield from _group("Needs you", [*map(_held, persons), *(_held(t) for t in all_tasks if t["needs"] == "person")], "red")
    yield from _group("With the Manager", [_held(t) for t in all_tasks if t["needs"] == "manager"], "yellow")
    rest = [a for a in agents if a["needs"] != "person"]
    yield from _group("At work", [_row(a, names) for a in rest if a["state"] in AT_WORK], "green")
    yield from _group("Goes on by itself", [_row(a, names) for a in rest if a["state"] not in AT_WORK], "cyan")
    yield from _group("Merge queue", _queue(document), "cyan")
    yield from _group("Problems", [_line(p["about"], p["text"]) for p in document["problems"]], "yellow")
    yield from _group("Notices", [screen.wrapped(screen.clean(notice), INDENT) for notice in document["notices"]], "bright_black")
    if tasks:
        yield from _group("Tasks", [_task(t) for t in all_tasks], "cyan")
    yield ""
    first = screen.clean(agents[0]["name"]) if agents else "AGENT"
    yield screen.dim(f"watch: orchestrad attach {first} · ask: orchestrad why AGENT|TASK · end: orchestrad down")


def header(document: dict[str, Any]) -> Iterator[str]:
    """Name, state, branch, and how far it is."""
    fleet, counts = document["fleet"], document["counts"]
    tip = f" {fleet['tip'][:10]}" if fleet["tip"] else ""
    upstream = "upstream has it" if fleet["upstream"]["upToDate"] else "upstream does not have it yet"
    parts = [f"{counts['done']} of {counts['tasks']} tasks done"]
    parts += [f"{counts[name]} {name}" for name in ("blocked",) if counts[name]]
    running = {"running": "green", "ending": "yellow"}.get(fleet["state"], "bright_black")
    state = click.style(fleet["state"], fg=running)
    yield f"{screen.bold(screen.clean(fleet['name']))}  {state}  {', '.join(parts)}  {fleet['branch']}{tip}, {upstream}"
    if fleet["state"] != "running" and fleet["reason"]:
        yield screen.wrapped(screen.clean(fleet["reason"]), INDENT)


def _group(title: str, lines: list[str], colour: str) -> Iterator[str]:
    if lines:
        yield ""
        yield click.style(title, fg=colour, bold=True)
        yield from lines


def _held(entity: dict[str, Any]) -> str:
    return screen.wrapped(screen.clean(entity["why"]), INDENT)


def _row(agent: dict[str, Any], names: int) -> str:
    left = f"{INDENT}{screen.clean(agent['name']).ljust(names)}  "
    middle = f"{screen.length(agent['forSeconds']).rjust(9)}  "
    word = screen.state(agent["state"], 11)
    columns = screen.width()
    used = len(left) + 11 + len(middle)
    text = screen.clean(agent["doing"])
    return left + word + middle + (screen.cut(text, columns - used - 1) if columns else text)


def _queue(document: dict[str, Any]) -> list[str]:
    queue = document["mergeQueue"]
    shown = ", ".join(screen.clean(task) for task in queue[:QUEUE_SHOWN])
    more = f" and {len(queue) - QUEUE_SHOWN} more" if len(queue) > QUEUE_SHOWN else ""
    return [f"{INDENT}{shown}{more}"] if queue else []


def _line(head: str, text: str) -> str:
    return screen.wrapped(f"{head}: {screen.clean(text)}", INDENT)


def _task(task: dict[str, Any]) -> str:
    box = "x" if task["state"] == "done" else " "
    whose = f" ({task['agent']})" if task["agent"] and task["state"] in ("assigned", "submitted") else ""
    text = f"[{box}] {screen.clean(task['id'])}  {task['state']}{whose}  {screen.clean(task['text'])}"
    columns = screen.width()
    return INDENT + (screen.cut(text, columns - len(INDENT) - 1) if columns else text)
