"""``hisf check``: what is wrong with a parameter file."""

from __future__ import annotations

from pathlib import Path

import click

from hisf.cli.settings import load, what_is_ignored
from hisf.errors import HisfError, InputError
from hisf.plugins import PluginManager
from hisf.settings import Kind, Settings, check_settings


def _missing(settings: Settings, manager: PluginManager) -> list[str]:
    """Return what the settings name that is not there: input files and plugins."""
    from hisf.pipeline import choose_stages
    from hisf.stages.products.names import product_base

    paths = [
        p.name
        for p in settings.parameters
        if p.kind is Kind.PATH and p.section != "output" and settings.is_active(p.section) and settings[p.name]
    ]
    problems = [
        f"{settings.origin(name)}: {name} = {settings[name]}: no such file."
        for name in paths
        if not Path(settings[name]).exists()
    ]
    for look in (lambda: choose_stages(settings, manager), lambda: settings["input.data"] and product_base(settings)):
        try:
            look()
        except HisfError as error:
            problems.append(str(error))
    return problems


@click.command("check", short_help="Say what is wrong with a parameter file.")
@click.argument("arguments", nargs=-1, required=True, metavar="PAR [KEY=VALUE]...")
def command(arguments: tuple[str, ...]) -> None:
    """Read parameter files and settings, and list everything that is wrong or doubtful, without running anything.

    The exit code is 7 if a run would be refused for what can be known without reading the cube.
    """
    settings, manager = load(arguments)
    for note in settings.notes:
        click.echo(f"note: {note}")
    for note in what_is_ignored(settings):
        click.echo(f"note: {note}")
    problems = check_settings(settings) + _missing(settings, manager)
    for problem in problems:
        click.echo(f"wrong: {problem}")
    if problems:
        raise InputError(f"{len(problems)} of the settings would stop a run.")
    click.echo(f"{sum(settings.is_set(name) for name in settings)} settings, none of them wrong.")
