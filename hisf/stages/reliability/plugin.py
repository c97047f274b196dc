"""The built-in reliability estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.reliability.contract import Reliability


@hookimpl
def hisf_register_reliabilities() -> list[type[Reliability]]:
    """Return the estimator of SoFiA 2."""
    from hisf.stages.reliability.density import NegativeDensity

    return [NegativeDensity]
