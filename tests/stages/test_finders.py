"""Finders: S+C against a plain twin and in slabs, threshold, input mask, choice, contract."""

import numpy as np
import pytest

from hisf.data.voxels import ArrayVoxels
from hisf.errors import IndexRangeError, InputError, PluginError
from hisf.execution.progress import Progress
from hisf.execution.tiling import Tiling
from hisf.execution.workspace import Workspace
from hisf.kernels.noise import noise_of_array
from hisf.settings import Kind, Parameter, load_settings
from hisf.stages.finders.choose import chosen_finders
from hisf.stages.finders.contract import Finder
from hisf.stages.finders.mask import InputMask
from hisf.stages.finders.run import run_finders
from hisf.stages.finders.scfind import SmoothAndClip
from hisf.stages.finders.threshold import Threshold
from hisf.testing import GaussianSource, as_cube, check_finder, make_cube

SHAPE = (17, 18, 20)
WHOLE = Tiling(1 << 30)  # one tile


class Counting:
    """Adds up what the stages report."""

    def __init__(self):
        self.total = self.done = 0

    def start_stage(self, stage, total, unit):
        self.total += total

    def advance_stage(self, stage, done, total):
        pass

    def finish_stage(self, stage, done, seconds, unit):
        self.done += done


def cube_with_sources(dtype=np.float32, seed=2):
    """A bright, an extended, a broad and a negative source in noise, with blanks."""
    sources = (
        GaussianSource(0.03, 5, 5, 5, 1.0, 1.0),
        GaussianSource(0.006, 10, 11, 12, 3.0, 2.5),
        GaussianSource(-0.02, 12, 4, 15, 1.0, 1.5),
        GaussianSource(0.01, 3, 14, 4, 0.6, 0.6),
    )
    array, header = make_cube(SHAPE, sources=sources, seed=seed, dtype=dtype)
    array[8, 2:5, 2:5] = np.nan
    array[5, 6, 5] = np.nan
    return array, header


def search(finder_class, arguments, array, header, channels=0, mask=None):
    """Return the dense mask; ``channels`` > 0 streams slabs of that depth."""
    cube = as_cube(array, header)
    if mask is not None:
        cube.companions["mask"] = as_cube(mask, header)
    voxels = cube if channels else ArrayVoxels(array)
    workspace = Workspace(0, channels * array[0].nbytes) if channels else Workspace(1 << 30)
    counting = Counting()
    settings = load_settings(arguments)
    store = run_finders(
        [finder_class(settings, cube)], voxels, workspace, Progress(counting),
        Tiling(1 << 30, (channels, 0, 0)),
    )  # fmt: skip
    assert counting.done == counting.total
    found = np.zeros(array.shape, bool)
    found.reshape(-1)[store.voxels()] = True
    return found


# --- the twin: spec sofia2 §3.5 and §3.6 in plain numpy -------------------------------------------------------------

BOXCARS = {3: (3, 1), 4: (4, 1), 5: (6, 1), 6: (3, 2), 8: (6, 2)}  # FWHM -> n, R; the table of §3.5


def boxcar(values, half, axis):
    """§3.5: the sum at the last element from the highest index down, then the recursion, in array precision."""
    p = np.moveaxis(np.where(np.isnan(values), values.dtype.type(0), values), axis, 0)
    n, factor = len(p), values.dtype.type(1.0 / (2 * half + 1))
    zero = np.zeros_like(p[0])

    def at(i):
        return p[i] if 0 <= i < n else zero

    result = np.empty_like(p)
    total = zero.copy()
    for i in range(n - 1 + half, n - 2 - half, -1):
        total = total + at(i)
    result[n - 1] = total * factor
    for i in range(n - 2, -1, -1):
        result[i] = result[i + 1] + (at(i - half) - at(i + 1 + half)) * factor
    return np.moveaxis(result, 0, axis)


