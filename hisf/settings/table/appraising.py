"""Parameters of the appraisal, which judges and characterises galaxies."""

from hisf.settings.parameter import Kind, Parameter

_SINCE = "hisf 0.1"

PARAMETERS = (
    Parameter(
        "appraise.method",
        Kind.TEXT,
        "auto",
        "Name of the appraisal that judges and characterises galaxies, or none; auto means network where the finder "
        "cnn runs or output.writeCatSDC2 is true, and none otherwise.",
        _SINCE,
    ),
    Parameter(
        "forska.padding",
        Kind.FLOAT,
        "0.4",
        "By how much the masks reach beyond the discs of galaxies on every side, which is taken off sizes; 0.4 is what "
        "the network is trained with.",
        _SINCE,
        minimum=0,
        unit="beams (FWHM)",
    ),
    Parameter(
        "forska.minFlux",
        Kind.FLOAT,
        "0.0",
        "Only sources of a larger line flux integral are kept; 0 means no limit.",
        _SINCE,
        minimum=0,
        unit="Jy Hz",
    ),
    Parameter(
        "forska.maxFlux",
        Kind.FLOAT,
        "0.0",
        "Only sources of a smaller line flux integral are kept; 0 means no limit.",
        _SINCE,
        minimum=0,
        unit="Jy Hz",
    ),
)
