"""``hisf plugins``: what is active, from where, in which order."""

from __future__ import annotations

import sys

import click

from hisf.plugins import STAGES, PluginManager


@click.command("plugins", short_help="List the active plugins, stage by stage.")
def command() -> None:
    """List the implementations of every stage in the order in which they run or are offered."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    manager = PluginManager()
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("stage", "order", "name", "plugin", "distribution"):
        table.add_column(heading, justify="right" if heading == "order" else "left", no_wrap=True)
    for stage in STAGES:
        for order, found in enumerate(manager.implementations(stage), 1):
            table.add_row(stage if order == 1 else "", str(order), found.name, found.plugin, found.distribution)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
