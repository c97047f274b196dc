"""Flagging by positions, by a cube, and automatic; held, in slabs, and on the reloaded cube (spec sofia2 §3.2)."""

import warnings

import numpy as np
import pytest
from astropy.wcs import WCS

from hisf.data.box import Box
from hisf.errors import FileAccessError, InputError
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.stages.input.opening import open_inputs
from hisf.stages.precondition.flag import FlagAutomatically, FlagPositions
from hisf.testing import as_cube, make_cube, make_header, run_steps, write_fits

SHAPE = (12, 17, 19)
K = 1.482602218505602  # spec sofia2 §3.1
SLABS = [0, 1, 5]


def noise(dtype=np.float32, seed=1):
    array, header = make_cube(SHAPE, noise=1.0, seed=seed, sources=(), beam=False, dtype=dtype)
    array[3, 4:9, 5:12] = np.nan
    array[:, 0, 0] = np.nan
    return array, header


def same(one, two):
    return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)


# --- flag.catalog ---------------------------------------------------------------------------------------------------


def write_table(path, header, pixels):
    """Write the sky positions of zero-based pixels (x, y), with all digits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sky = WCS(header).celestial.all_pix2world(np.array(pixels, float), 0)
    path.write_text("".join(f"{lon % 360!r} {lat!r}\n" for lon, lat in sky.tolist()))
    return path


def flagged_pixels(tmp_path, pixels, radius=3, header=None):
    """Return the image of what positions flag, after making sure that all channels are flagged alike."""
    header = make_header(SHAPE) if header is None else header
    array = np.ones(SHAPE, np.float32)
    table = write_table(tmp_path / "table.txt", header, pixels)
    arguments = [f"flag.catalog={table}", f"flag.radius={radius}"]
    searched, measured, _ = run_steps(as_cube(array, header), arguments)
    assert same(searched, measured)
    blank = np.isnan(searched)
    assert (blank == blank[0]).all()
    assert (searched[~blank] == 1).all()
    return blank[0]


def disc(x, y, radius):
    rows, columns = np.mgrid[: SHAPE[1], : SHAPE[2]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


@pytest.mark.parametrize(("radius", "count"), [(0, 1), (1, 5), (2, 13), (3, 29), (5, 81)])
def test_disc_of_every_radius(tmp_path, radius, count):
    found = flagged_pixels(tmp_path, [(9, 8)], radius)
    assert found.sum() == count  # 29 is the example of the specification
    assert np.array_equal(found, disc(9, 8, radius))


@pytest.mark.parametrize("place", [(0, 0), (18, 0), (0, 16), (18, 16), (1, 8), (9, 15)])
def test_discs_are_cut_at_the_edges(tmp_path, place):
    assert np.array_equal(flagged_pixels(tmp_path, [place]), disc(*place, 3))


@pytest.mark.parametrize(
    ("given", "pixel"),
    [
        ((4.4, 7.6), (4, 8)), ((4.6, 7.4), (5, 7)), ((-0.7, 5.0), (0, 5)), ((5.0, -0.7), (5, 0)),
        ((-1.4, -1.4), (0, 0)), ((18.4, 16.4), (18, 16)),
    ],
)  # fmt: skip
def test_positions_are_rounded_towards_zero_after_adding_a_half(tmp_path, given, pixel):
    """So x = −0.7 is still pixel 0, and even −1.4 is."""
    assert np.array_equal(flagged_pixels(tmp_path, [given]), disc(*pixel, 3))


@pytest.mark.parametrize("outside", [(-1.6, 5), (5, -1.6), (18.6, 5), (5, 16.6), (300, 300), (-40, 5)])
def test_positions_outside_flag_nothing(tmp_path, outside):
    """Not even where their disc would reach into the image."""
    assert not flagged_pixels(tmp_path, [outside]).any()


def test_several_positions_and_galactic_coordinates(tmp_path):
    header = make_header(SHAPE, frame="galactic", cards={"CRVAL2": 5.0})
    assert np.array_equal(flagged_pixels(tmp_path, [(3, 4), (15, 12)], 2, header), disc(3, 4, 2) | disc(15, 12, 2))


def test_positions_on_the_other_side_of_the_sky_flag_nothing(tmp_path):
    """The SIN projection has no pixel for them."""
    table = tmp_path / "table.txt"
    table.write_text("0.0 30.0\n0 0\nnan nan\n180.0 -30.0\n")  # the last is the reference pixel, 9, 8
    found, _, _ = run_steps(as_cube(np.ones(SHAPE, np.float32), make_header(SHAPE)), [f"flag.catalog={table}"])
    assert np.array_equal(np.isnan(found[4]), disc(9, 8, 5))  # 5 is the default radius


def test_positions_in_a_region(tmp_path):
    header = make_header(SHAPE)
    table = write_table(tmp_path / "table.txt", header, [(9, 8)])
    cube = as_cube(np.ones(SHAPE, np.float32), header, region=(3, 18, 2, 16, 0, 11))
    found, _, _ = run_steps(cube, [f"flag.catalog={table}", "flag.radius=2"])
    assert np.array_equal(np.isnan(found[0]), disc(9, 8, 2)[2:, 3:])


@pytest.mark.parametrize("channels", SLABS)
@pytest.mark.parametrize("scaled", [False, True])
def test_discs_do_not_depend_on_slabs_and_stay_in_the_measured_cube(tmp_path, channels, scaled):
    array, header = noise()
    table = write_table(tmp_path / "table.txt", header, [(2, 3), (16, 14)])
    arguments = [f"flag.catalog={table}", f"scaleNoise.enable={str(scaled).lower()}"]
    searched, measured, _ = run_steps(as_cube(array, header), arguments, channels)
    array[:, disc(2, 3, 5) | disc(16, 14, 5)] = np.nan
    assert same(measured, array)
    assert np.array_equal(np.isnan(searched), np.isnan(array))
    assert same(searched, array) != scaled


def test_discs_apply_to_any_box(tmp_path):
    array, header = noise()
    table = write_table(tmp_path / "table.txt", header, [(9, 8)])
    step = FlagPositions(load_settings([f"flag.catalog={table}"]), as_cube(array, header))
    whole, box = step.apply(array.copy(), Box.whole(SHAPE)), Box(6, 10, 5, 16, 7, 12)
    assert same(step.apply(array[box.slices].copy(), box), whole[box.slices])


def test_table_that_is_ignored_flags_nothing(tmp_path):
    table = tmp_path / "table.txt"
    table.write_text("# nothing\n")
    array, header = noise()
    assert same(run_steps(as_cube(array, header), [f"flag.catalog={table}"])[0], array)


def test_positions_need_a_table_and_world_coordinates(tmp_path):
    array, header = noise()
    with pytest.raises(FileAccessError):
        run_steps(as_cube(array, header), [f"flag.catalog={tmp_path / 'absent.txt'}"])
    table = write_table(tmp_path / "table.txt", header, [(9, 8)])
    del header["CTYPE1"]
    with pytest.raises(InputError, match=r"flag\.catalog.*no world coordinates"):
        run_steps(as_cube(array, header), [f"flag.catalog={table}"])


# --- flag.cube ------------------------------------------------------------------------------------------------------


def write_flags(folder, flags, array=None, header=None):
    array, header = noise() if array is None else (array, header)
    write_fits(folder / "cube.fits", array, header)
    write_fits(folder / "flags.fits", flags, header)
    return [f"input.data={folder / 'cube.fits'}", f"flag.cube={folder / 'flags.fits'}"]


def opened(arguments):
    manager = PluginManager()
    return open_inputs(manager, load_settings(arguments))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
@pytest.mark.parametrize("channels", SLABS)
def test_flag_cube_blanks_what_is_not_zero(tmp_path, dtype, channels):
    array, header = noise()
    flags = np.random.default_rng(5).integers(0, 3, SHAPE).astype(dtype)
    if dtype != np.uint8:
        flags[flags == 2] = -7
    for more in ([], ["scaleNoise.enable=true"]):
        arguments = [*write_flags(tmp_path, flags, array, header), *more]
        searched, measured, _ = run_steps(opened(arguments), arguments, channels)
        expected = np.where(flags == 0, array, np.float32(np.nan))
        assert 0.5 * flags.size < np.isnan(expected).sum() < flags.size
        assert same(measured, expected)
        assert np.array_equal(np.isnan(searched), np.isnan(expected))


def test_flag_cube_is_cut_to_the_region(tmp_path):
    array, header = noise()
    flags = np.zeros(SHAPE, np.int16)
    flags[5, 6, 7] = 1
    arguments = [*write_flags(tmp_path, flags, np.nan_to_num(array), header), "input.region=4,15,5,12,2,9"]
    found, _, _ = run_steps(opened(arguments), arguments)
    assert found.shape == (8, 8, 12)
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 1, 3]]


def test_flag_cube_comes_before_noise_is_measured(tmp_path):
    array, header = noise()
    array[6] *= np.where(np.arange(19) < 8, 50, 1)
    flags = np.zeros(SHAPE, np.int16)
    flags[6, :, :8] = 1
    arguments = [*write_flags(tmp_path, flags, array, header), "scaleNoise.enable=true"]
    searched, _, _ = run_steps(opened(arguments), arguments)
    # 187 independent values: their scatter is known to 5 %
    assert np.nanstd(searched[6]) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize(
    "flags",
    [np.zeros((12, 17, 18), np.int16), np.zeros((11, 17, 19), np.int16)],
)
def test_flag_cube_has_to_be_of_the_same_size(tmp_path, flags):
    with pytest.raises(InputError, match="same size") as info:
        opened(write_flags(tmp_path, flags))
    assert "flags.fits" in str(info.value)


def test_flag_cube_of_floating_point_values_flags_where_it_is_blank(tmp_path):
    flags = np.ones(SHAPE, np.float32)
    flags[5, 4:6, 7], flags[2, 2, 2] = np.nan, 0
    arguments = write_flags(tmp_path, flags)
    searched, measured, _ = run_steps(opened(arguments), arguments)
    expected = np.isnan(noise()[0]) | np.isnan(flags)
    assert np.array_equal(np.isnan(searched), expected)
    assert np.array_equal(np.isnan(measured), expected)


def test_missing_flag_cube(tmp_path):
    arguments = write_flags(tmp_path, np.zeros(SHAPE, np.int16))
    (tmp_path / "flags.fits").unlink()
    with pytest.raises(FileAccessError, match=r"flag\.cube"):
        opened(arguments)


# --- flag.auto ------------------------------------------------------------------------------------------------------


def plain_flags(noises, threshold):
    """Which values of a list deviate, as spec sofia2 §3.2 words it; the first is not in the scatter."""
    centre = np.nanmedian(noises)
    scatter = K * np.nanmedian(np.abs(noises - centre).ravel()[1:])
    with np.errstate(invalid="ignore"):
        return np.abs(noises - centre) > threshold * scatter


def plain_noise(values):
    sizes = np.sort(np.abs(values[np.isfinite(values)]))
    return K * float(sizes[len(sizes) // 2]) if len(sizes) else np.nan


def uneven(dtype=np.float32):
    """Noise with two channels and three spectra that stand out."""
    array, header = noise(dtype)
    array[4] *= 5
    array[9] /= 8
    array[:, 3, 4] *= 30
    array[:, 12, 17] *= 30
    array[:, 16, 18] *= 30
    return array, header


def expected_flags(array, mode, threshold):
    nz, ny, nx = array.shape
    channels, pixels = np.zeros(nz, bool), np.zeros((ny, nx), bool)
    if mode in ("channels", "true"):
        channels = plain_flags(np.array([plain_noise(plane) for plane in array]), threshold)
    if mode in ("pixels", "true"):
        noises = [[plain_noise(array[:, y, x]) for x in range(nx)] for y in range(ny)]
        pixels = plain_flags(np.array(noises), threshold)
    return channels, pixels


def automatic(steps):
    (step,) = (s for s in steps if isinstance(s, FlagAutomatically))
    return step


@pytest.mark.parametrize("channels", SLABS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["channels", "pixels", "true"])
def test_automatic_flags(mode, dtype, channels):
    """Both kinds are found on the data as they were before either was blanked."""
    array, header = uneven(dtype)
    arguments = [f"flag.auto={mode}", "flag.threshold=6"]
    searched, measured, steps = run_steps(as_cube(array, header), arguments, channels)
    of_channels, of_pixels = expected_flags(array, mode, 6)
    if mode != "pixels":
        assert np.flatnonzero(of_channels).tolist() == [4, 9]
    if mode != "channels":
        assert of_pixels[3, 4]
        assert of_pixels[12, 17]
        assert of_pixels[16, 18]
        assert not of_pixels[0, 0]  # blank
        assert of_pixels.mean() < 0.05
    assert np.array_equal(automatic(steps).channels, of_channels)
    assert np.array_equal(automatic(steps).pixels, of_pixels)
    array[of_channels] = np.nan
    array[:, of_pixels] = np.nan
    assert same(searched, array)
    assert same(measured, array)


def test_example_of_the_specification():
    """Channels of one absolute value, so that their noise is 1.0, 1.1, 0.9, 1.05, 0.95 and 3.0."""
    levels = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 3.0]) / K
    array = np.where(np.indices((6, 5, 5)).sum(0) % 2, 1.0, -1.0) * levels[:, None, None]
    for threshold, flagged in (("17.7", [5]), ("17.8", [])):
        arguments = ["flag.auto=channels", f"flag.threshold={threshold}"]
        searched, _, _ = run_steps(as_cube(array, make_header((6, 5, 5))), arguments)
        assert np.flatnonzero(np.isnan(searched).all(axis=(1, 2))).tolist() == flagged
        assert np.isnan(searched).sum() == 25 * len(flagged)


def test_nothing_is_flagged_by_default():
    array, header = uneven()
    searched, _, steps = run_steps(as_cube(array, header), ["flag.threshold=6"])
    assert same(searched, array)
    assert not steps


@pytest.mark.parametrize("channels", SLABS)
def test_automatic_flags_come_after_noise_scaling_and_stay_in_the_reloaded_cube(channels):
    """Noise scaling makes the channels equal, so that only the spectra stand out (spec sofia2 §2.2, steps 12, 13)."""
    array, header = uneven()
    arguments = ["scaleNoise.enable=true", "flag.auto=true", "flag.threshold=6"]
    scaled, _, _ = run_steps(as_cube(array, header), arguments[:1])
    searched, measured, steps = run_steps(as_cube(array, header), arguments, channels)
    of_channels, of_pixels = expected_flags(scaled, "true", 6)
    assert not of_channels[[4, 9]].any()
    assert of_pixels[3, 4]
    assert of_pixels[16, 18]
    assert np.array_equal(automatic(steps).channels, of_channels)
    assert np.array_equal(automatic(steps).pixels, of_pixels)
    for cube in (scaled, array):
        cube[of_channels] = np.nan
        cube[:, of_pixels] = np.nan
    assert same(searched, scaled)
    assert same(measured, array)


def test_flagged_boxes_do_not_count_in_automatic_flags():
    array, header = noise()
    array[:, :6] *= 20
    arguments = ["flag.auto=pixels", "flag.threshold=6", "flag.region=0,18,0,5,0,11"]
    _, _, steps = run_steps(as_cube(array, header), arguments)
    assert not automatic(steps).pixels[:6].any()
    assert automatic(steps).pixels[6:].mean() < 0.05


def test_automatic_flags_apply_to_any_box():
    array, header = uneven()
    _, _, steps = run_steps(as_cube(array, header), ["flag.auto=true"])
    step, box = automatic(steps), Box(3, 10, 2, 13, 3, 18)
    whole = step.apply(array.copy(), Box.whole(SHAPE))
    assert np.isnan(whole).sum() > np.isnan(array).sum()
    assert same(step.apply(array[box.slices].copy(), box), whole[box.slices])
