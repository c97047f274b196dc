"""Counts and errors of a match: shares in bins, attribute errors, the completeness–reliability curve."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from hisf.evaluate.columns import numbers
from hisf.evaluate.crossmatch import Match

# name -> (column, unit, kind of error); relative errors are fractions of the true value
ATTRIBUTES: dict[str, tuple[str, str, str]] = {
    "position": ("ra", "arcsec", "separation"),
    "frequency": ("central_freq", "kHz", "difference"),
    "flux": ("line_flux_integral", "", "relative"),
    "size": ("hi_size", "", "relative"),
    "w20": ("w20", "", "relative"),
    "position angle": ("pa", "deg", "angle"),
    "inclination": ("i", "deg", "difference"),
}
KHZ = 1e-3


@dataclass(frozen=True)
class Bin:
    """A share of sources in the bin ``[low, high)``; NaN where the bin is empty.

    ``lower`` and ``upper`` bound the 68.3 % Wilson interval of ``share = n_hit / n``.
    """

    low: float
    high: float
    n: int
    n_hit: int
    share: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Errors:
    """The errors (measured - true) of one attribute over ``n`` matches: median, 16 % and 84 %, median of the moduli."""

    name: str
    unit: str
    n: int
    median: float
    p16: float
    p84: float
    median_absolute: float


@dataclass(frozen=True)
class Curve:
    """Completeness and reliability of the detections of at least ``confidence``, from the most confident on.

    ``average_precision`` is ``Σ_k (C_k - C_{k-1}) R_k``.
    """

    confidence: np.ndarray
    completeness: np.ndarray
    reliability: np.ndarray
    average_precision: float


def wilson(n_hit: int, n: int, z: float = 1.0) -> tuple[float, float]:
    """Return the Wilson interval of a binomial share at ``z`` standard deviations; NaN for ``n = 0``.

    Wilson (1927), J. Am. Stat. Assoc. 22, 209.
    """
    if not n:
        return math.nan, math.nan
    share, spread = n_hit / n, z * z / n
    centre = (share + spread / 2.0) / (1.0 + spread)
    half = z * math.sqrt(share * (1.0 - share) / n + spread / (4.0 * n)) / (1.0 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def round_edges(values: np.ndarray, steps: tuple[float, ...] = (1.0, 2.0, 5.0)) -> list[float]:
    """Return bin edges at round numbers that enclose the positive values: ``steps`` times powers of ten."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return []
    low, high = float(positive.min()), float(positive.max())
    decades = range(math.floor(math.log10(low)) - 1, math.floor(math.log10(high)) + 2)
    grid = [float(f"{step}e{k}") for k in decades for step in steps]
    first = max(k for k, edge in enumerate(grid) if edge <= low)
    last = min(k for k, edge in enumerate(grid) if edge > high)
    return grid[first : last + 1]


def shares(values: np.ndarray, hit: np.ndarray, edges: list[float]) -> list[Bin]:
    """Return the share of hits in every bin of ``values``.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN and values outside the edges are in no bin.
    hit : ndarray of bool, shape (n,)
    edges : list of float
        Ascending; a bin includes its lower edge.
    """
    bins = []
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & (values < high)
        n, n_hit = int(inside.sum()), int((inside & hit).sum())
        bins.append(Bin(low, high, n, n_hit, n_hit / n if n else math.nan, *wilson(n_hit, n)))
    return bins


def errors_of(name: str, catalogue: Table, truth: Table, match: Match) -> np.ndarray:
    """Return the errors of one attribute (a key of `ATTRIBUTES`), one per match, NaN where it is not known."""
    column, _, kind = ATTRIBUTES[name]
    measured, true = numbers(catalogue, column)[match.detections], numbers(truth, column)[match.truths]
    if kind == "separation":
        from astropy.coordinates import angular_separation

        dec, dec_t = numbers(catalogue, "dec")[match.detections], numbers(truth, "dec")[match.truths]
        return np.degrees(angular_separation(*(np.radians(v) for v in (measured, dec, true, dec_t)))) * 3600.0
    if kind == "relative":
        with np.errstate(invalid="ignore", divide="ignore"):
            error = (measured - true) / true
        return np.where(np.isfinite(error), error, np.nan)
    if kind == "angle":
        return np.mod(measured - true + 180.0, 360.0) - 180.0
    return (measured - true) * (KHZ if name == "frequency" else 1.0)


def attribute_errors(catalogue: Table, truth: Table, match: Match) -> list[Errors]:
    """Summarise the errors of every attribute that both catalogues have; without a match, none."""
    rows = []
    for name, (_, unit, _) in ATTRIBUTES.items():
        error = errors_of(name, catalogue, truth, match)
        error = error[np.isfinite(error)]
        if len(error):
            p16, median, p84 = (float(v) for v in np.percentile(error, (16, 50, 84)))
            rows.append(Errors(name, unit, len(error), median, p16, p84, float(np.median(np.abs(error)))))
    return rows


def curve(confidence: np.ndarray, truth_of: np.ndarray, n_truth: int) -> Curve:
    """Return the completeness–reliability curve and the average precision.

    Parameters
    ----------
    confidence : ndarray, shape (n,)
        Detections are taken in descending order; equal ones together, as one point; NaN last.
    truth_of : ndarray of int, shape (n,)
        The truth source of every detection, -1 for none. One that is met again counts for reliability only.
    n_truth : int
        Number of truth sources; 0 gives an average precision of NaN.
    """
    rank = np.where(np.isnan(confidence), -np.inf, confidence)
    order = np.argsort(-rank, kind="stable")
    rank, met = rank[order], truth_of[order]
    hit = met >= 0
    first = np.zeros(len(met), bool)
    first[np.unique(np.where(hit, met, -1), return_index=True)[1]] = True
    last = np.flatnonzero(np.append(rank[1:] != rank[:-1], True)) if len(rank) else np.empty(0, int)
    completeness = np.cumsum(first & hit)[last] / n_truth if n_truth else np.full(len(last), np.nan)
    reliability = np.cumsum(hit)[last] / (last + 1.0)
    precision = float(np.sum(np.diff(completeness, prepend=0.0) * reliability)) if n_truth else math.nan
    return Curve(rank[last], completeness, reliability, precision)
