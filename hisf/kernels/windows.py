"""Statistics in moving windows on a grid, and spreading them over the cube (spec sofia2 §3.4)."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.noise import (
    _GAUSS,
    _MEAN,
    _MEDIAN,
    _RANGES,
    _STATISTICS,
    _STD,
    MAD_TO_SIGMA,
    _checked,
    _code,
    _fit_histogram,
    _limits,
    _median_deviation,
    _middle,
    _root_mean_square,
)
from hisf.kernels.threads import shared

_FEWEST = 10  # finite values that a window must have, spec sofia2 §3.4


_LEVELS = {"mean": _MEAN, "median": _MEDIAN}


def grid_centres(length: int, spacing: int) -> NDArray[np.int64]:
    """Give the centres of the cells that an axis is divided into.

    Parameters
    ----------
    length : int
        Number of pixels of the axis.
    spacing : int
        Distance of the centres in pixels, odd.

    Returns
    -------
    ndarray, shape (⌈length / spacing⌉,), int64
        Zero-based pixels, ascending; the cells centre ± ⌊spacing / 2⌋ cover the axis.

    Notes
    -----
    Spec sofia2 §3.4.
    """
    cells = -(-length // spacing)
    return np.arange((length - spacing * (cells - 1)) // 2, length, spacing, dtype=np.int64)


def noise_of_windows(
    cube: NDArray[Any],
    z_centres: NDArray[np.int64],
    y_centres: NDArray[np.int64],
    x_centres: NDArray[np.int64],
    half_z: int,
    half_xy: int,
    statistic: str,
    flux_range: str,
    z_offset: int = 0,
) -> NDArray[Any]:
    """Measure the noise in a window around every grid point.

    Parameters
    ----------
    cube : ndarray, shape (m, ny, nx), float32 or float64
        Cube, or a slab of it with every channel that the windows touch. Only finite values are used. Not modified.
    z_centres, y_centres, x_centres : ndarray of int
        Grid points, in pixels of the cube.
    half_z, half_xy : int
        The window is centre ± half, clipped to `cube`.
    statistic : {'mad', 'gauss', 'std'}
        See `noise_of_samples`.
    flux_range : {'negative', 'positive', 'full'}
        See `noise_of_samples`.
    z_offset : int, optional
        Channel number in the cube of ``cube[0]``.

    Returns
    -------
    ndarray, shape (len(z_centres), len(y_centres), len(x_centres)), dtype of `cube`
        The standard deviations; NaN where a window has fewer than 10 finite values, or as in `noise_of_samples`.

    Raises
    ------
    TypeError
        If `cube` is not float32 or float64 in native byte order.
    ValueError
        If `cube` does not have three axes, or `statistic` or `flux_range` is not one of those above.

    Notes
    -----
    Spec sofia2 §3.4, bit for bit: the finite values of a window are taken as float32, also from a float64 cube; the
    first of them counts as element 0. No copies of a C-contiguous `cube`; each thread holds one window.
    """
    code, half = _code(statistic, _STATISTICS), _code(flux_range, _RANGES)
    return _fill_cells(cube, z_centres, y_centres, x_centres, half_z, half_xy, code, half, z_offset)


def level_of_windows(
    cube: NDArray[Any],
    z_centres: NDArray[np.int64],
    y_centres: NDArray[np.int64],
    x_centres: NDArray[np.int64],
    half_z: int,
    half_xy: int,
    statistic: str,
    z_offset: int = 0,
) -> NDArray[Any]:
    """Measure the mean or median in a window around every grid point.

    Parameters
    ----------
    cube, z_centres, y_centres, x_centres, half_z, half_xy, z_offset
        See `noise_of_windows`.
    statistic : {'mean', 'median'}
        Mean with double sums, or exact median in float32 (the two middle values of an even number are averaged).

    Returns
    -------
    ndarray, shape (len(z_centres), len(y_centres), len(x_centres)), dtype of `cube`
        The levels; NaN where a window has fewer than 10 finite values.

    Raises
    ------
    TypeError
        If `cube` is not float32 or float64 in native byte order.
    ValueError
        If `cube` does not have three axes or `statistic` is not one of those above.

    Notes
    -----
    Spec sofia2 §3.4 (ripple filter). Memory as `noise_of_windows`.
    """
    code = _code(statistic, _LEVELS)
    return _fill_cells(cube, z_centres, y_centres, x_centres, half_z, half_xy, code, 0, z_offset)


def spread_cells(
    cells: NDArray[Any],
    z_centres: NDArray[np.int64],
    y_centres: NDArray[np.int64],
    x_centres: NDArray[np.int64],
    shape: tuple[int, int, int],
    spacing_z: int,
    spacing_xy: int,
    interpolate: bool,
    z_first: int,
    z_last: int,
) -> NDArray[Any]:
    """Build channels `z_first` to `z_last` (exclusive) of the noise cube from the values of the cells.

    Parameters
    ----------
    cells : ndarray, shape (len(z_centres), len(y_centres), len(x_centres)), float32 or float64
        Value of every cell of the whole grid; NaN means none. Not modified.
    z_centres, y_centres, x_centres : ndarray of int
        Centres of the cells in pixels of the cube, as from `grid_centres`.
    shape : tuple of int
        Shape (nz, ny, nx) of the cube.
    spacing_z, spacing_xy : int
        Distances of the centres; odd.
    interpolate : bool
        Whether to interpolate linearly between the centres. Nothing is extrapolated: outside the outermost centres,
        and next to a NaN cell, the values of the blocks stay.
    z_first, z_last : int
        Channels wanted, 0 ≤ z_first ≤ z_last ≤ nz.

    Returns
    -------
    ndarray, shape (z_last - z_first, ny, nx), dtype of `cells`
        The noise; the same numbers for a channel whatever `z_first` and `z_last` are. NaN outside every cell.

    Raises
    ------
    TypeError
        If `cells` is not float32 or float64 in native byte order.
    ValueError
        If `cells` does not fit the centres or the channels are not in the cube.

    Notes
    -----
    Spec sofia2 §3.4, bit for bit: z first, on grid columns only, then y for the columns at the centres, then x.
    Memory: the result.
    """
    nz, ny, nx = shape
    cells = _checked(cells, 3)
    if cells.shape != (len(z_centres), len(y_centres), len(x_centres)):
        raise ValueError(f"cells have shape {cells.shape}, which does not fit the numbers of centres")
    if not 0 <= z_first <= z_last <= nz:
        raise ValueError(f"channels {z_first} to {z_last} are not in a cube of {nz}")
    noise = np.empty((z_last - z_first, ny, nx), cells.dtype)
    centres = (_pixels(z_centres), _pixels(y_centres), _pixels(x_centres))
    _spread(noise.shape[0], cells, *centres, spacing_z, spacing_xy, bool(interpolate), z_first, noise)
    return noise


def _pixels(centres: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the centres in the type that the kernels are compiled for."""
    return np.ascontiguousarray(centres, dtype=np.int64)


