"""Parameter files of SoFiA 1, translated (spec sofia1 §1, §2)."""

from pathlib import Path

import pytest

from hisf.errors import InputError
from hisf.settings import PARAMETERS, check_settings, load_settings
from hisf.settings.sofia1 import OLD_PARAMETERS, as_sofia1_page
from hisf.settings.sofia1.table import SWITCHES
from hisf.settings.sofia1.values import read_value
from hisf.stages.finders.choose import chosen_finders

DOCUMENT = Path(__file__).parents[2] / "docs" / "sofia1.md"


@pytest.fixture
def read(tmp_path):
    """Return the settings of a file of SoFiA 1 with these lines, the first of which is line 2."""

    def load(*lines, more=()):
        path = tmp_path / "old.par"
        path.write_text("\n".join(["import.inFile = cube.fits", *lines]))
        return load_settings([str(path), *more])

    return load


def losses(settings):
    """Return the keys of which a note says that they have no counterpart."""
    places = [note.partition("), value")[0] for note in settings.notes[1:] if "counterpart" in note]
    return [place.replace("default of", "as").rpartition(" as ")[2] for place in places]


@pytest.mark.parametrize(
    "key",
    [
        "steps.doSCfind",
        "SCfind.threshold",
        "merge.radiusX",
        "writeCat.basename",
        "parameters.dilateMask",
    ],
)
def test_one_key_makes_a_file_of_sofia1(tmp_path, key):
    path = tmp_path / "old.par"
    path.write_text(f"threshold.threshold = 7\n{key} = {OLD_PARAMETERS[key].default}\n")
    settings = load_settings([str(path)])
    assert settings["linker.method"] == "cylinder"
    assert "parameter file of SoFiA 1" in settings.notes[0]
    assert settings["threshold.threshold"] == 7


def test_defaults_are_those_of_sofia1(read):
    settings = read()
    expected = {
        "input.data": "cube.fits",
        "scfind.enable": True,
        "scfind.threshold": 6.0,
        "scfind.kernelsXY": (0.0, 3.0, 6.0),
        "scfind.kernelsZ": (0, 3, 7, 15),
        "scfind.replacement": 2.0,
        "scfind.statistic": "gauss",
        "scfind.fluxRange": "negative",
        "threshold.enable": False,
        "threshold.threshold": 4.0,
        "threshold.statistic": "std",
        "threshold.fluxRange": "full",
        "linker.method": "cylinder",
        "linker.radiusXY": 3,
        "linker.radiusZ": 3,
        "linker.minSizeXY": 3,
        "linker.minSizeZ": 2,
        "linker.maxSizeXY": 0,
        "linker.maxSizeZ": 0,
        "linker.minPixels": 1,
        "linker.maxPixels": 0,
        "linker.minFill": 0.0,
        "linker.maxFill": 0.0,
        "reliability.enable": False,
        "reliability.parameters": ("mean", "sum", "peak"),
        "reliability.scaleKernel": 0.5,
        "reliability.fMin": 10.0,
        "reliability.plot": False,
        "dilation.enable": False,
        "dilation.method": "sofia1",
        "dilation.iterationsXY": 10,
        "dilation.iterationsZ": 3,
        "dilation.threshold": 0.02,
        "output.writeCatASCII": True,
        "output.writeCatXML": False,
        "output.writeMask": False,
        "pipeline.pedantic": True,
    }
    assert {name: settings[name] for name in expected} == expected
    assert losses(settings) == ["SCfind.rmsMode"]  # a Gaussian fitted to the negative side
    assert check_settings(settings) == []
    assert chosen_finders(settings) == ["scfind"]


def test_origin_is_the_line_and_the_key(read):
    settings = read("", "SCfind.threshold = 4.5  # low")
    origin = settings.origin("scfind.threshold")
    assert str(origin).endswith("old.par line 3 (written as SCfind.threshold)")
    assert settings.text("scfind.threshold") == "4.5"
    assert str(settings.origin("linker.radiusZ")).endswith("old.par (SoFiA 1's default of merge.radiusZ)")
    assert settings.origin("parameter.prefix").kind == "default"


@pytest.mark.parametrize("word", ["True", "true", "TRUE", "Yes", "yes", "YES"])
def test_words_for_true(read, word):
    assert read(f"steps.doReliability = {word}")["reliability.enable"] is True


