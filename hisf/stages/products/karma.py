"""The annotation file for Karma (spec sofia2 §4.7)."""

from __future__ import annotations

import logging
from pathlib import Path

from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.stamp import CREATOR, catalogue_time

log = logging.getLogger(__name__)


class KarmaAnnotations(Product):
    """The number of every source at its position, for programs of Karma (kvis)."""

    name = "Karma annotations"
    suffix = "_cat.ann"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeKarma``."""
        return settings["output.writeKarma"]

    def applies(self, result: Result) -> bool:
        """Return whether the catalogue has positions in the sky; warn where not."""
        assert result.catalogue is not None
        wcs = result.cube.wcs
        known = wcs is not None and wcs.axes[0].name in result.catalogue
        if not known:
            log.warning("output.writeKarma has no effect: the catalogue has no world coordinates.")
        return known

    def write(self, result: Result, path: Path) -> None:
        """Write the annotations, numbered from 1 in the order of the catalogue."""
        assert result.catalogue is not None and result.cube.wcs is not None
        columns = (result.catalogue[axis.name] for axis in result.cube.wcs.axes[:2])
        head = ["# hisf source catalogue", f"# Creator: {CREATOR}", f"# Time:    {catalogue_time()}", ""]
        head += ["COORD W", "PA STANDARD", "COLOR GREEN", ""]
        rows = [f"TEXT W {lon:e} {lat:e} {n}" for n, (lon, lat) in enumerate(zip(*columns, strict=True), 1)]
        path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
