"""Against the maker of SDC2-like cubes among the shared reference data, with the same rows."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from hisf.cli.simulate import command
from hisf.data.sdc2_table import read_sdc2

SHAPE = 300, 240, 240  # z, y, x

pytestmark = pytest.mark.shared


class Pair(NamedTuple):
    """Galaxies without noise, and noise without galaxies: (theirs, ours) each."""

    galaxies: tuple[np.ndarray, np.ndarray]
    noise: tuple[np.ndarray, np.ndarray]
    boxes: np.ndarray


@pytest.fixture(scope="module")
def pair(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    pytest.importorskip("scipy", reason="the reference maker needs scipy")
    folder, data = tmp_path_factory.mktemp("reference"), shared / "data" / "sdc2"
    maker = [sys.executable, str(shared / "bin" / "sdc2_cube.py"), "--data", str(data), "--cont-gain", "0"]
    maker += ["--shape", *map(str, SHAPE), "--seed", "5", "--density", "8"]
    for name, scale in (("silent", "0"), ("noisy", "1")):
        subprocess.run([*maker, "--out", str(folder / name), "--noise-scale", scale], check=True, capture_output=True)
    rows = folder / "silent_truth.txt"
    nz, ny, nx = SHAPE
    ours = ["--shape", f"{nx},{ny},{nz}", "--templates", str(data), "--catalogue", str(rows)]
    for name, more in (("our_silent", ["--no-noise"]), ("our_noisy", [])):
        result = CliRunner().invoke(command, [str(folder / f"{name}.fits"), *ours, *more], catch_exceptions=False)
        assert result.exit_code == 0
    cubes = {
        n: fits.getdata(folder / f"{n}.fits").astype(float) for n in ("silent", "noisy", "our_silent", "our_noisy")
    }
    truth = read_sdc2(rows)
    mine = read_sdc2(folder / "our_silent_truth.txt")
    assert len(mine) == len(truth)
    half = (1.2 * truth["hi_size"].value / 2.8 + 10).astype(int)
    deep = (truth["w20"].value / 299792.458 * truth["central_freq"].value / 30e3 + 10).astype(int)
    centre = np.rint(np.stack([mine["z"], mine["y"], mine["x"]], axis=1)).astype(int)
    reach = np.stack([deep, half, half], axis=1)
    boxes = np.stack([np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, SHAPE)], axis=2)
    noise = (cubes["noisy"] - cubes["silent"], cubes["our_noisy"] - cubes["our_silent"])
    return Pair((cubes["silent"], cubes["our_silent"]), noise, boxes)


def parts(cube: np.ndarray, boxes: np.ndarray) -> list[np.ndarray]:
    return [cube[tuple(slice(*b) for b in box)] for box in boxes]


def test_fluxes_agree_source_by_source(pair: Pair) -> None:
    low, high = pair.boxes[:, :, 0], pair.boxes[:, :, 1]
    meet = ((low[:, None] < high) & (high[:, None] > low)).all(axis=2)
    alone = pair.boxes[meet.sum(axis=1) == 1]
    assert len(alone) >= 8
    theirs, ours = ([p.sum() for p in parts(cube, alone)] for cube in pair.galaxies)
    assert np.array(ours) / np.array(theirs) == pytest.approx(1.0, abs=0.01)
    assert pair.galaxies[1].sum() / pair.galaxies[0].sum() == pytest.approx(1.0, abs=0.01)


def test_noise_per_channel_agrees(pair: Pair) -> None:
    theirs, ours = (cube.std(axis=(1, 2)) for cube in pair.noise)
    ratio = ours / theirs
    assert np.median(ratio) == pytest.approx(1.0, abs=0.005)
    assert ratio == pytest.approx(1.0, abs=0.02)


def test_spatial_power_of_the_noise_agrees(pair: Pair) -> None:
    window = np.hanning(SHAPE[1])[:, None] * np.hanning(SHAPE[2])
    theirs, ours = (
        (np.abs(np.fft.rfft2(cube / cube.std(axis=(1, 2), keepdims=True) * window)) ** 2).mean(axis=0)
        for cube in pair.noise
    )
    frequency = np.hypot(np.fft.fftfreq(SHAPE[1])[:, None], np.fft.rfftfreq(SHAPE[2]))
    for low in np.arange(0.02, 0.46, 0.04):
        ring = (frequency >= low) & (frequency < low + 0.04)
        assert ours[ring].mean() / theirs[ring].mean() == pytest.approx(1.0, abs=0.02), low


def test_peaks_are_distributed_alike(pair: Pair) -> None:
    level = pair.noise[0].std(axis=(1, 2))[:, None, None]
    theirs, ours = (np.sort([p.max() for p in parts(cube / level, pair.boxes)]) for cube in pair.galaxies)
    everywhere = np.concatenate([theirs, ours])
    cumulative = [np.searchsorted(a, everywhere, side="right") / len(a) for a in (theirs, ours)]
    distance = np.abs(cumulative[0] - cumulative[1]).max()
    n = len(ours) / 2.0
    lamb = (np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n)) * distance  # Kolmogorov's distribution, Stephens (1970)
    k = np.arange(1, 101)
    p = 1.0 if lamb < 0.3 else 2.0 * np.sum((-1.0) ** (k - 1) * np.exp(-2.0 * (k * lamb) ** 2))
    assert p > 0.05
