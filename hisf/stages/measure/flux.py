"""Flux and local noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hisf.data.columns import sofia
from hisf.stages.measure.contract import Cutout, Measurement


class Flux(Measurement):
    """Sum and extremes over the mask, and the noise of the bounding box around it.

    The noise is 1.4826 × MAD about zero of the voxels of the bounding box that belong to no source, in double, the
    first of them in the box left out as in SoFiA; 0 if there are none.
    """

    name = "flux"
    columns = sofia("f_min", "f_max", "f_sum", "rms")

    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source."""
        inside = cutout.data[cutout.member]
        return {
            "f_sum": float(inside.sum()),
            "f_min": float(inside.min()),
            "f_max": float(inside.max()),
            "rms": local_rms(cutout.data, cutout.free),
        }


def local_rms(data: np.ndarray, free: np.ndarray) -> float:
    """Return the noise of the free voxels of a box (spec sofia2 §3.1, §3.11); 0 if there are none.

    Parameters
    ----------
    data : ndarray of float64, shape (z, y, x)
        NaN is left out.
    free : ndarray of bool, shape (z, y, x)
    """
    from hisf.kernels.noise import MAD_TO_SIGMA

    magnitudes = np.abs(data[free][1:])  # the first voxel is left out of every MAD
    magnitudes = magnitudes[~np.isnan(magnitudes)]
    rms = MAD_TO_SIGMA * float(np.median(magnitudes)) if magnitudes.size else 0.0
    return rms if np.isfinite(rms) else 0.0
