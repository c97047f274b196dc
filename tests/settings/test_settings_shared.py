"""Parameter files that people have published."""

import sys
from pathlib import Path

import pytest

from hisf.cli import main
from hisf.settings import check_settings, load_settings, validate

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.shared


def test_ugc7012(shared):
    settings = load_settings([str(shared / "data/parfiles/sofia2_ugc7012.par")])
    assert settings["input.data"] == "UGC7012.FITS"
    assert settings["linker.maxSizeZ"] == 140
    assert settings["output.marginCubeletsZ"] == 5
    assert len(settings.notes) == 1
    assert not {"output.writeCubelets", "output.writeMoments"} & set(settings.ignored)
    validate(settings)


def test_pyfat_writes_true_with_a_capital(shared):
    settings = load_settings([str(shared / "data/parfiles/sofia2_pyfat.par")])
    assert settings["dilation.enable"] is False
    assert {note.partition(": ")[2].partition(" ")[0] for note in settings.notes} == {
        "dilation.enable",
        "linker.positivity",
    }
    assert settings["scfind.kernelsXY"] == (0.0, 4.0, 8.0)
    validate(settings)


def test_hi_friends_is_a_template_to_be_filled_in(shared):
    settings = load_settings([str(shared / "data/parfiles/sofia2_hi-friends_sdc2.par")])
    assert any("reliability.fmin" in note for note in settings.notes)
    (problem,) = check_settings(settings)
    assert "line 35: scfind.threshold = 0.0" in problem


def test_sdc2_agent_lacks_the_cube_only(shared):
    settings = load_settings([str(shared / "data/parfiles/sofia2_sdc2_agent.par")])
    assert settings["pipeline.pedantic"] is True
    assert settings["scfind.kernelsZ"] == (0, 3, 7, 15, 31)
    (problem,) = check_settings(settings)
    assert "input.data" in problem


def test_sofia1_extragalactic(shared):
    settings = load_settings([str(shared / "data/parfiles/sofia1_extragalactic.par"), "input.data=cube.fits"])
    assert (settings["scfind.threshold"], settings["scfind.statistic"]) == (3.0, "mad")
    assert (settings["linker.minSizeXY"], settings["linker.minSizeZ"], settings["linker.radiusZ"]) == (5, 4, 1)
    assert settings["reliability.enable"] and settings["output.writeMoments"] and settings["output.writeMask"]
    assert len(settings.notes) == 1  # scaleNoise.scaleX = true is of no account, for scaling is off
    validate(settings)


def test_sofia1_forska(shared):
    """The values of spec forska §8."""
    settings = load_settings([str(shared / "data/parfiles/sofia1_forska.par"), "input.data=cube.fits"])
    linker = ("method", "radiusXY", "radiusZ", "minSizeXY", "minSizeZ", "maxSizeXY", "maxSizeZ", "minPixels", "maxFill")
    assert [settings[f"linker.{word}"] for word in linker] == ["cylinder", 2, 30, 2, 20, 20, 200, 90, 0.0]
    dilation = ("enable", "method", "iterationsXY", "iterationsZ", "threshold")
    assert [settings[f"dilation.{word}"] for word in dilation] == [True, "sofia1", 2, 16, 0.02]
    assert settings.origin("linker.radiusZ").written_as == "merge.radiusZ"
    assert not settings["reliability.enable"]
    validate(settings)


# what else a file needs besides paths: the template has words in place of numbers
FILLED_IN = {"sofia2_hi-friends_sdc2.par": ["scfind.threshold=4", "reliability.threshold=0.9"]}
SEARCHED = {"sofia2_hi-friends_sdc2.par": "examples/sdc2_like.fits"}


def test_every_published_file_runs(shared, tmp_path, monkeypatch, capsys):
    """Unmodified but for paths, through `hisf check` and a run on a small cube; sources are found."""
    paths = sorted((shared / "data" / "parfiles").glob("*.par"))
    assert len(paths) >= 6
    for path in paths:
        cube = ROOT / SEARCHED[path.name] if path.name in SEARCHED else shared / "parity" / "cubes" / "crowded.fits"
        arguments = [path, f"input.data={cube}", f"output.directory={tmp_path}", "output.filename=found"]
        for command in ("check", "run"):
            words = ["hisf", command, *arguments, *FILLED_IN.get(path.name, [])]
            monkeypatch.setattr(sys, "argv", list(map(str, words)))
            with pytest.raises(SystemExit) as leaving:
                main()
            said = capsys.readouterr().err
            assert leaving.value.code == 0, (path.name, said)
            assert "Traceback" not in said
        table = (tmp_path / "found_cat.txt").read_text().splitlines()
        assert sum(not line.startswith("#") for line in table if line.strip()) >= 1
