"""``hisf template``: a commented parameter file."""

from __future__ import annotations

import click

from hisf.plugins import PluginManager
from hisf.settings import as_template


@click.command("template", short_help="Print a commented parameter file.")
def command() -> None:
    """Print a parameter file with every parameter, explained, at its default."""
    click.echo(as_template(PluginManager().parameters()), nl=False)
