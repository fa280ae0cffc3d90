"""`orchestrad demo`: a small fleet at work, from beginning to end, without any credential."""

from pathlib import Path

import click

from orchestrad.cli.daemon import live_status


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Make it in this directory, and leave it there.")
@click.option("--pace", type=click.FloatRange(0, 60), default=None, metavar="SECONDS", help="How long each agent takes for a step.")
@click.pass_context
def demo(ctx: click.Context, keep: Path | None, pace: float | None) -> None:
    """Run a manager and three workers on a small repository; the agents are scripted, the rest is real."""
    from orchestrad.demo.run import main  # noqa: PLC0415  (imports the whole daemon)

    ctx.exit(main(keep=keep, pace=pace, show=live_status()))
