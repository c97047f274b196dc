"""Parameters of the dilation of masks."""

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
)
