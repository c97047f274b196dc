"""Ellipses fitted to the moment-0 map."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hisf.data.columns import sofia
from hisf.stages.measure.contract import Cutout, Measurement


class Ellipses(Measurement):
    """Axes and position angle from second moments: weighted with the flux, and unweighted over pixels above 3 σ."""

    name = "ellipses"
    columns = sofia("ell_maj", "ell_min", "ell_pa", "ell3s_maj", "ell3s_min", "ell3s_pa")

    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source, in pixels and degrees."""
        moment0 = np.where(cutout.member, cutout.data, 0.0).sum(0)
        count = cutout.member.sum(0)
        positive = moment0 > 0
        bright = positive & (moment0 > 3.0 * values["rms"] * np.sqrt(count))
        centre = values["x"] - cutout.box.x0, values["y"] - cutout.box.y0
        weighted = ellipse(np.where(positive, moment0, 0.0), *centre)
        plain = ellipse(bright.astype(float), *centre)
        return dict(zip(("ell_maj", "ell_min", "ell_pa"), weighted, strict=True)) | dict(
            zip(("ell3s_maj", "ell3s_min", "ell3s_pa"), plain, strict=True)
        )


def ellipse(weights: np.ndarray, x_centre: float, y_centre: float) -> tuple[float, float, float]:
    """Return the axes (2 σ) and position angle of an image from its second moments about the centre of the source.

    Parameters
    ----------
    weights : ndarray of float64, shape (y, x)
        Not negative.
    x_centre, y_centre : float
        Centroid of the source in pixels of the image; not that of the weights (spec sofia2 §3.11).

    Returns
    -------
    major, minor : float
        Pixels.
    angle : float
        Degrees from +y, counter-clockwise positive, −90 to 90. All three are 0 for an image without weight; the minor
        axis of pixels in a row is 0, or NaN where rounding makes its square negative, as in SoFiA.
    """
    y, x = np.nonzero(weights)
    if not x.size:
        return 0.0, 0.0, 0.0
    w = weights[y, x]
    dx, dy = x - x_centre, y - y_centre
    a, b, h = (float((w * product).sum() / w.sum()) for product in (dx * dx, dy * dy, dx * dy))
    q = np.sqrt((a - b) ** 2 + 4.0 * h * h)
    angle = np.degrees(0.5 * np.arctan2(2.0 * h, a - b)) - 90.0
    while angle < -90.0:
        angle += 180.0
    with np.errstate(invalid="ignore"):
        major, minor = np.sqrt(2.0 * (a + b + q)), np.sqrt(2.0 * (a + b - q))
    return float(major), float(minor), float(angle)
