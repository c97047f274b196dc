"""``hisf run``: find sources as a parameter file says."""

from __future__ import annotations

import logging

import click

from hisf.cli.display import Display
from hisf.cli.settings import load, what_is_ignored
from hisf.errors import HisfError, NothingFoundError
from hisf.settings import COMMAND_LINE, Settings


@click.command("run", short_help="Find sources as a parameter file says.")
@click.argument("arguments", nargs=-1, required=True, metavar="PAR [KEY=VALUE]...")
@click.option("--finder", metavar="NAME", help="Use this finder and nothing else changes; join several with +.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors.")
@click.option("--verbose", "-v", is_flag=True, help="Explain decisions.")
def command(arguments: tuple[str, ...], finder: str | None, quiet: bool, verbose: bool) -> None:
    """Run the pipeline on the cube that a parameter file names.

    Parameter files and KEY=VALUE settings are taken in order; later ones override. Exit codes are SoFiA's: 0 success,
    5 a file, 7 a setting or an input, 8 nothing found.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    settings, manager = load(arguments)
    if finder:
        settings = settings.replace("pipeline.finder", finder, COMMAND_LINE)
    display = Display(quiet, verbose or settings["pipeline.verbose"])
    manager.register(display, "display", "hisf's command line")
    with display:
        _announce(settings)

        from hisf.pipeline import Report, run
        from hisf.stages.products.record import write_log, write_record

        report = Report()
        try:
            catalogue = run(settings, manager, report)
        except HisfError as error:
            if isinstance(error, NothingFoundError) or error.exit_code == 1:
                write_record(settings, manager, report, display.warnings, str(error), error.exit_code)
                display.fail(str(error))
                write_log(settings, report.base, display.log)
            raise
        record = write_record(settings, manager, report, display.warnings, "", 0)
        display.summarise(catalogue, report, record)
        write_log(settings, report.base, display.log)


def _announce(settings: Settings) -> None:
    """Pass on what was noticed while the settings were read."""
    log = logging.getLogger("hisf.settings")
    for note in (*settings.notes, *what_is_ignored(settings)):
        log.warning("%s", note)
