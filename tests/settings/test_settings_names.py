"""Every name that SoFiA 2 knows is known here, with its default."""

import pytest

from hisf.settings import ALIASES, PARAMETERS, load_settings

# SoFiA 2.4 and 2.5 with their defaults; spec sofia2 §1.4
SOFIA_2_5 = [
    "pipeline.verbose=false",
    "pipeline.pedantic=true",
    "pipeline.threads=0",
    "input.data=",
    "input.region=",
    "input.gain=",
    "input.noise=",
    "input.weights=",
    "input.mask=",
    "input.invert=false",
    "flag.region=",
    "flag.catalog=",
    "flag.radius=5",
    "flag.auto=false",
    "flag.threshold=5.0",
    "flag.log=false",
    "contsub.enable=false",
    "contsub.order=0",
    "contsub.threshold=2.0",
    "contsub.shift=4",
    "contsub.padding=3",
    "scaleNoise.enable=false",
    "scaleNoise.mode=spectral",
    "scaleNoise.statistic=mad",
    "scaleNoise.fluxRange=negative",
    "scaleNoise.windowXY=25",
    "scaleNoise.windowZ=15",
    "scaleNoise.gridXY=0",
    "scaleNoise.gridZ=0",
    "scaleNoise.interpolate=false",
    "scaleNoise.scfind=false",
    "rippleFilter.enable=false",
    "rippleFilter.statistic=median",
    "rippleFilter.windowXY=31",
    "rippleFilter.windowZ=15",
    "rippleFilter.gridXY=0",
    "rippleFilter.gridZ=0",
    "rippleFilter.interpolate=false",
    "scfind.enable=true",
    "scfind.kernelsXY=0,3,6",
    "scfind.kernelsZ=0,3,7,15",
    "scfind.threshold=5.0",
    "scfind.replacement=2.0",
    "scfind.statistic=mad",
    "scfind.fluxRange=negative",
    "threshold.enable=false",
    "threshold.threshold=5.0",
    "threshold.mode=relative",
    "threshold.statistic=mad",
    "threshold.fluxRange=negative",
    "linker.enable=true",
    "linker.radiusXY=1",
    "linker.radiusZ=1",
    "linker.minSizeXY=5",
    "linker.minSizeZ=5",
    "linker.maxSizeXY=0",
    "linker.maxSizeZ=0",
    "linker.minPixels=0",
    "linker.maxPixels=0",
    "linker.minFill=0.0",
    "linker.maxFill=0.0",
    "linker.positivity=false",
    "linker.keepNegative=false",
    "reliability.enable=false",
    "reliability.parameters=peak,sum,mean",
    "reliability.threshold=0.9",
    "reliability.scaleKernel=0.4",
    "reliability.minSNR=3.0",
    "reliability.minPixels=0",
    "reliability.autoKernel=false",
    "reliability.iterations=30",
    "reliability.tolerance=0.05",
    "reliability.catalog=",
    "reliability.plot=true",
    "reliability.debug=false",
    "dilation.enable=false",
    "dilation.iterationsXY=10",
    "dilation.iterationsZ=5",
    "dilation.threshold=0.001",
    "parameter.enable=true",
    "parameter.wcs=true",
    "parameter.physical=false",
    "parameter.prefix=SoFiA",
    "parameter.offset=false",
    "output.directory=",
    "output.filename=",
    "output.writeCatASCII=true",
    "output.writeCatXML=true",
    "output.writeCatSQL=false",
    "output.writeKarma=false",
    "output.writeNoise=false",
    "output.writeFiltered=false",
    "output.writeMask=false",
    "output.writeMask2d=false",
    "output.writeRawMask=false",
    "output.writeMoments=false",
    "output.writeCubelets=false",
    "output.writePV=false",
    "output.marginCubelets=10",
    "output.thresholdMom12=0.0",
    "output.overwrite=true",
]

