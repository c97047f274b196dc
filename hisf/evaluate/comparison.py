"""Two catalogues of one field, source by source: what is in both, what in one only, and how far they differ."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, QTable, Table

from hisf.data.header import number, read_header
from hisf.errors import HisfError, InputError
from hisf.evaluate.columns import COLUMNS, missing, numbers
from hisf.evaluate.crossmatch import Match, cross_match, one_to_one
from hisf.evaluate.differences import ColumnDifference, compare_columns
from hisf.evaluate.layouts import SDC2, RawTable
from hisf.evaluate.masks import Overlaps, count_overlaps, open_mask
from hisf.evaluate.outputs import Output, short_names
from hisf.evaluate.reading import printed_unit

BY_MASK, BY_POSITION = "mask overlap", "position and frequency"
USUAL_BEAM = 30.0  # arcsec, where no header says
BOTH, ONLY_A, ONLY_B = "both", "only A", "only B"


@dataclass(frozen=True)
class MaskComparison:
    """Voxels of two masks, and intersection over union (IoU).

    Attributes
    ----------
    kind : str
        ``cube`` or ``image``.
    n_both, n_only_a, n_only_b : int
        Voxels, whichever source they belong to.
    iou : float
        ``n_both`` over all voxels of either; 1 where both masks are empty.
    pairs : ndarray of float, shape (n_matched,)
        IoU of every matched source; NaN where its label is not in a mask.
    n_shared_a, n_shared_b : int
        Sources in one only that share voxels with a source of the other all the same: one of the two catalogues has
        joined what the other one has apart.
    """

    kind: str
    n_both: int
    n_only_a: int
    n_only_b: int
    iou: float
    pairs: np.ndarray
    n_shared_a: int
    n_shared_b: int

    @property
    def identical(self) -> bool:
        """Whether no voxel differs, of the matched sources one by one too."""
        return self.n_only_a == self.n_only_b == 0 and bool(np.all(self.pairs[~np.isnan(self.pairs)] == 1.0))


@dataclass(frozen=True)
class Comparison:
    """The results of one comparison.

    Attributes
    ----------
    a, b : Output
    rows_a, rows_b : ndarray of int, shape (n_matched,)
        Rows of the matched sources, those of A ascending.
    method : str
        What they were matched by: `BY_MASK` or `BY_POSITION`.
    beam : float
        Arcsec, of a match by position; NaN otherwise.
    columns : list of ColumnDifference
    only_columns_a, only_columns_b : list of str
        Columns that one catalogue has and the other has not.
    masks : MaskComparison or None
        None where not both have a mask of the same size.
    notes : list of str
    """

    a: Output
    b: Output
    rows_a: np.ndarray
    rows_b: np.ndarray
    method: str
    beam: float
    columns: list[ColumnDifference]
    only_columns_a: list[str]
    only_columns_b: list[str]
    masks: MaskComparison | None
    notes: list[str] = field(default_factory=list)

    @property
    def only_a(self) -> np.ndarray:
        """Rows of A without a match, ascending."""
        return np.setdiff1d(np.arange(self.a.raw.n), self.rows_a)

    @property
    def only_b(self) -> np.ndarray:
        """Rows of B without a match, ascending."""
        return np.setdiff1d(np.arange(self.b.raw.n), self.rows_b)

    @property
    def identical(self) -> bool:
        """Whether sources, columns and values are the same, and the masks, where both have one."""
        return not (
            len(self.only_a)
            or len(self.only_b)
            or self.only_columns_a
            or self.only_columns_b
            or any(column.n_differ or column.n_missing for column in self.columns)
            or (self.masks and not self.masks.identical)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain Python values for JSON, None for NaN."""
        masks = None
        if self.masks:
            pairs = self.masks.pairs[~np.isnan(self.masks.pairs)]
            masks = {k: v for k, v in asdict(self.masks).items() if k != "pairs"} | {
                "identical": self.masks.identical,
                "iou_median": float(np.median(pairs)) if len(pairs) else None,
                "iou_minimum": float(pairs.min()) if len(pairs) else None,
            }
        return {
            "identical": self.identical,
            **{
                side: {"name": name, "catalogue": str(o.path), "layout": o.raw.layout, "sources": o.raw.n}
                for side, o, name in zip("ab", (self.a, self.b), short_names(self.a, self.b), strict=True)
            },
            "matched_by": self.method,
            "beam": _finite(self.beam),
            "matched": len(self.rows_a),
            "only_a": len(self.only_a),
            "only_b": len(self.only_b),
            "columns": [{k: _finite(v) for k, v in asdict(column).items()} for column in self.columns],
            "only_columns_a": self.only_columns_a,
            "only_columns_b": self.only_columns_b,
            "masks": masks,
            "notes": self.notes,
        }

    def to_table(self) -> Table:
        """Return every source of either catalogue: ``class``, ``iou``, then the columns of A and B side by side.

        The columns of A end in ``_a``, those of B in ``_b``. Masked where a catalogue has no such source or value.
        Matched sources come first, in the order of A, then those only in A, then those only in B.
        """
        n, n_a, n_b = len(self.rows_a), len(self.only_a), len(self.only_b)
        rows = {"a": np.r_[self.rows_a, self.only_a, [-1] * n_b], "b": np.r_[self.rows_b, [-1] * n_a, self.only_b]}
        table = Table({"class": np.repeat([BOTH, ONLY_A, ONLY_B], [n, n_a, n_b])})
        if self.masks:
            iou = np.r_[self.masks.pairs, np.full(n_a + n_b, np.nan)]
            table["iou"] = MaskedColumn(iou, mask=np.isnan(iou))
        names = [*self.a.raw.columns, *(name for name in self.b.raw.columns if name not in self.a.raw.columns)]
        for name in names:
            for side, output in (("a", self.a), ("b", self.b)):
                if name in output.raw.columns:
                    table[f"{name}_{side}"] = _outer(output.raw, name, rows[side].astype(int))
        return table


