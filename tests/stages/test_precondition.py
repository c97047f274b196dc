"""Preconditioning: flags, inversion, noise, weights and gain cubes, noise scaling held and in slabs."""

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.execution.workspace import Workspace
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.stages.precondition.flag import FlagRegions, flag_boxes
from hisf.stages.precondition.grid import window_and_grid
from hisf.stages.precondition.noise_model import LocalNoise, SpectralNoise, measure_noise
from hisf.testing import as_cube, make_cube, run_steps

SHAPE = (12, 17, 19)
TO_NOISE = 1.482602218505602  # spec sofia2 §3.1


def uneven(dtype=np.float32, seed=1):
    """Noise whose level changes with place and channel, with blanks."""
    array, header = make_cube(SHAPE, noise=1.0, seed=seed, sources=(), dtype=np.float64)
    array *= np.linspace(1, 3, 12)[:, None, None] * np.linspace(1, 2, 19)
    array[3, 4:9, 5:12] = np.nan
    array[:, 0, 0] = np.nan
    return array.astype(dtype), header


def steps_on(array, header, arguments, channels=0, **companions):
    """Return searched and measured cube."""
    cube = as_cube(array, header)
    cube.companions.update({name: as_cube(values, header) for name, values in companions.items()})
    return run_steps(cube, arguments, channels)[:2]


def same(one, two):
    return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)


# spec sofia2 §3.2: upper bounds clipped, then a lower bound above its upper bound pulled down to it
@pytest.mark.parametrize(
    ("region", "box"),
    [
        ((2, 4, 3, 3, 0, 1), Box(0, 2, 3, 4, 2, 5)),
        ((2, 400, 3, 300, 1, 200), Box(1, 40, 3, 44, 2, 48)),
        ((1000, 2000, 0, 3, 0, 3), Box(0, 4, 0, 4, 47, 48)),  # the example there: outside, blanks x = 47 (16 voxels)
        ((0, 47, 60, 99, 50, 50), Box(39, 40, 43, 44, 0, 48)),
        ((5, 2, 0, 3, 0, 3), Box(0, 4, 0, 4, 2, 3)),  # reversed: one plane
    ],
)
def test_flagged_boxes(region, box):
    assert flag_boxes(region, (40, 44, 48)) == [box]


def test_several_boxes():
    assert flag_boxes((0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3), (9, 9, 9)) == [Box(0, 2, 0, 2, 0, 2), Box(2, 4, 2, 4, 2, 4)]


def test_box_outside_the_cube_blanks_its_last_plane():
    array = np.zeros((5, 6, 48), np.float32)
    found, _ = steps_on(array, make_cube((5, 6, 48), sources=())[1], ["flag.region=1000,2000,0,3,0,3"])
    assert np.isnan(found).sum() == 16
    assert np.isnan(found[:4, :4, 47]).all()


@pytest.mark.parametrize("channels", [0, 1, 5])
def test_flags_do_not_depend_on_slabs_and_stay_in_the_measured_cube(channels):
    array, header = uneven()
    regions = "flag.region=3,5,2,30,4,8,0,0,0,0,11,11"
    expected = array.copy()
    expected[4:9, 2:17, 3:6] = np.nan
    expected[11, 0, 0] = np.nan
    for arguments in ([regions], [regions, "scaleNoise.enable=true"]):
        searched, measured = steps_on(array, header, arguments, channels)
        assert same(measured, expected)
        assert np.array_equal(np.isnan(searched), np.isnan(expected))


def test_flags_apply_to_any_box():
    array, header = uneven()
    step = FlagRegions(load_settings(["flag.region=3,5,2,30,4,8"]), as_cube(array, header))
    whole = step.apply(array.copy(), Box.whole(SHAPE))
    box = Box(6, 10, 1, 6, 4, 12)
    assert same(step.apply(array[box.slices].copy(), box), whole[box.slices])


