"""``hisf score``: how good a catalogue is, given the truth."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hisf.cli.tables import plain_console, print_table
from hisf.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from hisf.evaluate.scorecard import Scorecard
    from hisf.evaluate.sdc2 import Sdc2Field
    from hisf.evaluate.statistics import Bin, Curve

CURVE_ROWS = 10
NAMES = {"flux": "flux [Jy Hz]", "snr": "S/N"}


class _Pair(click.ParamType):
    """Two numbers, separated by a comma; an end of a band may be ``inf``."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            a, b = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not two numbers separated by a comma.", param, ctx)
        if math.isnan(a) or math.isnan(b):
            self.fail(f"{value!r} holds a value that is not a number.", param, ctx)
        return a, b


@click.command("score", short_help="Score a catalogue against the truth.")
@click.argument("catalogue", type=click.Path(path_type=Path))
@click.argument("truth", type=click.Path(path_type=Path))
@click.option("--field-centre", type=_Pair(), metavar="RA,DEC", help="Centre of the field, deg.")
@click.option("--band", type=_Pair(), metavar="LOW,HIGH", help="Band, Hz; rows outside match nothing.")
@click.option("--beam", type=float, metavar="ARCSEC", help="Beam, full width at half maximum (SDC2: 7).")
@click.option("--sdc2/--no-sdc2", default=None, help="Insist on the official SDC2 score, or leave the score out.")
@click.option("--mask", type=click.Path(path_type=Path), metavar="FILE", help="Mask cube of the catalogue.")
@click.option("--truth-mask", type=click.Path(path_type=Path), metavar="FILE", help="Mask cube of the truth.")
@click.option("--json", "json_path", metavar="FILE", help="Write everything as JSON; - prints only that.")
@click.option("--figures", type=click.Path(path_type=Path), metavar="FOLDER", help="Write figures (PNG and PDF).")
def command(
    catalogue: Path, truth: Path, field_centre: tuple[float, float] | None, band: tuple[float, float] | None,
    beam: float | None, sdc2: bool | None, mask: Path | None, truth_mask: Path | None, json_path: str | None,
    figures: Path | None,
) -> None:  # fmt: skip
    """Compare CATALOGUE with TRUTH: SDC2 score, completeness and reliability, attribute errors.

    Both may be SDC2 text files, or VOTable or text catalogues of SoFiA and hisf. The official SDC2 field and band are
    taken where the truth lies within them, otherwise the centre of the truth and every frequency.
    """
    from hisf.evaluate.masks import match_masks, open_mask
    from hisf.evaluate.reading import read_catalogue
    from hisf.evaluate.scorecard import compare
    from hisf.stages.products.writing import write_file

    if (mask is None) != (truth_mask is None):
        raise InputError("--mask and --truth-mask go together; one of them is missing.")
    found, true = read_catalogue(catalogue), read_catalogue(truth)
    if not len(true):
        raise InputError(f"{truth} has no rows; there is nothing to compare with.")
    where = _choose_field(true, field_centre, band, beam, sdc2)
    overlaps = match_masks(open_mask(mask), open_mask(truth_mask)) if mask and truth_mask else None
    card = compare(found, true, where, sdc2, overlaps)
    if json_path == "-":
        click.echo(_json(card), nl=False)
    else:
        _show(card, catalogue, truth)
        if json_path:
            write_file(Path(json_path), lambda path: path.write_text(_json(card), encoding="utf-8"))
    if figures:
        from hisf.evaluate.figures import draw_figures

        for path in draw_figures(card, figures):
            click.echo(path, err=json_path == "-")


def _choose_field(
    truth: Any, centre: tuple[float, float] | None, band: tuple[float, float] | None, beam: float | None,
    sdc2: bool | None,
) -> Sdc2Field:  # fmt: skip
    """Return the field that the options say, and for the rest of it the official one or the truth's."""
    from hisf.evaluate.scorecard import field_of, official_field
    from hisf.evaluate.sdc2 import Sdc2Field

    if sdc2 and (centre or band or beam is not None):
        raise InputError("--sdc2 asks for the official field, band and beam; it does not go with other ones.")
    where = Sdc2Field() if sdc2 or official_field(truth) else field_of(truth)
    if centre:
        if not -90.0 <= centre[1] <= 90.0 or math.isinf(centre[0]):
            raise InputError(f"--field-centre {centre[0]:g},{centre[1]:g} is not a right ascension and declination.")
        where = replace(where, ra=centre[0], dec=centre[1])
    if band:
        if not 0.0 <= band[0] < band[1]:
            raise InputError(f"--band {band[0]:g},{band[1]:g} is not a range of frequencies, lower one first.")
        where = replace(where, low=band[0], high=band[1])
    if beam is not None:
        if not 0.0 < beam < math.inf:
            raise InputError(f"--beam {beam:g} is not the width of a beam in arcsec.")
        where = replace(where, beam=beam)
    return where


