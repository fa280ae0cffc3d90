"""How a command ends: the exit statuses, and the one line that says what happened, why, and what to do next."""

from typing import IO, Any, Final

import click

OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2  # also: a config that can't be used
NO_DAEMON: Final = 3


class Failure(click.ClickException):
    """Something a person can mend; shown without a traceback."""

    exit_code = PROBLEM

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.message.splitlines():
            click.echo(f"orchestrad: {line}", file=file, err=file is None)


class BadUsage(Failure):
    """The command line or the config is wrong."""

    exit_code = USAGE


class NoDaemon(Failure):
    """No daemon runs that could be asked."""

    exit_code = NO_DAEMON
