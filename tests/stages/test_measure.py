"""Parametrisation: the worked example of spec sofia2 §3.11, each family of columns, units, names."""

import math

import numpy as np
import pytest

from hisf.data.mask_store import MaskStore
from hisf.data.source import SourceList
from hisf.data.voxels import ArrayVoxels
from hisf.execution.statistics import survey
from hisf.execution.workspace import Workspace
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.stages.link.ellipsoid import EllipsoidLinker
from hisf.stages.measure.catalogue import make_catalogue
from hisf.stages.measure.ellipse import ellipse
from hisf.stages.measure.flux import local_rms
from hisf.stages.measure.kinematics import kinematic_angle
from hisf.stages.measure.names import equatorial_name, other_name
from hisf.stages.measure.width import width_at, width_at_mean
from hisf.testing import as_cube, make_header

NAN = math.nan
# rows y = 1, 2, 3 of channels z = 1, 2, 3, x = 2, 3, 4; NaN: not in the mask
EXAMPLE = [
    [(0.1, 0.2, NAN), (0.2, 0.4, 0.1), (NAN, 0.1, NAN)],
    [(NAN, 3, 1), (2, 6, 3), (1, 2, -0.5)],
    [(NAN, 1, 2), (1, 3, 4), (NAN, 2, 1)],
]

# spec sofia2 §3.11, worked example, with the digits given there
RESULTS = {
    "x": 3.205438, "y": 1.963746, "z": 2.389728, "n_pix": 21, "f_min": -0.5, "f_max": 6, "f_sum": 32.6,
    "fill": 0.777778, "mean": 6.980433, "std": 7.103514, "skew": 1.129926, "kurt": 1.050694, "rms": 0.1482602,
    "w20": 1.853659, "w50": 1.533537, "wm50": 1.753571, "ell_maj": 1.416346, "ell_min": 1.116401, "ell_pa": 49.02847,
    "ell3s_maj": 1.883680, "ell3s_min": 1.094192, "ell3s_pa": 46.99468, "kin_pa": 278.4711, "err_x": 0.01514541,
    "err_y": 0.01482445, "err_z": 0.01749644, "err_f_sum": 0.6794137, "x_peak": 3, "y_peak": 2, "z_peak": 2,
    "x_min": 2, "x_max": 4, "y_min": 1, "y_max": 3, "z_min": 1, "z_max": 3, "id": 1, "rel": 0.0,
}  # fmt: skip
PHYSICAL = {"f_sum": 40459.05, "w20": 33365.85, "err_x": 0.05767905, "err_f_sum": 3211.217}
HALF_DIGIT = 6e-7  # relative: the numbers above have seven digits


def worked_example():
    z, y, x = np.ogrid[:5, :5, :6]
    data = 0.1 * (((x + 2 * y + 3 * z) % 5) - 2)
    source = np.array(EXAMPLE)
    mask = np.zeros(data.shape, bool)
    mask[1:4, 1:4, 2:5] = ~np.isnan(source)
    data[mask] = source[~np.isnan(source)]
    return data, mask


def linked(data, mask, rms=1.0, keep_negative=False):
    cube = as_cube(data, make_header(data.shape))
    settings = load_settings(
        [
            "linker.minSizeXY=1",
            "linker.minSizeZ=1",
            "linker.radiusXY=2",
            f"linker.keepNegative={str(keep_negative).lower()}",
        ]
    )
    store = MaskStore(data.shape)
    store.add(np.flatnonzero(mask))
    return EllipsoidLinker(settings, cube).link(
        store, ArrayVoxels(data), rms, False, Workspace(1 << 30), lambda n: None
    )


def catalogue_of(data, sources, arguments=(), measured=None, **header):
    cube = as_cube(data, make_header(data.shape, **header))
    settings = load_settings(arguments)
    measurements = [i.cls(settings, cube) for i in PluginManager().implementations("measure")]
    voxels = ArrayVoxels(data if measured is None else measured)
    return make_catalogue(sources, voxels, cube, settings, measurements, lambda n: None)


def example_catalogue(arguments=(), **header):
    data, mask = worked_example()
    rms = survey(ArrayVoxels(data), Workspace(1 << 30)).rms
    assert rms == pytest.approx(0.2224, abs=5e-5)  # as given there
    return catalogue_of(data, linked(data, mask, rms), arguments, **header)


