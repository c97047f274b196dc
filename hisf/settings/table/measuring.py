"""Parameters of the dilation of masks and of the measurement of sources."""

from hisf.settings.parameter import Kind, Parameter

PARAMETERS = (
    Parameter(
        "dilation.enable", Kind.BOOL, "false", "Grow the mask of every source to pick up flux at its edge.", "2.4"
    ),
    Parameter(
        "dilation.iterationsXY",
        Kind.INT,
        "10",
        "Largest number of steps by which a mask grows on the sky; must be smaller than the cube.",
        "2.4",
        minimum=0,
        unit="pixels",
    ),
    Parameter(
        "dilation.iterationsZ",
        Kind.INT,
        "5",
        "Largest number of steps by which a mask grows in frequency; must be smaller than the cube.",
        "2.4",
        minimum=0,
        unit="channels",
    ),
    Parameter(
        "dilation.threshold",
        Kind.FLOAT,
        "0.001",
        "A mask stops growing when a step adds less than this fraction of the flux; negative switches this off.",
        "2.4",
    ),
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