def _fill_cells(
    cube: NDArray[Any],
    z_centres: NDArray[np.int64],
    y_centres: NDArray[np.int64],
    x_centres: NDArray[np.int64],
    half_z: int,
    half_xy: int,
    code: int,
    half: int,
    z_offset: int,
) -> NDArray[Any]:
    """Measure any statistic in every window."""
    cube = _checked(cube, 3)
    cells = np.empty((len(z_centres), len(y_centres), len(x_centres)), cube.dtype)
    centres = (_pixels(z_centres) - z_offset, _pixels(y_centres), _pixels(x_centres))
    _measure_windows(cells.shape[0] * cells.shape[1], cube, *centres, half_z, half_xy, code, half, cells)
    return cells


@njit(cache=True, nogil=True)
def _measure_window(values, words, code, half):  # type: ignore[no-untyped-def]
    """Any statistic of the finite float32 values of a window; the median destroys them."""
    if code == _MEAN:
        total = 0.0
        for n in range(values.size - 1, -1, -1):
            total += np.float64(values[n])
        return total / values.size
    if code == _MEDIAN:
        for n in range(words.size):  # keys that sort like the signed numbers
            word = words[n]
            words[n] = ~word if word >> np.uint32(31) else word | np.uint32(0x80000000)
        every, zero = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
        pair = np.empty(2, values.dtype)
        return _middle(words, 0, every, zero, np.uint64(32), zero, True, words.size, pair)
    if code == _GAUSS:
        _, lo, hi = _limits(values)
        return _fit_histogram(values, 1, half, lo, hi)
    if code == _STD:
        return _root_mean_square(values, half)
    cap = values.size if half == 0 else values.size // 2
    return MAD_TO_SIGMA * _median_deviation(values, words, 1, cap, half)