@pytest.mark.parametrize("name", RESULTS)
def test_worked_example(name):
    assert example_catalogue()[name][0] == pytest.approx(RESULTS[name], rel=HALF_DIGIT)


def test_worked_example_in_physical_units():
    pixels, physical = example_catalogue(), example_catalogue(["parameter.physical=true"])
    for name, value in PHYSICAL.items():
        assert physical[name][0] == pytest.approx(value, rel=HALF_DIGIT)
    area = math.pi * 4.0 * 3.2 / (4 * math.log(2))
    factors = dict.fromkeys(("w20", "w50", "wm50"), 18000.0) | dict.fromkeys(
        ("err_x", "err_y", "err_z"), math.sqrt(area)
    )
    factors |= {"f_sum": 18000 / area, "err_f_sum": 18000 / math.sqrt(area)}
    for column in physical.columns:
        if column.kind == "float":
            expected = pixels[column.name][0] * factors.get(column.name, 1.0)
            assert physical[column.name][0] == pytest.approx(expected, rel=1e-13), column.name


def units_of(catalogue):
    return {c.name: c.unit for c in catalogue.columns}


# spec sofia2 §3.11, "Units": printed units of f_sum, w20, f_min and mean
@pytest.mark.parametrize(
    ("arguments", "header", "expected"),
    [
        ([], {}, ("Jy/beam", "pix", "Jy/beam", "Jy/beam")),
        (["parameter.physical=true"], {}, ("Jy*Hz", "Hz", "Jy/beam", "Jy/beam")),
        (["parameter.physical=true"], {"beam": False}, ("Jy/beam*Hz", "Hz", "Jy/beam", "Jy/beam")),
        (
            ["parameter.physical=true"],
            {"ctype3": "VRAD", "cards": {"CUNIT3": "km/s", "CDELT3": -4.0}},
            ("Jy*km/s", "km/s", "Jy/beam", "Jy/beam"),
        ),
        (["parameter.physical=true"], {"cards": {"CUNIT3": None}}, ("Jy*Hz", "Hz", "Jy/beam", "Jy/beam")),
        (["parameter.physical=true"], {"cards": {"BUNIT": "K"}}, ("K", "pix", "K", "K")),
        (["parameter.physical=true"], {"cards": {"BUNIT": None}}, ("???", "pix", "???", "???")),
        (["parameter.physical=true"], {"cards": {"BUNIT": "JY/BEAM"}}, ("Jy*Hz", "Hz", "Jy/beam", "JY/BEAM")),
    ],
)
def test_printed_units(arguments, header, expected):
    units = units_of(example_catalogue(arguments, **header))
    assert tuple(units[name] for name in ("f_sum", "w20", "f_min", "mean")) == expected
    assert units["err_f_sum"] == units["f_sum"]
    assert units["rms"] == units["f_max"] == units["f_min"]
    assert units["ell_maj"] == units["err_x"] == units["x"] == "pix"


def test_physical_without_jy_per_beam_changes_nothing_and_says_so(caplog):
    found = example_catalogue(["parameter.physical=true"], cards={"BUNIT": "K"})
    assert found["f_sum"][0] == pytest.approx(32.6, rel=1e-12)
    assert "BUNIT" in caplog.text


def test_without_a_beam_fluxes_are_not_divided():
    found = example_catalogue(["parameter.physical=true"], beam=False)
    assert found["f_sum"][0] == pytest.approx(32.6 * 18000, rel=1e-12)
    assert found["err_x"][0] == pytest.approx(RESULTS["err_x"], rel=HALF_DIGIT)


def test_world_coordinates_of_centroid_and_peak():
    found = example_catalogue()
    data, _ = worked_example()
    wcs = as_cube(data, make_header(data.shape)).wcs
    for suffix in ("", "_peak"):
        world = wcs.to_world(*(found[f"{a}{suffix}"] for a in "xyz"))
        for name, value in zip(("ra", "dec", "freq"), world, strict=True):
            assert found[name + suffix][0] == value[0]
    assert found.names[37:] == [
        "ra", "dec", "freq", "x_peak", "y_peak", "z_peak", "ra_peak", "dec_peak", "freq_peak",
    ]  # fmt: skip
    assert units_of(found)["freq_peak"] == "Hz"


