"""Parameters of the files that are written."""

from hisf.settings.parameter import Kind, Parameter

PARAMETERS = (
    Parameter(
        "output.directory",
        Kind.PATH,
        "",
        "Existing directory for all files; empty means the directory of input.data.",
        "2.4",
    ),
    Parameter(
        "output.filename",
        Kind.TEXT,
        "",
        "Beginning of the names of all files; empty means the name of input.data.",
        "2.4",
    ),
    Parameter("output.writeCatASCII", Kind.BOOL, "true", "Write the catalogue as plain text.", "2.4"),
    Parameter("output.writeCatXML", Kind.BOOL, "true", "Write the catalogue as VOTable.", "2.4"),
    Parameter("output.writeCatSQL", Kind.BOOL, "false", "Write the catalogue as SQL.", "2.4", effect="partial"),
    Parameter("output.writeKarma", Kind.BOOL, "false", "Write an annotation file for Karma.", "2.5", effect="partial"),
    Parameter("output.writeNoise", Kind.BOOL, "false", "Write the noise by which the data were divided.", "2.4"),
    Parameter(
        "output.writeFiltered", Kind.BOOL, "false", "Write the cube as it was searched.", "2.4", effect="partial"
    ),
    Parameter("output.writeMask", Kind.BOOL, "false", "Write the mask of all sources.", "2.4"),
    Parameter(
        "output.writeMask2d", Kind.BOOL, "false", "Write the mask projected on the sky.", "2.4", effect="partial"
    ),
    Parameter(
        "output.writeRawMask", Kind.BOOL, "false", "Write what was detected before linking.", "2.4", effect="partial"
    ),
    Parameter(
        "output.writeMoments",
        Kind.BOOL,
        "false",
        "Write moment maps of everything in the mask.",
        "2.4",
        effect="partial",
    ),
    Parameter(
        "output.writeCubelets",
        Kind.BOOL,
        "false",
        "Write a small cube, moment maps and a spectrum of every source.",
        "2.4",
        effect="partial",
    ),
    Parameter(
        "output.writePV",
        Kind.BOOL,
        "false",
        "Add position-velocity diagrams to the small cubes of the sources.",
        "2.5",
        effect="partial",
    ),
    Parameter(
        "output.marginCubeletsXY",
        Kind.INT,
        "10",
        "Margin on the sky around a source in its small cube.",
        "2.7",
        unit="pixels",
        effect="partial",
    ),
    Parameter(
        "output.marginCubeletsZ",
        Kind.INT,
        "10",
        "Margin in frequency around a source in its small cube.",
        "2.7",
        unit="channels",
        effect="partial",
    ),
    Parameter(
        "output.marginAperSpec",
        Kind.INT,
        "-1",
        "Margin in frequency around a source in its aperture spectrum; -1 means all channels.",
        "2.6",
        unit="channels",
        effect="partial",
    ),
    Parameter(
        "output.thresholdMom12",
        Kind.FLOAT,
        "0.0",
        "Voxels below this flux are left out of moments 1 and 2 of the small cubes.",
        "2.4",
        unit="noise at the source",
        effect="partial",
    ),
    Parameter(
        "output.overwrite", Kind.BOOL, "true", "Replace existing files; false makes an existing file an error.", "2.4"
    ),
    Parameter(
        "output.dataFormat",
        Kind.CHOICE,
        "fits",
        "Format of images and cubes.",
        "2.7",
        choices=("fits", "hdf5"),
        fallback="fits",
        effect="partial",
    ),
    Parameter("output.writeLogFile", Kind.BOOL, "true", "Write the log of the run.", "2.7", effect="partial"),
    Parameter("output.writeDiagnosticPlot", Kind.BOOL, "true", "Plot an overview of the run.", "2.7", effect="partial"),
    Parameter(
        "output.showPreviewImage",
        Kind.BOOL,
        "false",
        "Show a picture of the field in the terminal.",
        "2.7",
        effect="none",
    ),
)
