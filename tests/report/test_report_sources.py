"""What is drawn of a source: read back from the files of a run, and equal to its products."""

import json

import numpy as np
import pytest
from astropy.io import fits

from hisf.errors import FileAccessError, InputError
from hisf.report.finished import open_run
from hisf.report.source_cube import readable_flux
from hisf.report.svg import Panel, outline_segments, ticks
from hisf.testing import GaussianSource, make_cube, write_fits

SOURCES = [GaussianSource(0.02, 20.0, 16.0, 18.0), GaussianSource(0.015, 30.0, 25.0, 8.0, sigma_z=1.5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, search_cube):
    """Two sources, with cubelets."""
    folder = tmp_path_factory.mktemp("report")
    cube = write_fits(folder / "cube.fits", *make_cube(sources=SOURCES))
    search_cube(cube, folder, "output.writeCubelets=true", "output.writePV=true", "output.thresholdMom12=1.5")
    return folder


def test_maps_are_those_of_the_cubelets(folder):
    run = open_run(folder)
    assert len(run.labels) == 2
    for source in run.sources():
        base = folder / "cube_cubelets" / f"cube_{source.label}"
        moment0, moment1 = (fits.getdata(f"{base}_{name}.fits") for name in ("mom0", "mom1"))
        assert source.moment0_unit == "Jy/beam kHz"
        np.testing.assert_allclose(np.nan_to_num(source.moment0(masked=True)), moment0 / 1e3, rtol=1e-5, atol=1e-8)
        # the mean frequency and the mean velocity of the same voxels; single precision of the former: 128 Hz
        frequency = source.axis.frequency(source.z)
        expected = 299792.458 * (1.0 - moment1.astype(float) / frequency)
        np.testing.assert_allclose(source.moment1, expected, atol=0.05)
        # no mask: more than the mask where there is noise
        np.testing.assert_array_equal(np.isfinite(source.moment0(masked=False)), True)


def test_slice_is_that_of_the_cubelets(folder):
    (source,) = open_run(folder).sources([1])
    assert source.angle_name == "kin_pa"
    for name, image in (("pv", source.slice.data), ("pv_mask", source.slice.mask)):
        np.testing.assert_allclose(image, fits.getdata(folder / "cube_cubelets" / f"cube_1_{name}.fits"), rtol=1e-5)
    assert source.slice.pixel == pytest.approx(10.0, rel=1e-3)  # arcsec


def test_widths_are_those_of_the_catalogue(folder):
    run = open_run(folder)
    for row, source in enumerate(run.sources()):
        for name, (start, end, level) in source.spectrum.widths.items():
            assert end - start == pytest.approx(run.table.columns[name][row], rel=1e-6)
            assert level == pytest.approx(float(name[1:]) / 100 * source.spectrum.masked.max())


def test_spectrum_is_the_flux_of_the_catalogue(folder):
    run = open_run(folder)
    for row, source in enumerate(run.sources()):
        beam = source.scales.beam_area  # f_sum is in Jy/beam here, the spectrum in Jy
        assert source.spectrum.flux_unit == "Jy" and source.spectrum.unit == "MHz"
        assert source.spectrum.masked.sum() * beam == pytest.approx(run.table.columns["f_sum"][row], rel=1e-6)
        assert source.spectrum.channel[0] == pytest.approx(1410.0 + 0.018 * source.box.z0)


FILTERS = ["flag.auto=true", "contsub.enable=true", "rippleFilter.enable=true", "scaleNoise.enable=true"]


@pytest.mark.parametrize("more", [[], ["output.marginCubelets=3"], ["output.dataFormat=hdf5"], FILTERS[:2], FILTERS])
@pytest.mark.parametrize("offset", ["true", "false"])
def test_cut_from_the_cube_or_from_cubelets(tmp_path, search_cube, more, offset):
    """The same voxels in a region of the cube, whatever channels and pixels the catalogue counts from."""
    cube = write_fits(tmp_path / "cube.fits", *make_cube(sources=SOURCES))
    region = ["input.region=2,33,3,31,4,39", f"parameter.offset={offset}"]
    search_cube(cube, tmp_path, "output.writeCubelets=true", *region, *more)
    small = list(open_run(tmp_path).sources())
    (tmp_path / "cube_cubelets").rename(tmp_path / "elsewhere")
    for one, other in zip(small, open_run(tmp_path).sources(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_array_equal(one.member, other.member)
        np.testing.assert_allclose(one.spectrum.channel, other.spectrum.channel)
        assert (one.x, one.y, one.z, one.angle) == (other.x, other.y, other.z, other.angle)
        weight = np.where(one.member & (one.data > 0), one.data, 0.0)  # the centroid is that of the positive voxels
        centroid = [np.average(place, weights=weight) for place in np.indices(weight.shape)]
        assert (one.z, one.y, one.x) == pytest.approx(centroid, abs=1e-4)


def test_velocities_are_relative_to_the_source_and_recede_with_falling_frequency(folder):
    (source,) = open_run(folder).sources([2])
    z = np.arange(len(source.velocity))
    assert np.interp(source.z, z, source.velocity) == pytest.approx(0.0, abs=1e-6)
    step = 299792.458 * 1.8e4 / source.axis.frequency(source.z)
    np.testing.assert_allclose(np.diff(source.velocity), -step)


@pytest.mark.parametrize("cards", [{}, {"BPA": 30.0}, {"CROTA2": 25.0, "BPA": -40.0}, {"CDELT1": 20.0 / 3600}])
def test_beam_has_its_area_whatever_way_the_axes_point(tmp_path, search_cube, cards):
    cube = write_fits(tmp_path / "cube.fits", *make_cube(cards=cards))
    search_cube(cube, tmp_path, "linker.minSizeXY=3")
    (source,) = open_run(tmp_path).sources()
    x, y = source.beam(400).T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    pixel = abs(cards.get("CDELT1", 10.0 / 3600)) * 10.0 / 3600
    assert area == pytest.approx(np.pi / 4 * 4.0 * 3.2 * (10.0 / 3600) ** 2 / pixel, rel=1e-3)
    if not cards:  # the major axis points north
        assert np.ptp(y) == pytest.approx(4.0, rel=1e-3) and np.ptp(x) == pytest.approx(3.2, rel=1e-3)


def test_the_outline_encloses_the_mask():
    mask = np.random.default_rng(1).random((9, 7)) > 0.5
    length = sum(abs(x1 - x0) + abs(y1 - y0) for x0, y0, x1, y1 in outline_segments(mask))
    padded = np.pad(mask, 1).astype(int)
    assert length == np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    assert sorted(outline_segments(np.ones((2, 3), bool))) == [(0, 0, 0, 2), (0, 0, 3, 0), (0, 2, 3, 2), (3, 0, 3, 2)]


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.7, 12.1), (1410.1, 1410.5), (1e-7, 5e-6), (-1e9, 3e9)])
def test_ticks_are_few_and_round(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 6 and low <= found.min() and found.max() <= high * (1 + 1e-9)
    assert len({f"{value:g}" for value in np.diff(found).round(12)}) == 1 or (high - low) < 1e-5
    assert not len(ticks(1.0, 1.0)) and not len(ticks(np.nan, 1.0))


def test_a_panel_may_run_backwards():
    panel = Panel(10.0, 20.0, 100.0, 50.0, (5.0, -5.0), (0.0, 1.0))
    assert panel.at(5.0, 0.0) == (10.0, 70.0)
    assert panel.at(-5.0, 1.0) == (110.0, 20.0)


def test_fluxes_are_in_short_numbers():
    assert readable_flux(np.array([np.nan, 2.0]), "Jy") == (1.0, "Jy")
    assert readable_flux(np.array([-0.02]), "Jy/beam") == (1e3, "mJy/beam")
    assert readable_flux(np.array([2e-5]), "Jy") == (1e6, "µJy")
    assert readable_flux(np.array([np.nan]), "Jy") == (1.0, "Jy")
    assert readable_flux(np.array([1e-3]), "K") == (1.0, "K")


def copy_of(folder, tmp_path):
    for path in folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    record = json.loads((tmp_path / "cube_run.json").read_text())
    return tmp_path, record


def test_the_cube_is_found_beside_the_products_or_where_it_is_named(folder, tmp_path):
    copy, record = copy_of(folder, tmp_path)
    record["settings"]["input.data"]["value"] = "gone/cube.fits"
    (copy / "cube_run.json").write_text(json.dumps(record))
    assert len(list(open_run(copy).sources())) == 2
    (copy / "cube.fits").rename(copy / "other.fits")
    assert len(list(open_run(copy, cube=copy / "other.fits").sources())) == 2
    with pytest.raises(FileAccessError, match=r"gone/cube.fits, the cube of .*--cube"):
        list(open_run(copy).sources())


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(FileAccessError, match="is not a folder"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no run of hisf"):
        open_run(tmp_path)
    copy, record = copy_of(folder, tmp_path)
    with pytest.raises(FileAccessError, match=r"other_run.json cannot be read"):
        open_run(copy, "other")
    with pytest.raises(InputError, match="has no source 7"):
        list(open_run(copy).sources([1, 7]))
    (copy / "cube_mask.fits").unlink()
    with pytest.raises(FileAccessError, match=r"cube_mask.fits: no such file of this run, .*output.writeReport = true"):
        list(open_run(copy).sources())
    (copy / "cube_run.json").write_text(json.dumps(record | {"sources": 3}))
    with pytest.raises(InputError, match="different runs"):
        open_run(copy)
    for name in ("cube_cat.xml", "cube_cat.txt"):
        (copy / name).unlink()
    with pytest.raises(FileAccessError, match=r"cube_cat.xml: no such file"):
        open_run(copy)
    (copy / "cube_run.json").write_text("[]")
    with pytest.raises(InputError, match="not the record of a run of hisf"):
        open_run(copy)
    (copy / "more_run.json").write_text("{")
    with pytest.raises(InputError, match=r"holds 2 runs \(cube, more\); choose one with --name"):
        open_run(copy)
    with pytest.raises(InputError, match="it is no JSON"):
        open_run(copy, "more")


def test_cubelets_of_an_earlier_run_are_left_alone(tmp_path, search_cube):
    cube = write_fits(tmp_path / "cube.fits", *make_cube())
    assert search_cube(cube, tmp_path, "output.writeCubelets=true") == 0
    array, header = make_cube()
    write_fits(cube, 2 * array, header)
    assert search_cube(cube, tmp_path) == 0
    (source,) = open_run(tmp_path).sources()
    assert (tmp_path / "cube_cubelets" / "cube_1_cube.fits").is_file()
    np.testing.assert_array_equal(source.data, 2 * array[source.box.slices])


def test_a_mask_of_another_run_is_refused(folder, tmp_path):
    copy, _ = copy_of(folder, tmp_path)
    with fits.open(copy / "cube_mask.fits", mode="update") as hdus:
        hdus[0].data[:] = 0
    with pytest.raises(InputError, match="has no source 1; it is not of this run"):
        list(open_run(copy).sources())