def test_inversion_acts_on_both_cubes():
    array, header = uneven()
    for more in ([], ["scaleNoise.enable=true"]):
        searched, measured = steps_on(array, header, ["input.invert=true", *more])
        assert same(measured, -array)
        assert (np.sign(searched) == -np.sign(array))[np.isfinite(array)].all()


@pytest.mark.parametrize("channels", [0, 2])
def test_noise_cube_divides_the_searched_cube_only(channels):
    """A divisor of 0 or NaN blanks (spec sofia2 §2.2, step 9)."""
    array, header = uneven()
    noise = np.full(SHAPE, 4.0, np.float32)
    noise[1, 1, 1], noise[2, 2, 2], noise[5, 5, 5] = 0.0, np.nan, -2.0
    searched, measured = steps_on(array, header, ["input.noise=n.fits"], channels, noise=noise)
    noise[1, 1, 1] = np.nan
    expected = array / noise
    assert same(searched, expected)
    assert same(measured, array)


@pytest.mark.parametrize("channels", [0, 2])
def test_weights_multiply_by_their_root(channels):
    array, header = uneven()
    weights = np.full(SHAPE, 9.0, np.float32)
    weights[1, 1, 1], weights[2, 2, 2] = 0.0, np.nan
    searched, measured = steps_on(array, header, ["input.weights=w.fits"], channels, weights=weights)
    assert same(searched, array * np.sqrt(weights))
    assert same(measured, array)


def test_precision_stays_that_of_the_data():
    array, header = uneven(np.float32)
    other = np.full(SHAPE, 4.0, np.float64)
    searched, _ = steps_on(array, header, ["input.noise=n", "input.weights=w"], noise=other, weights=other)
    assert searched.dtype == np.float32
    assert same(searched, array / np.float32(2))  # 1/4 and the root of 4 are exact


@pytest.mark.parametrize(
    ("arguments", "used"),
    [
        ([], False),
        (["input.invert=true"], False),
        (["input.noise=n.fits"], True),
        (["input.weights=w.fits"], True),
        (["scaleNoise.enable=true"], True),
    ],
)
def test_gain_is_used_only_after_a_reload(arguments, used):
    """Spec sofia2 trap 14: gain counts only beside noise, weights or noise scaling."""
    array, header = uneven()
    ones, gain = np.ones(SHAPE, np.float32), np.full(SHAPE, 2.0, np.float32)
    gain[7, 7, 7] = 0.0
    searched, measured = steps_on(array, header, ["input.gain=g.fits", *arguments], gain=gain, noise=ones, weights=ones)
    sign = np.float32(-1 if "input.invert=true" in arguments else 1)
    expected = sign * (array / np.float32(2) if used else array)
    if used:
        expected[7, 7, 7] = np.nan
    assert same(measured, expected)
    assert np.isfinite(searched[7, 7, 7])


def test_steps_run_in_the_order_of_sofia():
    """Flags, inversion, noise, weights, continuum, scaling, automatic flags, ripples; gain (spec sofia2 §2.2)."""
    classes = [i.cls for i in PluginManager().implementations("precondition")]
    assert [c.name for c in classes] == [
        "flag cube", "flag regions", "invert", "flag positions", "divide by noise cube", "multiply by weights",
        "subtract continuum", "scale noise", "flag automatically", "subtract ripples", "divide by gain",
    ]  # fmt: skip
    assert [c.name for c in classes if c.rescales] == ["divide by noise cube", "multiply by weights", "scale noise"]
    assert [c.name for c in classes if c.measuring] == [
        "flag cube", "flag regions", "invert", "flag positions", "flag automatically", "divide by gain",
    ]  # fmt: skip


