"""Parameters of the reliability filter, which compares sources of positive and of negative flux."""

from hisf.settings.parameter import Kind, Parameter

PARAMETERS = (
    Parameter(
        "reliability.enable",
        Kind.BOOL,
        "false",
        "Keep only sources that stand out from those of negative flux, unless the network's confidence judges.",
        "2.4",
    ),
    Parameter(
        "reliability.parameters",
        Kind.WORDS,
        "peak, sum, mean",
        "Measurements in which positive and negative sources are compared; at least two.",
        "2.4",
        choices=("peak", "sum", "mean", "chan", "pix", "fill", "std", "skew", "kurt"),
    ),
    Parameter(
        "reliability.threshold",
        Kind.FLOAT,
        "0.9",
        "Smallest reliability, between 0 and 1, of a source that is kept.",
        "2.4",
    ),
    Parameter(
        "reliability.scaleKernel",
        Kind.FLOAT,
        "0.4",
        "Width of the smoothing kernel relative to the scatter of the negative sources; 0 or less means 0.4, as in "
        "SoFiA 2.5.",
        "2.4",
    ),
    Parameter(
        "reliability.minSNR",
        Kind.FLOAT,
        "3.0",
        "Smallest integrated signal-to-noise ratio of a source that can be reliable.",
        "2.4",
    ),
    Parameter(
        "reliability.fMin",
        Kind.FLOAT,
        "0.0",
        "Smallest sum of a source over the root of its number of voxels, as in SoFiA 1; above 0 it takes the place of "
        "reliability.minSNR, which counts the beam too.",
        "hisf 0.1",
        unit="noise",
    ),
    Parameter(
        "reliability.minPixels",
        Kind.INT,
        "0",
        "Only sources of more voxels than this can be reliable.",
        "2.4",
        unit="voxels",
    ),
    Parameter("reliability.autoKernel", Kind.BOOL, "false", "Find the width of the kernel automatically.", "2.5"),
    Parameter(
        "reliability.iterations",
        Kind.INT,
        "30",
        "Largest number of steps of the automatic search for the width of the kernel.",
        "2.5",
    ),
    Parameter(
        "reliability.tolerance",
        Kind.FLOAT,
        "0.05",
        "The automatic search for the width of the kernel ends below this deviation from the expected statistics.",
        "2.5",
    ),
    Parameter(
        "reliability.catalog",
        Kind.PATH,
        "",
        "Table of sky positions, for example of continuum sources, whose negative detections are left out.",
        "2.4",
    ),
    Parameter("reliability.plot", Kind.BOOL, "true", "Plot what the filter did.", "2.4"),
    Parameter(
        "reliability.plotExtra",
        Kind.BOOL,
        "false",
        "Make further plots, as in SoFiA 2.6 and later.",
        "2.6",
        effect="partial",
    ),
    Parameter(
        "reliability.debug",
        Kind.BOOL,
        "false",
        "Write tables of the measurements of all positive and negative sources.",
        "2.4",
    ),
)
