"""Every parameter of SoFiA 1.3.2, declared once: its type, its default, and what hisf makes of it (spec sofia1 §2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

_DIALECT = re.compile(r"(steps|SCfind|merge|import|writeCat|parameters)\.\w")  # spec sofia1 §1


def is_sofia1_key(key: str) -> bool:
    """Tell whether a key shows that a parameter file is one of SoFiA 1."""
    return _DIALECT.match(key) is not None


@dataclass(frozen=True)
class OldParameter:
    """One parameter of SoFiA 1.

    Parameters
    ----------
    name
        The key.
    kind
        ``'bool'``, ``'int'``, ``'float'``, ``'text'`` or ``'list'`` (a Python literal).
    default
        As it would stand in a parameter file.
    targets
        Parameters of hisf that it sets; the first takes its value.
    loss
        What hisf does instead, for values that have no exact counterpart.
    words
        Of a text: the words that SoFiA 1 takes, with hisf's word for each.
    lossy
        Those of the words that have no exact counterpart.
    """

    name: str
    kind: Literal["bool", "int", "float", "text", "list"]
    default: str
    targets: tuple[str, ...] = ()
    loss: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    lossy: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


# the step that must be on for a section to matter
SWITCHES = {
    "flag": "steps.doFlag",
    "optical": "steps.doOptical",
    "smooth": "steps.doSmooth",
    "scaleNoise": "steps.doScaleNoise",
    "filterArtefacts": "steps.doFilterArtefacts",
    "wavelet": "steps.doWavelet",
    "SCfind": "steps.doSCfind",
    "CNHI": "steps.doCNHI",
    "threshold": "steps.doThreshold",
    "merge": "steps.doMerge",
    "reliability": "steps.doReliability",
    "parameters": "steps.doParameterise",
    "writeCat": "steps.doWriteCat",
}

_STATISTIC = {"std": "std", "mad": "mad", "gauss": "gauss", "negative": "gauss", "moment": "gauss"}
_NOT_EXACT = ("negative", "moment")
_FITTED = "the noise is measured by a Gaussian fitted to the histogram"
_RANGE = {"all": "full", "negative": "negative", "positive": "positive"}
_LARGER = "one radius serves both sky axes, the larger of the two"
_WIDEST = "one limit serves both sky axes, the wider of the two"
_UNLIMITED = "there is no such limit"

_PIPELINE = (
    OldParameter("pipeline.pedantic", "bool", "true", ("pipeline.pedantic",)),
    OldParameter("pipeline.trackMemory", "bool", "false", loss="the memory in use is not printed"),
)

_STEPS = (
    OldParameter("steps.doSubcube", "bool", "false"),
    OldParameter("steps.doFlag", "bool", "false"),
    OldParameter("steps.doSmooth", "bool", "false", loss="the cube is not smoothed before the search"),
    OldParameter("steps.doScaleNoise", "bool", "false", ("scaleNoise.enable",)),
    OldParameter(
        "steps.doFilterArtefacts",
        "bool",
        "false",
        ("flag.auto",),
        loss="lines of sight whose noise is far from that of the others are blanked, without their neighbours",
    ),
    OldParameter("steps.doWavelet", "bool", "false", loss="no noise is taken out by wavelets before the search"),
    OldParameter("steps.doSCfind", "bool", "true", ("scfind.enable",)),
    OldParameter("steps.doThreshold", "bool", "false", ("threshold.enable",)),
    OldParameter(
        "steps.doCNHI", "bool", "false", loss="there is no CNHI finder; the others search, or the network if none is on"
    ),
    OldParameter(
        "steps.doMerge",
        "bool",
        "true",
        ("linker.enable", "linker.method"),
        loss="the run ends after the search, while SoFiA 1 goes on with one object of all voxels",
    ),
    OldParameter("steps.doReliability", "bool", "false", ("reliability.enable",)),
    OldParameter("steps.doParameterise", "bool", "true", ("parameter.enable",)),
    OldParameter("steps.doWriteFilteredCube", "bool", "false", ("output.writeFiltered",)),
    OldParameter("steps.doWriteNoiseCube", "bool", "false", ("output.writeNoise",)),
    OldParameter("steps.doWriteMask", "bool", "false", ("output.writeMask",)),
    OldParameter("steps.doWriteCat", "bool", "true"),
    OldParameter("steps.doMom0", "bool", "false", ("output.writeMoments",)),
    OldParameter("steps.doMom1", "bool", "false", ("output.writeMoments",)),
    OldParameter("steps.doCubelets", "bool", "false", ("output.writeCubelets",)),
    OldParameter("steps.doDebug", "bool", "false", ("reliability.debug", "output.writeRawMask")),
    OldParameter("steps.doOptical", "bool", "false", loss="the whole cube is searched, not the places of a catalogue"),
)

_IMPORT = (
    OldParameter("import.inFile", "text", "", ("input.data",)),
    OldParameter("import.invertData", "bool", "false", ("input.invert",)),
    OldParameter(
        "import.weightsFile",
        "text",
        "",
        ("input.weights",),
        loss="the data are multiplied by the square root of the weights; square the file for what SoFiA 1 does",
    ),
    OldParameter(
        "import.maskFile",
        "text",
        "",
        ("input.mask",),
        loss="its voxels are linked anew, and its labels do not count",
    ),
    OldParameter("import.sources", "list", "[]", loss="all labels of the mask are taken"),
    OldParameter("import.weightsFunction", "text", "", loss="the data are not multiplied by it"),
    OldParameter("import.subcube", "list", "[]", ("input.region",)),
    OldParameter("import.subcubeMode", "text", "pixel", words={"pixel": "pixel", "world": "world"}),
)

_FLAG = (
    OldParameter("flag.regions", "list", "[]", ("flag.region",)),
    OldParameter("flag.file", "text", "", ("flag.cube",)),
)

_OPTICAL = (
    OldParameter("optical.sourceCatalogue", "text", ""),
    OldParameter("optical.spatSize", "float", "0.01"),
    OldParameter("optical.specSize", "float", "1e+5"),
    OldParameter("optical.storeMultiCat", "bool", "false"),
)

_SMOOTH = (
    OldParameter("smooth.kernel", "text", "gaussian"),
    OldParameter("smooth.edgeMode", "text", "constant"),
    OldParameter("smooth.kernelX", "float", "3.0"),
    OldParameter("smooth.kernelY", "float", "3.0"),
    OldParameter("smooth.kernelZ", "float", "3.0"),
)

_SCALE_NOISE = (
    OldParameter(
        "scaleNoise.method",
        "text",
        "global",
        ("scaleNoise.mode",),
        loss="only the noise of channels is scaled, not that of lines of sight",
        words={"global": "spectral", "local": "local", "1d2d": "spectral"},
        lossy=("1d2d",),
    ),
    OldParameter(
        "scaleNoise.statistic",
        "text",
        "mad",
        ("scaleNoise.statistic",),
        loss=_FITTED,
        words=_STATISTIC,
        lossy=_NOT_EXACT,
    ),
    OldParameter("scaleNoise.fluxRange", "text", "all", ("scaleNoise.fluxRange",), words=_RANGE),
    OldParameter("scaleNoise.scaleX", "bool", "false", loss="the noise of columns is not scaled"),
    OldParameter("scaleNoise.scaleY", "bool", "false", loss="the noise of rows is not scaled"),
    OldParameter("scaleNoise.scaleZ", "bool", "true"),
    OldParameter("scaleNoise.edgeX", "int", "0", loss="the noise is measured up to the edge"),
    OldParameter("scaleNoise.edgeY", "int", "0", loss="the noise is measured up to the edge"),
    OldParameter("scaleNoise.edgeZ", "int", "0", loss="the noise is measured up to the edge"),
    OldParameter("scaleNoise.windowSpatial", "int", "25", ("scaleNoise.windowXY",)),
    OldParameter("scaleNoise.windowSpectral", "int", "15", ("scaleNoise.windowZ",)),
    OldParameter("scaleNoise.gridSpatial", "int", "0", ("scaleNoise.gridXY",)),
    OldParameter("scaleNoise.gridSpectral", "int", "0", ("scaleNoise.gridZ",)),
    OldParameter(
        "scaleNoise.interpolation",
        "text",
        "none",
        ("scaleNoise.interpolate",),
        loss="the noise is interpolated linearly",
        words={"none": "false", "linear": "true", "cubic": "true"},
        lossy=("cubic",),
    ),
    OldParameter("scaleNoise.perSCkernel", "bool", "false", ("scaleNoise.scfind",)),
)

_FILTER_ARTEFACTS = (
    OldParameter("filterArtefacts.threshold", "float", "4.0", ("flag.threshold",)),
    OldParameter("filterArtefacts.dilation", "int", "3"),
)

_WAVELET = (
    OldParameter("wavelet.threshold", "float", "5.0"),
    OldParameter("wavelet.scaleXY", "int", "-1"),
    OldParameter("wavelet.scaleZ", "int", "-1"),
    OldParameter("wavelet.positivity", "bool", "false"),
    OldParameter("wavelet.iterations", "int", "3"),
)

_DEFAULT_KERNELS = ", ".join(f"[{xy}, {xy}, {z}, 'b']" for xy in (0, 3, 6) for z in (0, 3, 7, 15))

_FINDERS = (
    OldParameter("SCfind.threshold", "float", "6.0", ("scfind.threshold",)),
    OldParameter("SCfind.sizeFilter", "float", "0.0"),
    OldParameter("SCfind.maskScaleXY", "float", "2.0", ("scfind.replacement",)),
    OldParameter("SCfind.maskScaleZ", "float", "2.0"),
    OldParameter("SCfind.edgeMode", "text", "constant", loss="the data count as 0 beyond the edge"),
    OldParameter(
        "SCfind.rmsMode",
        "text",
        "negative",
        ("scfind.statistic",),
        loss=_FITTED,
        words=_STATISTIC,
        lossy=_NOT_EXACT,
    ),
    OldParameter("SCfind.fluxRange", "text", "all", ("scfind.fluxRange",), words=_RANGE),
    OldParameter(
        "SCfind.kernels",
        "list",
        f"[{_DEFAULT_KERNELS}]",
        ("scfind.kernelsXY", "scfind.kernelsZ"),
        loss="every width on the sky is combined with every width of a boxcar in frequency, in ascending order",
    ),
    OldParameter("SCfind.kernelUnit", "text", "pixel", words={"pixel": "pixel", "world": "world"}),
    OldParameter("SCfind.verbose", "bool", "true"),
    OldParameter("CNHI.pReq", "float", "1e-5"),
    OldParameter("CNHI.qReq", "float", "3.8"),
    OldParameter("CNHI.minScale", "int", "5"),
    OldParameter("CNHI.maxScale", "int", "-1"),
    OldParameter("CNHI.medianTest", "bool", "true"),
    OldParameter("CNHI.verbose", "int", "1"),
    OldParameter("threshold.threshold", "float", "4.0", ("threshold.threshold",)),
    OldParameter(
        "threshold.clipMethod",
        "text",
        "relative",
        ("threshold.mode",),
        words={"relative": "relative", "absolute": "absolute"},
    ),
    OldParameter(
        "threshold.rmsMode",
        "text",
        "std",
        ("threshold.statistic",),
        loss=_FITTED,
        words=_STATISTIC,
        lossy=_NOT_EXACT,
    ),
    OldParameter("threshold.fluxRange", "text", "all", ("threshold.fluxRange",), words=_RANGE),
    OldParameter("threshold.verbose", "bool", "false"),
)

_MERGE = (
    OldParameter("merge.radiusX", "int", "3", ("linker.radiusXY",), loss=_LARGER),
    OldParameter("merge.radiusY", "int", "3", ("linker.radiusXY",), loss=_LARGER),
    OldParameter("merge.radiusZ", "int", "3", ("linker.radiusZ",)),
    OldParameter("merge.minSizeX", "int", "3", ("linker.minSizeXY",), loss=_WIDEST),
    OldParameter("merge.minSizeY", "int", "3", ("linker.minSizeXY",), loss=_WIDEST),
    OldParameter("merge.minSizeZ", "int", "2", ("linker.minSizeZ",)),
    OldParameter("merge.maxSizeX", "int", "-1", ("linker.maxSizeXY",), loss=_WIDEST),
    OldParameter("merge.maxSizeY", "int", "-1", ("linker.maxSizeXY",), loss=_WIDEST),
    OldParameter("merge.maxSizeZ", "int", "-1", ("linker.maxSizeZ",)),
    OldParameter("merge.minVoxels", "int", "1", ("linker.minPixels",)),
    OldParameter("merge.maxVoxels", "int", "-1", ("linker.maxPixels",)),
    OldParameter("merge.minLoS", "int", "1", loss=_UNLIMITED),
    OldParameter("merge.maxLoS", "int", "-1", loss=_UNLIMITED),
    OldParameter("merge.minFill", "int", "-1", ("linker.minFill",)),
    OldParameter("merge.maxFill", "int", "2", ("linker.maxFill",)),
    OldParameter("merge.minIntens", "float", "-9e+30", loss=_UNLIMITED),
    OldParameter("merge.maxIntens", "float", "9e+30", loss=_UNLIMITED),
    OldParameter("merge.positivity", "bool", "false", ("linker.positivity",)),
)

_PARAMETERS = (
    OldParameter("parameters.getUncertainties", "bool", "false"),
    OldParameter("parameters.fitBusyFunction", "bool", "false", loss="no Busy Function is fitted"),
    OldParameter("parameters.optimiseMask", "bool", "false", loss="masks are not widened by ellipses"),
    OldParameter("parameters.dilateMask", "bool", "false", ("dilation.enable", "dilation.method")),
    OldParameter("parameters.dilateThreshold", "float", "0.02", ("dilation.threshold",)),
    OldParameter("parameters.dilatePixMax", "int", "10", ("dilation.iterationsXY",)),
    OldParameter("parameters.dilateChanMax", "int", "3", ("dilation.iterationsZ",)),
)

_RELIABILITY = (
    OldParameter(
        "reliability.parSpace",
        "list",
        "['snr_mean', 'snr_sum', 'snr_max']",
        ("reliability.parameters",),
        loss="n_los and snr_min are left out, and n_chan is not made logarithmic",
    ),
    OldParameter("reliability.logPars", "list", "[1, 1, 1]", loss="fluxes and voxels count logarithmically"),
    OldParameter(
        "reliability.autoKernel",
        "bool",
        "true",
        loss="the kernel has the shape of the covariance of the negative detections all the same",
    ),
    OldParameter("reliability.scaleKernel", "float", "0.5", ("reliability.scaleKernel", "reliability.autoKernel")),
    OldParameter("reliability.usecov", "bool", "true", loss="the full covariance is used"),
    OldParameter("reliability.negPerBin", "float", "1.0"),
    OldParameter("reliability.skellamTol", "float", "-0.5"),
    OldParameter("reliability.kernel", "list", "[0.15, 0.05, 0.1]"),
    OldParameter("reliability.fMin", "float", "10.0", ("reliability.fMin", "reliability.minSNR")),
    OldParameter("reliability.threshold", "float", "0.9", ("reliability.threshold",)),
    OldParameter("reliability.makePlot", "bool", "false", ("reliability.plot",)),
)

_WRITE_CAT = (
    OldParameter("writeCat.overwrite", "bool", "true", ("output.overwrite",)),
    OldParameter("writeCat.compress", "bool", "false", loss="files are not compressed"),
    OldParameter("writeCat.outputDir", "text", "", ("output.directory",)),
    OldParameter("writeCat.basename", "text", "", ("output.filename",)),
    OldParameter("writeCat.writeASCII", "bool", "true", ("output.writeCatASCII",)),
    OldParameter("writeCat.writeXML", "bool", "false", ("output.writeCatXML",)),
    OldParameter("writeCat.writeSQL", "bool", "false", ("output.writeCatSQL",)),
    OldParameter("writeCat.parameters", "list", "['*']", loss="all columns are written"),
)

OLD_PARAMETERS: dict[str, OldParameter] = {
    old.name: old
    for old in (
        *_PIPELINE,
        *_STEPS,
        *_IMPORT,
        *_FLAG,
        *_OPTICAL,
        *_SMOOTH,
        *_SCALE_NOISE,
        *_FILTER_ARTEFACTS,
        *_WAVELET,
        *_FINDERS,
        *_MERGE,
        *_PARAMETERS,
        *_RELIABILITY,
        *_WRITE_CAT,
    )
}
