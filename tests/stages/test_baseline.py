"""Continuum subtraction and ripple filter as steps: held, in slabs, on the reloaded cube (spec sofia2 §3.3, §3.4)."""

import logging

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.data.voxels import ArrayVoxels
from hisf.errors import InputError
from hisf.execution.workspace import FilteredVoxels, Workspace
from hisf.kernels.continuum import subtract_continuum
from hisf.settings import check_settings, load_settings
from hisf.stages.precondition.baseline import SubtractContinuum
from hisf.testing import GaussianSource, as_cube, make_cube, run_steps

SHAPE = (26, 15, 17)
CONTSUB = ["contsub.enable=true"]
RIPPLE = ["rippleFilter.enable=true", "rippleFilter.windowXY=5", "rippleFilter.windowZ=7"]
SLABS = [1, 4, 11]


def sloped(dtype=np.float32, seed=1):
    """Noise and a line on continuum that changes with place and channel, with blanks."""
    sources = (GaussianSource(20.0, 12, 7, 8, 1.5, 1.5),)
    array, header = make_cube(SHAPE, noise=1.0, seed=seed, sources=sources, beam=False, dtype=np.float64)
    array += np.linspace(-5, 9, 17) + np.linspace(0, 3, 26)[:, None, None]
    array[3, 4:9, 5:12] = np.nan
    array[:, 0, 0] = np.nan
    array[10:, 2, 2] = np.nan
    array[5:18, 9:, 11:] = np.nan
    return array.astype(dtype), header


def steps_on(array, header, arguments, channels=0):
    """Return searched and measured cube."""
    return run_steps(as_cube(array, header), arguments, channels)[:2]


def same(one, two):
    return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)


def without_continuum(array, order=0, threshold=2.0, shift=4, padding=3):
    result = array.copy()
    subtract_continuum(result, order, threshold, shift, padding)
    return result


# --- continuum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ([], {}),
        (["contsub.order=1"], {"order": 1}),
        (["contsub.order=-1"], {}),
        (
            ["contsub.order=1", "contsub.threshold=1.5", "contsub.shift=3", "contsub.padding=1"],
            {"order": 1, "threshold": 1.5, "shift": 3, "padding": 1},
        ),
    ],
)
def test_continuum_is_subtracted_with_the_settings(caplog, dtype, settings, options):
    array, header = sloped(dtype)
    expected = without_continuum(array, **options)
    assert not same(expected, array)
    for channels in (0, *SLABS):
        searched, measured = steps_on(array, header, [*CONTSUB, *settings], channels)
        assert same(searched, expected)
        assert same(measured, expected)
    assert not caplog.records


def test_continuum_of_a_straight_line_is_gone():
    """True by the truth that was put in: what is left is the noise and the line."""
    array, header = sloped()
    searched, _ = steps_on(array, header, [*CONTSUB, "contsub.order=1"])
    # 26 channels of noise 1: the median is known to 0.25, worse where some are left out of the fit
    assert np.abs(np.median(searched[:, 3:, :5], axis=0)).max() < 1.5
    assert np.nanmedian(np.abs(searched)) < 1 < np.nanmedian(np.abs(array))
    assert searched[12, 7, 8] == pytest.approx(20, abs=4)


@pytest.mark.parametrize("channels", [0, *SLABS])
def test_continuum_comes_back_with_the_reloaded_cube(channels):
    """Spec sofia2 trap 15: it is not subtracted again where the cube is measured as it was read."""
    array, header = sloped()
    arguments = [*CONTSUB, "scaleNoise.enable=true", "contsub.order=1"]
    searched, measured = steps_on(array, header, arguments, channels)
    assert same(measured, array)
    # scaled by the noise of what continuum subtraction left: step 11 before step 12
    flat = without_continuum(array, 1)
    assert same(searched, steps_on(flat, header, ["scaleNoise.enable=true"])[0])


def test_held_cube_is_changed_in_pieces_of_whole_spectra():
    """A cube in memory that is larger than a slab: as many rows at a time as a slab has room for."""
    array, header = sloped()
    step = SubtractContinuum(load_settings(CONTSUB), as_cube(array, header))
    for slab in (1, 26 * 17 * 4, 3 * 26 * 17 * 4):
        workspace = Workspace(1 << 30, slab_bytes=slab)
        held = workspace.transform(ArrayVoxels(array.copy()), step.apply, step.whole_spectra)
        assert same(held.read(Box.whole(SHAPE)), without_continuum(array))


def test_box_of_a_streamed_cube_is_that_of_the_whole():
    array, header = sloped()
    step = SubtractContinuum(load_settings([*CONTSUB, "contsub.order=1"]), as_cube(array, header))
    assert step.whole_spectra
    voxels, box = FilteredVoxels(as_cube(array, header), step.apply, step.whole_spectra), Box(7, 12, 3, 11, 2, 9)
    assert same(voxels.read(box), without_continuum(array, 1)[box.slices])


@pytest.mark.parametrize(
    ("setting", "options", "message"),
    [
        ("contsub.order=2", {"order": 1}, "contsub.order = 2 is reduced to 1"),
        ("contsub.threshold=-1.5", {"threshold": 1.5}, "contsub.threshold = -1.5 is made positive"),
        ("contsub.shift=0", {"shift": 1}, "contsub.shift = 0 is replaced by 1"),
    ],
)
def test_settings_that_are_changed_are_reported(caplog, setting, options, message):
    array, header = sloped()
    searched, _ = steps_on(array, header, [*CONTSUB, setting])
    assert same(searched, without_continuum(array, **options))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert message in record.message


