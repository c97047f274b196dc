"""Linking of detected voxels into objects, on sparse voxels (spec sofia2 §3.8, sofia1 §3).

Detected voxels are a strictly ascending int64 array of raster indices ``x + nx*(y + ny*z)``, never a dense cube, so
memory and time follow what was detected and not what was searched. Neighbouring voxels of one image row are first
collapsed into runs; two runs link exactly if they come within reach of each other in one of the rows of the
neighbourhood, and for one such row all pairs are found by one simultaneous walk through the sorted runs.

Weighed against: a dense label cube (memory of the cube) and a hash table of voxels (several times the memory of the
indices, and random access).
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Cylinder",
    "Ellipsoid",
    "Neighbourhood",
    "VoxelLinker",
    "label_objects",
    "link_voxels",
    "offsets",
]

Int64Array = NDArray[np.int64]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Neighbourhood:
    """Which offsets link two voxels; symmetric about 0.

    Parameters
    ----------
    radius_xy, radius_z : int
        Largest offsets in pixels and channels.

    Raises
    ------
    ValueError
        If a radius is negative.
    """

    radius_xy: int
    radius_z: int

    def __post_init__(self) -> None:
        if self.radius_xy < 0 or self.radius_z < 0:
            raise ValueError(
                f"linking radii must not be negative, found radius_xy = {self.radius_xy}, radius_z = {self.radius_z}"
            )

    def reach(self, dz: int, dy: int) -> int:
        """Return the largest ``|dx|`` that links in the row (dz, dy) within the radii; negative for none."""
        raise NotImplementedError


class Ellipsoid(Neighbourhood):
    """The neighbourhood of SoFiA 2 (spec sofia2 §3.8).

    With r = `radius_xy` and q = `radius_z` an offset links if ``dx²r²q² + dy²r²q² + dz²r⁴ <= r⁴q²`` in integers, within
    ``|dx|, |dy| <= r`` and ``|dz| <= q``: an ellipsoid that includes its surface, and the full box as soon as one
    radius is 0.
    """

    def reach(self, dz: int, dy: int) -> int:
        """Return the largest ``|dx|`` that links in a row."""
        r, q = int(self.radius_xy), int(self.radius_z)
        if r == 0 or q == 0:
            return r  # a radius of 0 satisfies the test everywhere: the full box
        # dx² r²q² + dy² r²q² + dz² r⁴ <= r⁴q², solved for the largest integer dx
        room = r**4 * q**2 - dy**2 * r**2 * q**2 - dz**2 * r**4
        return isqrt(room // (r**2 * q**2)) if room >= 0 else -1


class Cylinder(Neighbourhood):
    """The neighbourhood of SoFiA 1 (spec sofia1 §3, forska §8): ``dx² + dy² <= r²`` and ``|dz| <= q``."""

    def reach(self, dz: int, dy: int) -> int:
        """Return the largest ``|dx|`` that links in a row."""
        room = int(self.radius_xy) ** 2 - dy**2
        return isqrt(room) if room >= 0 else -1


def _rows(neighbourhood: Neighbourhood, shape: Shape | None = None) -> Int64Array:
    """Rows (dz, dy, reach) of the neighbourhood: offsets with abs(dx) <= reach link. Exact integers.

    With a shape (nz, ny, nx), only rows that fit into it and that do not lead to lower raster indices.
    """
    r, q = int(neighbourhood.radius_xy), int(neighbourhood.radius_z)
    z_reach, y_reach = (q, r) if shape is None else (min(q, shape[0] - 1), min(r, shape[1] - 1))
    rows = [
        (dz, dy, reach)
        for dz in range(-z_reach if shape is None else 0, z_reach + 1)
        for dy in range(-y_reach if shape is None or dz > 0 else 0, y_reach + 1)
        if (reach := neighbourhood.reach(dz, dy)) >= 0
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def offsets(neighbourhood: Neighbourhood) -> Int64Array:
    """Return the offsets that link two voxels.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Offsets (dz, dy, dx) in ascending raster order, without (0, 0, 0); shape (0, 3) if both radii are 0.
    """
    found = [
        (dz, dy, dx)
        for dz, dy, reach in _rows(neighbourhood).tolist()
        for dx in range(-reach, reach + 1)
        if (dz, dy, dx) != (0, 0, 0)
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


@njit(cache=True, nogil=True)
def _is_ascending(index: Int64Array, size: int) -> bool:
    previous = -1
    for value in index:
        if value <= previous:
            return False
        previous = value
    return previous < size


def _checked_index(index: ArrayLike, shape: Shape) -> Int64Array:
    given = np.asarray(index)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and given.size > 0):
        raise ValueError(f"voxels must be a 1-D array of integers, found shape {given.shape}, dtype {given.dtype}")
    array = np.ascontiguousarray(given, dtype=np.int64)
    nz, ny, nx = (int(n) for n in shape)
    if not _is_ascending(array, nz * ny * nx):
        raise ValueError(f"raster indices must be strictly ascending and lie within the shape {tuple(shape)}")
    return array


@njit(cache=True, nogil=True)
def _find_runs(index: Int64Array, nx: int, joined: bool) -> Int64Array:
    """Positions where runs of adjacent voxels of one image row start, closed by len(index)."""
    n = len(index)
    count = 0
    for i in range(n):
        if i == 0 or not joined or index[i] != index[i - 1] + 1 or index[i] % nx == 0:
            count += 1
    start = np.empty(count + 1, np.int64)
    count = 0
    for i in range(n):
        if i == 0 or not joined or index[i] != index[i - 1] + 1 or index[i] % nx == 0:
            start[count] = i
            count += 1
    start[count] = n
    return start


@njit(cache=True, nogil=True)
def _find_root(parent: Int64Array, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _unite_runs(
    first: Int64Array,
    last: Int64Array,
    n_new: int,
    top: int,
    parent: Int64Array,
    rows: Int64Array,
    nz: int,
    ny: int,
    nx: int,
) -> None:
    """Join the first `n_new` runs with all runs they link to upwards.

    Run i, which covers the raster indices first[i] ... last[i], is node ``top - i`` of `parent`: nodes are counted
    downwards from the highest run, so that a node does not change when lower runs arrive. Roots are the lowest nodes.
    """
    n_run = len(first)
    for k in range(len(rows)):
        dz, dy, reach = rows[k, 0], rows[k, 1], rows[k, 2]
        shift = nx * (dy + ny * dz)
        own_row = dz == 0 and dy == 0
        low = 0
        row_start = -nx
        target = False
        for i in range(n_new):
            if first[i] >= row_start + nx:
                row = first[i] // nx
                row_start = row * nx
                y = row % ny
                z = row // ny
                target = z + dz < nz and 0 <= y + dy < ny
            if not target:
                continue
            # clipped to the row aimed at: no wrap-around from one row to the next
            begin = max(first[i] - reach, row_start) + shift
            end = min(last[i] + reach, row_start + nx - 1) + shift
            if own_row:
                low = i + 1
            while low < n_run and last[low] < begin:
                low += 1
            other = low
            while other < n_run and first[other] <= end:
                a = _find_root(parent, top - i)
                b = _find_root(parent, top - other)
                if a < b:
                    parent[b] = a
                elif b < a:
                    parent[a] = b
                other += 1


@njit(cache=True, nogil=True)
def _roots_of_voxels(start: Int64Array, parent: Int64Array) -> Int64Array:
    """Spread the roots of the runs (nodes counted from the highest run) over their voxels, as voxel positions."""
    n_run = len(start) - 1
    root = np.empty(start[n_run], np.int64)
    for i in range(n_run):
        top_run = n_run - 1 - _find_root(parent, n_run - 1 - i)
        for j in range(start[i], start[i + 1]):
            root[j] = start[top_run + 1] - 1
    return root


def link_voxels(index: ArrayLike, shape: Shape, neighbourhood: Neighbourhood) -> Int64Array:
    """Link voxels into objects.

    Parameters
    ----------
    index : array of int64, shape (n,)
        Raster indices ``x + nx*(y + ny*z)`` of the detected voxels, strictly ascending. Not modified.
    shape : tuple of int
        Shape (nz, ny, nx) of the cube.
    neighbourhood : Neighbourhood

    Returns
    -------
    ndarray of int64, shape (n,)
        For each voxel the position in `index` of the last voxel in raster order of its object.

    Raises
    ------
    ValueError
        If the indices are not strictly ascending or lie outside the cube.

    Notes
    -----
    Memory: at most 40 bytes per voxel (result included), 8 where objects consist of long rows.
    Time: voxels times rows (dz, dy) of the neighbourhood.
    Source: spec sofia2 §3.8.
    """
    array = _checked_index(index, shape)
    nz, ny, nx = (int(n) for n in shape)
    rows = _rows(neighbourhood, (nz, ny, nx))
    start = _find_runs(array, nx, neighbourhood.reach(0, 0) > 0)
    first, last = array[start[:-1]], array[start[1:] - 1]
    parent = np.arange(len(first), dtype=np.int64)
    _unite_runs(first, last, len(first), len(first) - 1, parent, rows, nz, ny, nx)
    return _roots_of_voxels(start, parent)


@njit(cache=True, nogil=True)
def _label_objects(root: Int64Array) -> tuple[Int64Array, int]:
    label = np.empty(len(root), np.int64)
    count = 0
    for i in range(len(root) - 1, -1, -1):
        if root[i] == i:
            count += 1
            label[i] = count
        else:
            label[i] = label[root[i]]
    return label, count


def label_objects(root: Int64Array) -> tuple[Int64Array, int]:
    """Number the objects in scanning order.

    Parameters
    ----------
    root : ndarray of int64, shape (n,)
        Result of `link_voxels`. Not modified.

    Returns
    -------
    label : ndarray of int64, shape (n,)
        Labels 1 ... `count`; label 1 is the object that reaches the highest raster index, and so on downwards.
    count : int
        Number of objects.

    Notes
    -----
    Memory: the result. Source: spec sofia2 §3.8 (order before any filter).
    """
    label, count = _label_objects(root)
    return label, int(count)


class VoxelLinker:
    """Link voxels that arrive in pieces, from the last channel down.

    The result equals `link_voxels` and `label_objects` of all voxels at once, for any division into pieces.

    Parameters
    ----------
    shape : tuple of int
        Shape (nz, ny, nx) of the cube.
    neighbourhood : Neighbourhood

    Notes
    -----
    Memory: 8 bytes per voxel and 8 per run of adjacent voxels while voxels arrive, up to 56 per voxel at the end.
    Source: spec sofia2 §3.8.
    """

    def __init__(self, shape: Shape, neighbourhood: Neighbourhood) -> None:
        nz, ny, nx = (int(n) for n in shape)
        self._shape: Shape = (nz, ny, nx)
        self._radius_z = int(neighbourhood.radius_z)
        self._rows = _rows(neighbourhood, self._shape)
        self._joined = neighbourhood.reach(0, 0) > 0
        self._clear()

    def _clear(self) -> None:
        self._chunks: list[Int64Array] = []
        self._parent = np.empty(0, dtype=np.int64)
        self._n_run = 0
        # runs of earlier chunks that the next chunk can still reach
        self._first = np.empty(0, dtype=np.int64)
        self._last = np.empty(0, dtype=np.int64)
        self._z_low = self._shape[0]

    def add(self, index_chunk: ArrayLike) -> None:
        """Take the voxels of a range of channels below all channels added so far.

        Parameters
        ----------
        index_chunk : array of int64, shape (n,)
            Raster indices in the whole cube, strictly ascending; copied. May be empty.

        Raises
        ------
        ValueError
            If the indices are not strictly ascending, lie outside the cube, or reach up to a channel added before.
        """
        index = _checked_index(index_chunk, self._shape)
        if len(index) == 0:
            return
        nz, ny, nx = self._shape
        z_low, z_high = int(index[0]) // (nx * ny), int(index[-1]) // (nx * ny)
        if z_high >= self._z_low:
            raise ValueError(
                f"voxels must arrive in descending channels: channel {z_high} after channel {self._z_low} was added"
            )
        start = _find_runs(index, nx, self._joined)
        n_new = len(start) - 1
        first = np.concatenate((index[start[:-1]], self._first))
        last = np.concatenate((index[start[1:] - 1], self._last))
        total = self._n_run + n_new
        if total > len(self._parent):
            grown = np.empty(max(total, 2 * len(self._parent)), dtype=np.int64)
            grown[: self._n_run] = self._parent[: self._n_run]
            self._parent = grown
        self._parent[self._n_run : total] = np.arange(self._n_run, total)
        _unite_runs(first, last, n_new, total - 1, self._parent, self._rows, nz, ny, nx)
        # the next chunk ends at channel z_low - 1 at most
        keep = np.searchsorted(first, (z_low + self._radius_z) * nx * ny)
        self._first, self._last = first[:keep].copy(), last[:keep].copy()
        self._chunks.append(index.copy())
        self._n_run, self._z_low = total, z_low

    def finish(self) -> tuple[Int64Array, Int64Array, int]:
        """Hand over the objects; the linker is empty afterwards.

        Returns
        -------
        index : ndarray of int64, shape (n,)
            Raster indices of all voxels, ascending.
        label : ndarray of int64, shape (n,)
            Label of each voxel, as from `label_objects`.
        count : int
            Number of objects.
        """
        parent = self._parent[: self._n_run]
        chunks = [np.empty(0, dtype=np.int64), *reversed(self._chunks)]
        self._clear()
        index = np.concatenate(chunks)
        del chunks
        root = _roots_of_voxels(_find_runs(index, self._shape[2], self._joined), parent)
        label, count = label_objects(root)
        return index, label, count
