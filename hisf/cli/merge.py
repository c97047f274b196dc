"""``hisf merge``: one catalogue from jobs that searched parts of a cube."""

from __future__ import annotations

from pathlib import Path

import click

from hisf.cli.display import Display
from hisf.cli.run import write_page
from hisf.errors import HisfError, InputError
from hisf.plugins import PluginManager


@click.command("merge", short_help="Make one catalogue from jobs on parts of a cube.")
@click.argument("arguments", nargs=-1, required=True, metavar="SOURCES.h5... [KEY=VALUE]...")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors.")
def command(arguments: tuple[str, ...], quiet: bool) -> None:
    """Merge what jobs on parts of one cube found, each source once, and write the products of the whole cube.

    Every job is a run with an input.region of its own and output.writeSources = true, which writes NAME_sources.h5.
    Regions should overlap by more than the largest source; one that no region has as a whole is put together from
    its pieces. The settings are those of the jobs; KEY=VALUE settings change them, those of the section output for
    example.
    """
    files = [Path(argument) for argument in arguments if "=" not in argument]
    if not files:
        raise InputError("hisf merge needs the NAME_sources.h5 of every job.")
    manager = PluginManager()
    display = Display(quiet, False)
    manager.register(display, "display", "hisf's command line")
    with display:
        from hisf.data.source_store import read_part
        from hisf.merging import merge, settings_of
        from hisf.pipeline import Report
        from hisf.stages.products.record import write_record

        parts = [read_part(path) for path in files]
        settings = settings_of(parts, [argument for argument in arguments if "=" in argument], manager)
        report = Report()
        try:
            catalogue = merge(parts, settings, manager, report)
        except HisfError as error:
            if error.exit_code == 8:
                write_record(settings, manager, report, display.warnings, str(error), error.exit_code)
                write_page(settings, report)
            raise
        record = write_record(settings, manager, report, display.warnings, "", 0)
        write_page(settings, report)
        display.summarise(catalogue, report, record)
