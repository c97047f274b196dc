"""Moment maps, mask image, raw mask, filtered cube, SQL and flag log, written by whole runs (spec sofia2 §3.12, §4)."""

import gc
import math
import sqlite3
import warnings
import weakref

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hisf.data.box import Box
from hisf.data.catalogue import Catalogue
from hisf.data.columns import Column
from hisf.data.source import SourceList
from hisf.data.voxels import ArrayVoxels
from hisf.settings import load_settings
from hisf.stages.products import maps
from hisf.stages.products.contract import Result
from hisf.stages.products.maps import make_maps
from hisf.stages.products.sql import as_sql
from hisf.testing import GaussianSource, as_cube, make_cube, run_pipeline, write_fits

# the first two at the same place on the sky, one behind the other
SOURCES = (
    GaussianSource(0.02, 5, 10, 12), GaussianSource(0.02, 18, 11, 13),
    GaussianSource(0.015, 14, 20, 22), GaussianSource(0.015, 6, 22, 6),
)  # fmt: skip
SHAPE = (24, 28, 30)
REGION = (2, 27, 3, 27, 1, 22)  # x, y, z, inclusive
FIND = [
    "pipeline.finder=threshold", "threshold.threshold=4", "linker.minSizeZ=3", "linker.minSizeXY=3",
    f"input.region={','.join(map(str, REGION))}", "dilation.enable=true", "dilation.threshold=-1",
    "dilation.iterationsXY=2", "dilation.iterationsZ=2",
]  # fmt: skip
MAPS = ["output.writeMoments=true", "output.writeMask=true"]
VELOCITY = {"ctype3": "VELO", "cards": {"CTYPE3": "VELO-HEL", "CUNIT3": "km/s", "CRVAL3": 2000.0, "CDELT3": -4.1}}


def region_of(array):
    x0, x1, y0, y1, z0, z1 = REGION
    return array[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1]


def plain_maps(data, mask, coordinate, width):
    """Add up voxel by voxel: from the last channel, every term in double, cast, added in float32 (spec §3.12)."""
    f32 = np.float32
    nz, ny, nx = data.shape
    flux, mean, scatter = (np.zeros((ny, nx), f32), *np.full((2, ny, nx), np.nan, f32))
    count = np.zeros((ny, nx), np.int32)
    for y, x in np.ndindex(ny, nx):
        inside = [z for z in range(nz - 1, -1, -1) if mask[z, y, x]]
        total = weight = weighted = squares = f32(0)
        for z in inside:
            value = data[z, y, x]
            total = total + f32(value)
            if value > 0:
                weight = weight + f32(value)
                weighted = weighted + f32(float(value) * coordinate[z])
        flux[y, x], count[y, x] = f32(float(total) * width), len(inside)
        if not weight > 0:
            continue
        mean[y, x] = f32(float(weighted) / float(weight))
        for z in inside:
            value = data[z, y, x]
            if value > 0:
                squares = squares + f32(float(value) * (float(mean[y, x]) - coordinate[z]) ** 2)
        if squares > 0:
            scatter[y, x] = f32(math.sqrt(float(squares) / float(weight)))
    return flux, mean, scatter, count


def run(folder, settings, **options):
    """Write a cube, search its region; return the data of the region and the source header."""
    array, header = make_cube(SHAPE, **{"sources": SOURCES, **options})
    path = write_fits(folder / "cube.fits", array, header)
    run_pipeline(path, folder, [*FIND, *settings])
    return region_of(array), fits.getheader(path)


def read(folder, suffix):
    with fits.open(folder / f"cube_{suffix}.fits", memmap=False) as file:
        file.verify("exception")
        return file[0].data, file[0].header


