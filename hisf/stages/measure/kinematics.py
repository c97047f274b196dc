"""Position angle of the kinematic major axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hisf.data.columns import sofia
from hisf.stages.measure.contract import Cutout, Measurement

UNKNOWN = -1.0


class KinematicAxis(Measurement):
    """Orthogonal fit of a line to the centroids of the channels, towards higher channels."""

    name = "kinematics"
    columns = sofia("kin_pa")

    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source, in degrees."""
        bright = np.where(cutout.member & (cutout.data > 3.0 * values["rms"]), cutout.data, 0.0)
        return {"kin_pa": kinematic_angle(bright)}


def kinematic_angle(bright: np.ndarray) -> float:
    """Return the angle of the kinematic major axis.

    Parameters
    ----------
    bright : ndarray of float64, shape (z, y, x)
        Flux of the voxels that take part, 0 elsewhere.

    Returns
    -------
    float
        Degrees from +y, counter-clockwise, 0 to 360, on the side of the higher channels; −1 if fewer than two channels
        have flux; NaN where the centroids lie along x or all in one place, as in SoFiA (spec sofia2 §3.11).
    """
    total = bright.sum((1, 2))
    valid = np.flatnonzero(total > 0)
    if len(valid) < 2:
        return UNKNOWN
    _, ny, nx = bright.shape
    x = (bright.sum(1)[valid] @ np.arange(nx)) / total[valid]
    y = (bright.sum(2)[valid] @ np.arange(ny)) / total[valid]
    angle = _fitted_angle(x, y, total[valid] ** 2)
    dx, dy = _direction(x, y, valid, len(total))
    turn = np.arctan2(dy, dx) - angle
    if np.cos(turn) < 0:
        angle += np.pi
    return float(np.degrees(angle) - 90.0) % 360.0


def _fitted_angle(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """Return the angle of the line that has the smallest weighted sum of squared distances, in radians from +x."""
    weight = weight / weight.sum()
    dx, dy = x - (weight * x).sum(), y - (weight * y).sum()
    s_xx, s_yy, s_xy = (weight * dx * dx).sum(), (weight * dy * dy).sum(), (weight * dx * dy).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.divide(s_yy - s_xx + np.sqrt((s_yy - s_xx) ** 2 + 4.0 * s_xy**2), 2.0 * s_xy)
    return float(np.arctan(slope))


def _direction(x: np.ndarray, y: np.ndarray, channel: np.ndarray, depth: int) -> tuple[float, float]:
    """Return the vector from the mean centroid of the lower half of the channels to that of the upper half."""
    lower, upper = channel < depth // 2, channel >= depth - depth // 2
    if not (lower.any() and upper.any()):
        return float(x[-1] - x[0]), float(y[-1] - y[0])
    return float(x[upper].mean() - x[lower].mean()), float(y[upper].mean() - y[lower].mean())
