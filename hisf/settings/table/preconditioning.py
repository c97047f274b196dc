"""Parameters of what is done to the data before they are searched: flagging, continuum, noise and ripples."""

from hisf.settings.parameter import Kind, Parameter
from hisf.settings.table.words import FLUX_RANGE, FLUX_RANGE_HELP, STATISTIC, STATISTIC_HELP

_FLAG = (
    Parameter(
        "flag.region",
        Kind.INTS,
        "",
        "Boxes to blank: xmin, xmax, ymin, ymax, zmin, zmax of one or more boxes, counted from 0 within the region "
        "that is searched, with both ends included.",
        "2.4",
        unit="pixels",
    ),
    Parameter(
        "flag.cube",
        Kind.PATH,
        "",
        "Cube of the data's size whose non-zero voxels are blanked, or, if it holds floating-point values, "
        "its blank ones.",
        "2.6",
    ),
    Parameter(
        "flag.catalog",
        Kind.PATH,
        "",
        "Table of two columns, longitude and latitude, of sky positions to blank.",
        "2.4",
    ),
    Parameter(
        "flag.radius",
        Kind.INT,
        "5",
        "Radius of the discs that are blanked around the positions of flag.catalog.",
        "2.4",
        unit="pixels",
    ),
    Parameter(
        "flag.auto",
        Kind.CHOICE,
        "false",
        "Blank unusually noisy channels, sky pixels, or both (true).",
        "2.4",
        choices=("false", "channels", "pixels", "true"),
        fallback="false",
    ),
    Parameter(
        "flag.threshold",
        Kind.FLOAT,
        "5.0",
        "How far the noise of a channel or pixel must lie from the typical one for flag.auto to blank it.",
        "2.4",
        unit="scatter of the noise values",
    ),
    Parameter(
        "flag.log",
        Kind.BOOL,
        "false",
        "Write down which channels and pixels flag.auto blanked.",
        "2.4",
    ),
)

_CONTSUB = (
    Parameter(
        "contsub.enable",
        Kind.BOOL,
        "false",
        "Subtract residual continuum from every spectrum.",
        "2.4",
    ),
    Parameter(
        "contsub.order",
        Kind.INT,
        "0",
        "Shape of the continuum: 0 is constant, 1 a straight line; higher orders are reduced to 1.",
        "2.4",
    ),
    Parameter(
        "contsub.threshold",
        Kind.FLOAT,
        "2.0",
        "Level above which a channel is taken for emission and left out of the fit; its sign does not matter.",
        "2.4",
        unit="noise",
    ),
    Parameter(
        "contsub.shift",
        Kind.INT,
        "4",
        "Shift between the copies of a spectrum that are compared to find emission; 0 becomes 1, and the cube needs "
        "more than five times as many channels.",
        "2.4",
        unit="channels",
        minimum=0,
    ),
    Parameter(
        "contsub.padding",
        Kind.INT,
        "3",
        "Number of channels left out on either side of a channel with emission.",
        "2.4",
        unit="channels",
        minimum=0,
    ),
)

_SCALE_NOISE = (
    Parameter("scaleNoise.enable", Kind.BOOL, "false", "Divide the data by their noise before the search.", "2.4"),
    Parameter(
        "scaleNoise.mode",
        Kind.CHOICE,
        "spectral",
        "Measure the noise of every channel (spectral), or in a window that runs over the cube (local).",
        "2.4",
        choices=("spectral", "local"),
        fallback="spectral",
    ),
    Parameter(
        "scaleNoise.statistic",
        Kind.CHOICE,
        "mad",
        f"How the noise is measured: {STATISTIC_HELP}.",
        "2.4",
        **STATISTIC,
    ),
    Parameter("scaleNoise.fluxRange", Kind.CHOICE, "negative", f"Chooses {FLUX_RANGE_HELP}.", "2.4", **FLUX_RANGE),
    Parameter(
        "scaleNoise.windowXY",
        Kind.INT,
        "25",
        "Size on the sky of the window of local noise scaling; 0 means 25, and even sizes grow by 1.",
        "2.4",
        minimum=0,
        unit="pixels",
    ),
    Parameter(
        "scaleNoise.windowZ",
        Kind.INT,
        "15",
        "Size in frequency of the window of local noise scaling; 0 means 15, and even sizes grow by 1.",
        "2.4",
        minimum=0,
        unit="channels",
    ),
    Parameter(
        "scaleNoise.gridXY",
        Kind.INT,
        "0",
        "Distance on the sky between positions of the window; 0 means half the window, and even values grow by 1.",
        "2.4",
        minimum=0,
        unit="pixels",
    ),
    Parameter(
        "scaleNoise.gridZ",
        Kind.INT,
        "0",
        "Distance in frequency between positions of the window; 0 means half the window, and even values grow by 1.",
        "2.4",
        minimum=0,
        unit="channels",
    ),
    Parameter(
        "scaleNoise.interpolate",
        Kind.BOOL,
        "false",
        "Interpolate the local noise linearly between the positions of the window.",
        "2.4",
    ),
    Parameter(
        "scaleNoise.scfind",
        Kind.BOOL,
        "false",
        "Scale the noise again after every smoothing of the S+C finder; needs scaleNoise.enable.",
        "2.4",
    ),
)

_RIPPLE_FILTER = (
    Parameter(
        "rippleFilter.enable",
        Kind.BOOL,
        "false",
        "Subtract the background in a window that runs over the cube, against ripples and extended artefacts.",
        "2.4",
    ),
    Parameter(
        "rippleFilter.statistic",
        Kind.CHOICE,
        "median",
        "How the background in the window is measured.",
        "2.4",
        choices=("median", "mean"),
        fallback="median",
    ),
    Parameter(
        "rippleFilter.windowXY",
        Kind.INT,
        "31",
        "Size on the sky of the window of the ripple filter; 0 means 25, and even sizes grow by 1.",
        "2.4",
        minimum=0,
        unit="pixels",
    ),
    Parameter(
        "rippleFilter.windowZ",
        Kind.INT,
        "15",
        "Size in frequency of the window of the ripple filter; 0 means 15, and even sizes grow by 1.",
        "2.4",
        minimum=0,
        unit="channels",
    ),
    Parameter(
        "rippleFilter.gridXY",
        Kind.INT,
        "0",
        "Distance on the sky between positions of the window of the ripple filter; 0 means half the window.",
        "2.4",
        minimum=0,
        unit="pixels",
    ),
    Parameter(
        "rippleFilter.gridZ",
        Kind.INT,
        "0",
        "Distance in frequency between positions of the window of the ripple filter; 0 means half the window.",
        "2.4",
        minimum=0,
        unit="channels",
    ),
    Parameter(
        "rippleFilter.interpolate",
        Kind.BOOL,
        "false",
        "Interpolate the background linearly between the positions of the window.",
        "2.4",
    ),
)

PARAMETERS = (*_FLAG, *_CONTSUB, *_SCALE_NOISE, *_RIPPLE_FILTER)