@shared()
def _measure_windows(  # type: ignore[no-untyped-def]
    first, last, cube, z_centres, y_centres, x_centres, half_z, half_xy, code, half, cells
):
    """Collect and measure every window, a row of cells per task."""
    nz, ny, nx = cube.shape
    rows = y_centres.size
    side = 2 * half_xy + 1
    for n in range(first, last):
        cell_z, cell_y = n // rows, n % rows
        z0, z1 = max(z_centres[cell_z] - half_z, 0), min(z_centres[cell_z] + half_z + 1, nz)
        y0, y1 = max(y_centres[cell_y] - half_xy, 0), min(y_centres[cell_y] + half_xy + 1, ny)
        values = np.empty(max(z1 - z0, 0) * max(y1 - y0, 0) * min(side, nx), np.float32)
        words = values.view(np.uint32)
        for cell_x in range(x_centres.size):
            x0, x1 = max(x_centres[cell_x] - half_xy, 0), min(x_centres[cell_x] + half_xy + 1, nx)
            count = 0
            for z in range(z0, z1):
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        value = cube[z, y, x]
                        if math.isfinite(value):
                            values[count] = value
                            count += 1
            if count < _FEWEST:
                cells[cell_z, cell_y, cell_x] = np.nan
            else:
                cells[cell_z, cell_y, cell_x] = _measure_window(values[:count], words[:count], code, half)


@njit(cache=True, nogil=True)
def _between(before, after, distance, spacing):  # type: ignore[no-untyped-def]
    """Interpolate in double (spec sofia2 §3.4)."""
    lower, upper = np.float64(before), np.float64(after)
    return lower + (upper - lower) * distance / spacing


@njit(cache=True, nogil=True)
def _place(pixel, centres, spacing):  # type: ignore[no-untyped-def]
    """Find the cell that a pixel lies in (−1: none) and the last centre not above the pixel (−1: none)."""
    if centres.size == 0:
        return -1, -1
    before = min((pixel - centres[0]) // spacing, centres.size - 1)  # −1 below the first centre
    for cell in (before, before + 1):
        if 0 <= cell < centres.size and abs(pixel - centres[cell]) <= spacing // 2:
            return cell, max(before, -1)
    return -1, max(before, -1)


@njit(cache=True, nogil=True)
def _along(nodes, blocks, pixel, place, centres, spacing, interpolate):  # type: ignore[no-untyped-def]
    """Value at a pixel of an axis: `nodes` at the centres and interpolated between them, else that of its block.

    `place` is what `_place` gives for the pixel.
    """
    cell, before = place
    if before >= 0 and pixel == centres[before]:
        return nodes[before]
    if interpolate and spacing > 1 and 0 <= before < centres.size - 1:
        lower, upper = nodes[before], nodes[before + 1]
        if lower == lower and upper == upper:
            return nodes.dtype.type(_between(lower, upper, pixel - centres[before], spacing))
    return blocks[cell] if cell >= 0 else blocks.dtype.type(np.nan)


@shared()
def _spread(  # type: ignore[no-untyped-def]
    first, last, cells, z_centres, y_centres, x_centres, spacing_z, spacing_xy, interpolate, z_first, noise
):
    """Fill every plane by itself: grid points of this channel, then grid columns at a row, then the pixels."""
    ny, nx = noise.shape[1], noise.shape[2]
    rows, columns = y_centres.size, x_centres.size
    nan = cells.dtype.type(np.nan)
    x_cells = np.empty(nx, np.int64)
    for x in range(nx):
        x_cells[x] = _place(x, x_centres, spacing_xy)[0]
    for n in range(first, last):
        z = z_first + n
        z_place = _place(z, z_centres, spacing_z)
        blocks, nodes = np.empty((rows, columns), cells.dtype), np.empty((rows, columns), cells.dtype)
        for cell_y in range(rows):
            for cell_x in range(columns):
                column = cells[:, cell_y, cell_x]
                blocks[cell_y, cell_x] = column[z_place[0]] if z_place[0] >= 0 else nan
                nodes[cell_y, cell_x] = _along(column, column, z, z_place, z_centres, spacing_z, interpolate)
        block_row, node_row = np.empty(columns, cells.dtype), np.empty(columns, cells.dtype)
        for y in range(ny):
            y_place = _place(y, y_centres, spacing_xy)
            between = interpolate and rows > 0 and y_centres[0] <= y <= y_centres[-1]
            for cell_x in range(columns):
                node_column, block_column = nodes[:, cell_x], blocks[:, cell_x]
                block_row[cell_x] = block_column[y_place[0]] if y_place[0] >= 0 else nan
                node_row[cell_x] = _along(node_column, block_column, y, y_place, y_centres, spacing_xy, interpolate)
            line = noise[n, y]
            for x in range(nx):
                line[x] = block_row[x_cells[x]] if x_cells[x] >= 0 else nan
            for cell_x in range(columns):
                line[x_centres[cell_x]] = node_row[cell_x]
                if between and cell_x > 0:
                    lower, upper = node_row[cell_x - 1], node_row[cell_x]
                    if lower == lower and upper == upper:
                        for distance in range(1, spacing_xy):
                            line[x_centres[cell_x - 1] + distance] = _between(lower, upper, distance, spacing_xy)
