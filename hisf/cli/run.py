"""``hisf run``: find sources as a parameter file says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from hisf.cli.display import Display
from hisf.cli.settings import load, what_is_ignored
from hisf.errors import HisfError, NothingFoundError
from hisf.execution.ahead import read_ahead
from hisf.plugins import PluginManager
from hisf.settings import COMMAND_LINE, Settings

if TYPE_CHECKING:
    from hisf.pipeline import Report

log = logging.getLogger(__name__)


@click.command("run", short_help="Find sources as a parameter file says.")
@click.argument("arguments", nargs=-1, required=True, metavar="PAR [KEY=VALUE]...")
@click.option("--finder", metavar="NAME", help="Use this finder and nothing else changes; join several with +.")
@click.option("--resume", is_flag=True, help="Go on where the same run was interrupted.")
@click.option("--no-plugins", is_flag=True, help="Do without the plugins of other distributions.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors.")
@click.option("--verbose", "-v", is_flag=True, help="Explain decisions.")
def command(
    arguments: tuple[str, ...], finder: str | None, resume: bool, no_plugins: bool, quiet: bool, verbose: bool
) -> None:
    """Run the pipeline on the cube that a parameter file names.

    Parameter files and KEY=VALUE settings are taken in order; later ones override. Exit codes are SoFiA's: 0 success,
    5 a file, 7 a setting or an input, 8 nothing found.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    settings, manager = load(arguments, foreign=not no_plugins)
    if finder:
        settings = settings.replace("pipeline.finder", finder, COMMAND_LINE)
    search(settings, manager, quiet, verbose, resume=resume)


def search(
    settings: Settings,
    manager: PluginManager,
    quiet: bool = False,
    verbose: bool = False,
    native: bool = False,
    resume: bool = False,
) -> None:
    """Run the pipeline, show how it goes, and write the record of the run.

    Parameters
    ----------
    settings : Settings
    manager : PluginManager
    quiet, verbose : bool
        As `Display`.
    native : bool
        Whether the names of every version of SoFiA are at home here, so that a translation is not worth a warning.

    resume : bool
        Go on where a run with these settings was interrupted.

    Raises
    ------
    HisfError
        As `hisf.pipeline.run`.
    """
    display = Display(quiet, verbose or settings["pipeline.verbose"])
    manager.register(display, "display", "hisf's command line")
    with display:
        _announce(settings, native)
        if not settings["input.region"]:
            read_ahead(settings["input.data"])

        from hisf.pipeline import Report, run
        from hisf.stages.products.record import write_log, write_record
        from hisf.stages.products.writing import journal_path

        report = Report()
        try:
            catalogue = run(settings, manager, report, resume)
        except HisfError as error:
            if isinstance(error, NothingFoundError) or error.exit_code == 1:
                write_record(settings, manager, report, display.warnings, str(error), error.exit_code)
                if isinstance(error, NothingFoundError):
                    write_page(settings, report)
                display.fail(str(error))
                write_log(settings, report.base, display.log)
            raise
        except KeyboardInterrupt:
            if journal_path(report.base).is_dir():
                log.warning("The run goes on from here with --resume.")
            raise
        record = write_record(settings, manager, report, display.warnings, "", 0)
        write_page(settings, report)
        display.summarise(catalogue, report, record)
        write_log(settings, report.base, display.log)


def write_page(settings: Settings, report: Report) -> None:
    """Write the report for a browser, if ``output.writeReport`` asks for it; its path is added to the products.

    Raises
    ------
    HisfError
        As `hisf.report.page.write_report`.
    """
    if settings["output.writeReport"]:
        from hisf.report.finished import open_run
        from hisf.report.page import write_report

        report.products.append(write_report(open_run(report.base.parent, report.base.name)))


def _announce(settings: Settings, native: bool) -> None:
    """Pass on what was noticed while the settings were read."""
    log = logging.getLogger("hisf.settings")
    for note in (*settings.notes, *what_is_ignored(settings)):
        log.log(logging.INFO if native and note in settings.translations else logging.WARNING, "%s", note)
