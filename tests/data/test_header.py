"""Reading FITS headers leniently, bringing them to three axes, cutting out a region."""

import gzip

import numpy as np
import pytest
from astropy.io import fits

from hisf.data.box import Box
from hisf.data.header import axis_sizes, cut_region, number, read_header, spectral_axis_third, text
from hisf.errors import FileAccessError, InputError
from hisf.testing import make_cube, make_header, write_fits


@pytest.fixture
def cube_file(tmp_path):
    return write_fits(tmp_path / "cube.fits", *make_cube((3, 4, 5), sources=()))


def test_offset_is_where_the_data_begin(cube_file):
    header, offset = read_header(cube_file)
    assert offset % 2880 == 0
    assert offset == cube_file.stat().st_size - 2880  # 240 bytes of data, one block
    assert header["CTYPE3"] == "FREQ"


def refused(path, error, code):
    with pytest.raises(error) as info:
        read_header(path)
    assert info.value.exit_code == code  # spec sofia2 §5
    assert str(path) in str(info.value)
    return str(info.value)


def test_missing_file(tmp_path):
    assert "no such file" in refused(tmp_path / "absent.fits", FileAccessError, 5)


def test_path_through_a_file(cube_file):
    refused(cube_file / "below.fits", FileAccessError, 5)


def test_folder(tmp_path):
    assert "folder" in refused(tmp_path, FileAccessError, 5)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.fits"
    path.touch()
    assert "empty" in refused(path, FileAccessError, 5)


@pytest.mark.parametrize("keep", [7, 80, 400, 2879])
def test_truncated_header(cube_file, keep):
    cube_file.write_bytes(cube_file.read_bytes()[:keep])
    refused(cube_file, FileAccessError, 5)


def test_file_that_is_not_fits(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("pipeline.verbose = true\n" * 500)
    assert "not a FITS file" in refused(path, FileAccessError, 5)


def test_header_that_does_not_begin_with_simple(tmp_path):
    """With an END card it counts as bad input, 7, not as an unreadable file (spec sofia2 §5)."""
    path = tmp_path / "odd.fits"
    path.write_bytes(b"".join(card.ljust(80) for card in (b"XTENSION= 'IMAGE'", b"END")).ljust(2880))
    refused(path, InputError, 7)


def test_compressed_file_names_the_remedy(cube_file):
    packed = cube_file.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(cube_file.read_bytes()))
    assert "compressed" in refused(packed, FileAccessError, 5)


@pytest.mark.parametrize(
    ("damaged", "key"), [('NAXIS3  ="                  20', "NAXIS3"), ("BMIN    = '0.0088   ?", "BMIN")]
)
def test_card_that_cannot_be_parsed_is_left_out(cube_file, damaged, key):
    """Found by fuzzing: such a card gives a text or nothing, and cannot be set anew."""
    content = cube_file.read_bytes()
    place = content.index(f"{key:<8}=".encode())
    cube_file.write_bytes(content[:place] + f"{damaged:<80}".encode() + content[place + 80 :])
    header, _ = read_header(cube_file)
    assert key not in header and "NAXIS1" in header
    header[key] = 20
    assert header[key] == 20


def test_numbers_and_text_are_read_leniently():
    header = fits.Header()
    header["GOOD"], header["TEXT"], header["NUM"], header["FLAG"] = 2, "  spaced ", " 1.5e3 ", True
    header["UNDEF"] = fits.card.Undefined()
    header["BLANKED"] = "   "
    assert number(header, "GOOD") == 2.0
    assert number(header, "NUM") == 1500.0
    assert number(header, "TEXT") is number(header, "FLAG") is number(header, "UNDEF") is number(header, "NONE") is None
    assert number(header, "NONE", 4.0) == 4.0
    assert text(header, "TEXT") == "spaced"
    assert text(header, "BLANKED", "m/s") == text(header, "UNDEF", "m/s") == text(header, "NONE", "m/s") == "m/s"


@pytest.mark.parametrize("naxis", [0, 5, "3", True])
def test_number_of_axes_that_is_refused(naxis):
    header = fits.Header()
    header["NAXIS"] = naxis
    for n in range(1, 6):
        header[f"NAXIS{n}"] = 4
    with pytest.raises(InputError, match="NAXIS"):
        axis_sizes(header, "cube.fits")


@pytest.mark.parametrize("size", [0, -3, 2.5, "4"])
def test_size_of_an_axis_that_is_refused(size):
    header = fits.Header([("NAXIS", 2), ("NAXIS1", 4), ("NAXIS2", size)])
    with pytest.raises(InputError, match="NAXIS2"):
        axis_sizes(header, "cube.fits")


def four_axes(third, fourth):
    header = make_header((fourth, 4, 5))
    header["NAXIS"] = 4
    for n, size in enumerate((5, 4, third, fourth), 1):
        header[f"NAXIS{n}"] = size
    return header


def test_axes_3_and_4_are_exchanged_where_the_third_has_length_1():
    header = four_axes(1, 9)
    frequency = {key: header.pop(f"{key}3") for key in ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT")}
    for key, value in frequency.items():
        header[f"{key}4"] = value
    header["CTYPE3"], header["CRVAL3"], header["CRPIX3"], header["CDELT3"] = "STOKES", 1.0, 1.0, 1.0
    before = header.copy()
    turned, exchanged = spectral_axis_third(header, "cube.fits")
    assert exchanged
    assert {key: turned[f"{key}3"] for key in frequency} == frequency
    assert (turned["CTYPE4"], turned["NAXIS3"], turned["NAXIS4"]) == ("STOKES", 9, 1)
    assert "CUNIT4" not in turned  # the Stokes axis had none
    assert header == before


def test_axes_3_and_4_stay_where_the_fourth_has_length_1():
    turned, exchanged = spectral_axis_third(four_axes(9, 1), "cube.fits")
    assert not exchanged
    assert (turned["NAXIS3"], turned["CTYPE3"]) == (9, "FREQ")


def test_two_long_axes_are_refused():
    with pytest.raises(InputError, match="Stokes"):
        spectral_axis_third(four_axes(2, 9), "cube.fits")


def test_region_moves_the_reference_pixel_and_nothing_else():
    header = four_axes(9, 1)
    cut = cut_region(header, Box(2, 7, 1, 4, 3, 5))
    changed = {key for key in header if header[key] != cut[key]}
    assert changed == {"NAXIS1", "NAXIS2", "NAXIS3", "CRPIX1", "CRPIX2", "CRPIX3"}
    assert [cut[f"NAXIS{n}"] for n in (1, 2, 3)] == [2, 3, 5]
    assert [header[f"CRPIX{n}"] - cut[f"CRPIX{n}"] for n in (1, 2, 3)] == [3.0, 1.0, 2.0]


def test_region_of_a_header_without_reference_pixel():
    """A missing CRPIX is 0 in FITS, so that it becomes minus the lower bound."""
    header = make_header((9, 9, 9), cards={"CRPIX1": None})
    assert cut_region(header, Box(0, 9, 0, 9, 4, 9))["CRPIX1"] == -4.0
    assert np.isclose(cut_region(header, Box(0, 9, 2, 9, 0, 9))["CRPIX2"], header["CRPIX2"] - 2)
