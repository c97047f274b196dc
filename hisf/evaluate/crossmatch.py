"""Which detection is which source: a one-to-one match by position and frequency alone.

No other attribute enters, so a wrong flux does not unmatch a source. This is what completeness and reliability are
counted from; the SDC2 score has a match of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import angular_separation
from astropy.table import Table

from hisf.evaluate.columns import numbers
from hisf.evaluate.pairs import nearby_pairs

LIGHT = 299792.458  # km/s
USUAL_WIDTH = 300.0  # km/s, where neither the truth nor the detections have a width


@dataclass(frozen=True)
class Match:
    """The pairs of a cross-match.

    Attributes
    ----------
    truth_of : ndarray of int, shape (n_detections,)
        Row of the matched truth source, -1 for none.
    detection_of : ndarray of int, shape (n_truth,)
        Row of the matched detection, -1 for none.
    """

    truth_of: np.ndarray
    detection_of: np.ndarray

    @property
    def detections(self) -> np.ndarray:
        """Rows of the matched detections, ascending."""
        return np.flatnonzero(self.truth_of >= 0)

    @property
    def truths(self) -> np.ndarray:
        """Rows of their truth sources, in the same order."""
        return self.truth_of[self.detections]


def cross_match(catalogue: Table, truth: Table, beam: float = 7.0) -> Match:
    """Match detections and truth sources one to one.

    A pair can match if its separation is below ``s = sqrt(hi_size² + beam²)`` and its frequency difference below the
    line width ``w = w20 ν/c``, both of the truth source. Pairs are taken in the order of
    ``sqrt((separation/s)² + (Δν/w)²)``, each row once; equal ones in the order of the rows.

    Parameters
    ----------
    catalogue, truth : `~astropy.table.Table`
        With ra, dec and central_freq; rows where one of them is missing do not match. A missing size counts as 0, a
        missing width as the median width of the truth, of the detections, or `USUAL_WIDTH`.
    beam : float
        Full width at half maximum, arcsec.

    Returns
    -------
    Match
    """
    ra, dec, freq = (numbers(catalogue, name) for name in ("ra", "dec", "central_freq"))
    ra_t, dec_t, freq_t = (numbers(truth, name) for name in ("ra", "dec", "central_freq"))
    size = np.hypot(np.nan_to_num(numbers(truth, "hi_size")), beam)
    width = _widths(catalogue, truth) * freq_t / LIGHT
    found = [(np.empty(0), np.empty(0, int), np.empty(0, int))]
    for a, b in nearby_pairs((dec, freq), (dec_t, freq_t), (size / 3600.0, width)):
        places = (np.radians(v) for v in (ra[a], dec[a], ra_t[b], dec_t[b]))
        separation = np.degrees(angular_separation(*places)) * 3600.0 / size[b]
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = np.abs(freq[a] - freq_t[b]) / width[b]
        near = (separation < 1.0) & (difference < 1.0)
        found.append((np.hypot(separation, difference)[near], a[near], b[near]))
    distance, a, b = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return one_to_one(distance, a, b, len(catalogue), len(truth))


def _widths(catalogue: Table, truth: Table) -> np.ndarray:
    """Return the line widths (km/s) of the truth, the missing ones filled in."""
    width = numbers(truth, "w20")
    usual = USUAL_WIDTH
    for known in (width, numbers(catalogue, "w20")):
        if np.isfinite(known).any():
            usual = float(np.nanmedian(known))
            break
    return np.where(np.isnan(width), usual, width)


def one_to_one(distance: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, n_truth: int) -> Match:
    """Take the closest pairs first, every row once; equal ones in the order of the rows.

    Parameters
    ----------
    distance : ndarray, shape (p,)
    a, b : ndarray of int, shape (p,)
        Rows of the detection and of the truth source of every pair.
    n, n_truth : int
        Number of detections and of truth sources.
    """
    truth_of, detection_of = [-1] * n, [-1] * n_truth
    order = np.lexsort((b, a, distance))
    for row, true in zip(a[order].tolist(), b[order].tolist(), strict=True):
        if truth_of[row] < 0 and detection_of[true] < 0:
            truth_of[row], detection_of[true] = true, row
    return Match(np.array(truth_of, int), np.array(detection_of, int))