def plain_channel_noise(plane):
    """MAD of the negative half as spec sofia2 §3.1 words it: from the end, element 0 never, at most n/2 values."""
    flat = plane.reshape(-1)
    taken = [abs(v) for v in flat[:0:-1] if v < 0][: flat.size // 2]
    taken = np.sort(np.array(taken, plane.dtype))
    middle = len(taken) // 2
    median = taken[middle] if len(taken) % 2 else (taken[middle - 1] + taken[middle]) / plane.dtype.type(2)
    return TO_NOISE * float(median)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spectral_scaling_against_its_definition(dtype):
    array, header = uneven(dtype)
    searched, measured = steps_on(array, header, ["scaleNoise.enable=true"])
    levels = np.array([plain_channel_noise(plane) for plane in array])
    assert levels[-1] > 2 * levels[0]
    assert same(searched, (array.astype(np.float64) / levels[:, None, None]).astype(dtype))
    assert same(measured, array)


CASES = [
    f"scaleNoise.mode={mode};scaleNoise.statistic={statistic};scaleNoise.fluxRange={flux};scaleNoise.interpolate={how}"
    for mode, statistic, flux, how in (
        ("spectral", "mad", "negative", "false"),
        ("spectral", "gauss", "full", "false"),
        ("spectral", "std", "positive", "false"),
        ("local", "mad", "negative", "false"),
        ("local", "std", "full", "true"),
        ("local", "mad", "full", "true"),
        ("local", "gauss", "full", "false"),
    )
]
LOCAL = ["scaleNoise.windowXY=7", "scaleNoise.windowZ=5", "scaleNoise.gridXY=3", "scaleNoise.gridZ=3"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaled_cube_has_the_same_bits_in_any_slabs(case, dtype):
    array, header = uneven(dtype)
    arguments = ["scaleNoise.enable=true", *LOCAL, *case.split(";")]
    whole, _ = steps_on(array, header, arguments)
    assert 0.9 * np.isfinite(array).sum() < np.isfinite(whole).sum() <= np.isfinite(array).sum()
    for channels in (1, 3, 7):
        assert same(steps_on(array, header, arguments, channels)[0], whole)


def test_local_scaling_flattens_the_noise():
    array, header = make_cube((20, 60, 70), noise=1.0, sources=(), beam=False)
    array *= np.linspace(1, 4, 70, dtype=np.float32)
    arguments = ["scaleNoise.enable=true", "scaleNoise.mode=local", "scaleNoise.statistic=std"]
    found, _ = steps_on(array, header, [*arguments, "scaleNoise.fluxRange=full"])
    columns = found.std(axis=(0, 1))
    # windows of 25 × 25 × 15 voxels: 1 % of noise; within a window the level changes by up to 1.09 : 0.54 at the edge
    assert columns[12:-12].min() > 0.8
    assert columns[12:-12].max() < 1.2
    assert array.std(axis=(0, 1)).max() > 3.5


# spec sofia2 §1.4: 0 -> default, even -> + 1; grid 0 -> half the window, at least 1, even -> + 1
@pytest.mark.parametrize(
    ("window", "grid", "default", "expected"),
    [(0, 0, 25, (25, 13)), (0, 0, 15, (15, 7)), (10, 4, 25, (11, 5)), (1, 0, 25, (1, 1)), (25, 25, 25, (25, 25))],
)
def test_window_and_grid(window, grid, default, expected):
    assert window_and_grid(window, grid, default) == expected


def test_local_noise_of_a_box_is_that_of_the_cube():
    array, header = uneven()
    settings = load_settings(["scaleNoise.mode=local", "scaleNoise.interpolate=true", *LOCAL])
    noise = measure_noise(as_cube(array, header), settings, Workspace(1 << 30))
    assert isinstance(noise, LocalNoise)
    whole = noise.divide(array.copy(), Box.whole(SHAPE))
    box = Box(2, 7, 3, 15, 1, 16)
    assert same(noise.divide(array[box.slices].copy(), box), whole[box.slices])


def test_channel_without_noise_is_not_protected():
    """Spec sofia2 §3.4: division by 0 in a constant channel, NaN in a blank one."""
    array, header = uneven()
    array[5], array[6] = 0.0, np.nan
    noise = measure_noise(as_cube(array, header), load_settings([]), Workspace(1 << 30))
    assert isinstance(noise, SpectralNoise)
    found = noise.divide(array.copy(), Box.whole(SHAPE))
    assert not np.isfinite(found[5:7]).any()
    assert np.isfinite(found[7, 1:]).all()