def world(header):
    """The spectral coordinate, in Hz or m/s, of the first pixel of the region."""
    x, y, z = REGION[0], REGION[2], np.arange(REGION[4], REGION[5] + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(header).wcs_pix2world(np.column_stack([np.full_like(z, x), np.full_like(z, y), z]), 0)[:, 2]


def check_maps(folder, data, coordinate, width):
    """Compare all four maps with the plain version, bit for bit; return the headers."""
    mask, _ = read(folder, "mask")
    found = {name: read(folder, name) for name in ("mom0", "mom1", "mom2", "chan")}
    expected = plain_maps(data, mask, coordinate, width)
    for (name, (image, header)), plain in zip(found.items(), expected, strict=True):
        kind, bits = (">i4", 32) if name == "chan" else (">f4", -32)
        assert (image.dtype, header["BITPIX"], header["NAXIS"]) == (np.dtype(kind), bits, 2), name
        np.testing.assert_array_equal(image, plain, err_msg=name)
    flux, mean, scatter, count = expected
    sky = (mask > 0).any(axis=0)
    assert 50 < sky.sum() < 0.8 * sky.size
    assert (flux[~sky] == 0).all()
    assert np.isnan(mean[~sky]).all()
    assert ((mask > 0) & (data < 0)).sum() > 50  # which only moments 1 and 2 leave out
    assert np.isfinite(scatter).sum() > 50
    assert np.array_equal(count, (mask > 0).sum(axis=0))
    return {name: header for name, (_, header) in found.items()}


def units(headers):
    return [headers[name]["BUNIT"].strip() for name in ("mom0", "mom1", "mom2", "chan")]


# --- moment maps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_of_a_cube_in_frequency(tmp_path, dtype, scaled):
    """Scaled or not, they are those of the data as they were read."""
    settings = [*MAPS, f"scaleNoise.enable={str(scaled).lower()}"]
    data, header = run(tmp_path, settings, dtype=dtype)
    coordinate = world(header)
    assert coordinate[0] == 1.41e9 + 1.8e4
    headers = check_maps(tmp_path, data, coordinate, 1.8e4)
    assert units(headers) == ["Jy/beam*Hz", "Hz", "Hz", ""]


def test_maps_of_a_cube_in_km_s(tmp_path):
    """As in SoFiA moment 0 is in the unit of the header, moments 1 and 2 in m/s under its name (spec trap 20)."""
    data, header = run(tmp_path, MAPS, **VELOCITY)
    coordinate = world(header)
    assert coordinate[:2] == pytest.approx([1995.9e3, 1991.8e3], rel=1e-12)
    headers = check_maps(tmp_path, data, coordinate, 4.1)
    assert units(headers) == ["Jy/beam*km/s", "km/s", "km/s", ""]


def test_channels_of_width_one_have_their_unit(tmp_path):
    data, header = run(tmp_path, MAPS, ctype3="VRAD", cards={"CUNIT3": "km/s", "CRVAL3": 2000.0, "CDELT3": 1.0})
    headers = check_maps(tmp_path, data, world(header), 1.0)
    assert units(headers) == ["Jy/beam*km/s", "km/s", "km/s", ""]


@pytest.mark.parametrize("options", [{"cards": {"CTYPE1": None}}, {}])
def test_maps_without_world_coordinates_are_in_channels(tmp_path, options):
    settings = MAPS if options else [*MAPS, "parameter.wcs=false"]
    data, _ = run(tmp_path, settings, **options)
    headers = check_maps(tmp_path, data, np.arange(22.0), 1.0)
    assert units(headers) == ["Jy/beam", "pix", "pix", ""]


def test_moments_are_those_of_the_sources_put_in(tmp_path):
    """Mean frequency and dispersion at the peak of a source; the flux of a Gaussian of σ = 2 channels."""
    run(tmp_path, MAPS)
    flux, mean, scatter = (read(tmp_path, f"mom{n}")[0] for n in (0, 1, 2))
    peak = 20 - 3, 22 - 2
    # peak over noise is 15, and noise adds to the wings: within a fifth of a channel and 20 %
    assert mean[peak] == pytest.approx(1.41e9 + 14 * 1.8e4, abs=0.3 * 1.8e4)
    assert scatter[peak] == pytest.approx(2 * 1.8e4, rel=0.25)
    assert flux[peak] == pytest.approx(0.015 * 2 * math.sqrt(2 * math.pi) * 1.8e4, rel=0.2)


def test_headers_of_maps(tmp_path):
    _, source = run(tmp_path, [*MAPS, "output.writeMask2d=true"])
    for name in ("mom0", "mom1", "mom2", "chan", "mask-2d"):
        _, header = read(tmp_path, name)
        assert (header["NAXIS1"], header["NAXIS2"]) == (26, 25)
        assert [source[f"CRPIX{n}"] - header[f"CRPIX{n}"] for n in (1, 2)] == [2, 3]
        assert not [key for key in header if key.endswith("3")], name
        assert [key in header for key in ("BMAJ", "BMIN", "BPA")] == [name != "mask-2d"] * 3
        assert header["RESTFRQ"] == source["RESTFRQ"]
        assert "threshold.threshold = 4" in list(header["HISTORY"])
        assert WCS(header).naxis == 2
        assert (tmp_path / f"cube_{name}.fits").stat().st_size % 2880 == 0


def test_no_maps_unless_asked(tmp_path):
    run(tmp_path, [])
    assert {p.name for p in tmp_path.iterdir()} == {"cube.fits", "cube_cat.txt", "cube_cat.xml"}


def result_of(data, labels):
    """A result with one source per label of a dense mask."""
    sources = []
    for label in range(1, labels.max() + 1):
        z, y, x = np.nonzero(labels == label)
        box = Box(z.min(), z.max() + 1, y.min(), y.max() + 1, x.min(), x.max() + 1)
        sources.append(make_source(label, np.flatnonzero(labels == label), box))
    cube = as_cube(data, make_cube(data.shape, sources=())[1])
    return Result(load_settings([]), cube, measured=ArrayVoxels(data), sources=SourceList(data.shape, sources))


def make_source(label, voxels, box):
    from hisf.data.source import Source

    numbers = dict.fromkeys(("f_sum", "f_min", "f_max", "mean", "m2", "m3", "m4", "fill"), 0.0)
    return Source(label, voxels, box, len(voxels), linked=len(voxels), linker_label=label, **numbers)


def test_maps_do_not_depend_on_slabs(monkeypatch):
    rng = np.random.default_rng(4)
    data, labels = rng.normal(0.5, 1, (9, 6, 7)).astype(np.float32), np.zeros((9, 6, 7), np.int32)
    labels[0:3, 1:4, 1:4], labels[5:9, 2:6, 2:7] = 1, 2
    whole = make_maps(result_of(data, labels))
    for planes in (1, 2, 4):
        monkeypatch.setattr(maps, "SLAB_BYTES", planes * 8 * 6 * 7)
        pieces = make_maps(result_of(data, labels))
        for name in ("moment0", "moment1", "moment2", "channels"):
            np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))
    assert whole.channels.max() == 7


