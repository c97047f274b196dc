"""``hisf report``: a run in one HTML page, and figures of its sources."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", short_help="Show a run in one HTML page, or in figures.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="OUTDIR")
@click.option("--name", default="", metavar="NAME", help="Base name of the run, where the folder holds several.")
@click.option("--cube", type=click.Path(path_type=Path), metavar="FILE", help="The cube, where it has been moved.")
@click.option("--figures", type=click.Path(path_type=Path), metavar="FOLDER", help="Draw figures of sources instead.")
@click.option(
    "--source", "labels", type=int, multiple=True, metavar="ID", help="Of these sources only; may be repeated."
)
def command(folder: Path, name: str, cube: Path | None, figures: Path | None, labels: tuple[int, ...]) -> None:
    """Write NAME_report.html beside the products of a run: one page that needs neither a network nor other files.

    It shows the run and every source, from the catalogue, the record (NAME_run.json), and the cubelets; where there are
    no cubelets, from the cube and its mask. With --figures a figure of every source is drawn, to be published, as PNG
    and PDF.
    """
    from hisf.report.finished import open_run

    if labels and not figures:
        raise click.UsageError("--source chooses figures; name their folder with --figures.")
    run = open_run(folder, name, cube)
    if figures:
        from hisf.report.figures import draw_figures

        for path in draw_figures(run, figures, labels):
            click.echo(path)
        return
    from hisf.report.page import write_report

    click.echo(write_report(run))
