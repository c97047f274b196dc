"""Parameters of the classic finders: smooth and clip, and the threshold."""

from hisf.settings.parameter import Kind, Parameter
from hisf.settings.table.words import FLUX_RANGE, FLUX_RANGE_HELP, STATISTIC, STATISTIC_HELP

PARAMETERS = (
    Parameter(
        "scfind.enable",
        Kind.BOOL,
        "true",
        "Search with the smooth-and-clip (S+C) finder; pipeline.finder has the last word on which finder runs.",
        "2.4",
    ),
    Parameter(
        "scfind.kernelsXY",
        Kind.FLOATS,
        "0, 3, 6",
        "Widths (FWHM) of the Gaussians that smooth the sky; 0 is no smoothing, widths below 3 do little, and each "
        "must be smaller than the cube.",
        "2.4",
        minimum=0,
        unit="pixels",
    ),
    Parameter(
        "scfind.kernelsZ",
        Kind.INTS,
        "0, 3, 7, 15",
        "Widths of the boxcars that smooth the spectrum; 0 is no smoothing, even widths grow by 1, and each must be "
        "smaller than the cube.",
        "2.4",
        minimum=0,
        unit="channels",
    ),
    Parameter(
        "scfind.threshold",
        Kind.FLOAT,
        "5.0",
        "Level above which a voxel of the smoothed cube is detected.",
        "2.4",
        minimum=0,
        exclusive_minimum=True,
        unit="noise",
    ),
    Parameter(
        "scfind.replacement",
        Kind.FLOAT,
        "2.0",
        "Value that takes the place of detected voxels before the next smoothing; negative switches this off.",
        "2.4",
        unit="noise",
    ),
    Parameter(
        "scfind.statistic", Kind.CHOICE, "mad", f"How the noise is measured: {STATISTIC_HELP}.", "2.4", **STATISTIC
    ),
    Parameter("scfind.fluxRange", Kind.CHOICE, "negative", f"Chooses {FLUX_RANGE_HELP}.", "2.4", **FLUX_RANGE),
    Parameter("threshold.enable", Kind.BOOL, "false", "Search with a simple threshold, without smoothing.", "2.4"),
    Parameter(
        "threshold.threshold",
        Kind.FLOAT,
        "5.0",
        "Level above which a voxel is detected.",
        "2.4",
        minimum=0,
        exclusive_minimum=True,
        unit="noise, or the unit of the data if threshold.mode is absolute",
    ),
    Parameter(
        "threshold.mode",
        Kind.CHOICE,
        "relative",
        "Whether the threshold is relative to the noise or an absolute flux.",
        "2.4",
        choices=("relative", "absolute"),
        fallback="relative",
    ),
    Parameter(
        "threshold.statistic", Kind.CHOICE, "mad", f"How the noise is measured: {STATISTIC_HELP}.", "2.4", **STATISTIC
    ),
    Parameter("threshold.fluxRange", Kind.CHOICE, "negative", f"Chooses {FLUX_RANGE_HELP}.", "2.4", **FLUX_RANGE),
)