def test_values_are_si_under_the_unit_of_the_header():
    """Spec sofia2 trap 20."""
    found = example_catalogue(ctype3="VRAD", cards={"CUNIT3": "km/s", "CRVAL3": 2000.0, "CDELT3": -4.0})
    assert found["v_rad_peak"][0] == pytest.approx(1.992e6, rel=1e-12)
    assert units_of(found)["v_rad"] == "km/s"


def test_galactic_columns():
    found = example_catalogue(frame="galactic")
    assert {"l", "b", "l_peak", "b_peak"} <= set(found.names)
    assert {c.name: c.ucd for c in found.columns}["b_peak"] == "pos.galactic.lat"


@pytest.mark.parametrize(("arguments", "header"), [(["parameter.wcs=false"], {}), ([], {"cards": {"CTYPE1": None}})])
def test_without_world_coordinates(arguments, header):
    found = example_catalogue(arguments, **header)
    assert found["name"][0] == "SoFiA-0001"
    assert len(found.names) == 40
    assert found.names[-3:] == ["x_peak", "y_peak", "z_peak"]


def test_without_parametrisation():
    """Name is the label of the linker, positions 0, fluxes in units of the noise, columns up to kurt (spec §3.11)."""
    data, mask = worked_example()
    sources = linked(data, mask, 0.25)
    found = catalogue_of(data, sources, ["parameter.enable=false"])
    assert found.names[-1] == "kurt"
    assert len(found.names) == 22
    assert (found["name"][0], found["x"][0], found["y"][0], found["z"][0]) == ("1", 0.0, 0.0, 0.0)
    assert found["f_sum"][0] == pytest.approx(32.6 / 0.25, rel=1e-12)
    assert (found["f_min"][0], found["f_max"][0]) == pytest.approx((-2.0, 24.0), rel=1e-14)


def test_negative_source_has_its_signs_and_the_shape_of_its_mirror_image():
    data, mask = worked_example()
    positive = example_catalogue()
    sources = linked(-data, mask, 0.2224, keep_negative=True)
    negative = catalogue_of(-data, sources)
    assert (negative["f_sum"][0], negative["f_min"][0], negative["f_max"][0]) == pytest.approx((-32.6, -6.0, 0.5))
    for name in (
        "x",
        "y",
        "z",
        "w20",
        "w50",
        "wm50",
        "ell_maj",
        "ell_pa",
        "kin_pa",
        "err_x",
        "err_f_sum",
        "rms",
        "x_peak",
    ):
        assert negative[name][0] == positive[name][0], name
    assert negative["mean"][0] < 0  # the linker's


def test_other_sources_are_neither_signal_nor_noise():
    """rms: voxels of the box that belong to no source at all (spec sofia2 §3.11)."""
    rng = np.random.default_rng(4)
    data = rng.normal(0, 1, (7, 12, 12))
    mask = np.zeros(data.shape, bool)
    mask[2:5, 2:9, 2:4] = mask[2, 8, 2:10] = True  # an L whose box holds the other one
    mask[3, 3:5, 6:8] = True
    data[mask] += 50
    sources = linked(data, mask)
    assert len(sources) == 2
    found = catalogue_of(data, sources)
    one = sources[int(np.argmax([s.n_pix for s in sources]))]
    around = data[one.box.slices][~mask[one.box.slices]]
    expected = 1.482602218505602 * np.median(np.abs(around[1:]))  # §3.1: element 0 is not used
    assert found["rms"][one.label - 1] == pytest.approx(expected, rel=1e-14)


def test_local_noise_of_nothing_is_zero():
    data = np.ones((2, 2, 2))
    assert local_rms(data, np.zeros(data.shape, bool)) == 0.0


def test_measured_cube_counts_not_the_searched_one():
    data, mask = worked_example()
    found = catalogue_of(data, linked(data, mask, 0.2224), measured=2 * data)
    assert found["f_sum"][0] == pytest.approx(65.2, rel=1e-13)
    assert found["mean"][0] == pytest.approx(32.6 / 21 / 0.2224, rel=1e-12)  # still the linker's


def test_list_without_sources():
    data, _ = worked_example()
    assert len(catalogue_of(data, SourceList(data.shape))) == 0


