"""``hisf report``: a run in one HTML page, and figures of its sources."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", short_help="Show a run in one HTML page, or in figures.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="OUTDIR")
@click.option("--name", default="", metavar="NAME", help="Base name of the run, where the folder holds several.")
@click.option("--cube", type=click.Path(path_type=Path), metavar="FILE", help="The cube, where it has been moved.")
def command(folder: Path, name: str, cube: Path | None) -> None:
    """Write NAME_report.html beside the products of a run: one page that needs neither a network nor other files.

    It shows the run and every source, from the catalogue, the record (NAME_run.json), and the cubelets; where there are
    no cubelets, from the cube and its mask.
    """
    from hisf.report.finished import open_run
    from hisf.report.page import write_report

    click.echo(write_report(open_run(folder, name, cube)))
