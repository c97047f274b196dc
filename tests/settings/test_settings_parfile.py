"""The text of parameter files and arguments: every oddity of spec sofia2 §1.1 and §1.3."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hisf.errors import FileAccessError, HisfError, InputError
from hisf.settings import check_settings, load_settings, parse_argument, read_assignments


@pytest.fixture
def pairs(tmp_path):
    def read(content):
        path = tmp_path / "test.par"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [(each.key, each.value) for each in read_assignments(path)]

    return read


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("key = value # comment", ("key", "value")),
        ("  \t key\t=\tvalue \t\r", ("key", "value")),
        ("parameter.prefix = My Survey = x", ("parameter.prefix", "My Survey = x")),
        ("key =# text", ("key", "text")),
        ("key =# text # more", ("key", "text")),
        ("key = # text", ("key", "")),
        ("key =", ("key", "")),
        ("key", ("key", "")),
        ("key # a = b", ("key # a", "b")),
        ("key = a#b", ("key", "a")),
        ("9key = 1", ("9key", "1")),
        ('key = "a"', ("key", '"a"')),
        ("Key = VALUE", ("Key", "VALUE")),
        ("key = a\0b", ("key", "a")),
    ],
)
def test_line(pairs, line, pair):
    assert pairs(line) == [pair]


@pytest.mark.parametrize(
    "line", ["", "   ", "# a = b", "; a = b", "! a = b", "- a = b", "= b", "é = 1", "\0key = 1", "_a = 1"]
)
def test_skipped_line(pairs, line):
    assert pairs(line + "\nnext = 1") == [("next", "1")]


def test_repeated_keys_stay_in_order(pairs):
    assert pairs("a = 1\nb = 2\na = 3") == [("a", "1"), ("b", "2"), ("a", "3")]


def test_long_lines_are_cut_after_1023_bytes(pairs):
    line = "key = " + "x" * 1017 + "parameter.prefix = tail"
    assert pairs(line + "\nnext = 1") == [("key", "x" * 1017), ("parameter.prefix", "tail"), ("next", "1")]


def test_line_of_exactly_1023_bytes_is_whole(pairs):
    assert pairs("key = " + "x" * 1017 + "\nnext = 1") == [("key", "x" * 1017), ("next", "1")]


def test_line_numbers_count_physical_lines(tmp_path):
    path = tmp_path / "test.par"
    path.write_text("# one\na = " + "b" * 2000 + "\n\nc = 1\n")
    numbers = [(each.key[0], each.origin.line) for each in read_assignments(path)]
    assert numbers[0] == ("a", 2)
    assert numbers[1] == ("b", 2)
    assert numbers[-1] == ("c", 4)
    assert str(read_assignments(path)[-1].origin) == f"{path} line 4"


def test_text_is_utf8_where_it_can_be_and_latin1_otherwise(pairs):
    assert pairs("a = Ümläut".encode() + b"\nb = \xe9t\xe9") == [("a", "Ümläut"), ("b", "été")]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileAccessError, match=r"nothing\.par") as caught:
        read_assignments(tmp_path / "nothing.par")
    assert caught.value.exit_code == 5


def test_directory_is_no_parameter_file(tmp_path):
    with pytest.raises(FileAccessError, match=tmp_path.name):
        read_assignments(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(tmp_path):
    path = tmp_path / "secret.par"
    path.write_text("a = 1")
    path.chmod(0)
    with pytest.raises(FileAccessError, match="secret"):
        read_assignments(path)


def test_name_that_no_file_can_have():
    with pytest.raises(FileAccessError, match="parameter file"):
        read_assignments("a\0b")


@pytest.mark.parametrize("start", [b"SIMPLE  =                    T / standard FITS", b"\x89HDF\r\n\x1a\n"])
def test_cube_in_place_of_a_parameter_file_is_refused(tmp_path, start):
    path = tmp_path / "cube"
    path.write_bytes(start + bytes(5000))
    with pytest.raises(InputError, match=r"write input\.data="):
        read_assignments(path)


def test_sofia2_keys_are_not_taken_for_sofia1(tmp_path):
    path = tmp_path / "new.par"
    path.write_text("pipeline.pedantic = false\nscfind.threshold = 4\nparameter.prefix = x\n# steps.doSCfind = true")
    assert load_settings([str(path)])["linker.method"] == "sofia2"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a=b", ("a", "b")),
        ("scfind.threshold = 4", ("scfind.threshold ", " 4")),
        ("a=b=c", ("a", "b=c")),
        ("a=b # c", ("a", "b # c")),
        ("a=#b", ("a", "#b")),
        ("=", ("", "")),
        ("$OUT=/x", ("$OUT", "/x")),
    ],
)
def test_argument_is_not_trimmed(text, pair):
    assignment = parse_argument(text)
    assert (assignment.key, assignment.value) == pair
    assert str(assignment.origin) == "command line"


def test_argument_without_equals_sign():
    with pytest.raises(InputError, match="KEY=VALUE"):
        parse_argument("verbose")


LINES = st.lists(
    st.binary(max_size=40)
    | st.sampled_from(
        [
            b"pipeline.pedantic = false",
            b"scfind.kernelsXY = 0,,3",
            b"input.region = 1,2",
            b"flag.region = 9e999, -1",
            b"reliability.enable = true",
            b"reliability.parameters =# peak",
            b"filter.discardNegative",
            b"output.marginCubelets = -",
        ]
    )
).map(b"\n".join)


@given(content=LINES | st.binary(max_size=3000))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_by_a_sentence(tmp_path, content):
    path = tmp_path / "any.par"
    path.write_bytes(b"pipeline.pedantic = false\n" + content)
    try:
        loaded = load_settings([str(path)])
    except HisfError as error:
        assert str(path) in str(error)
        return
    assert all(isinstance(sentence, str) for sentence in (*check_settings(loaded), *loaded.notes))
    assert set(loaded.ignored) <= set(loaded)


@given(
    st.lists(st.text(max_size=30).map(lambda text: text + "=") | st.text(max_size=10).map("pipeline.finder=".__add__))
)
@settings(deadline=None)
def test_any_arguments_are_read_or_refused_by_a_sentence(arguments):
    try:
        check_settings(load_settings(["pipeline.pedantic=false", *arguments]))
    except HisfError as error:
        assert str(error)
