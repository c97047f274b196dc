"""What a record says of the parameters: the analysis of Håkansson et al. (2023, §3, Figs. 6 to 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hisf.evaluate.statistics import ATTRIBUTES, Bin, shares
from hisf.tune.record import Record, Trial

if TYPE_CHECKING:
    from astropy.table import QTable

FLUX_BINS = 30  # of the completeness by flux
BAND_BINS = 10  # of equal numbers of sources, of the maximum reliability
BAND = (10.0, 50.0, 90.0)  # per cent


def best_rankings(reliability: np.ndarray, completeness: np.ndarray) -> np.ndarray:
    """Return the best rank that every trial reaches in α·R + (1 − α)·C, over all α from 0 to 1.

    Exact: the number of trials that are strictly better changes only where two of the lines cross, and is smallest
    there or at an end. Rank 1 is the upper right convex hull.

    Parameters
    ----------
    reliability, completeness : ndarray, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)
        From 1.
    """
    ranks = np.empty(len(reliability), int)
    for k in range(len(reliability)):
        more_r, more_c = reliability - reliability[k], completeness - completeness[k]
        always = int(np.sum((more_r > 0) & (more_c > 0)))
        below = (more_c > 0) & (more_r <= 0)  # better for α below the crossing
        beyond = (more_r > 0) & (more_c <= 0)
        crossing = np.sort(more_c[below] / (more_c[below] - more_r[below]))
        start = np.sort(-more_c[beyond] / (more_r[beyond] - more_c[beyond]))
        places = np.concatenate([(0.0, 1.0), crossing, start])
        better = len(crossing) - np.searchsorted(crossing, places, "right") + np.searchsorted(start, places, "left")
        ranks[k] = 1 + always + int(better.min())
    return ranks


def compared(record: Record) -> list[Trial]:
    """Return the trials that have a completeness and a reliability."""
    return [trial for trial in record.trials if trial.reliability is not None and trial.completeness is not None]


def hull(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of rank 1, from the most reliable to the most complete: the trade-off curve.

    Of equal ones the first; without those of rank 1 at α = 0 or 1 alone, where another is as good and better otherwise.
    """
    r, c = plane(trials)
    ranks = best_rankings(r, c)
    chosen: list[int] = []
    for k in np.lexsort((np.arange(len(r)), -c, -r)).tolist():
        if ranks[k] == 1 and (not chosen or c[k] > c[chosen[-1]]):
            chosen.append(k)
    return [trials[k] for k in chosen]


def plane(trials: Sequence[Trial]) -> tuple[np.ndarray, np.ndarray]:
    """Return reliability and completeness of trials."""
    return (
        np.array([trial.reliability for trial in trials], float),
        np.array([trial.completeness for trial in trials], float),
    )


def area(trials: Sequence[Trial]) -> float:
    """Return Σ (C_k − C_(k−1))·R_k over a trade-off curve, the average precision of choosing among sets."""
    r, c = plane(trials)
    order = np.argsort(c, kind="stable")
    return float(np.sum(np.diff(c[order], prepend=0.0) * r[order]))


def flux_edges(flux: np.ndarray) -> list[float]:
    """Return the edges of the bins of flux, of equal width in the logarithm, from the smallest to the largest flux."""
    known = flux[np.isfinite(flux) & (flux > 0)]
    if not len(known) or known.min() == known.max():
        return []
    edges = np.geomspace(known.min(), known.max(), FLUX_BINS + 1)
    edges[0], edges[-1] = known.min(), np.nextafter(known.max(), np.inf)
    return [float(edge) for edge in edges]


def completeness_by_flux(trial: Trial, flux: np.ndarray) -> list[Bin]:
    """Return the share of the truth in every bin of `flux_edges` that a trial finds."""
    hit = np.zeros(len(flux), bool)
    hit[trial.found] = True
    return shares(flux, hit, flux_edges(flux))


def maximum_reliability(trials: Sequence[Trial], n: int) -> np.ndarray:
    """Return, for every one of ``n`` sources of the truth, the largest reliability of a trial that finds it, or NaN."""
    largest = np.full(n, np.nan)
    for trial in trials:
        largest[trial.found] = np.fmax(largest[trial.found], trial.reliability or 0.0)
    return largest


def band(flux: np.ndarray, largest: np.ndarray) -> list[tuple[float, ...]]:
    """Return flux (geometric mean) and the percentiles `BAND` of the maximum reliability, in bins of equal numbers."""
    known = np.flatnonzero(np.isfinite(flux) & (flux > 0) & np.isfinite(largest))
    known = known[np.argsort(flux[known], kind="stable")]
    return [
        (float(np.exp(np.log(flux[part]).mean())), *(float(v) for v in np.percentile(largest[part], BAND)))
        for part in np.array_split(known, min(BAND_BINS, len(known)) or 1)
        if len(part)
    ]


def trial_table(record: Record) -> QTable:
    """Return one row per trial that did not fail: best ranking, shares, scores, errors of attributes, values."""
    from astropy.table import QTable

    trials = compared(record)
    r, c = plane(trials)
    table = QTable({"trial": [t.number for t in trials], "best_ranking": best_rankings(r, c)})
    table["reliability"], table["completeness"] = r, c
    for name in ("score", "sdc2", "average_precision"):
        table[name] = _known(getattr(trial, name) for trial in trials)
    table["detections"] = [trial.detections for trial in trials]
    for name, (_, unit, _) in ATTRIBUTES.items():
        column = f"error_{name.replace(' ', '_')}"
        table[column] = _known(trial.errors.get(name) for trial in trials)
        table[column].info.description = f"median modulus of the error, {unit or 'relative'}"
    for name in trials[0].values if trials else ():
        table[name] = [trial.values[name] for trial in trials]
    return table


def flux_table(record: Record) -> QTable:
    """Return the completeness of the best sets in bins of flux, a column per set, NaN where there is no source."""
    from astropy.table import QTable

    flux, sets = fluxes(record), hull(compared(record))
    edges = flux_edges(flux)
    table = QTable({"flux_from": edges[:-1], "flux_to": edges[1:]})
    for k, trial in enumerate(sets):
        bins = completeness_by_flux(trial, flux)
        if not k:
            table["truth"] = [b.n for b in bins]
        table[f"trial_{trial.number}"] = [b.share for b in bins]
    return table


def source_table(record: Record) -> QTable:
    """Return flux and maximum reliability of every source of the truth, NaN where no trial finds it."""
    from astropy.table import QTable

    flux = fluxes(record)
    largest = maximum_reliability(compared(record), len(flux))
    return QTable({"row": np.arange(len(flux)), "flux": flux, "maximum_reliability": largest})


def fluxes(record: Record) -> np.ndarray:
    """Return the fluxes of the truth, Jy Hz; NaN where unknown."""
    return _known(record.header.flux)


def _known(values) -> np.ndarray:  # type: ignore[no-untyped-def]  # of float or None
    return np.array([np.nan if value is None else value for value in values], float)
