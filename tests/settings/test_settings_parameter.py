"""How text becomes a value: every oddity of spec sofia2 §1.2."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.errors import HisfError, InputError
from hisf.settings import PARAMETERS, Kind, Parameter

BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def parse(name, text):
    return BY_NAME[name].parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", False), ("True", False), ("yes", False), ("1", False), ("true ", False)],
)
def test_only_the_exact_word_is_true(text, value):
    assert parse("pipeline.pedantic", text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.9", 3),
        ("abc", 0),
        ("", 0),
        ("5 ", 5),
        (" \t+7", 7),
        ("-12x", -12),
        ("007", 7),
        ("0", 0),
        ("- 3", 0),
        ("1e3", 1),
        ("0x10", 0),
        ("٣", 0),  # a digit for Python, not for C
        ("9" * 30, 2**63 - 1),
        ("-" + "9" * 6000, -(2**63)),
        ("0" * 6000 + "4", 4),
    ],
)
def test_integer_prefix(text, value):
    assert parse("linker.minSizeXY", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.9", 3.9),
        ("", 0.0),
        ("abc", 0.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e2abc", -150.0),
        ("2e", 2.0),
        ("2e+", 2.0),
        ("4 sigma", 4.0),
        ("1_000", 1.0),
        (".", 0.0),
        ("3,5", 3.0),
        ("1e999", math.inf),
    ],
)
def test_float_prefix(text, value):
    assert parse("scfind.threshold", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0, 3, 7, 15", (0, 3, 7, 15)),
        ("0 3", (0,)),
        ("a,3", (0, 3)),
        ("3.9,-3.9,1e1", (3, -3, 10)),
        ("", ()),
        (" ", ()),
        ("1e999", (2**63 - 1,)),
    ],
)
def test_integer_list(text, value):
    result = parse("scfind.kernelsZ", text)
    assert result == value
    assert all(type(element) is int for element in result)


def test_float_list_keeps_fractions():
    assert parse("scfind.kernelsXY", "0,2.5, 6") == (0.0, 2.5, 6.0)


@pytest.mark.parametrize("text", ["0,,3", "0,3,", ",0,3", "0, ,3", ","])
@pytest.mark.parametrize("name", ["scfind.kernelsXY", "scfind.kernelsZ"])
def test_empty_list_element_is_an_error(name, text):
    with pytest.raises(InputError, match=name) as caught:
        parse(name, text)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("text", ["peak,sum", "peak sum", "peak, sum", "peak,,sum", " peak\tsum "])
def test_words_are_separated_by_commas_or_spaces(text):
    assert parse("reliability.parameters", text) == ("peak", "sum")


@pytest.mark.parametrize(
    ("name", "fallback"),
    [
        ("scaleNoise.mode", "spectral"),
        ("scaleNoise.statistic", "std"),
        ("scaleNoise.fluxRange", "full"),
        ("scfind.statistic", "std"),
        ("scfind.fluxRange", "full"),
        ("threshold.mode", "relative"),
        ("threshold.statistic", "std"),
        ("threshold.fluxRange", "full"),
        ("rippleFilter.statistic", "median"),
        ("flag.auto", "false"),
        ("output.dataFormat", "fits"),
        ("pipeline.compatibility", "sofia2"),
        ("cnn.architecture", "slim"),
        ("cnn.device", "auto"),
        ("cnn.precision", "auto"),
    ],
)
def test_unknown_choice_falls_back(name, fallback):
    for text in ("Local", "MAD", "", "none", "mad "):
        assert parse(name, text) == fallback
    for word in BY_NAME[name].choices:
        assert parse(name, word) == word


def test_every_choice_has_its_fallback_tested():
    tested = {
        mark.args[1][i][0] for mark in test_unknown_choice_falls_back.pytestmark for i in range(len(mark.args[1]))
    }
    assert tested == {parameter.name for parameter in PARAMETERS if parameter.kind is Kind.CHOICE}


def test_path_is_kept_as_written_and_empty_is_not_set():
    assert parse("input.data", "../a b.fits") == "../a b.fits"
    assert parse("input.data", "") is None
    assert parse("output.filename", "") == ""


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("linker.minSizeZ", "3.9", "read as 3:"),
        ("linker.minSizeZ", "abc", "read as 0:"),
        ("scfind.threshold", "4sigma", "read as 4.0:"),
        ("dilation.enable", "True", "read as false"),
        ("dilation.enable", "true ", "read as false"),
        ("scfind.statistic", "median", "read as std: it takes one of mad, gauss, std"),
        ("scfind.kernelsZ", "0 3", "read as 0:"),
        ("scfind.kernelsZ", "0, 2.5", "read as 0, 2:"),
        ("scfind.kernelsXY", "0, x", "read as 0.0, 0.0:"),
        ("flag.radius", "", "empty, which is read as 0 and not as its default 5"),
        ("reliability.plot", "", "empty, which is read as false and not as its default true"),
        ("scfind.kernelsXY", "", "read as nothing"),
    ],
)
def test_surprising_text_is_remarked(name, text, words):
    assert words in BY_NAME[name].remark(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("linker.minSizeZ", " 3 "),
        ("scfind.threshold", "5e0"),
        ("dilation.enable", "false"),
        ("dilation.enable", ""),
        ("scfind.kernelsZ", "0, 3.0 , 7"),
        ("scfind.statistic", "gauss"),
        ("linker.minPixels", ""),
        ("input.data", "x"),
    ],
)
def test_plain_text_is_not_remarked(name, text):
    assert BY_NAME[name].remark(text) is None


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("scfind.threshold", 1e-9, 0.0),
        ("threshold.threshold", 0.1, -1.0),
        ("linker.radiusXY", 0, -1),
        ("pipeline.scoreThreshold", 1.0, 1.01),
        ("pipeline.scoreThreshold", 0.0, -0.1),
        ("scfind.kernelsXY", (0.0, 3.0), (3.0, -0.5)),
        ("reliability.parameters", ("peak", "kurt"), ("peak", "flux")),
        ("scfind.replacement", -1.0, math.inf),
    ],
)
def test_check(name, good, bad):
    assert BY_NAME[name].check(good) is None
    complaint = BY_NAME[name].check(bad)
    assert complaint.startswith(f"{name} = {BY_NAME[name].format(bad)} is not accepted")
    assert (BY_NAME[name].accepts or "finite") in complaint


def test_what_sofia_accepts_is_not_refused():
    for name, value in [
        ("scaleNoise.windowXY", 0),
        ("scfind.replacement", -1.0),
        ("dilation.threshold", -1.0),
        ("pipeline.threads", -3),
        ("reliability.scaleKernel", 0.0),
        ("linker.maxFill", -1.0),
    ]:
        assert BY_NAME[name].check(value) is None


@pytest.mark.parametrize(
    "declaration",
    [
        {"name": "nodot"},
        {"name": "a b.c"},
        {"default": "x # y"},
        {"default": " x"},
        {"kind": Kind.BOOL, "default": "True"},
        {"kind": Kind.INT, "default": "0", "minimum": 1},
        {"kind": Kind.CHOICE, "default": "a", "choices": ("a", "b"), "fallback": "c"},
        {"kind": Kind.WORDS, "default": "a c", "choices": ("a", "b")},
    ],
)
def test_contradictory_declaration_is_refused(declaration):
    with pytest.raises(ValueError, match=r"default|named"):
        Parameter(**{"name": "my.key", "kind": Kind.TEXT, "default": "", "help": "Help.", "since": "1"} | declaration)


@given(st.sampled_from(PARAMETERS), st.text() | st.from_regex(r"[-+ 0-9.,eE]*", fullmatch=True))
@settings(deadline=None)
def test_any_text_is_read_or_refused_and_survives_formatting(parameter, text):
    try:
        value = parameter.parse(text)
    except HisfError:
        assert parameter.kind in (Kind.INTS, Kind.FLOATS)
        return
    assert parameter.parse(parameter.format(value)) == value
    parameter.check(value)
    parameter.remark(text)


@given(st.floats(allow_nan=False))
@settings(deadline=None)
def test_float_prefix_agrees_with_python_on_plain_numbers(number):
    text = BY_NAME["scfind.replacement"].format(number)
    assert parse("scfind.replacement", text) == number
    assert parse("scfind.replacement", text + "x") == number


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", ".7", "px", " 8", ",", "e5"]))
@settings(deadline=None)
def test_integer_prefix_ignores_what_follows(number, rest):
    assert parse("linker.minPixels", f"{number}{rest}") == number