# what 2.6, 2.7 and the GPU version of 2.5.1 have besides
LATER = [
    "input.primaryBeam=",
    "flag.cube=",
    "reliability.plotExtra=false",
    "output.marginAperSpec=-1",
    "output.dataFormat=fits",
    "output.writeLogFile=true",
    "output.showPreviewImage=false",
    "output.writeDiagnosticPlot=true",
    "output.marginCubeletsXY=10",
    "output.marginCubeletsZ=10",
    "background.enable=false",
    "background.gridXY=0",
    "background.gridZ=0",
    "background.interpolate=false",
    "background.statistic=median",
    "background.windowXY=31",
    "background.windowZ=15",
    "filter.discardNegative=true",
    "filter.minPixels=0",
    "filter.minSNR=3.0",
    "pipeline.useGPU=false",
    "pipeline.benchmark=false",
]

OWN = {
    "pipeline.finder",
    "pipeline.scoreThreshold",
    "pipeline.memory",
    "pipeline.tile",
    "pipeline.workers",
    "pipeline.engine",
    "pipeline.engineOptions",
    "pipeline.pluginTimeout",
    "pipeline.compatibility",
    "linker.method",
    "reliability.fMin",
    "reliability.method",
    "dilation.method",
    "input.dataset",
    "appraise.method",
    "forska.padding",
    "forska.minFlux",
    "forska.maxFlux",
    "output.writeCatSDC2",
    "output.writeCatFITS",
    "output.writeCatHDF5",
    "output.writeRegions",
    "output.writeSources",
    "output.writeReport",
    "cnn.architecture",
    "cnn.weights",
    "cnn.threshold",
    "cnn.confidence",
    "cnn.device",
    "cnn.precision",
}


@pytest.mark.parametrize("setting", SOFIA_2_5 + LATER)
def test_name_is_known_and_its_default_changes_nothing(setting):
    settings = load_settings([setting])
    assert settings == load_settings([])
    assert settings.ignored == ()
    assert any(settings.is_set(name) for name in settings)


def test_a_whole_file_of_either_version_is_accepted_while_pedantic(tmp_path):
    path = tmp_path / "all.par"
    path.write_text("\n".join(SOFIA_2_5 + LATER))
    assert load_settings([str(path)])["pipeline.pedantic"] is True


def test_nothing_else_is_known():
    listed = {setting.partition("=")[0] for setting in SOFIA_2_5 + LATER} | OWN
    known = {parameter.name for parameter in PARAMETERS} | {alias.name for alias in ALIASES}
    assert known == listed
    assert len(PARAMETERS) == len({parameter.name for parameter in PARAMETERS})


def test_own_parameters_say_so():
    assert {parameter.name for parameter in PARAMETERS if parameter.since.startswith("hisf")} == OWN


def test_sections_stand_in_the_order_of_the_pipeline():
    sections = list(dict.fromkeys(parameter.section for parameter in PARAMETERS))
    assert sections == [
        "pipeline",
        "input",
        "flag",
        "contsub",
        "scaleNoise",
        "rippleFilter",
        "scfind",
        "threshold",
        "cnn",
        "linker",
        "reliability",
        "dilation",
        "appraise",
        "forska",
        "parameter",
        "output",
    ]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_help_is_one_short_sentence(parameter):
    assert parameter.help[0].isupper()
    assert parameter.help.endswith(".")
    assert ". " not in parameter.help
    assert 10 < len(parameter.help) < 180


def test_no_old_key_slipped_in():
    for name in ("reliability.fmin", "steps.doSCfind"):
        assert name not in load_settings([])


@pytest.mark.shared
def test_every_name_of_the_table_of_2_7(shared):
    table = (shared / "spec" / "sofia-2.7-parameters.tsv").read_text().splitlines()[1:]
    for line in table:
        name, _, default, _ = line.split("\t")
        assert load_settings([f"{name}={default}"]) == load_settings([]), name
    assert len(table) > 100