def twin(data, kernels_xy, kernels_z, threshold, replacement, statistic="mad", flux="negative", scale=False):
    """§3.6. The cubes are small, so that the cadence is 1."""

    def noise(values):
        return noise_of_array(np.ascontiguousarray(values).reshape(-1), statistic, flux)

    base = noise(data)
    mask = np.zeros(data.shape, bool)
    for fwhm in sorted(kernels_xy):
        for width in sorted(kernels_z):
            if not fwhm and not width:
                mask |= np.abs(data.astype(np.float64)) > threshold * base
                continue
            copy = data.copy()
            if replacement >= 0:
                copy[mask] = np.copysign(data.dtype.type(replacement * base), copy[mask])
            if fwhm:
                passes, half = BOXCARS[fwhm]
                for axis in (2, 1):
                    for _ in range(passes):
                        copy = boxcar(copy, half, axis)
            if width // 2:
                copy = boxcar(copy, width // 2, 0)
            copy[np.isnan(data)] = np.nan
            if scale:  # scaleNoise.scfind, spectral: each channel by its own noise, in double
                copy = np.stack([(p.astype(np.float64) / noise(p)).astype(p.dtype) for p in copy])
            mask |= np.abs(copy.astype(np.float64)) > threshold * noise(copy)
    return mask


def arguments_for(kernels_xy, kernels_z, threshold, replacement, statistic="mad", flux="negative", scale=False):
    return [
        f"scfind.kernelsXY={','.join(map(str, kernels_xy))}",
        f"scfind.kernelsZ={','.join(map(str, kernels_z))}",
        f"scfind.threshold={threshold}",
        f"scfind.replacement={replacement}",
        f"scfind.statistic={statistic}",
        f"scfind.fluxRange={flux}",
        f"scaleNoise.enable={str(scale).lower()}",
        f"scaleNoise.scfind={str(scale).lower()}",
    ]


CASES = {
    "usual": ([0, 3, 6], [0, 3, 7], 4.0, 2.0),
    "no replacement": ([0, 3, 6], [0, 3, 7], 4.0, -1.0),
    "replacement by zero": ([0, 3], [0, 3], 4.0, 0.0),
    "unsorted": ([6, 0, 3], [7, 0, 3], 4.0, 2.0),
    "twice the same": ([0, 3, 3], [0, 3], 3.5, 2.0),
    "even widths": ([0, 4], [0, 4, 6], 4.0, 2.0),
    "width 1": ([0], [0, 1], 3.0, 2.0),
    "smoothed only": ([5], [3], 4.0, 2.0),
    "std": ([0, 8], [0, 5], 4.0, 1.5, "std", "full"),
    "gauss": ([0, 3], [0, 3], 4.0, 2.0, "gauss", "full"),
    "positive": ([0, 3], [0, 3], 4.0, 2.0, "mad", "positive"),
    "scaled": ([0, 3], [0, 3, 5], 4.0, 2.0, "mad", "negative", True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smooth_and_clip_against_the_plain_formulas(case, dtype):
    array, header = cube_with_sources(dtype)
    found = search(SmoothAndClip, arguments_for(*case), array, header)
    expected = twin(array, *case)
    assert 20 < expected.sum() < 0.5 * expected.size
    assert np.array_equal(found, expected)


def test_the_cases_tell_the_rules_apart():
    """If replacement or order did not matter in this cube, the test above would show nothing."""
    array, _ = cube_with_sources()
    usual = twin(array, *CASES["usual"])
    assert not np.array_equal(usual, twin(array, *CASES["no replacement"]))
    assert not np.array_equal(usual, twin(array, [0, 3, 6], [0, 3, 7], 4.0, 0.5))
    assert np.array_equal(usual, twin(array, *CASES["unsorted"]))
    assert usual[array < 0].any()  # both signs are detected
    assert not usual[np.isnan(array)].any()


@pytest.mark.parametrize("case", ["usual", "no replacement", "even widths", "smoothed only", "scaled"])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_slabs_give_the_same_mask(case, channels):
    array, header = cube_with_sources()
    arguments = arguments_for(*CASES[case])
    held = search(SmoothAndClip, arguments, array, header)
    assert np.array_equal(search(SmoothAndClip, arguments, array, header, channels), held)


@pytest.mark.parametrize("channels", [1, 3, 7])
def test_slabs_with_local_scaling_of_the_smoothed_cubes(channels):
    array, header = cube_with_sources()
    arguments = [
        *arguments_for([0, 3], [0, 5], 4.0, 2.0, scale=True),
        "scaleNoise.mode=local", "scaleNoise.windowXY=9", "scaleNoise.windowZ=5", "scaleNoise.interpolate=true",
    ]  # fmt: skip
    held = search(SmoothAndClip, arguments, array, header)
    assert held.any()
    assert np.array_equal(search(SmoothAndClip, arguments, array, header, channels), held)


def test_even_widths_act_as_the_next_odd_one():
    """Spec sofia2 trap 6."""
    array, header = cube_with_sources()
    even = search(SmoothAndClip, arguments_for([0, 3], [0, 4], 4.0, 2.0), array, header)
    assert np.array_equal(even, search(SmoothAndClip, arguments_for([0, 3], [0, 5], 4.0, 2.0), array, header))
    assert not np.array_equal(even, search(SmoothAndClip, arguments_for([0, 3], [0, 3], 4.0, 2.0), array, header))


@pytest.mark.parametrize(
    ("setting", "error", "code"),
    [
        ("scfind.kernelsXY=0,18", InputError, 7),  # each smaller than min(nx, ny) = 18 (spec sofia2 §1.4)
        ("scfind.kernelsXY=0,-3", InputError, 7),
        ("scfind.kernelsZ=0,17", InputError, 7),
        ("scfind.kernelsZ=-1", InputError, 7),
        ("scfind.kernelsXY=", IndexRangeError, 4),
        ("scfind.kernelsZ=", IndexRangeError, 4),
    ],
)
def test_kernels_that_do_not_fit(setting, error, code):
    array, header = cube_with_sources()
    with pytest.raises(error, match=setting.partition("=")[0]) as info:
        search(SmoothAndClip, [setting], array, header)
    assert info.value.exit_code == code


def test_kernels_that_just_fit():
    array, header = cube_with_sources()
    arguments = arguments_for([0, 17.5], [0, 16], 3.0, 2.0, "std", "full")
    assert search(SmoothAndClip, arguments, array, header).any()


@pytest.mark.parametrize("finder", [SmoothAndClip, Threshold])
@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_cube_without_noise_is_refused(finder, value):
    """A threshold of 0 or NaN ends the run with code 7 (spec sofia2 §3.6, §3.7)."""
    _, header = cube_with_sources()
    with pytest.raises(InputError, match="threshold") as info:
        search(finder, ["scfind.kernelsZ=0,3"], np.full(SHAPE, value, np.float32), header)
    assert info.value.exit_code == 7


@pytest.mark.parametrize("channels", [0, 1, 5])
def test_threshold_finder(channels):
    array, header = cube_with_sources()
    noise = noise_of_array(array.reshape(-1), "std", "full")
    relative = ["threshold.threshold=3.5", "threshold.statistic=std", "threshold.fluxRange=full"]
    found = search(Threshold, relative, array, header, channels)
    assert np.array_equal(found, np.abs(array.astype(np.float64)) > 3.5 * noise)
    absolute = search(Threshold, ["threshold.mode=absolute", "threshold.threshold=0.004"], array, header, channels)
    assert np.array_equal(absolute, np.abs(array.astype(np.float64)) > 0.004)
    assert found.any()
    assert absolute.any()


def test_threshold_is_strict_and_compared_in_double():
    _, header = cube_with_sources()
    array = np.zeros(SHAPE, np.float32)
    array[1, 1, 1], array[2, 2, 2], array[3, 3, 3] = 0.5, np.nextafter(np.float32(0.5), np.float32(1)), -0.75
    array[4, 4, 4] = 0.1  # as float32 above the double 0.1
    found = search(Threshold, ["threshold.mode=absolute", "threshold.threshold=0.5"], array, header)
    assert np.argwhere(found).tolist() == [[2, 2, 2], [3, 3, 3]]
    found = search(Threshold, ["threshold.mode=absolute", "threshold.threshold=0.1"], array, header)
    assert found[4, 4, 4]


def test_input_mask_gives_its_non_zero_voxels():
    """Labels are discarded; blank voxels are cleared (spec sofia2 §2.2, step 20)."""
    array, header = cube_with_sources()
    mask = np.zeros(SHAPE, np.int16)
    mask[2, 3, 4], mask[9, 9, 9], mask[8, 3, 3] = 7, -1, 5
    for channels in (0, 2):
        found = search(InputMask, [], array, header, channels, mask)
        assert np.argwhere(found).tolist() == [[2, 3, 4], [9, 9, 9]]


def test_finders_are_united():
    array, header = cube_with_sources()
    cube, settings = as_cube(array, header), load_settings(["threshold.threshold=4", "scfind.kernelsZ=0,3"])
    workspace, progress = Workspace(1 << 30), Progress(Counting())
    finders = [SmoothAndClip(settings, cube), Threshold(settings, cube)]
    both = run_finders(finders, ArrayVoxels(array), workspace, progress, WHOLE).voxels()
    apart = [
        search(f, ["threshold.threshold=4", "scfind.kernelsZ=0,3"], array, header) for f in (SmoothAndClip, Threshold)
    ]
    assert np.array_equal(both, np.flatnonzero(apart[0] | apart[1]))


# design §3
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["cnn"]),
        (["scfind.threshold=4"], ["scfind"]),
        (["scfind.threshold=4", "scfind.enable=false"], ["cnn"]),
        (["scfind.enable=false"], ["cnn"]),
        (["scfind.enable=true"], ["scfind"]),
        (["threshold.enable=true"], ["scfind", "threshold"]),
        (["scfind.enable=false", "threshold.enable=true"], ["threshold"]),
        (["scfind.enable=false", "input.mask=m.fits"], ["mask"]),
        (["input.mask=m.fits"], ["cnn", "mask"]),
        (["pipeline.finder=threshold"], ["threshold"]),
        (["pipeline.finder=threshold", "scfind.enable=true"], ["threshold"]),
        (["pipeline.finder=other", "scfind.enable=false"], ["other"]),
        (["pipeline.finder= scfind + threshold "], ["scfind", "threshold"]),
        (["pipeline.finder=mask", "input.mask=m.fits"], ["mask"]),
        (["pipeline.finder=threshold", "input.mask=m.fits"], ["threshold", "mask"]),
    ],
)
def test_choice_of_finders(arguments, expected):
    assert chosen_finders(load_settings(arguments)) == expected


