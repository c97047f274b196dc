"""A cube as one kernel of S+C sees it: found voxels put back, then smoothed (spec sofia2 §3.5, §3.6)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hisf.data.box import Box, Shape, slabs
from hisf.data.voxels import Voxels

BLOCK = 1 << 22  # bytes of channels that are smoothed together: they stay in the cache from one step to the next
ROOM = 4  # slabs in the buffer; what is kept is moved once in as many


def depth_of(shape: Shape, itemsize: int, half: int) -> int:
    """Return how many channels a slab has."""
    return max(1, min(shape[0], max(BLOCK // max(1, shape[1] * shape[2] * itemsize), half)))


def buffer_bytes(shape: Shape, itemsize: int, width: int) -> int:
    """Return the bytes that `smoothed_slabs` needs for a spectral kernel.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    itemsize : int
        Bytes of a voxel.
    width : int
        Channels of the kernel.
    """
    depth = depth_of(shape, itemsize, width // 2)
    return shape[1] * shape[2] * (_capacity(shape[0], depth, width // 2) * (itemsize + 1) + depth * itemsize)


def _capacity(nz: int, depth: int, half: int) -> int:
    return min(nz, ROOM * depth + 2 * half + 1)


def smoothed_slabs(
    voxels: Voxels, found: np.ndarray, fwhm: float, width: int, level: float
) -> Iterator[tuple[Box, np.ndarray]]:
    """Yield a smoothed cube, slab by slab from the last channel down.

    Parameters
    ----------
    voxels : Voxels
        Read once, each channel in turn.
    found : ndarray of int64
        Raster indices, ascending, of voxels that are put back to ±``level`` before smoothing.
    fwhm : float
        Spatial kernel in pixels; 0 for none.
    width : int
        Spectral kernel in channels; 0 for none.
    level : float
        In data units; negative: nothing is put back.

    Yields
    ------
    box : Box
        Whole channels.
    values : ndarray, shape ``box.shape`` (z, y, x)
        Blank where the cube is; overwritten when the next slab is asked for. The same, to the bit, however deep the
        slabs are.
    """
    from hisf.kernels.clip import copy_and_mark, put_back, set_blank
    from hisf.kernels.smooth import smooth_planes, smooth_spectra

    (nz, ny, nx), half = voxels.shape, width // 2
    depth = depth_of(voxels.shape, voxels.dtype.itemsize, half)
    room = _capacity(nz, depth, half)
    planes = np.empty((room, ny, nx), voxels.dtype)  # channels from `bottom` on, smoothed on the sky
    blank = np.empty((room, ny, nx), np.bool_)  # where they are NaN in the cube
    blanks = np.zeros(nz, np.int64)
    result = np.empty((depth, ny, nx), voxels.dtype)
    bottom, first = nz, room  # the lowest channel in the buffer, and its place there
    above = np.empty((ny, nx), voxels.dtype)  # smoothed channel over the slab
    for box in slabs(voxels.shape, depth):
        fresh = Box(max(0, box.z0 - half), bottom, 0, ny, 0, nx)
        count = fresh.shape[0]
        if count > first:
            keep = min(room - first, box.z1 + half + 1 - bottom)
            planes[room - keep :] = planes[first : first + keep].copy()
            blank[room - keep :] = blank[first : first + keep].copy()
            first = room - keep
        bottom, first = fresh.z0, first - count
        if count:
            target = planes[first : first + count]
            blanks[fresh.z0 : fresh.z1] = copy_and_mark(voxels.read(fresh), target, blank[first : first + count])
            if level >= 0:
                low, high = np.searchsorted(found, (fresh.z0 * ny * nx, fresh.z1 * ny * nx))
                put_back(target, found[low:high] - fresh.z0 * ny * nx, level)
            if fwhm:
                smooth_planes(target, fwhm, out=target)
        values = result[: box.shape[0]]
        if half:
            smooth_spectra(planes[first:], half, box.z0, box.z1, bottom, nz, above, values)
            above[...] = values[0]
        else:
            values[...] = planes[first : first + box.shape[0]]
        if blanks[box.z0 : box.z1].any():
            set_blank(values, blank[first + box.z0 - bottom : first + box.z1 - bottom])
        yield box, values
