"""Linked objects: their voxels, sizes and fluxes (spec sofia2 §3.8)."""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Int64Array = NDArray[np.int64]
Shape = tuple[int, int, int]


@njit(cache=True, nogil=True)
def _group_voxels(label: Int64Array, start: Int64Array) -> Int64Array:
    """Fill `start` (zeros) and return the order."""
    count = len(start) - 1
    for value in label:
        if value > 0:
            start[value] += 1
    for k in range(count):
        start[k + 1] += start[k]
    order = np.empty(start[count], np.int64)
    place = start[:count].copy()
    for i in range(len(label)):
        if label[i] > 0:
            order[place[label[i] - 1]] = i
            place[label[i] - 1] += 1
    return order


def group_voxels(label: ArrayLike, count: int) -> tuple[Int64Array, Int64Array]:
    """Sort voxels by object, keeping their order within each object.

    Parameters
    ----------
    label : array of int64, shape (n,)
        Label of each voxel, 0 ... `count`; voxels of label 0 (background) are left out. Not modified.
    count : int
        Highest label.

    Returns
    -------
    order : ndarray of int64, shape (m,)
        Positions of the voxels; those of label k are ``order[start[k - 1]:start[k]]``, ascending. m = n without zeros.
    start : ndarray of int64, shape (count + 1,)
        Where each label starts.

    Raises
    ------
    ValueError
        If a label is negative or above `count`.

    Notes
    -----
    Memory: the results and 8 bytes per object. Source: counting sort.
    """
    array = np.ascontiguousarray(label, dtype=np.int64)
    if len(array) and (array.min() < 0 or array.max() > count):
        raise ValueError(f"labels must be 0 ... {count}, found {array.min()} ... {array.max()}")
    start = np.zeros(int(count) + 1, dtype=np.int64)
    return _group_voxels(array, start), start