def test_pixels_without_positive_flux_have_no_mean_and_of_one_channel_no_dispersion():
    data, labels = np.zeros((3, 1, 4), np.float32), np.zeros((3, 1, 4), np.int32)
    data[:, 0, 0], data[:, 0, 1], data[1, 0, 3] = -1, [2, -1, 0], 1
    labels[:, :, :2] = 1
    made = make_maps(result_of(data, labels))
    assert made.moment0.tolist() == [[-3 * 1.8e4, 1.8e4, 0, 0]]
    np.testing.assert_array_equal(made.moment1, np.array([[np.nan, 1.41e9, np.nan, np.nan]], np.float32))
    assert np.isnan(made.moment2).all()
    assert made.channels.tolist() == [[3, 3, 0, 0]]


def test_maps_are_made_once_and_do_not_keep_the_cube():
    data, labels = np.ones((4, 3, 3), np.float32), np.ones((4, 3, 3), np.int32)
    result = result_of(data, labels)
    assert make_maps(result) is make_maps(result)
    gone = weakref.ref(result)
    del result
    gc.collect()
    assert gone() is None


# --- masks ----------------------------------------------------------------------------------------------------------


def test_mask_image_has_the_label_of_the_highest_channel(tmp_path):
    run(tmp_path, [*MAPS, "output.writeMask2d=true"])
    mask, _ = read(tmp_path, "mask")
    image, header = read(tmp_path, "mask-2d")
    expected = np.zeros(mask.shape[1:], np.int32)
    for plane in mask:  # the last one that has a label stays
        expected[plane > 0] = plane[plane > 0]
    assert (image.dtype, header["BUNIT"].strip()) == (np.dtype(">i4"), "")
    np.testing.assert_array_equal(image, expected)
    low, high = mask[5 - 1, 10 - 3, 12 - 2], mask[18 - 1, 11 - 3, 13 - 2]
    assert 0 < low != high > 0
    assert image[10 - 3, 12 - 2] == high
    assert sorted(np.unique(image)) == sorted(np.unique(mask))


