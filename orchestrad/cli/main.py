"""The command line. `orchestrad --config DIR` runs the daemon; the commands talk to one that runs.

Commands are imported when they are called: `orchestrad status` should start at once.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from orchestrad import __version__
from orchestrad.cli.failures import PROBLEM, USAGE, Failure
from orchestrad.cli.fleet import config_option

COMMANDS: Final = {
    "status": ("orchestrad.cli.status", "status", "Show the fleet, grouped by who must act."),
    "why": ("orchestrad.cli.commands", "why", "Tell why an agent or a task is where it is."),
    "attach": ("orchestrad.cli.attach", "attach", "Show an agent's terminal."),
    "logs": ("orchestrad.cli.logs", "logs", "Show the daemon's log, or what happened to an agent."),
    "resume": ("orchestrad.cli.commands", "resume", "Give an agent back."),
    "task": ("orchestrad.cli.commands", "task", "Commands on single tasks: retry."),
    "down": ("orchestrad.cli.commands", "down", "End the fleet; its work is saved."),
    "doctor": ("orchestrad.cli.doctor", "doctor", "Check what a fleet needs, and tell how to get what is missing."),
    "demo": ("orchestrad.cli.demo", "demo", "Watch a small scripted fleet from beginning to end."),
}


class LazyGroup(click.Group):
    """Knows its commands by name and one line; imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (the base class's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (as above)
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (as above)
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.option("--until-done", is_flag=True, help="End when nothing is left to do: 0 all merged, 1 some blocked.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="auto: a live status in a terminal, text lines elsewhere.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True)
@click.version_option(__version__, "-V", "--version", message="orchestrad %(version)s")
@click.pass_context
def cli(ctx: click.Context, config_directory: Path | None, until_done: bool, log_format: str, log_level: str) -> None:
    """Run a fleet of Claude Code agents on a repository: orchestrad --config DIR.

    Exit status: 0 all well, 1 a problem, 2 bad config or usage, 3 no daemon is running.
    """
    if ctx.invoked_subcommand is not None:
        if until_done:
            raise click.UsageError("--until-done is for running the daemon: orchestrad --config DIR --until-done")
        return
    if config_directory is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(USAGE)
    from orchestrad.cli.daemon import run  # noqa: PLC0415  (imports the whole daemon)

    ctx.exit(run(config_directory.expanduser(), until_done=until_done, log_format=log_format, log_level=log_level))


def main() -> None:
    """The program `orchestrad`."""
    from orchestrad.errors import OrchestradError  # noqa: PLC0415

    try:
        status = cli(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Abort:
        click.echo("", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OrchestradError as error:
        Failure(str(error)).show()
        sys.exit(PROBLEM)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read along has gone; Python would complain again at its end
        sys.exit(PROBLEM)


if __name__ == "__main__":
    main()
