"""Parameter files that people have published."""

import pytest

from hisf.errors import InputError
from hisf.settings import check_settings, load_settings, validate

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


@pytest.mark.parametrize("name", ["sofia1_extragalactic.par", "sofia1_forska.par"])
def test_sofia1(shared, name):
    with pytest.raises(InputError, match="SoFiA 1"):
        load_settings([str(shared / "data/parfiles" / name)])
