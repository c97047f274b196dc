"""``hisf check``: what is wrong with a parameter file."""

from __future__ import annotations

import click

from hisf.cli.settings import load
from hisf.errors import InputError
from hisf.settings import check_settings


@click.command("check", short_help="Say what is wrong with a parameter file.")
@click.argument("arguments", nargs=-1, required=True, metavar="PAR [KEY=VALUE]...")
def command(arguments: tuple[str, ...]) -> None:
    """Read parameter files and settings, and list everything that is wrong or doubtful, without running anything.

    The exit code is 7 if a run would be refused.
    """
    settings, _ = load(arguments)
    for note in settings.notes:
        click.echo(f"note: {note}")
    for name in settings.ignored:
        parameter = next(p for p in settings.parameters if p.name == name)
        why = "is not in this version of hisf yet" if parameter.effect == "partial" else "has no effect in hisf"
        click.echo(f"note: {settings.origin(name)}: {name} = {settings.text(name)} {why}.")
    problems = check_settings(settings)
    for problem in problems:
        click.echo(f"wrong: {problem}")
    if problems:
        raise InputError(f"{len(problems)} of the settings would stop a run.")
    click.echo(f"{sum(settings.is_set(name) for name in settings)} settings, none of them wrong.")