@pytest.mark.parametrize("word", ["1", "on", "tRUE", "false", ""])
def test_everything_else_is_false(read, word):
    assert read(f"steps.doReliability = {word}")["reliability.enable"] is False


# lines, what they set, keys without an exact counterpart
MAD = "SCfind.rmsMode = mad"
CASES = {
    "finders": (
        ["steps.doSCfind = false", "steps.doThreshold = true", "threshold.clipMethod = absolute"],
        {"scfind.enable": False, "threshold.enable": True, "threshold.mode": "absolute"},
        [],
    ),
    "range of the noise": (
        [MAD, "SCfind.fluxRange = all"],
        {"scfind.statistic": "mad", "scfind.fluxRange": "full"},
        [],
    ),
    "kernels": (
        [MAD, "SCfind.kernels = [[0, 0, 0, 'b'], [0, 0, 9, 'b'], [4, 4, 0, 'g'], [4, 4, 9, 'b']]"],
        {"scfind.kernelsXY": (0.0, 4.0), "scfind.kernelsZ": (0, 9)},
        [],
    ),
    "kernels that are no product": (
        [MAD, "SCfind.kernels = [[0, 0, 0, 'b'], [3, 3, 7, 'b']]"],
        {"scfind.kernelsXY": (0.0, 3.0), "scfind.kernelsZ": (0, 7)},
        ["SCfind.kernels"],
    ),
    "Gaussian spectrum": (
        [MAD, "SCfind.kernels = [[0, 0, 3, 'g']]"],
        {"scfind.kernelsXY": (0.0,), "scfind.kernelsZ": (3,)},
        ["SCfind.kernels"],
    ),
    "elongated kernel": (
        [MAD, "SCfind.kernels = [[3, 5, 0, 'b']]"],
        {"scfind.kernelsXY": (5.0,), "scfind.kernelsZ": (0,)},
        ["SCfind.kernels"],
    ),
    "subcube": (
        [MAD, "steps.doSubcube = true", "import.subcube = [10, 101, 5, 101, 2, 76]"],
        {"input.region": (10, 100, 5, 100, 2, 75)},
        [],
    ),
    "subcube that is off": ([MAD, "import.subcube = [10, 101, 5, 101, 2, 76]"], {"input.region": ()}, []),
    "flags": (
        [MAD, "steps.doFlag = true", "flag.regions = [[0, 5, 0, '', 3, 4], [1, 2, 1, 2]]", "flag.file = bad.fits"],
        {
            "flag.region": (0, 4, 0, 2**31 - 1, 3, 3, 1, 1, 1, 1, 0, 2**31 - 1),
            "flag.cube": "bad.fits",
        },
        [],
    ),
    "noise": (
        [
            MAD,
            "steps.doScaleNoise = true",
            "scaleNoise.method = local",
            "scaleNoise.statistic = negative",
            "scaleNoise.windowSpatial = 31",
            "scaleNoise.gridSpectral = 3",
            "scaleNoise.interpolation = cubic",
            "scaleNoise.perSCkernel = true",
            "scaleNoise.edgeX = 4",
        ],
        {
            "scaleNoise.enable": True,
            "scaleNoise.mode": "local",
            "scaleNoise.statistic": "gauss",
            "scaleNoise.fluxRange": "negative",
            "scaleNoise.windowXY": 31,
            "scaleNoise.gridZ": 3,
            "scaleNoise.interpolate": True,
            "scaleNoise.scfind": True,
        },
        ["scaleNoise.statistic", "scaleNoise.edgeX", "scaleNoise.interpolation"],
    ),
    "noise of rows": (
        [MAD, "steps.doScaleNoise = true", "scaleNoise.scaleZ = false", "scaleNoise.scaleY = true"],
        {"scaleNoise.enable": False},
        ["scaleNoise.scaleY"],
    ),
    "artefacts": (
        [MAD, "steps.doFilterArtefacts = true", "filterArtefacts.threshold = 2.5"],
        {"flag.auto": "pixels", "flag.threshold": 2.5},
        ["steps.doFilterArtefacts"],
    ),
    "limits": (
        [
            MAD,
            "merge.radiusX = 2",
            "merge.radiusY = 4",
            "merge.minSizeX = 6",
            "merge.minSizeY = 5",
            "merge.maxSizeX = 9",
            "merge.maxVoxels = 70",
            "merge.minFill = 1",
            "merge.maxLoS = 40",
            "merge.minIntens = 0.5",
            "merge.positivity = yes",
        ],
        {
            "linker.radiusXY": 4,
            "linker.minSizeXY": 5,
            "linker.maxSizeXY": 0,
            "linker.maxPixels": 70,
            "linker.minFill": 1.0,
            "linker.positivity": True,
        },
        ["merge.radiusX", "merge.minSizeX", "merge.maxSizeX", "merge.maxLoS", "merge.minIntens"],
    ),
    "limits alike": (
        [MAD, "merge.maxSizeX = 20", "merge.maxSizeY = 20", "merge.maxSizeZ = 200"],
        {"linker.maxSizeXY": 20, "linker.maxSizeZ": 200},
        [],
    ),
    "masks": (
        [MAD, "parameters.dilateMask = true", "parameters.dilatePixMax = 2", "parameters.dilateChanMax = 16"],
        {"dilation.enable": True, "dilation.method": "sofia1", "dilation.iterationsXY": 2, "dilation.iterationsZ": 16},
        [],
    ),
    "reliability": (
        [
            MAD,
            "steps.doReliability = true",
            "reliability.parSpace = ['snr_max', 'n_pix', 'n_los']",
            "reliability.scaleKernel = 0",
            "reliability.fMin = 0",
            "reliability.makePlot = true",
        ],
        {
            "reliability.parameters": ("peak", "pix"),
            "reliability.autoKernel": True,
            "reliability.fMin": 0.0,
            "reliability.minSNR": 0.0,
            "reliability.plot": True,
        },
        ["reliability.parSpace"],
    ),
    "fixed kernel": (
        [MAD, "steps.doReliability = true", "reliability.autoKernel = false", "reliability.scaleKernel = 0.3"],
        {"reliability.autoKernel": False, "reliability.scaleKernel": 0.3},
        ["reliability.autoKernel"],
    ),
    "products": (
        [MAD, "steps.doMom1 = true", "steps.doCubelets = true", "steps.doDebug = true", "writeCat.writeXML = true"],
        {
            "output.writeMoments": True,
            "output.writeCubelets": True,
            "reliability.debug": True,
            "output.writeRawMask": True,
            "output.writeCatXML": True,
        },
        [],
    ),
    "no catalogue": (
        [MAD, "steps.doWriteCat = false", "writeCat.compress = true"],
        {"output.writeCatASCII": False, "output.writeCatXML": False, "output.writeCatSQL": False},
        [],
    ),
    "steps that are not here": (
        [MAD, "steps.doSmooth = true", "smooth.kernelX = 5", "steps.doWavelet = true", "steps.doCNHI = true"],
        {"scfind.enable": True},
        ["steps.doSmooth", "steps.doWavelet", "steps.doCNHI"],
    ),
    "weights": (
        [MAD, "import.weightsFile = w.fits", "import.weightsFunction = x**2"],
        {"input.weights": "w.fits"},
        ["import.weightsFile", "import.weightsFunction"],
    ),
    "mask without a finder": (
        ["steps.doSCfind = false", "import.maskFile = m.fits"],
        {"input.mask": "m.fits"},
        ["import.maskFile"],
    ),
}


