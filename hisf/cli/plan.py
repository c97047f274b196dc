"""``hisf plan``: what a run would take, without running it."""

from __future__ import annotations

import logging

import click

from hisf.cli.settings import load
from hisf.plugins import PluginManager
from hisf.settings import Settings


@click.command("plan", short_help="Say what a run would take: memory, tiles, time.")
@click.argument("arguments", nargs=-1, required=True, metavar="PAR [KEY=VALUE]...")
@click.option("--no-time", is_flag=True, help="Do not search a piece of the cube to see how long it takes.")
def command(arguments: tuple[str, ...], no_time: bool) -> None:
    """Show how a run would go over its cube: memory, tiles, passes, bytes read, scratch space and time.

    The time is measured: a piece in the middle of the cube, of some 8 million voxels, is searched on this machine.
    Linking and measuring come on top; they grow with what is found.
    """
    settings, manager = load(arguments)
    log = logging.getLogger("hisf")
    before = log.level
    log.setLevel(logging.ERROR)  # what is rehearsed says nothing
    try:
        _tell(settings, manager, no_time)
    finally:
        log.setLevel(before)


def _tell(settings: Settings, manager: PluginManager, no_time: bool) -> None:
    """Print the plan."""
    from hisf.pipeline import Report, prepare
    from hisf.planning import duration, lines, make_plan, rehearse

    plan = make_plan(prepare(settings, manager, Report(), replacing=True))
    for heading, sentence in lines(plan):
        click.echo(f"{heading:<10} {sentence}")
    if plan.job.memory.missing:
        click.echo(f"{'lacking':<10} {plan.job.memory.sentence()}")
    if no_time:
        return
    seconds = rehearse(plan, settings, manager)
    threads = f"{plan.job.threads} thread{'s' * (plan.job.threads != 1)}"
    told = "not known: a piece of the cube alone cannot be searched" if seconds != seconds else (
        f"about {duration(seconds)} until sources are linked, with {threads} of this machine"
    )  # fmt: skip
    click.echo(f"{'time':<10} {told}")