def test_raw_mask_is_what_was_detected_before_linking(tmp_path):
    """Absolute threshold, so that it can be made here; also voxels that no source has, and the last of a channel."""
    settings = ["output.writeRawMask=true", "threshold.mode=absolute", "threshold.threshold=0.003", *MAPS]
    data, source = run(tmp_path, settings, sources=(*SOURCES, GaussianSource(0.02, 8, 27, 27)))
    raw, header = read(tmp_path, "mask-raw")
    assert (raw.dtype, header["BITPIX"], header["NAXIS"]) == (np.uint8, 8, 3)
    assert header["BUNIT"].strip() == ""
    assert "BMAJ" not in header
    assert source["CRPIX3"] - header["CRPIX3"] == 1
    np.testing.assert_array_equal(raw, np.abs(data.astype(float)) > 0.003)
    mask, _ = read(tmp_path, "mask")
    assert raw[7, -1, -1]
    assert ((raw > 0) & (mask == 0)).any()
    assert ((raw == 0) & (mask > 0)).any()  # dilation


def test_raw_mask_is_without_the_input_mask(tmp_path):
    """Spec sofia2 §2.2, steps 20 to 22."""
    given = np.zeros(SHAPE, np.int16)
    given[2:8, 20:26, 15:21] = 1
    write_fits(tmp_path / "given.fits", given, make_cube(SHAPE)[1])
    settings = ["output.writeRawMask=true", f"input.mask={tmp_path / 'given.fits'}", *MAPS]
    run(tmp_path, settings)
    raw, mask, given = read(tmp_path, "mask-raw")[0], read(tmp_path, "mask")[0], region_of(given) > 0
    assert (mask[given] > 0).all()
    assert raw[given].sum() < 0.05 * given.sum()
    assert raw.sum() > 100


# --- filtered cube --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filtered_cube_is_the_one_that_was_searched(tmp_path, dtype):
    """Here the data over the noise of their channel, with a blanked box."""
    settings = ["scaleNoise.enable=true", "output.writeNoise=true", "flag.region=0,3,0,2,5,5"]
    data, source = run(tmp_path, ["output.writeFiltered=true", *settings], dtype=dtype)
    found, header = read(tmp_path, "filtered")
    noise = np.loadtxt(tmp_path / "cube_noise.txt")[:, 1]
    expected = data / noise[:, None, None]
    expected[5, :3, :4] = np.nan
    assert found.dtype == np.dtype(dtype).newbyteorder(">")
    # the noise, of order 1e-3, is printed with 15 decimals
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == np.float32 else 2e-12)
    assert header["BUNIT"] == source["BUNIT"]
    assert header["BMAJ"] == source["BMAJ"]
    assert [source[f"CRPIX{n}"] - header[f"CRPIX{n}"] for n in (1, 2, 3)] == [2, 3, 1]


def test_filtered_cube_without_any_filter_is_the_region(tmp_path):
    """As in SoFiA 2.5 it is always written when asked for (spec sofia2 §2.2, step 15)."""
    data, _ = run(tmp_path, ["output.writeFiltered=true"])
    np.testing.assert_array_equal(read(tmp_path, "filtered")[0], data)


# --- SQL ------------------------------------------------------------------------------------------------------------


def execute(text):
    """Run the statements, but for the one that only MySQL knows; return columns with types, and rows."""
    lines = [line for line in text.splitlines() if not line.startswith("SET ")]
    assert len(lines) == len(text.splitlines()) - 1
    with sqlite3.connect(":memory:") as base:
        base.executescript("\n".join(lines))
        info = base.execute("PRAGMA table_info(`SoFiA-Catalogue`)").fetchall()
        rows = base.execute("SELECT * FROM `SoFiA-Catalogue`").fetchall()
    base.close()
    return info, rows


def test_sql_holds_the_catalogue(tmp_path):
    array, header = make_cube(SHAPE, sources=SOURCES)
    path = write_fits(tmp_path / "cube.fits", array, header)
    catalogue = run_pipeline(path, tmp_path, [*FIND, "output.writeCatSQL=true"])
    info, rows = execute((tmp_path / "cube_cat.sql").read_text(encoding="utf-8"))
    assert [column[1] for column in info] == catalogue.names
    types = {"text": "VARCHAR(255)", "int": "INTEGER", "float": "DOUBLE PRECISION"}
    assert [column[2] for column in info] == [types[c.kind] for c in catalogue.columns]
    assert [column[1] for column in info if column[5]] == ["id"]  # primary key
    assert len(rows) == len(catalogue) >= 4
    for found, row in zip(rows, catalogue.rows(), strict=True):
        for column, a, b in zip(catalogue.columns, found, row, strict=True):
            # 16 digits
            assert a == (pytest.approx(b, rel=1e-15) if column.kind == "float" else b), column.name