@pytest.mark.parametrize(("shift", "depth"), [(4, 20), (1, 5), (0, 5), (7, 35)])
def test_shift_needs_more_than_five_times_as_many_channels(shift, depth):
    arguments = [*CONTSUB, f"contsub.shift={shift}"]
    array, header = make_cube((depth + 1, 4, 5), sources=())
    steps_on(array, header, arguments)
    with pytest.raises(InputError, match=rf"contsub\.shift.*{depth}") as info:
        steps_on(array[:-1], header, arguments)
    assert info.value.exit_code == 7


@pytest.mark.parametrize("name", ["contsub.shift", "contsub.padding"])
def test_negative_number_of_channels_is_refused(name):
    (problem,) = check_settings(load_settings(["input.data=c.fits", *CONTSUB, f"{name}=-1"]))
    assert name in problem and "at least 0" in problem


def test_continuum_stays_unless_asked():
    array, header = sloped()
    assert same(steps_on(array, header, ["contsub.order=1"])[0], array)


# --- ripples --------------------------------------------------------------------------------------------------------


def cells(length, spacing):
    """Slices of windows' cells: m = ⌈n/g⌋ of them, the first centre at ⌊(n − g(m − 1))/2⌋ (spec sofia2 §3.4)."""
    first = (length - spacing * (-(-length // spacing) - 1)) // 2
    return range(first, length, spacing)


def around(centre, half, length):
    return slice(max(0, centre - half), min(length, centre + half + 1))


def plain_level(array, statistic, window_xy, window_z, grid_xy, grid_z):
    """Return mean or median of the window for every voxel of its cell; NaN where it has fewer than 10 values."""
    level = np.full(array.shape, np.nan, array.dtype)
    nz, ny, nx = array.shape
    for z in cells(nz, grid_z):
        for y in cells(ny, grid_xy):
            for x in cells(nx, grid_xy):
                half = window_xy // 2
                part = array[around(z, window_z // 2, nz), around(y, half, ny), around(x, half, nx)]
                values = part[np.isfinite(part)].astype(np.float32)
                if len(values) < 10:
                    continue
                total = 0.0
                for value in values:  # not sum(), which compensates its rounding
                    total += float(value)
                found = total / len(values) if statistic == "mean" else np.median(values)
                half = grid_xy // 2
                level[around(z, grid_z // 2, nz), around(y, half, ny), around(x, half, nx)] = found
    return level


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_ripples_against_the_plain_version(dtype, statistic):
    """Windows of 5 and 7 have grids of 3 and 3 where none is given (spec sofia2 §1.4)."""
    array, header = sloped(dtype)
    level = plain_level(array, statistic, 5, 7, 3, 3)
    assert 0 < np.isnan(level).sum() < 0.1 * level.size  # within the blank corner
    expected = array - level
    for channels in (0, *SLABS):
        arguments = [*RIPPLE, f"rippleFilter.statistic={statistic}"]
        searched, measured = steps_on(array, header, arguments, channels)
        assert same(searched, expected)
        assert same(measured, expected)


def test_window_without_enough_values_blanks_the_data():
    array, header = make_cube((9, 9, 9), sources=(), dtype=np.float32)
    array[:, :, :4] = np.nan
    array[4, 4, 0:9] = 1.0
    settings = [f"rippleFilter.{name}" for name in ("windowXY=3", "windowZ=3", "gridXY=3", "gridZ=3")]
    searched, _ = steps_on(array, header, ["rippleFilter.enable=true", *settings])
    assert np.isfinite(array[4, 4, 0])
    assert np.isnan(searched[4, 4, :3]).all()  # three values in the window around x = 1
    assert np.isfinite(searched[4, 4, 4:]).all()


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_interpolated_ripples_do_not_depend_on_slabs(statistic):
    array, header = sloped()
    arguments = [*RIPPLE, f"rippleFilter.statistic={statistic}", "rippleFilter.interpolate=true"]
    whole, _ = steps_on(array, header, arguments)
    assert not same(whole, steps_on(array, header, arguments[:-1])[0])
    for channels in SLABS:
        assert same(steps_on(array, header, arguments, channels)[0], whole)


def test_ripple_that_was_put_in_is_gone():
    array, header = make_cube((40, 20, 20), noise=1.0, sources=(), beam=False)
    array += 10 * np.sin(np.arange(40) / 6).astype(np.float32)[:, None, None]
    arguments = ["rippleFilter.enable=true", "rippleFilter.windowXY=31", "rippleFilter.windowZ=3"]
    searched, _ = steps_on(array, header, [*arguments, "rippleFilter.gridZ=1"])
    # noise 1, and at most 10·(1/6)²/3 = 0.1 that a mean over 3 channels leaves of the sine; at the edges its slope, 1
    assert searched[1:-1].std() < 1.1
    assert array.std() > 5


@pytest.mark.parametrize("channels", [0, *SLABS])
def test_ripples_come_back_with_the_reloaded_cube(channels):
    """Spec sofia2 trap 15; and the filter works on what noise scaling left (step 14)."""
    array, header = sloped()
    scaled, _ = steps_on(array, header, ["scaleNoise.enable=true"])
    searched, measured = steps_on(array, header, [*RIPPLE, "scaleNoise.enable=true"], channels)
    assert same(measured, array)
    assert same(searched, steps_on(scaled, header, RIPPLE)[0])


def test_ripples_come_after_continuum_and_automatic_flags():
    array, header = sloped()
    array[:, 13, 2] *= 50
    first = [*CONTSUB, "contsub.order=1", "flag.auto=true"]
    before, _ = steps_on(array, header, first)
    assert np.isnan(before[:, 13, 2]).all()
    assert same(steps_on(array, header, [*RIPPLE, *first])[0], steps_on(before, header, RIPPLE)[0])


def test_ripples_stay_unless_asked():
    array, header = sloped()
    assert same(steps_on(array, header, RIPPLE[1:])[0], array)
