"""Parameters of the cube that is searched, and of the cubes that go with it."""

from hisf.settings.parameter import Kind, Parameter

PARAMETERS = (
    Parameter("input.data", Kind.PATH, "", "The cube to search; this one is required.", "2.4"),
    Parameter(
        "input.region",
        Kind.INTS,
        "",
        "Part of the cube to search: xmin, xmax, ymin, ymax, zmin, zmax, counted from 0 with both ends included; "
        "empty means all of it.",
        "2.4",
        unit="pixels",
    ),
    Parameter(
        "input.gain",
        Kind.PATH,
        "",
        "Cube of gain factors by which the data are divided before sources are measured; it has no effect without a "
        "noise or weights cube or noise scaling.",
        "2.4",
    ),
    Parameter(
        "input.noise",
        Kind.PATH,
        "",
        "Cube of noise levels by which the data are divided before they are searched.",
        "2.4",
    ),
    Parameter(
        "input.weights",
        Kind.PATH,
        "",
        "Cube of weights; the data are multiplied by their square root before they are searched.",
        "2.4",
    ),
    Parameter(
        "input.primaryBeam",
        Kind.PATH,
        "",
        "Cube of the primary-beam response, as in SoFiA 2.6 and later.",
        "2.6",
        effect="partial",
    ),
    Parameter(
        "input.mask",
        Kind.PATH,
        "",
        "Cube of integers whose non-zero voxels count as detected, in addition to what the finder finds.",
        "2.4",
    ),
    Parameter(
        "input.invert",
        Kind.BOOL,
        "false",
        "Multiply the data by -1, so that absorption is searched instead of emission.",
        "2.4",
    ),
)
