"""Every parameter of hisf, declared once: one module per part of the pipeline."""

from hisf.settings.parameter import Parameter
from hisf.settings.table import finders, input, linking, measuring, output, own, pipeline, preconditioning, reliability

PARAMETERS: tuple[Parameter, ...] = (
    *pipeline.PARAMETERS,
    *input.PARAMETERS,
    *preconditioning.PARAMETERS,
    *finders.PARAMETERS,
    *linking.PARAMETERS,
    *reliability.PARAMETERS,
    *measuring.PARAMETERS,
    *output.PARAMETERS,
    *own.PARAMETERS,
)
