"""Matching of masks by their overlap: intersection over union of at least 0.35 (spec forska §14)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hisf.data.box import slabs
from hisf.data.cube import Cube
from hisf.data.fits_voxels import FitsVoxels
from hisf.data.hdf5_voxels import Hdf5Voxels, is_hdf5
from hisf.data.header import read_header
from hisf.errors import InputError

LEAST_OVERLAP = 0.35
SLAB = 1 << 24  # voxels read at a time


@dataclass(frozen=True)
class MaskMatch:
    """Predicted masks and the true masks they overlap most with.

    Attributes
    ----------
    labels : ndarray of int, shape (p,)
        Of the predicted masks, ascending.
    true_labels : ndarray of int, shape (p,)
        The match of each; 0 for none.
    overlaps : ndarray of float, shape (p,)
        The largest intersection over union with any true mask, matched or not.
    n_truth : int
        Number of true masks.
    """

    labels: np.ndarray
    true_labels: np.ndarray
    overlaps: np.ndarray
    n_truth: int

    @property
    def n_match(self) -> int:
        """Predictions with a match; several may share one true mask."""
        return int((self.true_labels > 0).sum())

    @property
    def n_found(self) -> int:
        """True masks with a match."""
        return len(np.unique(self.true_labels[self.true_labels > 0]))

    @property
    def reliability(self) -> float:
        """``n_match / n_predicted``; NaN without a prediction."""
        return self.n_match / len(self.labels) if len(self.labels) else float("nan")

    @property
    def completeness(self) -> float:
        """``n_found / n_truth``; NaN without a true mask."""
        return self.n_found / self.n_truth if self.n_truth else float("nan")


def open_mask(path: Path) -> Cube:
    """Open a cube of labels (FITS or HDF5) without reading it.

    Raises
    ------
    FileAccessError
        The file is missing, truncated or unreadable.
    InputError
        It is not a cube, or does not hold integers.
    """
    if is_hdf5(path):
        voxels = Hdf5Voxels(path)
        cube = Cube(str(path), voxels.header, voxels)
    else:
        header, offset = read_header(path)
        cube = Cube(str(path), header, FitsVoxels(path, header, offset))
    if not cube.integer:
        raise InputError(f"{path} does not hold integers; a mask is a cube of labels.")
    return cube


def match_masks(predicted: Cube, true: Cube, least: float = LEAST_OVERLAP) -> MaskMatch:
    """Match every predicted mask with the true mask of the largest intersection over union, if that is large enough.

    Parameters
    ----------
    predicted, true : Cube
        Labels of the same shape; 0 and less is background.
    least : float
        The smallest intersection over union of a match.

    Returns
    -------
    MaskMatch
        Of equal overlaps the one with the lower label counts.

    Raises
    ------
    InputError
        The shapes differ.

    Notes
    -----
    Reads a slab at a time, about `SLAB` voxels of each cube; what is kept are counts per label and per pair of labels.
    """
    if predicted.shape != true.shape:
        mine, other = (" × ".join(str(n) for n in reversed(cube.shape)) for cube in (predicted, true))
        raise InputError(f"{predicted.name} has {mine} voxels, {true.name} {other}; the two must be of the same size.")
    sizes, true_sizes, shared = _Counts(1), _Counts(1), _Counts(2)
    plane = max(1, true.shape[1] * true.shape[2])
    for box in slabs(true.shape, max(1, SLAB // plane)):
        a, b = predicted.read_labels(box).ravel(), true.read_labels(box).ravel()
        sizes.add(a[a > 0])
        true_sizes.add(b[b > 0])
        both = (a > 0) & (b > 0)
        shared.add(a[both], b[both])
    (labels,), n = sizes.total()
    (true_labels,), n_true = true_sizes.total()
    (a, b), common = shared.total()
    union = n[np.searchsorted(labels, a)] + n_true[np.searchsorted(true_labels, b)] - common
    overlap = common / union
    order = np.lexsort((b, -overlap, a))
    rows, first = np.unique(a[order], return_index=True)
    place = np.searchsorted(labels, rows)
    overlaps, matched = np.zeros(len(labels)), np.zeros(len(labels), np.int64)
    overlaps[place] = overlap[order][first]
    matched[place] = np.where(overlaps[place] >= least, b[order][first], 0)
    return MaskMatch(labels, matched, overlaps, len(true_labels))


class _Counts:
    """How often each label, or each tuple of labels, occurs; filled piece by piece."""

    def __init__(self, width: int) -> None:
        self._keys = [np.empty((width, 0), np.int64)]
        self._counts = [np.empty(0, np.int64)]

    def add(self, *labels: np.ndarray) -> None:
        """Count the labels of one piece."""
        if not labels[0].size:
            return
        # runs of equal labels first: neighbours along x mostly belong together
        changes = np.zeros(labels[0].size, bool)
        changes[0] = True
        for column in labels:
            changes[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(changes)
        keys = np.stack([column[starts].astype(np.int64) for column in labels])
        keys, counts = _merge(keys, np.diff(starts, append=labels[0].size))
        self._keys.append(keys)
        self._counts.append(counts)

    def total(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels, shape (width, n), ascending, and their counts."""
        return _merge(np.concatenate(self._keys, axis=1), np.concatenate(self._counts))


def _merge(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the counts of equal keys; keys come back ascending."""
    if not keys.shape[1]:
        return keys, counts
    order = np.lexsort(keys[::-1])
    keys, counts = keys[:, order], counts[order]
    starts = np.flatnonzero(np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)]))
    return keys[:, starts], np.add.reduceat(counts, starts)
