"""Spectra of single sources as text: of the mask, and of its outline on the sky (spec sofia2 §4.9, clients §1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.voxels import Voxels
from hisf.settings import Settings
from hisf.stages.products.moments import has_coordinates
from hisf.stages.products.stamp import CREATOR, catalogue_time

BLOCK_BYTES = 1 << 25
# between the first lines and the three rows of column headings
LEGEND = """\
#
# chan:  channel, counted from 0
# f_sum: sum over {what}
# n_pix: number of voxels summed
#
# Header rows:
#
#   1 = column number
#   2 = column name
#   3 = unit
#
"""
MASK = "the mask of the source in each channel"
APERTURE = "all pixels that the mask covers in any channel"


def channel_sums(data: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up the voxels of every channel.

    Parameters
    ----------
    data : ndarray, shape (z, y, x)
        NaN is left out.
    inside : ndarray of bool, shape (z, y, x) or (y, x)

    Returns
    -------
    total : ndarray of float64, shape (z,)
        In data units.
    count : ndarray of int, shape (z,)
        Number of voxels in the sum.
    """
    used = np.isfinite(data) & inside
    return np.where(used, data, 0.0).sum((1, 2), dtype=np.float64), used.sum((1, 2))


def aperture_sums(voxels: Voxels, box: Box, outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up, in every channel of a box, the same pixels.

    Parameters
    ----------
    voxels : Voxels
    box : Box
        Read some channels at a time, so that its depth does not matter.
    outline : ndarray of bool, shape (y, x) of ``box``

    Returns
    -------
    total, count : ndarray, shape (z,)
        See `channel_sums`.
    """
    total, count = np.zeros(box.shape[0]), np.zeros(box.shape[0], int)
    depth = max(1, BLOCK_BYTES // (8 * outline.size))
    for low in range(0, box.shape[0], depth):
        high = min(low + depth, box.shape[0])
        piece = Box(box.z0 + low, box.z0 + high, box.y0, box.y1, box.x0, box.x1)
        total[low:high], count[low:high] = channel_sums(voxels.read(piece), outline)
    return total, count


def as_spectrum(
    title: str,
    what: str,
    cube: Cube,
    settings: Settings,
    first: int,
    coordinate: np.ndarray,
    sums: tuple[np.ndarray, np.ndarray],
) -> str:
    """Return a spectrum as text.

    Parameters
    ----------
    title : str
        First line.
    what : str
        What was summed over, for people.
    cube : Cube
    settings : Settings
        With ``parameter.physical`` and a beam, sums of Jy/beam are divided by its area and are in Jy. With
        ``parameter.offset`` channels count from the first of the file and not of ``input.region``.
    first : int
        Channel of the first row, in cube coordinates.
    coordinate : ndarray, shape (z,)
        Spectral coordinate of all channels of the cube, Hz or m/s; left out where there are none but channels.
    sums : tuple of ndarray
        `channel_sums`.
    """
    total, count = sums
    unit, scales = cube.scales.unit, cube.scales
    if settings["parameter.physical"] and scales.per_beam and scales.beam_known:
        total, unit = total / scales.beam_area, "Jy"
    channel = first + np.arange(len(total))
    shown = channel + (cube.region.z0 if settings["parameter.offset"] else 0)
    names, units = ["chan", "f_sum", "n_pix"], ["-", unit, "-"]
    columns: list[list[str]] = [
        [str(n) for n in shown],
        [f"{value:.7e}" for value in total],
        [str(n) for n in count],
    ]
    if cube.wcs is not None and has_coordinates(cube, settings):
        names.insert(1, cube.wcs.axes[2].name)
        units.insert(1, cube.spectral_unit)
        columns.insert(1, [f"{value:.7e}" for value in coordinate[channel]])
    heading = ["#" + _row(row)[1:] for row in ([str(n) for n in range(1, len(names) + 1)], names, units)]
    lines = [*heading, "", *(_row(row) for row in zip(*columns, strict=True))]
    top = f"# {title}\n# Creator: {CREATOR}\n# Time:    {catalogue_time()}\n"
    return top + LEGEND.format(what=what) + "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    """Return a line: 10 characters for channel and number, 18 for the rest."""
    last = len(cells) - 1
    return "".join(cell.rjust(10 if n in (0, last) else 18) for n, cell in enumerate(cells))
