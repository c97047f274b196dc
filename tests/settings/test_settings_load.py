"""Settings out of files and arguments: order, pedantry, aliases, origins, notes."""

import pickle
import subprocess
import sys

import pytest

from hisf.errors import InputError, PluginError
from hisf.settings import ALIASES, COMMAND_LINE, PARAMETERS, Kind, Parameter, load_settings


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_file(text, name="test.par"):
        (tmp_path / name).write_text(text)
        return name

    return write_file


def test_defaults():
    settings = load_settings([])
    assert settings["scfind.kernelsXY"] == (0.0, 3.0, 6.0)
    assert settings["scfind.kernelsZ"] == (0, 3, 7, 15)
    assert settings["pipeline.pedantic"] is True
    assert settings["input.data"] is None
    assert settings["reliability.parameters"] == ("peak", "sum", "mean")
    assert settings["output.marginCubeletsXY"] == 10
    assert list(settings) == [parameter.name for parameter in PARAMETERS]
    assert settings.notes == settings.ignored == ()
    assert not any(settings.is_set(name) for name in settings)
    assert str(settings.origin("scfind.threshold")) == "default"


def test_last_one_wins_in_argument_order(write):
    one, two = write("scfind.threshold = 4\nscfind.threshold = 6\n", "1.par"), write("scfind.threshold = 7", "2.par")
    assert load_settings([one])["scfind.threshold"] == 6
    assert load_settings([one, two])["scfind.threshold"] == 7
    assert load_settings([two, one])["scfind.threshold"] == 6
    assert load_settings(["scfind.threshold=3", one])["scfind.threshold"] == 6
    settings = load_settings([one, "scfind.threshold=3"])
    assert settings["scfind.threshold"] == 3
    assert settings.text("scfind.threshold") == "3"
    assert str(settings.origin("scfind.threshold")) == "command line"


def test_origin_is_the_line_that_counts(write):
    path = write("\nscfind.threshold = 4\n\nscfind.threshold = 6\n", "sdc2.par")
    assert str(load_settings([path]).origin("scfind.threshold")) == "sdc2.par line 4"


def test_key_without_equals_sign_sets_the_empty_text(write):
    settings = load_settings([write("parameter.prefix\nreliability.plot")])
    assert settings["parameter.prefix"] == ""
    assert settings["reliability.plot"] is False
    assert settings.is_set("parameter.prefix")


def test_command_line_values_are_not_trimmed():
    settings = load_settings(["linker.minPixels=5 ", "dilation.enable=true ", "parameter.prefix= a # b"])
    assert settings["linker.minPixels"] == 5
    assert settings["dilation.enable"] is False
    assert settings["parameter.prefix"] == " a # b"
    assert len(settings.notes) == 1


def test_command_line_key_with_a_blank_is_unknown():
    with pytest.raises(InputError, match=r"command line: unknown parameter 'scfind.threshold ' \(did you mean scfind"):
        load_settings(["scfind.threshold = 4"])


def test_unknown_key_names_file_line_and_the_likely_key(write):
    path = write("input.data = x\nscfind.treshold = 4\n")
    with pytest.raises(
        InputError, match=r"test\.par line 2: .*'scfind\.treshold' \(did you mean scfind\.threshold\?\)"
    ):
        load_settings([path])


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("SCFIND.THRESHOLD", "scfind.threshold"),
        ("linker.minsizexy", "linker.minSizeXY"),
        ("backgroud.enable", "background.enable"),
        ("reliability.fmin", "reliability.fMin"),
    ],
)
def test_suggestion(key, meant):
    with pytest.raises(InputError, match=f"did you mean {meant}"):
        load_settings([f"{key}=1"])


def test_nothing_is_suggested_for_nonsense():
    with pytest.raises(InputError) as caught:
        load_settings(["$OUT=1"])
    assert "did you mean" not in str(caught.value)


def test_all_unknown_keys_are_told_but_not_without_end(write):
    path = write("\n".join(f"unknown.k{number} = 1" for number in range(8)))
    with pytest.raises(InputError, match=r"k0.*k4.*and 3 more") as caught:
        load_settings([path])
    assert "k5" not in str(caught.value)


def test_file_may_switch_pedantry_off_after_the_unknown_key(write):
    settings = load_settings([write("a.b = 1\npipeline.pedantic = false\n")])
    assert len(settings.notes) == 1
    assert "test.par line 1: unknown parameter 'a.b'" in settings.notes[0]


def test_file_may_switch_pedantry_back_on(write):
    with pytest.raises(InputError):
        load_settings(["pipeline.pedantic=false", write("a.b = 1\npipeline.pedantic = true\n")])


def test_pedantry_off_on_the_command_line_comes_first(write):
    path = write("a.b = 1\n")
    assert load_settings(["pipeline.pedantic=false", path, "c.d=2"]).notes[1].startswith("command line")
    with pytest.raises(InputError):
        load_settings([path, "pipeline.pedantic=false"])
    with pytest.raises(InputError):
        load_settings(["c.d=2", "pipeline.pedantic=false"])


def test_pedantic_is_off_for_any_other_word():
    settings = load_settings(["pipeline.pedantic=True", "c.d=2"])
    assert any("pipeline.pedantic = 'True' is read as false" in note for note in settings.notes)


