"""What is wrong with values alone."""

import pytest

from hisf.errors import InputError
from hisf.settings import check_settings, load_settings, validate


def problems(*arguments):
    return check_settings(load_settings(["input.data=cube.fits", *arguments]))


def test_defaults_with_a_cube_are_fine():
    assert problems() == []
    validate(load_settings(["input.data=cube.fits"]))


def test_cube_is_required():
    assert check_settings(load_settings([])) == ["input.data is empty: it must name the cube to search."]
    assert check_settings(load_settings(["input.data="]))[0].startswith("command line: input.data is empty")


@pytest.mark.parametrize(
    "argument",
    [
        "scfind.threshold=0",
        "scfind.threshold=-3",
        "scfind.threshold=abc",
        "scfind.kernelsXY=0,-3",
        "scfind.kernelsZ=-1",
        "linker.radiusXY=-1",
        "linker.minSizeZ=-1",
        "linker.maxPixels=-1",
        "pipeline.scoreThreshold=2",
        "input.region=0,1,2,3,4",
        "input.region=0,5,0,5,0,5,0",
        "input.region=5,4,0,5,0,5",
        "input.region=-1,4,0,5,0,5",
        "flag.region=0,1,0,1,0",
        "flag.region=0,1,0,1,0,1,0",
    ],
)
def test_one_problem_with_its_key_and_origin(argument):
    (problem,) = problems(argument)
    assert problem.startswith(f"command line: {argument.partition('=')[0]} = ")
    assert problem.endswith(".")


@pytest.mark.parametrize(
    "argument",
    [
        "input.region=10,100,5,100,2,75",
        "input.region=3,3,3,3,3,3",
        "input.region=",
        "flag.region=1000,2000,0,3,0,3",
        "flag.region=9,1,0,3,0,3,0,1,0,1,0,1",
        "scaleNoise.windowXY=0",
        "scfind.replacement=-1",
        "scfind.kernelsXY=0",
    ],
)
def test_accepted(argument):
    assert problems(argument) == []


def test_every_reversed_axis_is_told():
    in_x, in_y = problems("input.region=5,4,9,2,0,5")
    assert "reversed in x (5 > 4)" in in_x
    assert "reversed in y (9 > 2)" in in_y


def test_section_that_is_off_is_not_checked():
    assert problems("threshold.threshold=0") == []
    assert problems("scfind.enable=false", "scfind.threshold=0") == []
    assert len(problems("threshold.threshold=0", "threshold.enable=true")) == 1
    assert len(problems("threshold.threshold=0", "pipeline.finder=threshold")) == 1
    assert problems("scfind.threshold=0", "pipeline.finder=cnn") == []
    assert problems("scaleNoise.windowXY=-1") == []
    assert len(problems("scaleNoise.windowXY=-1", "scaleNoise.enable=true")) == 1


def test_linker_is_checked_even_when_it_is_off():
    assert len(problems("linker.enable=false", "linker.radiusZ=-1")) == 1


@pytest.mark.parametrize("key", ["linker.positivity", "linker.keepNegative"])
def test_reliability_needs_negative_sources_to_be_treated_as_usual(key):
    assert problems(f"{key}=true") == []
    (problem,) = problems(f"{key}=true", "reliability.enable=true")
    assert f"{key} = true cannot be combined with reliability.enable = true (command line)" in problem


def test_alias_is_named_as_the_user_wrote_it():
    (problem,) = problems("filter.discardNegative=false", "reliability.enable=true")
    assert problem.startswith("command line (written as filter.discardNegative): linker.keepNegative = true")


@pytest.mark.parametrize(("words", "count"), [("peak", 1), ("", 1), ("peak,flux", 1), ("flux", 2), ("peak sum", 0)])
def test_reliability_parameters(words, count):
    assert len(problems(f"reliability.parameters={words}", "reliability.enable=true")) == count
    assert problems(f"reliability.parameters={words}") == []


def test_all_problems_are_listed_and_the_first_is_raised(tmp_path):
    path = tmp_path / "bad.par"
    path.write_text("input.data = x\nscfind.threshold = 0\nlinker.radiusXY = -1\n")
    settings = load_settings([str(path)])
    assert [problem.partition(":")[0][-6:] for problem in check_settings(settings)] == ["line 2", "line 3"]
    with pytest.raises(InputError, match=r"line 2: scfind\.threshold = 0\.0 .*greater than 0.*1 more") as caught:
        validate(settings)
    assert caught.value.exit_code == 7


def test_parameters_that_are_not_in_the_table_are_not_missed():
    assert check_settings(load_settings([], [])) == []
