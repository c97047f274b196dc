"""Growth of the mask of one source as SoFiA 1 does it: the gain is compared with the flux after it (spec sofia1 §4)."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.dilate import check_margin, join_rings, locate_source, ring_fluxes, rings

__all__ = ["grow_relatively"]


@njit(cache=True, nogil=True)
def _rings_along_z(labels: NDArray[np.integer], own: int, reach: int, ring: NDArray[np.int32]) -> None:
    """Fill `ring` (zeros): channels to the nearest voxel of the source at the same place; 0 beyond `reach`."""
    nz, ny, nx = labels.shape
    far = reach + 1
    for y in range(ny):
        for x in range(nx):
            distance = far
            for z in range(nz):
                distance = 0 if labels[z, y, x] == own else min(distance + 1, far)
                ring[z, y, x] = distance
            distance = far
            for z in range(nz - 1, -1, -1):
                distance = min(distance + 1, ring[z, y, x])
                ring[z, y, x] = distance if distance <= reach else 0


def grow_relatively(
    data: NDArray[np.floating],
    labels: NDArray[np.integer],
    own: int,
    threshold: float,
    iterations: int,
    along_z: bool,
    edges: tuple[bool, bool, bool, bool, bool, bool],
) -> tuple[int, int, int]:
    """Grow the mask of one source along the spectrum, or in the plane.

    For k = 1, 2, … the mask as it is on entry is grown by k channels on either side, or in every channel by the disc
    dx² + dy² <= k². Finite voxels that belong to no source join, also behind a voxel that cannot. With F_k the flux of
    the source and all that joined, growth ends before the first k with ``(F_k − F_(k−1))/F_k < threshold``, with an
    F_k that is not positive, or at once if F_0 is not.

    Parameters
    ----------
    data : ndarray of float32 or float64, shape (z, y, x)
        Cut-out of the data; NaN and infinite voxels are blank.
    labels : ndarray of int32, shape (z, y, x)
        Cut-out of the mask: 0 background, `own` this source, anything else other sources. **Modified in place**:
        voxels that join become `own`. The cut-out holds all voxels of the source and reaches `iterations` voxels
        beyond it, or to the edge of the cube.
    own : int
        Label of the source.
    threshold : float
        Smallest gain relative to the flux that includes it; negative: always grow.
    iterations : int
        Largest k.
    along_z : bool
        True: along the spectrum; False: in the plane.
    edges : tuple of bool
        Whether the cut-out ends with the cube at the start and end of z, of y, of x.

    Returns
    -------
    k, n_added, flags : int
        How far the mask grew; number of voxels added; 4 a blank voxel, 8 a voxel of another source lies within reach.

    Raises
    ------
    ValueError
        If the shapes differ, the source has no voxel or label 0, or the cut-out is too small.

    Notes
    -----
    Memory: 4 bytes per voxel of the cut-out, and a copy of `data` if it is not C-contiguous. SoFiA 1 lets blank voxels
    join, after which nothing stops the growth; here they do not. Source: spec sofia1 §4, forska §9.
    """
    box = locate_source(data, labels, own, iterations)
    places = range(2) if along_z else range(2, 6)
    check_margin(box, labels.shape, iterations, {place: edges[place] for place in places})
    values = np.ascontiguousarray(data)
    ring = np.zeros(labels.shape, dtype=np.int32)
    (_rings_along_z if along_z else rings)(labels, int(own), int(iterations), ring)
    flux = np.zeros(iterations + 1)
    ring_fluxes(values, labels, ring, flux)
    flux[0] = values[(labels == own) & np.isfinite(values)].sum(dtype=np.float64)
    reached = _last_worthwhile(np.cumsum(flux), threshold)
    n_added, _, _, flags = join_rings(values, labels, int(own), ring, reached)
    return reached, n_added, flags


def _last_worthwhile(flux: NDArray[np.float64], threshold: float) -> int:
    """Return the k at which growth ends, for the fluxes F_0, F_1 and so on."""
    if threshold < 0:
        return len(flux) - 1
    for k, grown in enumerate(flux):
        if not grown > 0 or (k and (grown - flux[k - 1]) / grown < threshold):
            return max(0, k - 1)
    return len(flux) - 1
