"""The built-in products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.products.contract import Product


@hookimpl
def hisf_register_products() -> list[type[Product]]:
    """Return noise, mask and catalogues."""
    from hisf.stages.products.ascii import AsciiCatalogue
    from hisf.stages.products.flags import FlagLog
    from hisf.stages.products.mask import MaskCube
    from hisf.stages.products.noise import NoiseCube, NoiseSpectrum
    from hisf.stages.products.votable import VOTableCatalogue

    return [NoiseSpectrum, NoiseCube, FlagLog, MaskCube, AsciiCatalogue, VOTableCatalogue]