@njit(cache=True, nogil=True)
def _object_statistics(
    index: Int64Array,
    values: NDArray[np.floating],
    order: Int64Array,
    start: Int64Array,
    box: Int64Array,
    flux: NDArray[np.float64],
    ny: int,
    nx: int,
) -> None:
    for k in range(len(start) - 1):
        n = start[k + 1] - start[k]
        if n == 0:
            continue
        i = order[start[k]]
        x_min = x_max = index[i] % nx
        y_min = y_max = (index[i] // nx) % ny
        f_min = f_max = np.float64(values[i])
        f_sum = 0.0
        for j in range(start[k], start[k + 1]):
            i = order[j]
            row = index[i] // nx
            x = index[i] - row * nx
            y = row % ny
            value = np.float64(values[i])
            x_min, x_max = min(x_min, x), max(x_max, x)
            y_min, y_max = min(y_min, y), max(y_max, y)
            f_min, f_max = min(f_min, value), max(f_max, value)
            f_sum += value
        mean = f_sum / n
        m2 = m3 = m4 = 0.0
        for j in range(start[k], start[k + 1]):
            d = np.float64(values[order[j]]) - mean
            m2 += d * d
            m3 += d * d * d
            m4 += d * d * d * d
        # raster order: the first voxel has the lowest z, the last the highest
        # one by one: an array that is made of a tuple takes a second to compile
        box[0, k], box[1, k], box[2, k], box[3, k], box[4, k] = n, x_min, x_max, y_min, y_max
        box[5, k], box[6, k] = index[order[start[k]]] // (nx * ny), index[order[start[k + 1] - 1]] // (nx * ny)
        flux[0, k], flux[1, k], flux[2, k], flux[3, k] = f_sum, f_min, f_max, mean
        flux[4, k], flux[5, k], flux[6, k] = m2, m3, m4


def object_statistics(
    index: Int64Array, values: NDArray[np.floating], order: Int64Array, start: Int64Array, shape: Shape
) -> dict[str, NDArray]:
    """Measure size, box and flux of every object.

    Parameters
    ----------
    index : ndarray of int64, shape (n,)
        Raster indices of the voxels, ascending.
    values : ndarray of float32 or float64, shape (n,)
        Flux of each voxel, finite, in the unit wanted (the linker: data divided by the global rms).
    order, start : ndarray of int64
        Result of `group_voxels`.
    shape : tuple of int
        Shape (nz, ny, nx) of the cube.

    Returns
    -------
    dict of ndarray, shape (count,) each
        int64: ``n_pix, x_min, x_max, y_min, y_max, z_min, z_max``; float64: ``f_sum, f_min, f_max, mean`` and the
        central sums ``m2, m3, m4`` = sum of (value - mean)^k. Sums run in float64 in raster order. A label without
        voxels has n_pix 0, f_sum 0, -1 for the box and NaN otherwise.

    Raises
    ------
    ValueError
        If `values` and `index` differ in length.

    Notes
    -----
    No argument is modified. Memory: the result. Source: spec sofia2 §3.8 (values recorded).
    """
    if len(index) != len(values):
        raise ValueError(f"one value per voxel is needed, found {len(values)} values for {len(index)} voxels")
    count = len(start) - 1
    _, ny, nx = (int(n) for n in shape)
    box = np.full((7, count), -1, dtype=np.int64)
    flux = np.full((7, count), np.nan)
    box[0] = 0
    flux[0] = 0.0
    _object_statistics(index, values, order, start, box, flux, ny, nx)
    result: dict[str, NDArray] = dict(
        zip(("n_pix", "x_min", "x_max", "y_min", "y_max", "z_min", "z_max"), box, strict=True)
    )
    result.update(zip(("f_sum", "f_min", "f_max", "mean", "m2", "m3", "m4"), flux, strict=True))
    return result


@njit(cache=True, nogil=True)
def _near_blank(member: NDArray[np.bool_], blank: NDArray[np.bool_], offsets: Int64Array) -> bool:
    nz, ny, nx = member.shape
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if not member[z, y, x]:
                    continue
                for k in range(len(offsets)):
                    zz, yy, xx = z + offsets[k, 0], y + offsets[k, 1], x + offsets[k, 2]
                    if 0 <= zz < nz and 0 <= yy < ny and 0 <= xx < nx and blank[zz, yy, xx]:
                        return True
    return False


def near_blank(member: NDArray[np.bool_], blank: NDArray[np.bool_], offsets: Int64Array) -> bool:
    """Tell whether a blank voxel lies within the neighbourhood of an object (flag 4 of the linker).

    Parameters
    ----------
    member : ndarray of bool, shape (z, y, x)
        Voxels of the object in a cut-out that is wide enough for the offsets; beyond its borders nothing is blank.
    blank : ndarray of bool, shape (z, y, x)
        True where the data are NaN or infinite.
    offsets : ndarray of int64, shape (n, 3)
        Offsets (dz, dy, dx) of `neighbourhood`.

    Returns
    -------
    bool
        True as soon as one pair is found.

    Raises
    ------
    ValueError
        If the two cut-outs differ in shape.

    Notes
    -----
    No argument is modified and no memory is needed. Source: spec sofia2 §3.8 (flag).
    """
    if member.shape != blank.shape:
        raise ValueError(f"cut-outs must have one shape, found {member.shape} and {blank.shape}")
    return bool(blank.any()) and bool(_near_blank(member, blank, offsets))


@njit(cache=True, nogil=True)
def _filling_order(index: Int64Array, offsets: Int64Array, nz: int, ny: int, nx: int) -> Int64Array:
    n = len(index)
    order, stack = np.empty(n, np.int64), np.empty(n, np.int64)
    reached = np.zeros(n, np.bool_)
    order[0] = stack[0] = n - 1
    reached[n - 1] = True
    count = top = 1
    while top > 0:
        top -= 1
        row, x = divmod(index[stack[top]], nx)
        z, y = divmod(row, ny)
        for k in range(len(offsets)):
            zz, yy, xx = z + offsets[k, 0], y + offsets[k, 1], x + offsets[k, 2]
            if not (0 <= zz < nz and 0 <= yy < ny and 0 <= xx < nx):
                continue
            other = xx + nx * (yy + ny * zz)
            at = np.searchsorted(index, other)
            if at < n and index[at] == other and not reached[at]:
                reached[at] = True
                order[count] = stack[top] = at
                count += 1
                top += 1
    return order[:count]


def filling_order(index: Int64Array, offsets: Int64Array, shape: Shape) -> Int64Array:
    """Return the voxels of one object in the order in which SoFiA's fill reaches them.

    Depth first from the last voxel in raster order, neighbours by ascending offset, a voxel counted when it is reached.

    Parameters
    ----------
    index : ndarray of int64, shape (n,)
        Raster indices of the voxels of the object, ascending; at least one.
    offsets : ndarray of int64, shape (m, 3)
        Offsets (dz, dy, dx) that link, in ascending raster order, from `hisf.kernels.link.offsets`.
    shape : tuple of int
        Shape (nz, ny, nx) of the cube.

    Returns
    -------
    ndarray of int64, shape (n,)
        Positions in `index`; fewer than n if the voxels are not linked to each other.

    Notes
    -----
    Memory: 17 bytes per voxel. Time: voxels times offsets times log n. Source: the order in which SoFiA's recorded
    means come out to the last digit (15 digits, 17 of 18 objects of three parity cases); the spec (sofia2 §3.8) has
    the start and leaves the rest open.
    """
    nz, ny, nx = (int(n) for n in shape)
    return _filling_order(index, offsets, nz, ny, nx)
