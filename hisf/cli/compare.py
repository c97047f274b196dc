"""``hisf compare``: what two catalogues of one field have in common, and what not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from hisf.errors import HisfError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from hisf.evaluate.comparison import Comparison
    from hisf.evaluate.differences import ColumnDifference
    from hisf.evaluate.outputs import Output

FIGURES = ("png", "pdf", "svg")
# of sources in one catalogue only
LISTED = ("id", "name", "x", "y", "z", "f_sum", "line_flux_integral", "w50", "rel", "confidence")
MOST = 10  # of them
TABLES = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}


@click.command("compare", short_help="Compare two catalogues, and their masks.")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--figure", type=click.Path(path_type=Path), metavar="FILE", help="Draw a figure (.png, .pdf or .svg).")
@click.option("--table", type=click.Path(path_type=Path), metavar="FILE", help="Write both side by side (.csv, .ecsv).")
@click.option("--json", "json_path", metavar="FILE", help="Write everything as JSON; - prints only that.")
@click.option("--beam", type=float, metavar="ARCSEC", help="Beam, where sources are matched by position.")
@click.option("--tolerance", type=float, metavar="X", help="Relative difference of a value that does not count.")
@click.option("--fail-on-difference", is_flag=True, help="Exit with 1 where anything differs.")
def command(
    a: Path, b: Path, figure: Path | None, table: Path | None, json_path: str | None, beam: float | None,
    tolerance: float | None, fail_on_difference: bool,
) -> None:  # fmt: skip
    """Compare catalogue A with catalogue B: sources in both or in one only, values, masks.

    A and B are catalogue files, folders with the products of one run, or FOLDER/NAME; of SoFiA or of hisf. Sources are
    matched by their masks where both have one, otherwise by position and frequency.
    """
    from hisf.evaluate.comparison import compare_outputs
    from hisf.evaluate.outputs import open_output
    from hisf.stages.products.writing import write_file

    _check(figure, table, beam, tolerance)
    result = compare_outputs(open_output(a), open_output(b), beam, tolerance)
    text = json.dumps(result.as_dict(), indent=1, allow_nan=False) + "\n"
    if json_path == "-":
        click.echo(text, nl=False)
    else:
        _show(result)
        if json_path:
            write_file(Path(json_path), lambda path: path.write_text(text, encoding="utf-8"))
    if table:
        layout = TABLES[table.suffix.lower()]
        write_file(table, lambda path: result.to_table().write(path, format=layout, overwrite=True))
    if figure:
        from hisf.evaluate.comparison_figure import draw_comparison

        kind = figure.suffix[1:].lower()
        write_file(figure, lambda path: draw_comparison(result, path, kind))
    for written in (table, figure):
        if written:
            click.echo(written, err=json_path == "-")
    if fail_on_difference and not result.identical:
        raise HisfError(f"{result.a.path} and {result.b.path} differ, and --fail-on-difference asks for none.")


def _check(figure: Path | None, table: Path | None, beam: float | None, tolerance: float | None) -> None:
    if figure and figure.suffix[1:].lower() not in FIGURES:
        raise InputError(f"--figure {figure}: its name must end in .{', .'.join(FIGURES)}.")
    if table and table.suffix.lower() not in TABLES:
        raise InputError(f"--table {table}: its name must end in {' or '.join(TABLES)}.")
    if beam is not None and not 0.0 < beam < math.inf:
        raise InputError(f"--beam {beam:g} is not the width of a beam in arcsec.")
    if tolerance is not None and not 0.0 <= tolerance < math.inf:
        raise InputError(f"--tolerance {tolerance:g} is not a relative difference: 0 or more is needed.")


def _show(result: Comparison) -> None:
    from rich.markup import escape

    from hisf.cli.tables import plain_console

    console = plain_console()
    for side, output in (("A", result.a), ("B", result.b)):
        rows = f"{output.raw.n} source{'s' if output.raw.n != 1 else ''}"
        console.print(f"{side}  {escape(str(output.path))}: {rows} ({output.raw.layout}).", soft_wrap=True)
    within = f" within {result.beam:.3g} arcsec and a line width" if math.isfinite(result.beam) else ""
    counts = f"{len(result.rows_a)} in both, {len(result.only_a)} only in A, {len(result.only_b)} only in B"
    console.print(f"\n[bold]{counts}[/bold]; matched by {result.method}{within}.", soft_wrap=True)
    _show_masks(console, result)
    _show_columns(console, result)
    _show_only(console, "A", result.a, result.only_a)
    _show_only(console, "B", result.b, result.only_b)
    for note in result.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    if result.identical:
        console.print("[bold]No difference[/bold]" + (": catalogues and masks agree." if result.masks else "."))


def _show_masks(console: Console, result: Comparison) -> None:
    masks = result.masks
    if not masks:
        return
    what = "voxels" if masks.kind == "cube" else "pixels"
    pairs = masks.pairs[~np.isnan(masks.pairs)]
    sources = f"; of matched sources {np.median(pairs):.4f} (median), {pairs.min():.4f} (least)" if len(pairs) else ""
    console.print(
        f"Masks: intersection over union {masks.iou:.4f}{sources}; {masks.n_both} {what} in both, "
        f"{masks.n_only_a} only in A, {masks.n_only_b} only in B.",
        soft_wrap=True,
    )
    for side, other, n in (("A", "B", masks.n_shared_a), ("B", "A", masks.n_shared_b)):
        if n:
            console.print(f"{n} of those only in {side} overlap a source of {other} that is matched to another one.")


def _show_columns(console: Console, result: Comparison) -> None:
    from hisf.cli.tables import print_table

    for side, names in (("A", result.only_columns_a), ("B", result.only_columns_b)):
        if names:
            console.print(f"Columns only in {side}: {', '.join(names)}.", soft_wrap=True)
    if not len(result.rows_a):
        return
    differing = [column for column in result.columns if column.n_differ or column.n_missing]
    same = len(result.columns) - len(differing)
    if differing:
        names = ["column", "unit", "sources", "differ", "no value", "median B−A", "largest", "relative"]
        print_table(console, "Values that differ, over the sources in both", names, [_cells(c) for c in differing])
    console.print(f"{same} of {len(result.columns)} common columns agree in every matched source.")


def _show_only(console: Console, side: str, output: Output, rows: np.ndarray) -> None:
    """List sources of one catalogue, those of the largest flux first."""
    from hisf.cli.tables import print_table

    names = [name for name in LISTED if name in output.raw.columns]
    if not len(rows) or not names:
        return
    flux = output.raw.columns.get("f_sum", output.raw.columns.get("line_flux_integral", np.zeros(output.raw.n)))
    first = rows[np.argsort(-np.nan_to_num(flux[rows]), kind="stable")][:MOST]
    heads = [f"{name} [{unit}]" if (unit := output.raw.units.get(name, "")) else name for name in names]
    cells = [[_text(name, output.raw.columns[name][row]) for name in names] for row in first]
    more = f", the {len(first)} of the largest flux" if len(first) < len(rows) else ""
    print_table(console, f"Only in {side}{more}", heads, cells)


def _text(name: str, value: float | str) -> str:
    return str(value) if isinstance(value, str) else f"{value:.0f}" if name == "id" else f"{value:.4g}"


def _cells(column: ColumnDifference) -> list[str]:
    numbers = (f"{column.median:+.4g}", f"{column.largest:.4g}", f"{column.largest_relative:.2g}")
    counts = (str(n) for n in (column.n, column.n_differ, column.n_missing))
    return [column.name, column.unit, *counts, *(text.replace("+nan", "").replace("nan", "") for text in numbers)]
