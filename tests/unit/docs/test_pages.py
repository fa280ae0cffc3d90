"""What the pages for people point at is there, and what they tell to type is understood."""

import contextlib
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from orchestrad.cli.main import cli

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")
SPAN = re.compile(r"`(orchestrad(?: [^`]*)?)`")
STANDS_FOR_MORE = re.compile(r"\|| \.\.\.|…")  # `orchestrad why AGENT|TASK` is a form, not a command
NOT_A_PROGRAM = re.compile(r"^orchestrad NONCE:|^orchestrad [0-9a-f]{12}:")  # a prompt that the daemon types


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for found in LINK.finditer(prose(page)):
        link = found[1] or found[2]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def commands(page: Path) -> list[str]:
    """The `orchestrad` command lines of a page: its shell blocks' and those that stand in a sentence."""
    text = page.read_text()
    lines = [line for kind, body in FENCE.findall(text) if kind in ("sh", "console", "bash") for line in body.splitlines()]
    typed = [part.strip() for line in lines for part in re.split(r"&&|;|\|", line.removeprefix("$ "))]
    spans = [span for span in SPAN.findall(prose(page)) if not STANDS_FOR_MORE.search(span)]
    found = [line for line in (*typed, *spans) if re.match(r"orchestrad( |$)", line) and not NOT_A_PROGRAM.match(line)]
    return sorted(set(found))


@pytest.mark.parametrize(
    "line",
    sorted({line for page in PAGES for line in commands(page)}),
)
def test_every_command_that_a_page_tells_to_type_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]

    with contextlib.suppress(click.exceptions.Exit):  # --version and --help end at once
        parse(cli, words)


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Goes down the commands without running one. Raises click.UsageError."""
    with command.make_context(command.name, list(words), parent=parent, resilient_parsing=False) as context:
        rest = [*context._protected_args, *context.args]
        if not isinstance(command, click.Group) or not rest:
            return
        name, inner, left = command.resolve_command(context, rest)
        assert name is not None
        assert inner is not None
        parse(inner, left, context)
