"""All sources with their voxels, for `hisf merge`."""

from __future__ import annotations

from pathlib import Path

from hisf.data.source_store import Part, write_part
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result


class SourcesFile(Product):
    """What a job on a part of a cube hands to `hisf merge`; an HDF5 file whose size follows what was detected."""

    name = "sources for merging"
    suffix = "_sources.h5"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeSources``."""
        return settings["output.writeSources"]

    def write(self, result: Result, path: Path) -> None:
        """Write the sources."""
        assert result.sources is not None
        given = {name: result.settings.text(name) for name in result.settings if result.settings.is_set(name)}
        write_part(path, Part(path.name, given, result.cube.region, result.rms, result.sources))