def test_sql_of_odd_values():
    columns = tuple(Column(n, k, "", "", "") for n, k in (("name", "text"), ("id", "int"), ("v", "float")))
    values = [math.nan, math.inf, -math.inf, 1 / 3, -1e-300, 0.0, 2.0]
    names = ["O'Neill", "a`b", 'c"d', ";--", "", "é", "plain"]
    text = as_sql(Catalogue(columns, {"name": names, "id": range(1, 8), "v": values}))
    _, rows = execute(text)
    assert [row[0] for row in rows] == names
    assert [row[1] for row in rows] == list(range(1, 8))
    assert [row[2] for row in rows] == [None, None, None, pytest.approx(1 / 3, rel=1e-15), -1e-300, 0.0, 2.0]
    assert "3.333333333333333e-01" in text
    assert 'SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";' in text.splitlines()


def test_sql_escapes_backslashes_as_mysql_wants():
    columns = (Column("name", "text", "", "", ""), Column("id", "int", "", "", ""))
    assert r"('a\\b', 1);" in as_sql(Catalogue(columns, {"name": ["a\\b"], "id": [1]}))


# --- flag log -------------------------------------------------------------------------------------------------------


def run_flagged(folder, settings):
    array, header = make_cube(SHAPE, sources=SOURCES, beam=False)
    array[8] *= 30
    array[:, 6, 25] *= 60
    array[:, 24, 9] *= 60
    path = write_fits(folder / "cube.fits", array, header)
    run_pipeline(path, folder, [*FIND, "flag.auto=true", "flag.threshold=100", *settings])
    return folder / "cube_flags.log"


@pytest.mark.parametrize(
    ("offset", "lines", "origin"),
    [
        ("false", ["C 7", "P 23 3", "P 7 21"], "in the region that was searched"),
        ("true", ["C 8", "P 25 6", "P 9 24"], "in the whole cube"),
    ],
)
def test_flag_log(tmp_path, offset, lines, origin):
    text = run_flagged(tmp_path, ["flag.log=true", f"parameter.offset={offset}"]).read_text(encoding="ascii")
    head, rows = text.split("\n\n")
    assert rows.splitlines() == lines
    assert text.endswith("\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"# Counted from 0, {origin}." in head.splitlines()


@pytest.mark.parametrize("settings", [[], ["flag.log=true", "flag.auto=false"]])
def test_no_flag_log_unless_asked(tmp_path, settings):
    assert not run_flagged(tmp_path, settings).exists()


def test_flagged_data_are_blank_in_the_filtered_cube_and_in_no_source(tmp_path):
    settings = ["output.writeFiltered=true", *MAPS]
    run_flagged(tmp_path, settings)
    filtered, mask = read(tmp_path, "filtered")[0], read(tmp_path, "mask")[0]
    blank = np.zeros(mask.shape, bool)
    blank[7], blank[:, 3, 23], blank[:, 21, 7] = True, True, True
    np.testing.assert_array_equal(np.isnan(filtered), blank)
    assert not mask[blank].any()


def test_an_image_has_moment_0_only(tmp_path):
    array, header = make_cube()
    for key in [k for k in header if k.endswith("3")]:
        del header[key]
    path = tmp_path / "image.fits"
    fits.writeto(path, array[20], header)
    run_pipeline(path, tmp_path, ["scfind.kernelsZ=0", "linker.minSizeZ=1", "output.writeMoments=true"])
    assert fits.getheader(tmp_path / "image_mom0.fits")["NAXIS"] == 2
    assert [p.name for p in tmp_path.glob("image_*.fits")] == ["image_mom0.fits"]


def test_no_flag_log_where_nothing_was_flagged(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube())
    run_pipeline(path, tmp_path, ["flag.auto=true", "flag.log=true", "flag.threshold=100"])
    assert (tmp_path / "cube_cat.xml").exists() and not (tmp_path / "cube_flags.log").exists()