# --- widths: spec sofia2 §3.11 -------------------------------------------------------------------------------------


def test_width_of_the_worked_example_by_hand():
    """3.5 is 20 % of 17.5; left edge at 1 − (17.5 − 3.5)/(17.5 − 1.1), right at the last channel."""
    spectrum = np.array([1.1, 17.5, 14.0])
    assert width_at(spectrum, 3.5) == pytest.approx(2 - 0.146341, abs=5e-7)


@pytest.mark.parametrize(
    ("spectrum", "level", "width"),
    [
        ([0, 1, 2, 1, 0], 1.0, 2.0),  # at or above: channels 1 to 3, edges on them
        ([0, 1, 2, 1, 0], 0.5, 3.0),
        ([2, 2, 2], 1.0, 2.0),  # cut off at both ends: last − first
        ([0, 4, 0], 2.0, 1.0),
        ([0, 4, 0, 4, 0], 2.0, 3.0),  # outermost crossings
        ([5, 1, 1], 1.0, 2.0),  # the level itself counts
        ([5], 1.0, 0.0),
        ([0, 1, 0], 2.0, 0.0),  # never reached
    ],
)
def test_widths(spectrum, level, width):
    assert width_at(np.array(spectrum, float), level) == pytest.approx(width, abs=1e-15)


def test_width_at_the_mean_of_a_box():
    """Ten channels of 1: F = 10, 5 % of it are 0.5, l = 0 − 0.5, r = 9 + 0.5, mean 9/10, level 0.45."""
    assert width_at_mean(np.ones(10)) == pytest.approx(9.0, abs=1e-14)  # cut off: last − first
    padded = np.concatenate([[0.0], np.ones(10), [0.0]])
    assert width_at_mean(padded) == pytest.approx(9 + 2 * 0.55, abs=1e-14)  # 1 − 0.45 beyond either end


@pytest.mark.parametrize("spectrum", [[0.0, 0.0], [1.0, -2.0], [5.0], [0.0, 9.0, 0.0]])
def test_width_at_the_mean_that_cannot_be_measured(spectrum):
    assert width_at_mean(np.array(spectrum)) == 0.0


# --- ellipses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [-75.0, -30.0, 0.0, 20.0, 45.0, 80.0])
def test_axes_of_a_gaussian(angle):
    """maj = 2 σ; the angle counts from +y, counter-clockwise."""
    y, x = np.mgrid[:81, :91].astype(float)
    turn = np.radians(angle)
    along = -(x - 45) * np.sin(turn) + (y - 40) * np.cos(turn)
    across = (x - 45) * np.cos(turn) + (y - 40) * np.sin(turn)
    found = ellipse(np.exp(-0.5 * ((along / 6) ** 2 + (across / 3) ** 2)), 45.0, 40.0)
    # a Gaussian of σ ≥ 3 pixels on a grid, cut beyond 6 σ: errors below 1e-6
    assert found == pytest.approx((12.0, 6.0, angle), abs=1e-4)


def test_ellipse_of_nothing():
    assert ellipse(np.zeros((3, 3)), 1.0, 1.0) == (0.0, 0.0, 0.0)


def test_ellipse_is_about_the_given_centre():
    weights = np.zeros((3, 5))
    weights[1, 3] = 2.0
    assert ellipse(weights, 1.0, 1.0) == pytest.approx((4.0, 0.0, -90.0))  # 2 √⟨dx²⟩, along x


# --- kinematics ----------------------------------------------------------------------------------------------------


def disc(angle, n=9, depth=8):
    """Bright voxels whose centroid moves along ``angle`` (from +y, counter-clockwise) towards higher channels."""
    bright = np.zeros((depth, n * 9, n * 9))
    middle = n * 9 // 2
    for z in range(depth):
        step = 4.0 * (z - (depth - 1) / 2)
        x = round(middle - step * math.sin(math.radians(angle)))
        y = round(middle + step * math.cos(math.radians(angle)))
        bright[z, y, x] = 1.0
    return bright


@pytest.mark.parametrize("angle", [0.0, 30.0, 60.0, 120.0, 180.0, 225.0, 300.0, 350.0])
@pytest.mark.parametrize("depth", [7, 8])
def test_angle_points_to_the_higher_channels(angle, depth):
    found = kinematic_angle(disc(angle, depth=depth))
    assert 0 <= found < 360
    # centroids are rounded to whole pixels on a line of 24 to 28 pixels
    assert abs((found - angle + 180) % 360 - 180) < 2.5


