"""Figures of single sources."""

import subprocess
import sys

import pytest
from PIL import Image

from hisf.errors import FileAccessError, InputError
from hisf.report.figures import draw_figures, draw_source
from hisf.report.finished import open_run
from hisf.testing import GaussianSource, make_cube, write_fits

SOURCES = [GaussianSource(0.02, 20.0, 16.0, 18.0), GaussianSource(0.015, 30.0, 25.0, 8.0, sigma_z=1.5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, search_cube):
    folder = tmp_path_factory.mktemp("figures")
    assert search_cube(write_fits(folder / "cube.fits", *make_cube(sources=SOURCES)), folder) == 0
    return folder


def test_every_source_as_png_and_pdf(folder, tmp_path):
    command = [sys.executable, "-W", "error", "-m", "hisf", "report", str(folder), "--figures", str(tmp_path / "f")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [tmp_path / "f" / f"cube_{n}.{kind}" for n in (1, 2) for kind in ("png", "pdf")]
    assert done.stdout.split() == [str(path) for path in wanted]
    assert sorted((tmp_path / "f").iterdir()) == sorted(wanted)
    with Image.open(wanted[0]) as picture:
        assert min(picture.size) > 1500
    assert wanted[1].read_bytes().startswith(b"%PDF")


def test_axes_say_what_they_show_and_in_which_unit(folder):
    (source,) = open_run(folder).sources([1])
    figure = draw_source(source)
    moment0, moment1, spectrum, diagram = figure.axes[:4]
    assert [axis.get_axislabel() for axis in moment0.coords] == ["Right ascension (J2000)", "Declination (J2000)"]
    assert moment0.wcs.wcs.ctype[0] == "RA---SIN" and moment1.patches  # the beam
    assert spectrum.get_xlabel() == "Frequency [MHz]" and spectrum.get_ylabel() == "Flux density [mJy]"
    assert diagram.get_ylabel() == "Velocity from the centroid [km s$^{-1}$]"
    assert figure.get_suptitle() == source.name
    # what the maps show, in pixels of the box: the peak of moment 0 is where the source is
    longitude, latitude = moment0.wcs.wcs_pix2world(source.x, source.y, 0)
    table = open_run(folder).table.columns
    assert (longitude, latitude) == pytest.approx((table["ra"][0], table["dec"][0]), abs=1e-6)


def test_the_same_source_gives_the_same_bytes(folder, tmp_path):
    for name in ("a", "b"):
        list(draw_figures(open_run(folder), tmp_path / name, [1]))
    for kind in ("png", "pdf"):
        one, other = ((tmp_path / name / f"cube_1.{kind}").read_bytes() for name in ("a", "b"))
        assert one == other


def test_no_such_source_no_such_place(folder, tmp_path):
    with pytest.raises(InputError, match="has no source 9"):
        list(draw_figures(open_run(folder), tmp_path, [9]))
    (tmp_path / "file").touch()
    with pytest.raises(FileAccessError, match="cannot be made"):
        list(draw_figures(open_run(folder), tmp_path / "file"))


def test_names_and_units_are_no_formulae(tmp_path, search_cube):
    cube = write_fits(tmp_path / "cube.fits", *make_cube(cards={"BUNIT": r"$\bad$ Jy"}))
    assert search_cube(cube, tmp_path, r"parameter.prefix=$\worse$") == 0
    (source,) = open_run(tmp_path).sources()
    assert source.name.startswith(r"$\worse$")
    assert len(list(draw_figures(open_run(tmp_path), tmp_path / "f"))) == 2


def test_an_image_without_coordinates(tmp_path, search_cube):
    cards = {f"{key}{n}": None for key in ("CTYPE", "CRVAL", "CDELT", "CUNIT", "CRPIX") for n in (1, 2, 3)}
    array, header = make_cube((1, 30, 28), sources=[GaussianSource(0.02, 0, 15, 14)], cards=cards, beam=False)
    path = write_fits(tmp_path / "image.fits", array[0], header)
    settings = ["pipeline.finder=threshold", "threshold.threshold=5", "linker.minSizeXY=1", "linker.minSizeZ=1"]
    assert search_cube(path, tmp_path, *settings) == 0
    assert len(list(draw_figures(open_run(tmp_path), tmp_path / "f"))) == 2
