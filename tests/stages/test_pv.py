"""Position-velocity diagrams (spec sofia2 §4.9)."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates

from hisf.stages.products.pv import interpolate, slice_positions
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

FIND = ["pipeline.finder=threshold", "threshold.threshold=4", "linker.minSizeZ=3", "linker.minSizeXY=3"]
NAMES = ("pv", "pv_min", "pv_mask", "pv_min_mask")
ANGLE = 30.0  # of the gradient below, from +y, counter-clockwise
REGION = "input.region=1,38,2,39,3,34"


def galaxy(shape=(36, 42, 40), centre=(18.0, 20.4, 19.3)):
    """Blobs along a line in position and channel: the higher the channel, the further along ANGLE."""
    theta, (z, y, x) = np.radians(ANGLE), centre
    steps = np.linspace(-1, 1, 9)
    blobs = [
        GaussianSource(0.02, z + 8 * s, y + 7 * s * np.cos(theta), x - 7 * s * np.sin(theta), 1.5, 1.8) for s in steps
    ]
    return make_cube(shape, sources=blobs)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    array, header = galaxy()
    path = write_fits(folder / "cube.fits", array, header)
    settings = ["output.writeCubelets=true", "output.writePV=true", "parameter.offset=true", REGION]
    catalogue = run_pipeline(path, folder, [*FIND, *settings, "output.marginCubelets=5"])
    assert len(catalogue) == 1
    return catalogue, folder / "cube_cubelets", header


def image(folder, name):
    with fits.open(folder / f"cube_1_{name}.fits", memmap=False) as file:
        file.verify("exception")
        return file[0].data, file[0].header


def test_diagrams_are_bilinear_samples_of_the_cubelet(run):
    """As scipy interpolates, at places taken from the catalogue."""
    catalogue, folder, source = run
    cube, header = image(folder, "cube")
    mask, _ = image(folder, "mask")
    # the offset of the region is in the catalogue and not in its products
    x = catalogue["x"][0] - 1 - (source["CRPIX1"] - 1 - header["CRPIX1"])
    y = catalogue["y"][0] - 2 - (source["CRPIX2"] - 2 - header["CRPIX2"])
    half = max(cube.shape[1:]) // 2
    offset = np.arange(-half, half + 1)
    for name, turn in (("pv", 0), ("pv_min", 90)):
        theta = np.radians(catalogue["kin_pa"][0] + turn)
        places = [y + offset * np.cos(theta), x - offset * np.sin(theta)]
        expected = [map_coordinates(plane.astype(float), places, order=1, cval=np.nan) for plane in cube]
        found, _ = image(folder, name)
        assert found.shape == (len(cube), 2 * half + 1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
        inside = np.array([map_coordinates(plane.astype(float), places, order=1, cval=0.0) for plane in mask])
        np.testing.assert_array_equal(image(folder, f"{name}_mask")[0], np.rint(inside))
        assert np.isfinite(found).sum() > 0.5 * found.size


def test_offset_grows_with_channel_along_the_kinematic_axis(run):
    catalogue, folder, _ = run
    # within the noise of a few degrees
    assert catalogue["kin_pa"][0] == pytest.approx(ANGLE, abs=4)
    slopes = []
    for name in ("pv", "pv_min"):
        diagram, header = image(folder, name)
        diagram = np.where(image(folder, f"{name}_mask")[0] > 0, diagram, 0)
        offset = np.arange(diagram.shape[1]) + 1 - header["CRPIX1"]
        bright = diagram.sum(1) > 0.3 * diagram.sum(1).max()
        centre = (diagram @ offset)[bright] / diagram.sum(1)[bright]
        slopes.append(np.polyfit(np.flatnonzero(bright), centre, 1)[0])
    assert slopes == pytest.approx([7 / 8, 0.0], abs=0.12)


def test_headers_say_where_the_slit_lies(run):
    catalogue, folder, source = run
    _, cubelet = image(folder, "cube")
    for name in NAMES:
        diagram, header = image(folder, name)
        assert [header[f"{key}{n}"] for n in (1, 2) for key in ("CTYPE", "CUNIT")] == ["ANGLE", "deg", "FREQ", "Hz"]
        assert (header["CRPIX1"], header["CRVAL1"]) == (diagram.shape[1] // 2 + 1, 0.0)
        assert header["CDELT1"] == source["CDELT2"]
        assert header["PVD_PA"] == pytest.approx(catalogue["kin_pa"][0] + 90 * ("min" in name))
        assert (header["PVD_LON"], header["PVD_LAT"]) == pytest.approx((catalogue["ra"][0], catalogue["dec"][0]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frequency = WCS(header).wcs_pix2world([[0, 7]], 0)[0, 1]
            assert frequency == pytest.approx(WCS(cubelet).wcs_pix2world([[0, 0, 7]], 0)[0, 2], rel=1e-12)
            place = WCS(cubelet).wcs_pix2world([[header["PVD_X"], header["PVD_Y"], 0]], 0)[0, :2]
        assert place == pytest.approx((catalogue["ra"][0], catalogue["dec"][0]))
        mask = name.endswith("mask")
        assert (header["BITPIX"], header["BUNIT"].strip()) == ((8, "") if mask else (-32, "Jy/beam"))
        assert ("BMAJ" in header) != mask
        assert header["OBJECT"] == catalogue["name"][0]
        assert not [key for key in header if key.endswith("3") or key.startswith("PC")]


def test_diagrams_alone(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *galaxy())
    run_pipeline(path, tmp_path, [*FIND, "output.writePV=true"])
    assert {p.name for p in (tmp_path / "cube_cubelets").iterdir()} == {f"cube_1_{name}.fits" for name in NAMES}


def test_on_a_pixel_is_its_own_value():
    """SoFiA 2.5 leaves a sample blank where a coordinate is a whole number."""
    cube = np.arange(24.0).reshape(2, 3, 4)
    cube[0, 1, 2] = np.nan
    x, y = np.array([0.0, 3.0, 1.0, 1.5, 1.0]), np.array([0.0, 2.0, 1.0, 1.0, 0.25])
    np.testing.assert_allclose(interpolate(cube, x, y), [[0, 11, 5, np.nan, 2], [12, 23, 17, 17.5, 14]])


@pytest.mark.parametrize(("x", "y"), [(-0.01, 1), (3.01, 1), (1, -0.01), (1, 2.01), (np.nan, 1)])
def test_outside_is_blank(x, y):
    assert np.isnan(interpolate(np.ones((1, 3, 4)), np.array([x]), np.array([float(y)]))).all()


@pytest.mark.parametrize(
    ("angle", "end"), [(0, (5, 9)), (90, (2, 6)), (180, (5, 3)), (30, (5 - 1.5, 6 + 3 * np.sqrt(0.75)))]
)
def test_slits_run_from_y_counter_clockwise(angle, end):
    x, y = slice_positions(5.0, 6.0, angle, 3)
    assert (len(x), x[3], y[3]) == (7, 5.0, 6.0)
    assert (x[-1], y[-1]) == pytest.approx(end)
