"""Every parameter of hisf, declared once: one module per part of the pipeline."""

from hisf.settings.parameter import Parameter
from hisf.settings.table import (
    appraising,
    dilating,
    finders,
    input,
    linking,
    measuring,
    network,
    output,
    own,
    pipeline,
    preconditioning,
    reliability,
)

PARAMETERS: tuple[Parameter, ...] = (
    *pipeline.PARAMETERS,
    *input.PARAMETERS,
    *preconditioning.PARAMETERS,
    *finders.PARAMETERS,
    *network.PARAMETERS,
    *linking.PARAMETERS,
    *reliability.PARAMETERS,
    *dilating.PARAMETERS,
    *appraising.PARAMETERS,
    *measuring.PARAMETERS,
    *output.PARAMETERS,
    *own.PARAMETERS,
)
