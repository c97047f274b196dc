"""Growth of the mask of one source, first along the spectrum and then in the plane (spec sofia2 §3.10).

`grow_spectrally` and `grow_spatially` work on a small dense cut-out around one source and change its labels in place.
The flux recorded for the source and the data may be in different units; they are compared as they come (spec sofia2
trap 10).
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "FLAG_BLANK",
    "FLAG_EDGE_XY",
    "FLAG_EDGE_Z",
    "FLAG_NEIGHBOUR",
    "SpatialGrowth",
    "SpectralGrowth",
    "check_margin",
    "grow_spatially",
    "grow_spectrally",
    "join_rings",
    "locate_source",
    "ring_fluxes",
    "rings",
]

# spec sofia2 §3.8 and §3.10
FLAG_EDGE_XY = 1
FLAG_EDGE_Z = 2
FLAG_BLANK = 4
FLAG_NEIGHBOUR = 8


class SpectralGrowth(NamedTuple):
    """What `grow_spectrally` did."""

    f_sum: float
    """Flux given plus the data added."""
    n_added: int
    """Number of voxels added."""
    added_min: float
    """Smallest value added, +inf if nothing was."""
    added_max: float
    """Largest value added, -inf if nothing was."""
    flags: int
    """Flag bits raised: 2, 4, 8."""


class SpatialGrowth(NamedTuple):
    """What `grow_spatially` did."""

    f_sum: float
    """Flux given plus the data added."""
    radius: int
    """Radius of the disc the mask was grown by, 0 for none."""
    n_added: int
    """Number of voxels added."""
    added_min: float
    """Smallest value added, +inf if nothing was."""
    added_max: float
    """Largest value added, -inf if nothing was."""
    flags: int
    """Flag bits raised: 1, 4, 8."""


@njit(cache=True, nogil=True)
def _locate(labels: NDArray[np.integer], own: int) -> NDArray[np.int64]:
    """Box of the source (z, y, x minimum and maximum) and its number of voxels."""
    nz, ny, nx = labels.shape
    box = np.array([nz, -1, ny, -1, nx, -1, 0])
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if labels[z, y, x] == own:
                    box[0], box[1] = min(box[0], z), max(box[1], z)
                    box[2], box[3] = min(box[2], y), max(box[3], y)
                    box[4], box[5] = min(box[4], x), max(box[5], x)
                    box[6] += 1
    return box


def locate_source(
    data: NDArray[np.floating], labels: NDArray[np.integer], own: int, iterations: int
) -> NDArray[np.int64]:
    """Check the arguments of a growth; return the box of the source and its number of voxels, see `_locate`."""
    if data.ndim != 3 or data.shape != labels.shape:
        raise ValueError(f"data and labels must have one shape (z, y, x), found {data.shape} and {labels.shape}")
    if own == 0:
        raise ValueError("label 0 is background and cannot be grown")
    if iterations < 0:
        raise ValueError(f"the number of iterations must not be negative, found {iterations}")
    box = _locate(labels, own)
    if box[6] == 0:
        raise ValueError(f"the cut-out holds no voxel of label {own}")
    return box


def check_margin(box: NDArray[np.int64], shape: tuple[int, ...], iterations: int, edges: dict[int, bool]) -> None:
    """Refuse a cut-out that ends, other than at the edge of the cube, before the growth can end.

    `edges` maps places in `box` (z, y, x, minimum and maximum in turn) to whether the cut-out ends there with the cube.
    """
    for place, is_edge in edges.items():
        room = box[place] if place % 2 == 0 else shape[place // 2] - 1 - box[place]
        if room < iterations and not is_edge:
            axis, end = "zyx"[place // 2], ("start", "end")[place % 2]
            raise ValueError(
                f"the cut-out leaves {room} of {iterations} voxels around the source at the {end} of {axis}"
            )


@njit(cache=True, nogil=True)
def _grow_spectrally(
    data: NDArray[np.floating],
    labels: NDArray[np.integer],
    own: int,
    f_sum: float,
    threshold: float,
    iterations: int,
    n_source: int,
) -> tuple[float, int, float, float, int]:
    nz, ny, nx = data.shape
    flags = 0
    n_added = 0
    added_min, added_max = np.inf, -np.inf
    positive = f_sum >= 0.0
    # only voxels that joined in the round before have neighbours that were not looked at yet
    front = np.empty(n_source, np.int64)
    n_front = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if labels[z, y, x] == own:
                    front[n_front] = x + nx * (y + ny * z)
                    n_front += 1
    for _ in range(iterations):
        joining = np.empty(2 * n_front, np.int64)
        n_joining = 0
        increment = 0.0
        low, high = np.inf, -np.inf
        for i in range(n_front):
            row = front[i] // nx
            x = front[i] - row * nx
            y = row % ny
            for z in (row // ny - 1, row // ny + 1):
                if z < 0 or z >= nz or labels[z, y, x] == own:
                    continue
                if labels[z, y, x] != 0:
                    flags |= FLAG_NEIGHBOUR
                    continue
                value = np.float64(data[z, y, x])
                if not np.isfinite(value):
                    flags |= FLAG_BLANK
                    continue
                labels[z, y, x] = own  # at once, so that it counts once; undone on rejection
                joining[n_joining] = x + nx * (y + ny * z)
                n_joining += 1
                increment += value
                low, high = min(low, value), max(high, value)
        accepted = threshold < 0.0
        if not accepted:
            accepted = increment > threshold * f_sum if positive else increment < threshold * f_sum
        if not accepted:
            for i in range(n_joining):
                row = joining[i] // nx
                labels[row // ny, row % ny, joining[i] - row * nx] = 0
            break
        f_sum += increment
        n_added += n_joining
        added_min, added_max = min(added_min, low), max(added_max, high)
        if n_joining == 0:
            break
        front, n_front = joining, n_joining
    return f_sum, n_added, added_min, added_max, flags


def grow_spectrally(
    data: NDArray[np.floating],
    labels: NDArray[np.integer],
    own: int,
    f_sum: float,
    threshold: float,
    iterations: int,
    z_first_is_edge: bool,
    z_last_is_edge: bool,
) -> SpectralGrowth:
    """Grow the mask of one source along the spectrum.

    In each round the neighbours at z - 1 and z + 1 of all voxels of the source join, each counted once, if they are
    finite and belong to no source. A round is accepted if `threshold` < 0, or if the sum of the data of the joining
    voxels is above `threshold` times the flux so far (below it for a source whose flux is negative at first), strictly.
    The first rejected round ends the growth and is undone.

    Parameters
    ----------
    data : ndarray of float32 or float64, shape (z, y, x)
        Cut-out of the data; NaN and infinite voxels are blank.
    labels : ndarray of int32, shape (z, y, x)
        Cut-out of the mask: 0 background, `own` this source, anything else other sources. **Modified in place**:
        voxels that join become `own`. The cut-out holds all voxels of the source and reaches `iterations` channels
        beyond it, or to the edge of the cube.
    own : int
        Label of the source.
    f_sum : float
        Flux recorded for the source, in its own unit.
    threshold : float
        Smallest relative growth in flux; negative: always grow.
    iterations : int
        Largest number of rounds.
    z_first_is_edge, z_last_is_edge : bool
        Whether the first and last plane of the cut-out are the first and last channel of the cube.

    Returns
    -------
    SpectralGrowth
        ``(f_sum, n_added, added_min, added_max, flags)``; flags: 2 a voxel of the source, after growing, lies in the
        first or last channel, 4 a neighbour is blank, 8 a neighbour belongs to another source. Flags of a rejected
        round remain.

    Raises
    ------
    ValueError
        If the shapes differ, the source has no voxel or label 0, or the cut-out is too short.

    Notes
    -----
    Memory: up to 64 bytes per voxel of the source, and a copy of `data` if it is not C-contiguous. The spec leaves open
    whether flag 2 looks at the source before or after the last round; here it is the source as it leaves. Source: spec
    sofia2 §3.10 (spectral).
    """
    box = locate_source(data, labels, own, iterations)
    check_margin(box, labels.shape, iterations, {0: z_first_is_edge, 1: z_last_is_edge})
    result = _grow_spectrally(
        np.ascontiguousarray(data), labels, int(own), float(f_sum), float(threshold), int(iterations), int(box[6])
    )
    f_new, n_added, added_min, added_max, flags = result
    if (z_first_is_edge and (labels[0] == own).any()) or (z_last_is_edge and (labels[-1] == own).any()):
        flags |= FLAG_EDGE_Z
    return SpectralGrowth(f_new, n_added, added_min, added_max, flags)


@njit(cache=True, nogil=True)
def rings(labels: NDArray[np.integer], own: int, reach: int, ring: NDArray[np.int32]) -> None:
    """Fill `ring` (zeros): smallest radius of a disc around a voxel of the source, in its channel; 0 beyond `reach`."""
    nz, ny, nx = labels.shape
    # smallest k with k² >= squared distance
    radius_of = np.empty(reach * reach + 1, np.int32)
    k = 0
    for square in range(reach * reach + 1):
        if k * k < square:
            k += 1
        radius_of[square] = k
    far = reach + 1
    along_x = np.empty((ny, nx), np.int64)
    occupied = np.empty(ny, np.bool_)
    for z in range(nz):
        for y in range(ny):
            occupied[y] = False
            distance = far
            for x in range(nx):
                distance = 0 if labels[z, y, x] == own else min(distance + 1, far)
                occupied[y] |= distance == 0
                along_x[y, x] = distance
            distance = far
            for x in range(nx - 1, -1, -1):
                distance = min(distance + 1, along_x[y, x])
                along_x[y, x] = distance
        if not occupied.any():
            continue
        for y in range(ny):
            for x in range(nx):
                nearest = far * far
                for yy in range(max(0, y - reach), min(ny, y + reach + 1)):
                    if occupied[yy]:
                        nearest = min(nearest, (yy - y) ** 2 + along_x[yy, x] ** 2)
                ring[z, y, x] = radius_of[nearest] if nearest <= reach * reach else 0


@njit(cache=True, nogil=True)
def ring_fluxes(
    data: NDArray[np.floating], labels: NDArray[np.integer], ring: NDArray[np.int32], flux: NDArray[np.float64]
) -> None:
    """Add to `flux` (zeros) the data of the free, finite voxels of every ring."""
    nz, ny, nx = data.shape
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if ring[z, y, x] > 0 and labels[z, y, x] == 0 and np.isfinite(data[z, y, x]):
                    flux[ring[z, y, x]] += data[z, y, x]


@njit(cache=True, nogil=True)
def join_rings(
    data: NDArray[np.floating], labels: NDArray[np.integer], own: int, ring: NDArray[np.int32], radius: int
) -> tuple[int, float, float, int]:
    """Give the free, finite voxels of the rings up to `radius` to the source; return (n, minimum, maximum, flags)."""
    nz, ny, nx = data.shape
    flags = 0
    n_added = 0
    added_min, added_max = np.inf, -np.inf
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if not 0 < ring[z, y, x] <= radius:
                    continue
                value = np.float64(data[z, y, x])
                if labels[z, y, x] != 0:
                    flags |= FLAG_NEIGHBOUR
                elif not np.isfinite(value):
                    flags |= FLAG_BLANK
                else:
                    labels[z, y, x] = own
                    n_added += 1
                    added_min, added_max = min(added_min, value), max(added_max, value)
    return n_added, added_min, added_max, flags


def grow_spatially(
    data: NDArray[np.floating],
    labels: NDArray[np.integer],
    own: int,
    f_sum: float,
    threshold: float,
    iterations: int,
    edges: tuple[bool, bool, bool, bool],
) -> SpatialGrowth:
    """Grow the mask of one source in the plane.

    For k = 1, 2, ... the mask as it is on entry is grown by the disc dx² + dy² <= k² in every channel; finite voxels
    that belong to no source join. With f_k the flux of the source and all that joined, growth goes on while
    ``f_k - f_(k-1) > threshold * f_(k-1)`` (``<`` for a source whose flux is negative at first). The mask is then
    grown by the last radius that passed, if any, and only this growth counts. With `threshold` < 0 the radius is
    `iterations`.

    Parameters
    ----------
    data : ndarray of float32 or float64, shape (z, y, x)
        Cut-out of the data; NaN and infinite voxels are blank.
    labels : ndarray of int32, shape (z, y, x)
        Cut-out of the mask: 0 background, `own` this source, anything else other sources. **Modified in place**:
        voxels that join become `own`. The cut-out holds all voxels of the source and reaches `iterations` pixels
        beyond it, or to the edge of the cube.
    own : int
        Label of the source.
    f_sum : float
        Flux of the source, after `grow_spectrally`.
    threshold : float
        Smallest relative growth in flux; negative: always grow.
    iterations : int
        Largest radius.
    edges : tuple of bool
        Whether the cut-out ends with the cube at the start of y, the end of y, the start of x, the end of x.

    Returns
    -------
    SpatialGrowth
        ``(f_sum, radius, n_added, added_min, added_max, flags)``; flags, raised only if the radius k is above 0:
        1 a voxel of the source on entry is closer than k to an edge of the cube (x < k or x + k >= nx, the same in y),
        4 a blank voxel and 8 a voxel of another source lies within the disc.

    Raises
    ------
    ValueError
        If the shapes differ, the source has no voxel or label 0, or the cut-out is too narrow.

    Notes
    -----
    Memory: 4 bytes per voxel of the cut-out, and a copy of `data` if it is not C-contiguous. Distances are exact
    integers. Time: voxels × (2 iterations + 1). Source: spec sofia2 §3.10 (spatial) and trap 11.
    """
    box = locate_source(data, labels, own, iterations)
    y_first, y_last, x_first, x_last = edges
    check_margin(box, labels.shape, iterations, {2: y_first, 3: y_last, 4: x_first, 5: x_last})
    values = np.ascontiguousarray(data)
    ring = np.zeros(labels.shape, dtype=np.int32)
    rings(labels, int(own), int(iterations), ring)
    flux = np.zeros(iterations + 1)
    ring_fluxes(values, labels, ring, flux)
    f_grown = f_sum + np.cumsum(flux)  # f_0, f_1, ...
    radius = iterations
    if threshold >= 0:
        radius = 0
        while radius < iterations:
            increment, limit = f_grown[radius + 1] - f_grown[radius], threshold * f_grown[radius]
            if not (increment > limit if f_sum >= 0 else increment < limit):
                break
            radius += 1
    if radius == 0:
        return SpatialGrowth(float(f_sum), 0, 0, np.inf, -np.inf, 0)
    n_added, added_min, added_max, flags = join_rings(values, labels, int(own), ring, radius)
    _, ny, nx = labels.shape
    if (
        (y_first and box[2] < radius)
        or (y_last and box[3] + radius >= ny)
        or (x_first and box[4] < radius)
        or (x_last and box[5] + radius >= nx)
    ):
        flags |= FLAG_EDGE_XY
    return SpatialGrowth(float(f_grown[radius]), radius, n_added, added_min, added_max, flags)
