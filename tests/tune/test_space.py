"""What is varied: reading ranges, the values that are tried, what is usual."""

import pytest

from hisf.errors import FileAccessError, InputError
from hisf.settings import PARAMETERS, load_settings
from hisf.tune.space import dimensions_of, parse_dimension, read_dimensions, usual


def dimension(text):
    return parse_dimension(text, PARAMETERS)


def test_whole_numbers_have_steps_of_one():
    d = dimension("linker.radiusXY=1..4")
    assert [d.text(k) for k in range(-1, 6)] == ["1", "1", "2", "3", "4", "4", "4"]
    assert d.coordinate("3") == 2.0


def test_steps_count_from_the_lower_end():
    d = dimension("scfind.threshold=3.1..5:0.25")
    assert d.last == 7
    assert [d.text(k) for k in (0, 1, 7, 9)] == ["3.1", "3.35", "4.85", "4.85"]
    assert d.coordinate("3.6") == pytest.approx(2.0)


def test_a_range_without_steps_keeps_to_its_ends():
    d = dimension("cnn.threshold=0.2..0.9")
    assert [d.text(v) for v in (-1.0, 0.2, 0.123456789 + 0.3, 2.0)] == ["0.2", "0.2", "0.423457", "0.9"]
    assert d.coordinate("0.7") == 0.7


def test_choices_are_counted():
    d = dimension("linker.method=sofia2|cylinder")
    assert d.choices == ("sofia2", "cylinder")
    assert [d.text(0.2), d.text(1.0)] == ["sofia2", "cylinder"]
    assert d.coordinate("cylinder") == 1.0
    assert d.coordinate("mine") is None


def test_lists_are_choices():
    assert dimension("scfind.kernelsXY=0,3|0,3,6").choices == ("0,3", "0,3,6")


@pytest.mark.parametrize(
    "text",
    ["linker.radiusXY=1..4", "scfind.threshold=3..5:0.25", "cnn.threshold=0..1", "linker.method=sofia2|cylinder",
     "linker.minPixels=10..300:10"],
)  # fmt: skip
def test_what_is_spelled_is_read_again(text):
    assert dimension(text).spelled() == text
    assert dimension(dimension(text).spelled()) == dimension(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("linker.radiusXY", "NAME=LOW..HIGH"),
        ("linker.radiusXY=", "NAME=LOW..HIGH"),
        ("linker.radiuXY=1..4", "linker.radiusXY"),
        ("linker.radiusXY=1", "LOW..HIGH"),
        ("linker.radiusXY=a..b", "LOW..HIGH"),
        ("linker.radiusXY=4..1", "LOW has to be below HIGH"),
        ("linker.radiusXY=1..inf", "LOW has to be below HIGH"),
        ("linker.radiusXY=nan..2", "LOW has to be below HIGH"),
        ("linker.radiusXY=1.5..4", "whole numbers"),
        ("linker.radiusXY=1..4:0", "STEP"),
        ("linker.radiusXY=1..4:9", "STEP"),
        ("cnn.threshold=0..1:1e-9", "STEP"),
        ("linker.radiusXY=-2..4", "at least 0"),
        ("cnn.threshold=0..2", "from 0 to 1"),
        ("scfind.kernelsXY=0..3", "has no range"),
        ("linker.enable=0..1", "has no range"),
        ("linker.enable=true|yes", "true"),
        ("linker.method=a||b", "none empty"),
        ("linker.method=a|a", "once"),
    ],
)
def test_wrong_ranges_are_refused(text, words):
    with pytest.raises(InputError, match=words.replace("|", "\\|")) as raised:
        dimension(text)
    assert f"--vary {text}" in str(raised.value)


def test_twice_the_same_is_refused():
    with pytest.raises(InputError, match="radiusXY is there more than once"):
        dimensions_of(["linker.radiusXY=1..4", "linker.radiusXY=1..5"], load_settings([]))


def test_a_file_of_ranges(tmp_path):
    path = tmp_path / "ranges.txt"
    path.write_text("# what matters\nlinker.radiusXY=1..4\n\n  cnn.threshold=0..1   # all\n")
    assert read_dimensions(path) == ["linker.radiusXY=1..4", "cnn.threshold=0..1"]
    with pytest.raises(FileAccessError, match="nothing"):
        read_dimensions(tmp_path / "nothing.txt")


def test_usual_for_forska_is_table_2():
    settings = load_settings(["dilation.enable=true"])
    found = {d.name: (d.low, d.high) for d in dimensions_of(usual(settings, ["cnn"], "forska"), settings)}
    assert found == {  # spec forska §13; the ends of the threshold are left out
        "cnn.threshold": (0.05, 0.95), "forska.minFlux": (0, 50), "linker.radiusXY": (1, 5), "linker.radiusZ": (1, 100),
        "linker.minSizeXY": (1, 5), "linker.maxSizeXY": (5, 30), "linker.minSizeZ": (1, 50),
        "linker.maxSizeZ": (50, 400), "linker.minPixels": (1, 300), "dilation.iterationsXY": (1, 5),
        "dilation.iterationsZ": (1, 20),
    }  # fmt: skip


def test_usual_leaves_out_what_has_no_effect():
    settings = load_settings([])
    network = usual(settings, ["cnn"], "network")
    assert not any(text.startswith(("dilation", "forska", "reliability", "scfind")) for text in network)
    assert "cnn.confidence=0..1" in network
    classic = usual(load_settings(["reliability.enable=true"]), ["scfind"], "none")
    assert {text.partition("=")[0].partition(".")[0] for text in classic} == {"scfind", "linker", "reliability"}
    dimensions_of(classic, settings)
    dimensions_of(usual(settings, ["threshold"], "none"), settings)
