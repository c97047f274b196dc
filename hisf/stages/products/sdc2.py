"""The catalogue in the columns of the SKA Science Data Challenge 2 (spec forska §15)."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.header import number
from hisf.data.sdc2_table import COLUMNS, ESTIMATES, write_sdc2
from hisf.data.spectral import LIGHT_KMS, read_axis
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result

if TYPE_CHECKING:
    from astropy.table import QTable

log = logging.getLogger(__name__)

NEEDED = ("ra", "dec", "central_freq", "line_flux_integral")
MEAN_INCLINATION = math.degrees(1.0)  # of discs with random orientation, 57.3 deg
NO_ANGLE = 0.0  # every position angle is as good


class Sdc2Catalogue(Product):
    """Text with a header row: the columns of SDC2, then ``confidence`` where any is known.

    The challenge takes no missing values. An unknown inclination becomes the mean of random orientations, 57.3°, an
    unknown position angle 0, an unknown size that of the beam, an unknown line width that of the mask. Sources without
    a position, a frequency or a flux are left out.
    """

    name = "SDC2 catalogue"
    suffix = "_cat_sdc2.txt"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCatSDC2``."""
        return settings["output.writeCatSDC2"]

    def write(self, result: Result, path: Path) -> None:
        """Write the catalogue."""
        write_sdc2(path, as_sdc2(result))


def as_sdc2(result: Result) -> QTable:
    """Return the catalogue in the columns of SDC2."""
    from astropy import units
    from astropy.table import QTable

    catalogue, sources = result.catalogue, result.sources
    assert catalogue is not None and sources is not None
    values = {name: catalogue[column] for name, column in ESTIMATES.items()}
    known = np.all([np.isfinite(values[name]) for name in NEEDED], axis=0)
    if not known.all():
        log.warning(
            "%d of %d sources have no position, frequency or flux and are not in the SDC2 catalogue.",
            np.count_nonzero(~known), len(known),
        )  # fmt: skip
    depth = np.array([source.box.shape[0] for source in sources])[known]
    values = {name: column[known] for name, column in values.items()}
    substitutes = {"i": MEAN_INCLINATION, "pa": NO_ANGLE}
    if known.any():
        beam = (number(result.cube.header, "BMAJ") or 0.0) * (number(result.cube.header, "BMIN") or 0.0)
        axis, centre = read_axis(result.cube.header, result.cube.name), values["central_freq"]
        width = np.array([axis.width_hz(frequency) for frequency in centre])
        substitutes |= {"hi_size": 3600.0 * math.sqrt(abs(beam)), "w20": depth * width * LIGHT_KMS / centre}
    table = QTable({"id": catalogue["id"][known]})
    for name in ESTIMATES:
        column = np.where(np.isfinite(values[name]), values[name], substitutes.get(name, math.nan))
        table[name] = column * units.Unit(COLUMNS[name][0])
    confidence = catalogue["confidence"][known]
    if np.isfinite(confidence).any():
        table["confidence"] = confidence
    return table