def _json(card: Scorecard) -> str:
    return json.dumps(card.as_dict(), indent=1, allow_nan=False) + "\n"


def _show(card: Scorecard, catalogue: Path, truth: Path) -> None:
    from rich.markup import escape

    console = plain_console()
    for role, path, table in (("Catalogue", catalogue, card.catalogue), ("Truth", truth, card.truth)):
        rows = f"{len(table)} row{'s' if len(table) != 1 else ''}"
        console.print(f"{role} {escape(str(path))}: {rows} ({table.meta['layout']}).", soft_wrap=True)
    console.print(_field_sentence(card), soft_wrap=True)
    _show_sdc2(console, card)
    _show_match(console, card)
    _show_errors(console, card)
    _show_curve(console, "Ranked by confidence, matched by position", card.curve)
    _show_masks(console, card)
    _show_curve(console, "Ranked by confidence, matched by mask overlap", card.mask_curve)
    for note in card.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)


def _field_sentence(card: Scorecard) -> str:
    where = card.where
    band = f"{where.low / 1e6:g} to {where.high / 1e6:g} MHz" if where.high < math.inf else "every frequency"
    kind = "the official SDC2 field" if card.official else "not the official SDC2 field"
    return f"Field {where.ra:.5g}, {where.dec:.5g} deg, {band}, beam {where.beam:g} arcsec ({kind})."


def _show_sdc2(console: Console, card: Scorecard) -> None:
    score = card.sdc2
    if score is None:
        return
    console.print(
        f"\n[bold]SDC2 score {score.score:.4f}[/bold]: {score.n_det} detections, {score.n_match} matches "
        f"({score.n_found} of {score.n_truth} sources), {score.n_false} false ({score.n_bad} of them too inaccurate), "
        f"accuracy {score.accuracy:.4f}.",
        soft_wrap=True,
    )
    if score.properties:
        print_table(console, "", [*score.properties], [[f"{v:.4f}" for v in score.properties.values()]])


def _show_match(console: Console, card: Scorecard) -> None:
    n, n_truth, n_match = len(card.catalogue), len(card.truth), len(card.match.detections)
    console.print(
        f"\n[bold]Matched by position and frequency: {n_match}[/bold]; completeness {_share(n_match, n_truth)}, "
        f"reliability {_share(n_match, n)}."
    )
    for name, label in NAMES.items():
        complete, reliable = card.completeness.get(name, []), card.reliability.get(name, [])
        edges = sorted({(b.low, b.high) for b in (*complete, *reliable)})
        left, right = ({(b.low, b.high): b for b in bins} for bins in (complete, reliable))
        rows = [
            [f"{low:g} – {high:g}", *_bin_cells(left.get((low, high))), *_bin_cells(right.get((low, high)))]
            for low, high in edges
        ]
        if rows:
            print_table(
                console, "", [label, "truth", "found", "completeness", "detections", "real", "reliability"], rows
            )


def _bin_cells(bin_: Bin | None) -> list[str]:
    if bin_ is None or not bin_.n:
        return ["-", "-", "-"]
    return [str(bin_.n), str(bin_.n_hit), f"{bin_.share:.3f} ({bin_.lower:.3f} – {bin_.upper:.3f})"]


def _share(n_hit: int, n: int) -> str:
    return f"{n_hit / n:.4f} ({n_hit} of {n})" if n else "undefined (no rows)"


def _show_errors(console: Console, card: Scorecard) -> None:
    rows = [
        [e.name, e.unit or "relative", str(e.n), *(f"{v:+.4g}" for v in (e.median, e.p16, e.p84)),
         f"{e.median_absolute:.4g}"]
        for e in card.errors
    ]  # fmt: skip
    if rows:
        names = ["attribute", "unit", "matches", "median", "16 %", "84 %", "median |error|"]
        print_table(console, "Attribute errors, measured less true", names, rows)


def _show_curve(console: Console, title: str, points: Curve | None) -> None:
    if points is None:
        return
    n = len(points.confidence)
    chosen = sorted({round(k * (n - 1) / max(1, min(n, CURVE_ROWS) - 1)) for k in range(min(n, CURVE_ROWS))})
    columns = (points.confidence, points.completeness, points.reliability)
    rows = [[f"{column[k]:.4f}" for column in columns] for k in chosen]
    title = f"{title}: average precision {points.average_precision:.4f}"
    print_table(console, title, ["confidence from", "completeness", "reliability"], rows)


def _show_masks(console: Console, card: Scorecard) -> None:
    masks = card.masks
    if masks is None:
        return
    from hisf.evaluate.masks import LEAST_OVERLAP

    console.print(
        f"\n[bold]Masks matched by overlap (intersection over union ≥ {LEAST_OVERLAP}): {masks.n_match}[/bold]; "
        f"completeness {_share(masks.n_found, masks.n_truth)}, reliability {_share(masks.n_match, len(masks.labels))}."
    )
