"""The built-in appraisals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.appraise.contract import Appraisal


@hookimpl
def hisf_register_appraisals() -> list[type[Appraisal]]:
    """Return the network and the appraisal of FORSKA."""
    from hisf.stages.appraise.forska import ForskaAppraisal
    from hisf.stages.appraise.network import NetworkAppraisal

    return [NetworkAppraisal, ForskaAppraisal]