# --- the contract, for plugin authors -------------------------------------------------------------------------------


def test_built_in_finders_keep_the_contract():
    assert check_finder(SmoothAndClip, ["scfind.kernelsZ=0,3,7", "scfind.kernelsXY=0,3"]).sum() > 50
    assert check_finder(Threshold, ["threshold.threshold=4"]).sum() > 50
    array, header = make_cube()
    mask = np.zeros(array.shape, np.int32)
    mask[20:, 3:6, 7:9] = 1
    mask[:12] = 1  # where the cube is blank: nothing counts
    found = check_finder(InputMask, companions={"mask": as_cube(mask, header)})
    assert found.sum() == 20 * 3 * 2 + 2 * 32 * 36


class Box3(Finder):
    """Mean of 3 × 3 × 3 voxels as a score: a well-behaved finder with a halo."""

    name = "box3"
    parameters = (Parameter("box3.level", Kind.FLOAT, "0.002", "Level.", "hisf 0.1"),)
    reach = 1

    def halo(self):
        return (self.reach,) * 3

    def find(self, tile):
        data = np.pad(np.nan_to_num(tile.data.astype(np.float64)), 1)
        total = sum(
            data[z : z + tile.data.shape[0], y : y + tile.data.shape[1], x : x + tile.data.shape[2]]
            for z in range(3) for y in range(3) for x in range(3)
        )  # fmt: skip
        score = 1 / (1 + np.exp(-(total / 27 - self.settings["box3.level"]) * 1e3))
        return np.where(np.isnan(tile.data), 0.0, score)


