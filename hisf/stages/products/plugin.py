"""The built-in products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.products.contract import Product


@hookimpl
def hisf_register_products() -> list[type[Product]]:
    """Return noise, flags, cubes, masks, maps, catalogues and what is written of single sources."""
    from hisf.stages.products.ascii import AsciiCatalogue
    from hisf.stages.products.cubelets import Cubelets
    from hisf.stages.products.filtered import FilteredCube
    from hisf.stages.products.fits_table import FitsCatalogue
    from hisf.stages.products.flags import FlagLog
    from hisf.stages.products.hdf5_table import Hdf5Catalogue
    from hisf.stages.products.karma import KarmaAnnotations
    from hisf.stages.products.maps import Channels, MaskImage, Moment0, Moment1, Moment2
    from hisf.stages.products.mask import MaskCube, RawMask
    from hisf.stages.products.noise import NoiseCube, NoiseSpectrum
    from hisf.stages.products.regions import RegionFile
    from hisf.stages.products.reliability_plots import ReliabilityPlot, SkellamPlot
    from hisf.stages.products.reliability_tables import NegativeTable, PositiveTable
    from hisf.stages.products.sdc2 import Sdc2Catalogue
    from hisf.stages.products.sources import SourcesFile
    from hisf.stages.products.sql import SqlCatalogue
    from hisf.stages.products.votable import VOTableCatalogue

    return [
        NoiseSpectrum,
        NoiseCube,
        FlagLog,
        FilteredCube,
        RawMask,
        ReliabilityPlot,
        SkellamPlot,
        NegativeTable,
        PositiveTable,
        MaskCube,
        MaskImage,
        Moment0,
        Moment1,
        Moment2,
        Channels,
        AsciiCatalogue,
        VOTableCatalogue,
        SqlCatalogue,
        Sdc2Catalogue,
        FitsCatalogue,
        Hdf5Catalogue,
        KarmaAnnotations,
        RegionFile,
        SourcesFile,
        Cubelets,
    ]
