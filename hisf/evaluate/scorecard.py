"""Everything that is said about a catalogue, in one object: what the tables, the JSON and the figures are made from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from astropy.coordinates import angular_separation
from astropy.table import QTable

from hisf.evaluate.columns import missing, numbers
from hisf.evaluate.crossmatch import Match, cross_match
from hisf.evaluate.masks import LEAST_OVERLAP, MaskMatch
from hisf.evaluate.sdc2 import Sdc2Field, Sdc2Score, score_sdc2
from hisf.evaluate.statistics import (
    Bin,
    Curve,
    Errors,
    attribute_errors,
    curve,
    round_edges,
    shares,
)

# edges per decade
STEPS = {"flux": (1.0, 2.0, 5.0), "snr": (1.0, 2.0, 3.0, 5.0, 7.0)}
BINNED = {"flux": "line_flux_integral", "snr": "snr"}
NEEDED = ("ra", "dec", "hi_size", "line_flux_integral", "central_freq", "pa", "i", "w20")
OFFICIAL_REACH = 3.3  # deg from the centre: half the diagonal of the challenge's field


@dataclass(frozen=True)
class Scorecard:
    """The results of one comparison.

    Attributes
    ----------
    where : Sdc2Field
    official : bool
        Whether ``where`` is the official SDC2 field.
    sdc2 : Sdc2Score or None
    match : Match
    completeness, reliability : dict of str to list of Bin
        Against ``flux`` (Jy Hz) and ``snr``; an absent key could not be computed, `notes` says why.
    errors : list of Errors
    curve : Curve or None
    masks : MaskMatch or None
    mask_curve : Curve or None
        From the matches of the masks, where their labels are the catalogue's ids.
    notes : list of str
    """

    where: Sdc2Field
    official: bool
    catalogue: QTable
    truth: QTable
    sdc2: Sdc2Score | None
    match: Match
    completeness: dict[str, list[Bin]]
    reliability: dict[str, list[Bin]]
    errors: list[Errors]
    curve: Curve | None
    masks: MaskMatch | None
    mask_curve: Curve | None
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain Python values for JSON, None for NaN."""
        n, n_truth, n_match = len(self.catalogue), len(self.truth), len(self.match.detections)
        result: dict[str, Any] = {
            "field": {**asdict(self.where), "official": self.official},
            "n_detections": n,
            "n_truth": n_truth,
            "sdc2": _sdc2_dict(self.sdc2),
            "cross_match": {
                "n_match": n_match,
                "completeness": n_match / n_truth if n_truth else None,
                "reliability": n_match / n if n else None,
                "completeness_bins": {k: [asdict(b) for b in bins] for k, bins in self.completeness.items()},
                "reliability_bins": {k: [asdict(b) for b in bins] for k, bins in self.reliability.items()},
                "errors": [asdict(e) for e in self.errors],
                "curve": _curve_dict(self.curve),
            },
            "masks": self.masks and {
                "least_overlap": LEAST_OVERLAP,
                "n_predicted": len(self.masks.labels),
                "n_truth": self.masks.n_truth,
                "n_match": self.masks.n_match,
                "n_found": self.masks.n_found,
                "completeness": self.masks.completeness,
                "reliability": self.masks.reliability,
                "curve": _curve_dict(self.mask_curve),
            },
            "notes": self.notes,
        }  # fmt: skip
        plain: dict[str, Any] = _without_nan(result)
        return plain


def official_field(truth: QTable) -> bool:
    """Return whether every truth source lies within the field and the band of the challenge."""
    where = Sdc2Field()
    ra, dec, freq = (numbers(truth, name) for name in ("ra", "dec", "central_freq"))
    if not len(truth):
        return True
    away = np.degrees(angular_separation(*(np.radians(v) for v in (ra, dec, where.ra, where.dec))))
    return bool(np.all((away < OFFICIAL_REACH) & (freq > where.low) & (freq < where.high)))


def field_of(truth: QTable) -> Sdc2Field:
    """Return a field centred on the truth, with every frequency in its band."""
    ra, dec = np.radians(numbers(truth, "ra")), np.radians(numbers(truth, "dec"))
    x, y, z = (float(np.nanmean(v)) for v in (np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)))
    centre = math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))
    return replace(Sdc2Field(), ra=centre[0], dec=centre[1], low=0.0, high=math.inf)