def test_score_finder_keeps_the_contract():
    usual = check_finder(Box3).sum()
    assert 50 < check_finder(Box3, ["box3.level=0.004"]).sum() < usual


def broken(**members):
    return type("Broken", (Box3,), members)


def modify(self, tile):
    tile.data[...] = 0
    return tile.data > 0


def remember(self, tile):
    type(self).count = getattr(type(self), "count", 0) + 1
    return np.full(tile.data.shape, self.count > 2) & ~np.isnan(tile.data)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"reach": 0}, "for the tile"),  # smaller than what it looks at
        ({"find": modify}, "modifies"),
        ({"find": remember}, "second time"),
        ({"find": lambda self, tile: tile.data[1:] > 0}, "shape"),
        ({"find": lambda self, tile: (tile.data > 0).astype(int)}, "int"),
        ({"find": lambda self, tile: np.full(tile.data.shape, 1.5)}, "0 to 1"),
        ({"find": lambda self, tile: tile.data * np.nan}, "0 to 1"),
        ({"find": lambda self, tile: np.ones(tile.data.shape, bool)}, "blank"),
        ({"name": ""}, "name"),
        ({"name": "a+b"}, "name"),
        ({"parameters": (Parameter("scfind.more", Kind.INT, "1", "More.", "hisf 0.1"),)}, "belongs to hisf"),
        (
            {"parameters": tuple(Parameter(f"{s}.level", Kind.INT, "1", "L.", "hisf 0.1") for s in ("box3", "box4"))},
            "several prefixes",
        ),
    ],
)
def test_broken_finders_are_caught(members, message):
    with pytest.raises(AssertionError, match=message):
        check_finder(broken(**members))


