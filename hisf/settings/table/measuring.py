"""Parameters of the measurement of sources."""

from hisf.settings.parameter import Kind, Parameter

PARAMETERS = (
    Parameter("parameter.enable", Kind.BOOL, "true", "Measure the sources.", "2.4"),
    Parameter("parameter.wcs", Kind.BOOL, "true", "Add positions in world coordinates to the catalogue.", "2.4"),
    Parameter(
        "parameter.physical",
        Kind.BOOL,
        "false",
        "Give fluxes and line widths in physical units instead of data units and channels.",
        "2.4",
    ),
    Parameter("parameter.prefix", Kind.TEXT, "SoFiA", "First word of the name of every source.", "2.4"),
    Parameter(
        "parameter.offset",
        Kind.BOOL,
        "false",
        "Count pixel positions in the catalogue from the corner of the whole cube instead of input.region.",
        "2.4",
    ),
)
