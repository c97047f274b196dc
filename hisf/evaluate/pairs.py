"""Pairs of catalogue rows that lie close together, without comparing every row with every other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CHUNK = 1 << 20  # pairs at a time
SLACK = 1e-9  # windows are this much wider, so that rounding loses no pair; callers apply their own exact cut


def nearby_pairs(
    detections: tuple[np.ndarray, np.ndarray],
    truth: tuple[np.ndarray, np.ndarray],
    reach: tuple[np.ndarray, np.ndarray],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every pair whose declinations and frequencies differ by no more than the reach of the truth row.

    Parameters
    ----------
    detections, truth : (dec, freq) of ndarray
        In any unit; rows with NaN are in no pair.
    reach : (dec, freq) of ndarray
        One value per truth row, in the same units.

    Yields
    ------
    detection_rows, truth_rows : ndarray of int
        About `CHUNK` pairs at a time, truth rows ascending. A superset by `SLACK`.
    """
    windows = [_windows(*axis) for axis in zip(detections, truth, reach, strict=True)]
    order, first, count = min(windows, key=lambda window: int(window[2].sum()))
    other = 1 if order is windows[0][0] else 0
    before = np.concatenate([[0], np.cumsum(count)])
    start = 0
    while start < len(count):
        stop = max(start + 1, int(np.searchsorted(before, before[start] + CHUNK, "right")) - 1)
        truth_rows = np.repeat(np.arange(start, stop), count[start:stop])
        within = np.arange(before[start], before[stop]) - before[truth_rows]
        detection_rows = order[first[truth_rows] + within]
        limit = _widened(reach[other], truth[other])[truth_rows]
        near = np.abs(detections[other][detection_rows] - truth[other][truth_rows]) <= limit
        yield detection_rows[near], truth_rows[near]
        start = stop


def _windows(values: np.ndarray, centres: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ascending order of ``values`` and, per centre, where its window begins and how many it holds."""
    order = np.argsort(values, kind="stable")
    order = order[~np.isnan(values[order])]
    ascending, limit = values[order], _widened(reach, centres)
    first = np.searchsorted(ascending, centres - limit, "left")
    count = np.searchsorted(ascending, centres + limit, "right") - first
    count[np.isnan(centres) | np.isnan(limit)] = 0
    return order, first, np.maximum(count, 0)


def _widened(reach: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return reach * (1.0 + SLACK) + np.abs(centres) * 1e-14
