"""Statistical uncertainties."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hisf.data.columns import sofia
from hisf.stages.measure.contract import Cutout, Measurement


class Errors(Measurement):
    """Uncertainty of centroid and flux from the local noise, taken as independent from voxel to voxel."""

    name = "errors"
    columns = sofia("err_x", "err_y", "err_z", "err_f_sum")

    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source, in pixels and data units."""
        z, y, x = np.nonzero(cutout.member & (cutout.data > 0))
        total = cutout.data[z, y, x].sum()
        found = {"err_f_sum": values["rms"] * float(np.sqrt(cutout.source.n_pix))}
        corner = {"x": cutout.box.x0, "y": cutout.box.y0, "z": cutout.box.z0}
        for name, axis in (("x", x), ("y", y), ("z", z)):
            offset = axis + corner[name] - values[name]
            with np.errstate(divide="ignore", invalid="ignore"):
                found[f"err_{name}"] = float(np.sqrt((offset**2).sum()) * values["rms"] / total)
        return found
