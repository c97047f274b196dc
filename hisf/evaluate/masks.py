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


@dataclass(frozen=True)
class Overlaps:
    """Voxels of two masks, label by label and pair by pair; 0 and less is background.

    Attributes
    ----------
    labels_a, labels_b : ndarray of int, shape (n_a,), (n_b,)
        Ascending.
    sizes_a, sizes_b : ndarray of int, shape (n_a,), (n_b,)
        Their voxels.
    a, b : ndarray of int, shape (p,)
        Indices into the labels, of every pair that shares a voxel, ascending.
    common : ndarray of int, shape (p,)
        Voxels that a pair shares.
    """

    labels_a: np.ndarray
    labels_b: np.ndarray
    sizes_a: np.ndarray
    sizes_b: np.ndarray
    a: np.ndarray
    b: np.ndarray
    common: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of every pair, shape (p,)."""
        return self.common / (self.sizes_a[self.a] + self.sizes_b[self.b] - self.common)


def count_overlaps(first: Cube, second: Cube) -> Overlaps:
    """Count the voxels of every label and of every pair of labels.

    Parameters
    ----------
    first, second : Cube
        Labels of the same shape.

    Raises
    ------
    InputError
        The shapes differ.

    Notes
    -----
    Reads a slab at a time, about `SLAB` voxels of each cube; what is kept are counts per label and per pair of labels.
    """
    if first.shape != second.shape:
        mine, other = (" × ".join(str(n) for n in reversed(cube.shape)) for cube in (first, second))
        raise InputError(f"{first.name} has {mine} voxels, {second.name} {other}; the two must be of the same size.")
    sizes_a, sizes_b, shared = _Counts(1), _Counts(1), _Counts(2)
    plane = max(1, second.shape[1] * second.shape[2])
    for box in slabs(second.shape, max(1, SLAB // plane)):
        a, b = first.read_labels(box).ravel(), second.read_labels(box).ravel()
        sizes_a.add(a[a > 0])
        sizes_b.add(b[b > 0])
        both = (a > 0) & (b > 0)
        shared.add(a[both], b[both])
    (labels_a,), n_a = sizes_a.total()
    (labels_b,), n_b = sizes_b.total()
    (a, b), common = shared.total()
    return Overlaps(labels_a, labels_b, n_a, n_b, np.searchsorted(labels_a, a), np.searchsorted(labels_b, b), common)


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
    """
    counts = count_overlaps(predicted, true)
    overlap = counts.iou
    order = np.lexsort((counts.b, -overlap, counts.a))
    place, first = np.unique(counts.a[order], return_index=True)
    overlaps, matched = np.zeros(len(counts.labels_a)), np.zeros(len(counts.labels_a), np.int64)
    overlaps[place] = overlap[order][first]
    matched[place] = np.where(overlaps[place] >= least, counts.labels_b[counts.b[order][first]], 0)
    return MaskMatch(counts.labels_a, matched, overlaps, len(counts.labels_b))


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