def test_empty_list_element_names_line_and_key(write):
    with pytest.raises(InputError, match=r"^test\.par line 2: scfind\.kernelsXY = '0,,3' has an empty element"):
        load_settings([write("\nscfind.kernelsXY = 0,,3")])


def test_overridden_mistake_does_not_matter(write):
    assert load_settings([write("scfind.kernelsXY = 0,,3"), "scfind.kernelsXY=0"])["scfind.kernelsXY"] == (0,)


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.name)
def test_alias_sets_its_targets_and_says_so(alias):
    settings = load_settings([f"{alias.name}=7"])
    for target in alias.targets:
        assert settings.is_set(target)
        assert settings.text(target) == alias.translate("7")
        assert str(settings.origin(target)) == f"command line (written as {alias.name})"
        assert any(alias.name in note and target in note for note in settings.notes)
    assert alias.name not in settings


@pytest.mark.parametrize(("text", "keep"), [("true", False), ("false", True), ("True", True), ("", True)])
def test_discard_negative_is_the_opposite_of_keep_negative(text, keep):
    assert load_settings([f"filter.discardNegative={text}"])["linker.keepNegative"] is keep


def test_both_margins_from_one(write):
    settings = load_settings([write("output.marginCubelets = 7\noutput.marginCubeletsZ = 3")])
    assert settings["output.marginCubeletsXY"] == 7
    assert settings["output.marginCubeletsZ"] == 3


def test_ripple_filter_under_its_new_name():
    settings = load_settings(["background.windowXY=51", "background.statistic=mean"])
    assert (settings["rippleFilter.windowXY"], settings["rippleFilter.statistic"]) == (51, "mean")


def test_what_is_ignored():
    assert load_settings(["input.primaryBeam=pb.fits", "pipeline.useGPU=true"]).ignored == (
        "pipeline.useGPU",
        "input.primaryBeam",
    )


def test_zero_is_a_value_to_ignore_but_a_switch_that_is_off_is_not():
    later = Parameter("my.number", Kind.INT, "10", "Not there yet.", "1", effect="partial")
    settings = load_settings(["my.number=0", "output.writeDiagnosticPlot=false"], (*PARAMETERS, later))
    assert settings.ignored == ("my.number",)


def test_section_that_is_off_has_nothing_to_ignore():
    assert load_settings(["reliability.plotExtra=true"]).ignored == ()
    settings = load_settings(["reliability.plotExtra=true", "reliability.enable=true"])
    assert settings.ignored == ("reliability.plotExtra",)


def test_finder_decides_which_classic_section_is_active():
    settings = load_settings([])
    assert settings.is_active("scfind")
    assert not settings.is_active("threshold")
    assert settings.is_active("input")
    settings = load_settings(["pipeline.finder=cnn + threshold"])
    assert settings.is_active("threshold")
    assert not settings.is_active("scfind")


def test_plugin_parameters_are_known_when_passed():
    parameter = Parameter("myfinder.level", Kind.FLOAT, "2.0", "Level.", "1.0")
    settings = load_settings(["myfinder.level=3"], [*PARAMETERS, parameter])
    assert settings["myfinder.level"] == 3
    assert settings.parameters[-1] is parameter
    with pytest.raises(InputError):
        load_settings(["myfinder.level=3"])


@pytest.mark.parametrize("name", ["scfind.threshold", "background.enable"])
def test_plugin_may_not_take_a_name_that_exists(name):
    with pytest.raises(PluginError, match=name):
        load_settings([], [*PARAMETERS, Parameter(name, Kind.TEXT, "", "Mine.", "1.0")])


def test_settings_are_immutable_and_picklable(write):
    settings = load_settings([write("scfind.threshold = 4\nbackground.enable = true")])
    with pytest.raises(AttributeError):
        settings.parameters = ()
    with pytest.raises(TypeError):
        settings["scfind.threshold"] = 5
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.notes == settings.notes
    assert copy.origin("scfind.threshold") == settings.origin("scfind.threshold")
    assert copy.parameters == settings.parameters


def test_replace_leaves_the_original_alone():
    settings = load_settings(["scfind.threshold=4"])
    other = settings.replace("pipeline.finder", "cnn", COMMAND_LINE)
    assert (other["pipeline.finder"], settings["pipeline.finder"]) == ("cnn", "")
    assert other["scfind.threshold"] == 4
    assert other.is_set("pipeline.finder")
    assert other != settings
    with pytest.raises(InputError, match=r"did you mean pipeline\.finder"):
        settings.replace("pipeline.fnder", "cnn", COMMAND_LINE)
    with pytest.raises(InputError, match=r"command line: input\.region"):
        settings.replace("input.region", "1,,2", COMMAND_LINE)


def test_unknown_name_is_a_key_error():
    settings = load_settings([])
    assert "no.such" not in settings
    with pytest.raises(KeyError):
        settings["no.such"]


def test_import_takes_only_the_standard_library():
    code = (
        "import sys, hisf.settings; print(sorted({'numpy', 'click', 'rich', 'astropy', 'pluggy'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