def compare_outputs(a: Output, b: Output, beam: float | None = None, tolerance: float | None = None) -> Comparison:
    """Compare two catalogues of the same field, and their masks where both have one.

    Sources are matched by the overlap of their masks, the largest intersection over union first, where both runs have
    a mask cube of the same size with the ids of the catalogue; otherwise by position and frequency
    (`hisf.evaluate.crossmatch.cross_match`). Every source is matched at most once.

    Parameters
    ----------
    a, b : Output
    beam : float, optional
        Arcsec, for a match by position; otherwise that of the moment-0 map beside a catalogue, or `USUAL_BEAM`.
    tolerance : float, optional
        Largest relative difference of a value that does not count; otherwise the precision of the text catalogue.

    Raises
    ------
    FileAccessError
        A mask cannot be read.
    InputError
        Neither masks nor positions can be compared.
    """
    notes: list[str] = []
    kind, overlaps = _overlaps(a, b, notes)
    places = _label_places(a, b, overlaps, kind, notes) if overlaps else None
    world = a.table is not None and b.table is not None
    if overlaps and places and (kind == "cube" or not world):
        match, method, beam = _match_overlaps(overlaps, places, a.raw.n, b.raw.n), BY_MASK, math.nan
    elif a.table is not None and b.table is not None:
        beam = beam or _beam(a, b, notes)
        match, method = cross_match(a.table, b.table, beam), BY_POSITION
    else:
        raise InputError(
            f"{a.path} and {b.path} cannot be matched: not both have a mask of the same size "
            f"(output.writeMask = true), and {a.obstacle or b.obstacle}"
        )
    rows_a, rows_b = match.detections, match.truths
    raw_a, raw_b = a.raw, b.raw
    if (raw_a.layout == SDC2) != (raw_b.layout == SDC2) and a.table is not None and b.table is not None:
        raw_a, raw_b = _in_common_terms(a.table), _in_common_terms(b.table)  # other names and units for the same
        notes += [f"{output.path}: {note}" for output, t in ((a, a.table), (b, b.table)) for note in t.meta["notes"]]
    columns, units = compare_columns(raw_a, raw_b, rows_a, rows_b, tolerance)
    masks = _compare_masks(kind, overlaps, places, rows_a, rows_b) if overlaps else None
    return Comparison(
        a, b, rows_a, rows_b, method, beam, columns,
        [name for name in raw_a.columns if name not in raw_b.columns],
        [name for name in raw_b.columns if name not in raw_a.columns],
        masks, [*notes, *units],
    )  # fmt: skip


def _overlaps(a: Output, b: Output, notes: list[str]) -> tuple[str, Overlaps | None]:
    """Count the voxels of the masks, cubes rather than images; None where there are not two of the same size."""
    for kind, first, second in (("cube", a.mask_cube, b.mask_cube), ("image", a.mask_image, b.mask_image)):
        if first and second:
            try:
                return kind, count_overlaps(open_mask(first), open_mask(second))
            except InputError as error:
                notes.append(f"Masks are not compared: {error}")
                return "", None
    has = [name for name, output in (("A", a), ("B", b)) if output.mask_cube or output.mask_image]
    if has:
        which = f"only {has[0]} has one (output.writeMask = true)" if len(has) == 1 else "one is a cube, one an image"
        notes.append(f"Masks are not compared: {which}.")
    return "", None