def compare(
    catalogue: QTable,
    truth: QTable,
    where: Sdc2Field | None = None,
    sdc2: bool | None = None,
    masks: MaskMatch | None = None,
) -> Scorecard:
    """Compare a catalogue with the truth in every way that the two allow.

    Parameters
    ----------
    catalogue, truth : `~astropy.table.QTable`
        As `hisf.evaluate.reading.read_catalogue` returns them.
    where : Sdc2Field, optional
        The official field where the truth lies within it, otherwise that of the truth.
    sdc2 : bool, optional
        Whether the SDC2 score is wanted; by default where both catalogues have its columns.
    masks : MaskMatch, optional

    Raises
    ------
    InputError
        The SDC2 score was asked for, and a column for it is missing.
    """
    if where is None:
        where = Sdc2Field() if official_field(truth) else field_of(truth)
    notes = [
        f"{role}: {note}"
        for role, table in (("Catalogue", catalogue), ("Truth", truth))
        for note in table.meta.get("notes", [])
    ]
    absent = _absent(catalogue, truth)
    if sdc2 is None and absent:
        notes.append(f"No SDC2 score: {absent}.")
    score = score_sdc2(catalogue, truth, where) if sdc2 or (sdc2 is None and not absent) else None
    notes += _notes_on(score, catalogue)
    match = cross_match(catalogue, truth, where.beam)
    found, real = match.detection_of >= 0, match.truth_of >= 0
    completeness, reliability = {}, {}
    for name, column in BINNED.items():
        true, measured = numbers(truth, column), numbers(catalogue, column)
        if missing(truth, column):
            notes.append(f"No completeness against {name}: the truth has no {column}.")
        else:
            completeness[name] = shares(true, found, round_edges(true, STEPS[name]))
        if len(catalogue) and missing(catalogue, column):
            notes.append(f"No reliability against {name}: the catalogue has no {column}.")
        else:
            reliability[name] = shares(measured, real, round_edges(measured, STEPS[name]))
    confidence = numbers(catalogue, "confidence")
    ranked = bool(np.isfinite(confidence).any())
    return Scorecard(
        where=where,
        official=where == Sdc2Field(),
        catalogue=catalogue,
        truth=truth,
        sdc2=score,
        match=match,
        completeness=completeness,
        reliability=reliability,
        errors=attribute_errors(catalogue, truth, match),
        curve=curve(confidence, match.truth_of, len(truth)) if ranked else None,
        masks=masks,
        mask_curve=_mask_curve(catalogue, confidence, masks) if masks is not None and ranked else None,
        notes=notes,
    )


def _absent(catalogue: QTable, truth: QTable) -> str:
    """Return a clause on what keeps the SDC2 score from being computed; empty if nothing does."""
    for role, table in (("catalogue", catalogue), ("truth", truth)):
        names = [name for name in NEEDED if name not in table.colnames or (len(table) and missing(table, name))]
        if names:
            return f"the {role} has no {', '.join(names)}"
    return ""


def _notes_on(score: Sdc2Score | None, catalogue: QTable) -> list[str]:
    if score is None:
        return []
    notes = []
    if score.n_dropped:
        notes.append(f"SDC2 score: {score.n_dropped} rows with a missing value are left out, as officially.")
    repeated = len(catalogue) - len(np.unique(numbers(catalogue, "id")))
    if repeated:
        notes.append(f"SDC2 score: {repeated} rows repeat the id of another; only one row per id can match.")
    return notes


def _mask_curve(catalogue: QTable, confidence: np.ndarray, masks: MaskMatch) -> Curve | None:
    """Return the curve of the mask matches, if every mask is a row of the catalogue."""
    ids = numbers(catalogue, "id").astype(np.int64)
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[order], masks.labels), max(len(ids) - 1, 0))
    if not len(ids) or not np.array_equal(ids[order][place], masks.labels):
        return None
    met = np.where(masks.true_labels > 0, masks.true_labels, -1)
    return curve(confidence[order][place], met, masks.n_truth)


def _sdc2_dict(score: Sdc2Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    names = ("score", "n_det", "n_match", "n_bad", "n_false", "n_truth", "n_found", "n_dropped", "accuracy")
    more = ("reliability", "completeness", "properties")
    return {name: getattr(score, name) for name in (*names, *more)}


def _curve_dict(points: Curve | None) -> dict[str, Any] | None:
    if points is None:
        return None
    names = ("confidence", "completeness", "reliability")
    return {
        "average_precision": points.average_precision,
        **{name: getattr(points, name).tolist() for name in names},
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