def test_line_is_the_main_axis_of_the_centroids():
    """Weights T²; the orthogonal fit is the eigenvector of their scatter with the largest eigenvalue."""
    rng = np.random.default_rng(8)
    bright = np.zeros((12, 30, 30))
    x, y, flux = rng.integers(0, 30, 12), rng.integers(0, 30, 12), rng.uniform(1, 9, 12)
    bright[np.arange(12), y, x] = flux
    bright[np.arange(12), (y + 7) % 30, x] = 0.5 * flux  # centroids between voxels
    yc = (y + 0.5 * ((y + 7) % 30)) / 1.5
    values, vectors = np.linalg.eigh(np.cov(x, yc, aweights=flux**2))
    assert values[1] > 1.2 * values[0]
    expected = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])) - 90
    turned = (kinematic_angle(bright) - expected) % 180
    # scatter of a dozen points, well apart eigenvalues: rounding only
    assert min(turned, 180 - turned) < 1e-9


def test_angle_of_too_few_channels_is_unknown():
    bright = np.zeros((5, 4, 4))
    assert kinematic_angle(bright) == -1.0
    bright[2, 1, 1] = 3.0
    assert kinematic_angle(bright) == -1.0


def test_direction_where_one_half_is_empty():
    """Then from the first to the last valid channel (spec sofia2 §3.11)."""
    bright = np.zeros((8, 9, 9))
    bright[0, 2, 2] = bright[1, 3, 3] = bright[2, 5, 5] = 1.0
    assert kinematic_angle(bright) == pytest.approx(315.0, abs=1e-9)  # towards +x, +y
    assert kinematic_angle(bright[::-1]) == pytest.approx(135.0, abs=1e-9)


# --- names: spec sofia2 §3.11 --------------------------------------------------------------------------------------

RA, DEC = 15 * (11 + 59 / 60 + 48.42 / 3600), -(30 + 36.8 / 3600)


@pytest.mark.parametrize(
    ("prefix", "besselian", "name"),
    [
        ("SoFiA", False, "SoFiA J115948.42-300036.8"),
        ("WALLABY", False, "WALLABY J115948-300036"),
        ("ABC", True, "ABC B115948.42-300036.8"),
    ],
)
def test_equatorial_names(prefix, besselian, name):
    assert equatorial_name(prefix, RA, DEC, besselian) == name


def test_seconds_are_rounded_so_that_60_can_appear():
    ra, dec = 15 * (11 + 59 / 60 + 59.996 / 3600), 30 + 59 / 60 + 59.97 / 3600
    assert equatorial_name("SoFiA", ra, dec, False) == "SoFiA J115960.00+305960.0"
    assert equatorial_name("WALLABY", ra, dec, False) == "WALLABY J115959+305959"


def test_small_declinations_keep_their_sign():
    assert equatorial_name("SoFiA", 0.5, -0.001, False) == "SoFiA J000200.00-000003.6"
    assert equatorial_name("SoFiA", 0.5, 0.001, False) == "SoFiA J000200.00+000003.6"


@pytest.mark.parametrize(
    ("longitude", "latitude", "name"),
    [
        (179.9517, -30.0102, "SoFiA 179.9517+-30.0102"),
        (179.9517, 30.0102, "SoFiA 179.9517+30.0102"),
        (-2.42, 5.565, "SoFiA -02.4200-05.5650"),
        (5.0, 0.25, "SoFiA 005.0000+00.2500"),
    ],
)
def test_other_names(longitude, latitude, name):
    """Longitude %08.4f, the sign of the longitude, latitude %07.4f with its own sign."""
    assert other_name("SoFiA", longitude, latitude) == name


def test_names_in_the_catalogue():
    found = example_catalogue(["parameter.prefix=My Survey"], cards={"EQUINOX": 1950.0})
    assert found["name"][0] == equatorial_name("My Survey", found["ra"][0], found["dec"][0], True)
    galactic = example_catalogue(frame="galactic")
    assert galactic["name"][0] == other_name("SoFiA", galactic["l"][0], galactic["b"][0])