def test_class_that_is_no_finder():
    with pytest.raises(AssertionError, match="subclass"):
        check_finder(object)


@pytest.mark.parametrize(
    "answer", [lambda data: data[:1] > 0, lambda data: (data > 0).astype(int), lambda data: np.bool_(True)]
)
def test_run_refuses_what_is_neither_mask_nor_score(answer):
    array, header = cube_with_sources()
    with pytest.raises(PluginError, match="box3"):
        run_finders(
            [_finder(answer, array, header)], ArrayVoxels(array), Workspace(1 << 30), Progress(Counting()), WHOLE
        )


def _finder(answer, array, header):
    settings = load_settings([], (*load_settings([]).parameters, *Box3.parameters))
    return broken(find=lambda self, tile: answer(tile.data))(settings, as_cube(array, header))


def test_score_counts_above_the_threshold_strictly():
    array, header = cube_with_sources()

    def find(data):
        score = np.full(data.shape, 0.5)
        score[0, 0, 1] = 0.51
        return score

    store = run_finders(
        [_finder(find, array, header)], ArrayVoxels(array), Workspace(1 << 30), Progress(Counting()), WHOLE
    )
    assert store.voxels().tolist() == [1]


def test_tiles_are_read_only_whatever_they_come_from():
    array, header = cube_with_sources()
    writable = []

    def find(data):
        writable.append(data.flags.writeable)
        return np.zeros(data.shape, bool)

    for voxels in (ArrayVoxels(array), as_cube(array, header)):
        run_finders([_finder(find, array, header)], voxels, Workspace(0), Progress(Counting()), WHOLE)
    assert writable
    assert not any(writable)
    assert array.flags.writeable
