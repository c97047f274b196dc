"""Tables of numbers: drawn with rules on a terminal, in plain characters in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def plain_console() -> Console:
    """Return a console for standard output: as wide as the terminal, or 120 characters in a log."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def print_table(console: Console, title: str, names: list[str], rows: list[list[str]]) -> None:
    """Print a table of right-aligned cells under a title; no title where it is empty."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    if title:
        console.print(f"\n[bold]{escape(title)}[/bold]")
    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else box.ASCII2)
    for name in names:
        table.add_column(escape(name), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