def _label_places(a: Output, b: Output, overlaps: Overlaps, kind: str, notes: list[str]) -> list[np.ndarray] | None:
    """Return, for either catalogue, the index of every row's id among the labels of its mask, -1 where it is not there.

    None where the labels are not the ids. In an image one source can hide another, so there not every id need be found.
    """
    places = []
    for name, raw, labels in (("A", a.raw, overlaps.labels_a), ("B", b.raw, overlaps.labels_b)):
        ids = raw.columns.get("id", np.full(raw.n, np.nan))
        known = np.isin(ids, labels)
        if len(np.unique(ids)) < raw.n or not (known.all() if kind == "cube" else known.any() or not raw.n):
            notes.append(f"The labels of the mask of {name} are not the ids of its catalogue; sources do not use them.")
            return None
        place = np.searchsorted(labels, np.nan_to_num(ids)).astype(int)
        places.append(np.where(known, place, -1))
    return places


def _match_overlaps(overlaps: Overlaps, places: list[np.ndarray], n_a: int, n_b: int) -> Match:
    """Match the sources of the largest overlap first, each once."""
    row_a, row_b = _row_of(places[0], len(overlaps.labels_a)), _row_of(places[1], len(overlaps.labels_b))
    a, b = row_a[overlaps.a], row_b[overlaps.b]
    known = (a >= 0) & (b >= 0)
    return one_to_one(1.0 - overlaps.iou[known], a[known], b[known], n_a, n_b)


def _row_of(place: np.ndarray, n_labels: int) -> np.ndarray:
    rows = np.full(n_labels, -1)
    known = np.flatnonzero(place >= 0)
    rows[place[known]] = known
    return rows


def _compare_masks(
    kind: str, overlaps: Overlaps, places: list[np.ndarray] | None, rows_a: np.ndarray, rows_b: np.ndarray
) -> MaskComparison:
    n_a, n_b, both = (int(n.sum()) for n in (overlaps.sizes_a, overlaps.sizes_b, overlaps.common))
    pairs, shared = np.full(len(rows_a), np.nan), [0, 0]
    if places:
        iou = dict(zip(zip(overlaps.a.tolist(), overlaps.b.tolist(), strict=True), overlaps.iou.tolist(), strict=True))
        labels = places[0][rows_a].tolist(), places[1][rows_b].tolist()
        pairs = np.array([iou.get(p, 0.0) if min(p) >= 0 else np.nan for p in zip(*labels, strict=True)], float)
        for k, (rows, touched) in enumerate(((rows_a, overlaps.a), (rows_b, overlaps.b))):
            alone = np.delete(places[k], rows)
            shared[k] = int(np.isin(alone[alone >= 0], touched).sum())
    union = n_a + n_b - both
    return MaskComparison(kind, both, n_a - both, n_b - both, both / union if union else 1.0, pairs, *shared)


def _beam(a: Output, b: Output, notes: list[str]) -> float:
    """Return the beam (arcsec) that a moment-0 map says, the larger of two."""
    beams = []
    for path in (a.moment0, b.moment0):
        if path:
            try:
                beams.append(3600.0 * (number(read_header(path)[0], "BMAJ") or 0.0))
            except HisfError as error:
                notes.append(str(error))
    beam = max(beams, default=0.0)
    if beam > 0:
        return beam
    notes.append(f"No header says how large the beam is; sources match within {USUAL_BEAM:g} arcsec (--beam).")
    return USUAL_BEAM


def _in_common_terms(table: QTable) -> RawTable:
    """Return the columns in which all kinds of catalogue are compared, as far as this one has them."""
    names = [name for name in COLUMNS if not missing(table, name)]
    return RawTable(
        {name: numbers(table, name) for name in names}, {name: COLUMNS[name][0] for name in names}, len(table)
    )


def _outer(raw: RawTable, name: str, rows: np.ndarray) -> MaskedColumn:
    """Return a column in the order of ``rows``, masked where these are -1."""
    values, absent = raw.columns[name], rows < 0
    taken = values[np.where(absent, 0, rows)] if raw.n else np.zeros(len(rows), values.dtype)
    if taken.dtype.kind == "f":
        absent = absent | np.isnan(taken)
        if name == "id" and np.all(taken[~absent] == np.rint(taken[~absent])):
            taken = np.where(absent, 0, taken).astype(np.int64)
    return MaskedColumn(taken, mask=absent, unit=printed_unit(raw.units.get(name, "")))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
