"""Masks as the network is trained to draw them, and discs to go with them (spec forska §3)."""

import numpy as np

from hisf.data.box import Box
from hisf.data.source import Source

THICKNESS = 0.2


def target_mask(shape, place, size, inclination, pa, width, padding, receding=1):
    """The mask of spec forska §3 with κ = q, on square pixels with x to the west.

    Parameters
    ----------
    shape : (nz, ny, nx)
    place : (z, y, x) of the centre
    size, padding : pixels; width: channels
    inclination, pa : degrees, the latter N through E of the receding side
    receding : sign of dz/dv, v receding positive
    """
    q = np.sqrt(np.cos(np.radians(inclination)) ** 2 + THICKNESS**2 * np.sin(np.radians(inclination)) ** 2)
    y, x = np.mgrid[: shape[1], : shape[2]].astype(float)
    west, north = x - place[2], y - place[1]
    theta = np.radians(pa)
    along = -west * np.sin(theta) + north * np.cos(theta)  # the receding side is positive
    across = -west * np.cos(theta) - north * np.sin(theta)
    low, high = bounds(along, across, size, q, padding)
    inside = (along / (size / 2 + padding)) ** 2 + (across / (q * size / 2 + padding)) ** 2 <= 1
    inside |= (np.rint(place[2]) == x) & (np.rint(place[1]) == y)
    ends = place[0] + receding * 0.5 * width * np.stack([low, high])
    first, last = np.rint(ends.min(0)), np.rint(ends.max(0))
    z = np.arange(shape[0])[:, None, None]
    return inside & (z >= first) & (z <= last)


def bounds(x, y, size, q, p):
    """Velocity limits in units of w20/2; x along the major axis, y across (spec forska §3.1, §3.2)."""
    k, d = 2 / size, np.hypot(x, y)
    t = np.sqrt(np.maximum(d**2 - p**2, 0))

    def g(a, b):
        return np.divide(a, np.hypot(a, b / q), out=np.zeros_like(a), where=np.hypot(a, b) > 0)

    forwards, backwards = g(t * x + p * y, t * y - p * x), g(t * x - p * y, t * y + p * x)
    low = np.where(x > p, (x - p) * k, np.where(y < 0, forwards, backwards))
    high = np.where(x < -p, (x + p) * k, np.where(y < 0, backwards, forwards))
    low = np.where((d < p) | ((x <= 0) & (np.abs(y) <= p)), -1, low)
    high = np.where((d < p) | ((x >= 0) & (np.abs(y) <= p)), 1, high)
    return low, high


def source_of(mask, label=1, f_sum=1.0, core=None):
    """A source of the voxels of a mask, before dilation those of ``core``."""
    z, y, x = np.nonzero(mask)
    box = Box(*(int(v) for axis in (z, y, x) for v in (axis.min(), axis.max() + 1)))
    n = len(z)
    undilated = None if core is None else np.flatnonzero(core)
    return Source(
        label, np.flatnonzero(mask), box, n, f_sum, 0.0, 1.0, f_sum / n, 1.0, 0.0, 1.0, n, label, n / box.size,
        undilated=undilated,
    )  # fmt: skip
