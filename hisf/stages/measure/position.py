"""Centroid and peak."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hisf.data.columns import sofia
from hisf.stages.measure.contract import Cutout, Measurement


class Position(Measurement):
    """Flux-weighted centroid of the positive voxels; peak of the moment-0 map and of the spectrum."""

    name = "position"
    columns = sofia("x", "y", "z", "x_peak", "y_peak", "z_peak")

    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source."""
        z, y, x = np.nonzero(cutout.member & (cutout.data > 0))
        weight = cutout.data[z, y, x]
        total = weight.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            centre = [float((weight * axis).sum() / total) for axis in (x, y, z)]
        x_peak, y_peak, z_peak = peak(cutout)
        corner = cutout.box.x0, cutout.box.y0, cutout.box.z0
        return {
            "x": centre[0] + corner[0],
            "y": centre[1] + corner[1],
            "z": centre[2] + corner[2],
            "x_peak": x_peak,
            "y_peak": y_peak,
            "z_peak": z_peak,
        }


def peak(cutout: Cutout) -> tuple[int, int, int]:
    """Return x, y of the first maximum of the moment-0 map and z of that of the spectrum, 0 where none is positive."""
    inside = np.where(cutout.member, cutout.data, 0.0)
    moment0, spectrum = inside.sum(0), inside.sum((1, 2))
    x = y = z = 0
    if moment0.max() > 0:
        row, column = np.unravel_index(int(moment0.argmax()), moment0.shape)
        y, x = int(row) + cutout.box.y0, int(column) + cutout.box.x0
    if spectrum.max() > 0:
        z = int(spectrum.argmax()) + cutout.box.z0
    return x, y, z
