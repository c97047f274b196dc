"""``hisf params``: list and explain parameters."""

from __future__ import annotations

import sys

import click

from hisf.plugins import PluginManager
from hisf.settings import as_table_rows


@click.command("params", short_help="List and explain parameters.")
@click.argument("word", default="")
def command(word: str) -> None:
    """List the parameters that have WORD in their name or explanation; all without a WORD."""
    rows = as_table_rows(PluginManager().parameters(), word)
    if not rows:
        click.echo(f"No parameter has {word!r} in its name or explanation; `hisf params` lists all.")
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=not _terminal())
    for row in rows:
        default = f" = {row.default}" if row.default else ""
        details = escape(f"({row.type}, {row.since})")
        console.print(f"[bold]{escape(row.name)}[/bold]{escape(default)}  [dim]{details}[/dim]")
        console.print(f"    {escape(row.help)}")


def _terminal() -> bool:
    return sys.stdout.isatty()
