"""Tables of positions: every rule of spec sofia2 §3.2 (flag.catalog)."""

import logging

import numpy as np
import pytest

from hisf.data.positions import read_positions
from hisf.errors import FileAccessError, InputError


def read(tmp_path, text):
    path = tmp_path / "table.txt"
    path.write_text(text, encoding="utf-8")
    return read_positions(path)


@pytest.mark.parametrize("separator", [" ", "\t", ",", "|", " , ", "\t| ", ",,", "  \t"])
def test_separators(tmp_path, separator):
    found = read(tmp_path, f"180.5{separator}-30.25\n10{separator}2e1\n")
    assert found.dtype == np.float64
    assert found.tolist() == [[180.5, -30.25], [10.0, 20.0]]


def test_blanks_and_separators_around_a_row(tmp_path):
    assert read(tmp_path, "  \t1 2\n3 | 4 |\n5,6,\n7 8   \n").tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_line_endings(tmp_path, ending):
    path = tmp_path / "table.txt"
    path.write_bytes(f"1 2{ending or chr(10)}3 4{ending}".encode())
    assert read_positions(path).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("line", ["# 5 6", "  # 5 6", "", "   ", "| 5 6", "------", "!5 6", "é 5 6", '"5" 6'])
def test_lines_that_begin_with_neither_letter_nor_digit_are_comments(tmp_path, caplog, line):
    assert read(tmp_path, f"{line}\n1 2\n{line}\n3 4\n").tolist() == [[1, 2], [3, 4]]
    assert not caplog.records


@pytest.mark.parametrize("line", ["-5 6", "  -5 6", "-.5 6", "+5 6", ".5 6"])
def test_number_that_begins_with_a_sign_is_dropped_and_that_is_said(tmp_path, caplog, line):
    """Spec sofia2 trap 28; only the second number may be negative."""
    assert read(tmp_path, f"1 -2\n{line}\n").tolist() == [[1, -2]]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "1 lines" in record.message
    assert "0 to 360" in record.message


@pytest.mark.parametrize(
    "text", ["", "# only\n# comments\n", "-5 6\n", "1\n", "1 2 3\n4 5\n", "1\n2 3\n"]
)  # the first row decides
def test_table_without_two_columns_is_ignored_and_that_is_said(tmp_path, caplog, text):
    assert read(tmp_path, text) is None
    assert caplog.records[-1].levelno == logging.WARNING
    assert "ignored" in caplog.records[-1].message
    assert "table.txt" in caplog.records[-1].message


def test_columns_beyond_the_second_of_later_rows_are_left_out(tmp_path):
    assert read(tmp_path, "1 2\n3 4 5 word\n").tolist() == [[1, 2], [3, 4]]


def test_row_with_too_few_columns_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"table\.txt: row 2 has 1 columns") as info:
        read(tmp_path, "# comment\n1 2\n3\n")
    assert info.value.exit_code == 7


@pytest.mark.parametrize("text", ["ra dec\n1 2\n", "1 2\n3 north\n", "1:30:00 2\n"])
def test_words_are_refused(tmp_path, text):
    with pytest.raises(InputError, match="must be numbers"):
        read(tmp_path, text)


def test_missing_table(tmp_path):
    with pytest.raises(FileAccessError, match=r"absent\.txt cannot be read") as info:
        read_positions(tmp_path / "absent.txt")
    assert info.value.exit_code == 5
    with pytest.raises(FileAccessError):
        read_positions(tmp_path)


def test_bytes_that_are_no_text_do_no_harm_in_comments(tmp_path):
    path = tmp_path / "table.txt"
    path.write_bytes(b"# \xff\xfe caf\xe9\n1 2\n")
    assert read_positions(path).tolist() == [[1, 2]]
