"""`orchestrad doctor`: what a fleet needs, each thing found or with how to get it."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from orchestrad.cli import screen
from orchestrad.cli.failures import OK, PROBLEM
from orchestrad.cli.fleet import chosen, config_option
from orchestrad.cli.prerequisites import Check, Verdict, fleet, machine

MARKS: Final = {Verdict.FOUND: ("ok", "green"), Verdict.WARNING: ("note", "yellow"), Verdict.MISSING: ("to mend", "red")}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def doctor(ctx: click.Context, config_directory: Path | None, as_json: bool) -> None:
    """Check what a fleet needs, and tell how to get what is missing."""
    checks = []
    directory = chosen(config_directory)
    for check in _checks(directory):
        checks.append(check)
        if not as_json:
            _show(check)
    missing = [check.name for check in checks if check.verdict is Verdict.MISSING]
    if as_json:
        screen.say_json({"version": 1, "ok": not missing, "checks": [asdict(check) for check in checks]})
    else:
        screen.say("")
        screen.say(_summary(missing, directory))
    ctx.exit(PROBLEM if missing else OK)


def _checks(directory: Path | None) -> Iterator[Check]:
    if directory is None:
        yield from machine("docker", os.environ)
        return
    from orchestrad.config.load import load  # noqa: PLC0415  (pydantic)
    from orchestrad.config.problems import ConfigErrors  # noqa: PLC0415

    try:
        config = load(directory, os.environ)
    except ConfigErrors as errors:
        yield from machine("docker", os.environ)
        for problem in errors.problems:
            place = f"{problem.file}: {problem.key}" if problem.key else problem.file
            yield Check("config", Verdict.MISSING, f"{place}: found {problem.found}, expected {problem.expected}", problem.remedy)
        return
    yield from machine(config.engine, os.environ)
    yield Check("config", Verdict.FOUND, f"{directory}: {config.worker_count} workers on {config.repository_url.shown}")
    yield from fleet(config, os.environ)


def _show(check: Check) -> None:
    mark, colour = MARKS[check.verdict]
    left = f"{click.style(mark.ljust(7), fg=colour)}  {check.name.ljust(16)}  "
    screen.say(left + screen.clean(check.found))
    if check.remedy:
        screen.say(screen.wrapped(f"→ {screen.clean(check.remedy)}", " " * 27))


def _summary(missing: list[str], directory: Path | None) -> str:
    if missing:
        return f"to mend: {', '.join(dict.fromkeys(missing))}"
    if directory is None:
        return "this machine has what a fleet needs; `orchestrad doctor --config DIR` checks a config too"
    return f"all there; start it: orchestrad --config {directory}"
