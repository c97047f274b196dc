"""A cube as one kernel of S+C sees it: found voxels put back, then smoothed (spec sofia2 §3.5, §3.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hisf.data.box import Box, Shape, slabs
from hisf.data.voxels import Voxels

BLOCK = 1 << 23  # bytes of channels that are smoothed together: they stay in the cache from one step to the next


def buffer_bytes(shape: Shape, itemsize: int, width: int) -> int:
    """Return the bytes of `Buffers` for a spectral kernel.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    itemsize : int
        Bytes of a voxel.
    width : int
        Channels of the kernel.
    """
    depth, room = _depths(shape, itemsize, width // 2)
    return shape[1] * shape[2] * (room * (itemsize + 1) + (depth + 1) * itemsize)


def _depths(shape: Shape, itemsize: int, half: int) -> tuple[int, int]:
    """Return how many channels a slab has, and how many are kept in the buffer."""
    depth = max(1, min(shape[0], BLOCK // max(1, shape[1] * shape[2] * itemsize)))
    depth -= depth % 2 * (depth > 1)  # an even number: two threads have the same to do
    return depth, min(shape[0], depth + 2 * half + 1)


class Buffers:
    """What channels are smoothed in; made once, since fresh memory costs as much as a tenth of the smoothing.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    dtype : dtype
    width : int
        Channels of the widest kernel.
    """

    def __init__(self, shape: Shape, dtype: np.dtype, width: int) -> None:
        depth, room = _depths(shape, dtype.itemsize, width // 2)
        sky = shape[1:]
        self.planes = np.empty((room, *sky), dtype)  # channel z, smoothed on the sky, at z % room
        self.blank = np.empty((room, *sky), np.bool_)  # where it is blank in the cube
        self.result = np.empty((depth, *sky), dtype)
        self.above = np.empty(sky, dtype)  # the smoothed channel over the slab


def smoothed_slabs(
    voxels: Voxels,
    buffers: Buffers,
    found: np.ndarray,
    fwhm: float,
    width: int,
    level: float,
    limit: Callable[[], float] = lambda: np.inf,
) -> Iterator[tuple[Box, np.ndarray, np.ndarray]]:
    """Yield a smoothed cube, slab by slab from the last channel down.

    Parameters
    ----------
    voxels : Voxels
        Read once, each channel in turn.
    buffers : Buffers
        For this kernel or a wider one.
    found : ndarray of int64
        Raster indices, ascending, of voxels that are put back to ±``level`` before smoothing.
    fwhm : float
        Spatial kernel in pixels; 0 for none.
    width : int
        Spectral kernel in channels; 0 for none.
    level : float
        In data units; negative: nothing is put back.
    limit : callable, optional
        Asked before every slab: what values above which matter.

    Yields
    ------
    box : Box
        Whole channels.
    values : ndarray, shape ``box.shape`` (z, y, x)
        Blank where the cube is; overwritten when the next slab is asked for. The same, to the bit, however deep the
        slabs are.
    flags : ndarray of uint8
        Where values are above the limit, as `hisf.kernels.clip.high_blocks`.
    """
    from hisf.kernels.smooth import prepare_channels, smooth_spectra

    (nz, ny, nx), half = voxels.shape, width // 2
    depth, room = _depths(voxels.shape, voxels.dtype.itemsize, half)
    planes, blank = buffers.planes[:room], buffers.blank[:room]
    blanks = np.zeros(nz, np.int64)
    put_back = found if level >= 0 else found[:0]
    bottom = nz
    for box in slabs(voxels.shape, depth):
        reach = max(0, box.z0 - half)
        channels = voxels.read(Box(reach, bottom, 0, ny, 0, nx))
        blanks[reach:bottom] = prepare_channels(channels, planes, blank, reach, fwhm, put_back, max(level, 0.0))
        bottom = reach
        values = buffers.result[: box.shape[0]]
        flags = smooth_spectra(planes, blank, blanks, half, box.z0, box.z1, nz, buffers.above, values, limit())
        yield box, values, flags
