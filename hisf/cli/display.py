"""What the user sees of a run: progress, warnings, and a summary at the end.

On a terminal progress is a bar; in a log it is one line per stage. Warnings go to standard error, everything else to
standard output, as with SoFiA.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hisf import __version__
from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from hisf.data.catalogue import Catalogue
    from hisf.pipeline import Report

LISTED = 20  # sources in the summary
FIRST, ALSO = ("id", "name", "x", "y", "z", "f_sum"), ("n_pix", "w50")  # their columns
JUDGED = "confidence", "rel"  # the first of these that there is
WIDE = 100  # characters that a terminal needs for all of them
PATIENCE = 10.0  # seconds between lines of one stage in a log


class Display:
    """Watches a run through the hooks and the log, and shows it.

    Parameters
    ----------
    quiet : bool
        Warnings and errors only.
    verbose : bool
        The log's explanations too.

    Attributes
    ----------
    warnings : list of str
    log : list of str
        Everything that was said or explained, whether it was shown or not, with the time of day.
    """

    def __init__(self, quiet: bool, verbose: bool) -> None:
        self.warnings: list[str] = []
        self.log: list[str] = []
        self._quiet, self._verbose = quiet, verbose
        terminal = sys.stdout.isatty()
        self._console = Console(highlight=False, width=None if terminal else 120)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = None if quiet or not terminal else _make_bar(self._console)
        self._task: TaskID | None = None
        self._spoken = 0.0
        self._handler = _Relay(self)

    def __enter__(self) -> Display:
        logger = logging.getLogger("hisf")
        logger.addHandler(self._handler)
        logger.setLevel(logging.DEBUG if self._verbose else logging.INFO)
        if self._bar:
            self._bar.start()
        self._say(f"hisf {__version__}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        logging.getLogger("hisf").removeHandler(self._handler)

    @hookimpl
    def hisf_start_stage(self, stage: str, total: int, unit: str) -> None:
        """Begin a bar."""
        self._spoken = time.monotonic()
        if self._bar:
            self._task = self._bar.add_task(stage, total=max(total, 1), rate="")

    @hookimpl
    def hisf_advance_stage(self, stage: str, done: int, total: int) -> None:
        """Move the bar; in a log, say how far it is now and then."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done)
        elif time.monotonic() - self._spoken > PATIENCE:
            self._spoken = time.monotonic()
            self._say(f"  {stage:<20} {100 * done / max(total, 1):3.0f} %")

    @hookimpl
    def hisf_finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None:
        """End the bar, or print the line of the stage."""
        text = rate(done, seconds, unit)
        self._note("stage", f"{stage}: {seconds:.2f} s {text}".rstrip())
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=self._bar.tasks[self._task].total, rate=text)
            self._task = None
        else:
            self._say(f"  {stage:<20} {seconds:8.2f} s  {text}")

    def tell(self, level: int, message: str) -> None:
        """Show a message of the log."""
        self._note(logging.getLevelName(level).lower(), message)
        if level >= logging.WARNING:
            self.warnings.append(message)
            self._errors.print(f"[yellow]WARNING:[/yellow] {escape(message)}")
        elif self._verbose or level > logging.INFO:
            self._say(f"    {message}")

    def summarise(self, catalogue: Catalogue, report: Report, record: Path) -> None:
        """Print how many sources there are, the first of them, where the products are, what to look at first."""
        self._note("result", f"{len(catalogue)} sources")
        for path in report.products:
            self._note("written", str(path))
        if self._quiet:
            return
        if self._bar:
            self._bar.stop()
        self._console.print(_source_table(catalogue, wide=self._console.width >= WIDE))
        n, seconds = len(catalogue), sum(float(str(t["seconds"])) for t in report.timings)
        voxels = report.shape[0] * report.shape[1] * report.shape[2]
        more = f", {n - LISTED} more in the catalogue" if n > LISTED else ""
        self._console.print(
            f"[bold]{n} source{'s' if n != 1 else ''}[/bold]{more}, found by {' + '.join(report.finders)} in "
            f"{voxels / 1e6:.1f} million voxels ({seconds:.1f} s); global noise {report.rms:.4g}."
        )
        for path in [*report.products, record]:
            self._console.print(f"  {escape(str(path))}", soft_wrap=True)
        first = next((p for p in report.products if p.name.endswith("_cat.txt")), None) or record
        self._console.print(f"Look first at {escape(str(first))}{_brightest(catalogue)}.", soft_wrap=True)

    def fail(self, sentence: str) -> None:
        """Note in the log why the run ended early; the command line tells it."""
        self._note("error", sentence)

    def _note(self, kind: str, text: str) -> None:
        self.log.append(f"{time.strftime('%H:%M:%S')} {kind:<8} {text}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(escape(text), soft_wrap=True)


class _Relay(logging.Handler):
    """Hands log records to the display."""

    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.tell(record.levelno, record.getMessage())


def rate(done: int, seconds: float, unit: str) -> str:
    """Return how fast a stage was, for example ``12.3 Mvoxel/s``."""
    if seconds <= 0 or done <= 0:
        return ""
    if unit == "voxel":
        return f"{done / seconds / 1e6:.3g} Mvoxel/s"
    return f"{done} {unit}{'s' if done != 1 else ''}"


def _make_bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[rate]}"),
        console=console,
    )  # fmt: skip


def _source_table(catalogue: Catalogue, wide: bool) -> Table:
    """Return the columns people look at first, of the first sources; fewer of them where there is little room."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1) if wide else (0, 1, 0, 0))
    judged = next((name for name in JUDGED if name in catalogue), "")
    wanted = [c for c in catalogue.columns if c.name in (*FIRST, judged, *(ALSO if wide else ()))]
    for column in wanted:
        unit = f"\n{column.unit}" if column.unit else ""
        table.add_column(escape(column.name + unit), justify="left" if column.kind == "text" else "right", no_wrap=True)
    for i in range(min(len(catalogue), LISTED)):
        table.add_row(*(escape(_short(catalogue[c.name][i])) for c in wanted))
    return table


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _brightest(catalogue: Catalogue) -> str:
    """Return a clause that names the source of the largest flux."""
    if len(catalogue) < 2:
        return ""
    i = int(catalogue["f_sum"].argmax())
    return f"; the source of the largest flux is {catalogue['id'][i]}, {catalogue['name'][i]}"