@pytest.mark.parametrize(("lines", "expected", "lost"), CASES.values(), ids=CASES)
def test_translation(read, lines, expected, lost):
    settings = read(*lines)
    assert {name: settings[name] for name in expected} == expected
    assert losses(settings) == lost
    assert all(note.endswith(".") for note in settings.notes[1:])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("merge.minFill = 0.3", r"line 2: merge\.minFill = '0\.3': a whole number is needed"),
        ("SCfind.threshold = high", "a number is needed"),
        ("SCfind.threshold = nan", "a number is needed"),
        ("SCfind.threshold =", "a number is needed"),
        ("merge.radiusX = 1_0", "a whole number is needed"),
        ("merge.radiusX = " + "9" * 400, "a whole number is needed"),
        ("merge.radiusX = " + "9" * 5000, "a whole number is needed"),
        ("SCfind.kernels = [" + "9" * 400 + "]", "a list such as"),
        ("SCfind.kernels = [True]", "a list such as"),
        ("SCfind.kernels = ['\\x']", "a list such as"),
        ("SCfind.rmsMode = best", "SoFiA 1 takes std, mad, gauss, negative, moment"),
        ("SCfind.kernels = [[0, 0, 0]]", "a kernel is written"),
        ("SCfind.kernels = [0, 0, 0, 'b']", "a kernel is written"),
        ("SCfind.kernels = __import__('os')", "a list such as"),
        ("SCfind.kernels = [x for x in (1, 2)]", "a list such as"),
        ("SCfind.kernels = {1: 2}", "a list such as"),
        ("SCfind.kernels = [[0, 0, 0, 'b']", "a list such as"),
        ("SCfind.kernels = [1e999]", "a list such as"),
        ("SCfind.kernels = " + "[" * 50 + "]" * 50, "a list such as"),
        ("SCfind.kernels = [" + "1, " * 50_000 + "]", "a list such as"),
        ("SCfind.kernelUnit = world", "write them in pixels"),
        ("reliability.parSpace = ['snr_peak']", "snr_peak is none of"),
        ("reliability.parSpace = [['snr_max']]", "is none of"),
        ("steps.doSubcube = true\nimport.subcube = [1, 2, 3]", "is written"),
        ("steps.doSubcube = true\nimport.subcube = [1, 2, -3, 4]", "counted from 0"),
        ("steps.doSubcube = true\nimport.subcubeMode = world\nimport.subcube = [1, 2, 3, 4]", r"input\.region"),
        ("merge.radiusQ = 3", r"unknown parameter 'merge.radiusQ' \(did you mean merge\.radius"),
        ("merge.radiusX = 2\nmerge.radiusX = 5", "line 3: merge.radiusX is written again.*line 2"),
    ],
)
def test_what_cannot_be_translated_is_refused(read, line, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read(line)
    assert "old.par" in str(caught.value)
    assert len(str(caught.value)) < 200_000


def test_long_lists_are_read_whole(read):
    kernels = ", ".join(f"[{xy}, {xy}, {z}, 'b']" for xy in (0, 3, 6, 9) for z in range(0, 60, 3))
    assert len(kernels) > 1100  # longer than a line of SoFiA 2
    settings = read(MAD, f"SCfind.kernels = [{kernels}]")
    assert settings["scfind.kernelsZ"] == tuple(range(0, 60, 3))
    assert losses(settings) == []


def test_the_first_of_two_counts_if_not_pedantic(read):
    settings = read("merge.radiusX = 2", "merge.radiusY = 2", "merge.radiusX = 5", "pipeline.pedantic = no")
    assert settings["linker.radiusXY"] == 2
    assert any("written again" in note for note in settings.notes)


def test_parameters_of_hisf_may_stand_in_the_file(read):
    settings = read("pipeline.finder = threshold", "linker.method = sofia2")
    assert chosen_finders(settings) == ["threshold"]
    assert settings["linker.method"] == "sofia2"


def test_command_line_has_the_last_word(read):
    assert read("SCfind.threshold = 4", more=["scfind.threshold=3"])["scfind.threshold"] == 3
    with pytest.raises(InputError, match=r"parameter of SoFiA 1; here it is scfind\.threshold"):
        read(more=["SCfind.threshold=3"])


def test_targets_are_parameters_and_defaults_are_values():
    known = {parameter.name for parameter in PARAMETERS}
    for old in OLD_PARAMETERS.values():
        assert set(old.targets) <= known, old.name
        value = read_value(old.kind, old.default)
        assert not old.words or value in old.words, old.name
        assert set(old.lossy) <= set(old.words), old.name
    assert len(OLD_PARAMETERS) == 129
    assert set(SWITCHES.values()) <= set(OLD_PARAMETERS)


def test_every_target_is_set(read):
    settings = read("steps.doSubcube = true", "import.subcube = [0, 1, 0, 1]", "steps.doFlag = true")
    for old in OLD_PARAMETERS.values():
        for target in old.targets:
            assert settings.is_set(target), (old.name, target)


def test_page_in_docs_is_up_to_date():
    page = as_sofia1_page(OLD_PARAMETERS.values())
    assert DOCUMENT.read_text(encoding="utf-8") == page, "make docs"
    for name in OLD_PARAMETERS:
        assert page.count(f"\n| `{name}` |") == 1


@pytest.mark.shared
def test_every_parameter_of_the_published_files_is_known(shared):
    """The two published files list all parameters of their versions."""
    for path in sorted((shared / "data" / "parfiles").glob("sofia1_*.par")):
        keys = {line.partition("=")[0].strip() for line in path.read_text().splitlines() if "=" in line}
        assert keys <= set(OLD_PARAMETERS), path.name
        assert len(set(OLD_PARAMETERS) - keys) <= 1
