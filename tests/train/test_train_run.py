"""A whole training in miniature, and that networks learn."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open

from hisf.cli import cli
from hisf.errors import FileAccessError, InputError
from hisf.nn.appraiser import Appraiser
from hisf.nn.architectures import load_segmenter
from hisf.nn.slim import SlimUNet
from hisf.nn.weights import read_weights, write_weights
from hisf.simulate import DiscModel, from_mass_function, from_options, sdc2_level, truth_table, write_cube, write_text
from hisf.simulate.noise import Noise
from hisf.train import calibrate, candidates, material, run
from hisf.train.crops import Crops
from hisf.train.loop import Schedule, fit
from hisf.train.recipe import Recipe
from hisf.train.segmenter import segmentation_loss, tensors, voxel_precision


class Silent:
    """A display that only counts."""

    def __init__(self):
        self.done = {}

    @contextmanager
    def stage(self, name, total):
        self.done[name] = 0

        def advance(n):
            self.done[name] += n

        yield advance
        assert self.done[name] == total

    def state(self, name, state): ...


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(material, "VOLUME", (64, 40, 40))
    monkeypatch.setattr(material, "HELD", (64, 40, 40))
    monkeypatch.setattr(material, "HELD_BATCHES", 1)
    monkeypatch.setattr(material, "CROPS", 1)
    monkeypatch.setattr(candidates, "FIELD", (64, 64, 64))
    monkeypatch.setattr(candidates, "MOCKS", 6)
    monkeypatch.setattr(candidates, "THRESHOLD", 0.0)  # everything is one detection
    monkeypatch.setattr(calibrate, "SHAPE", (64, 48, 48))
    monkeypatch.setattr(calibrate, "STARTS_HZ", (1090e6,))
    monkeypatch.setattr(calibrate, "WITH_CLASSIC", 1)
    monkeypatch.setattr(calibrate, "DENSITY", 60.0)


def test_a_network_learns_in_less_than_a_minute_to_beat_chance_tenfold(mocks, volume, tmp_path):
    """Average precision over voxels; that of a guess is the share of galaxy voxels."""
    bright = [m for m in mocks if m.snr > 3]
    assert len(bright) > 8
    crops, held = Crops([volume.data], bright, 1), Crops([volume.data], bright, 2)
    shape = (64, 32, 32)
    checked = [tensors(held.batch(k, 2, shape)) for k in range(4)]
    torch.manual_seed(1)
    network, _ = fit(
        SlimUNet().to(memory_format=torch.channels_last_3d),
        Schedule(80, warmup=10, every=80, averaging=0.9),
        lambda step: tensors(crops.batch(step, 2, shape)),
        segmentation_loss(torch.float32, torch.device("cpu")),
        lambda n: voxel_precision(n, checked, torch.float32),
        tmp_path / "s.safetensors",
    )
    chance = float(torch.cat([target[valid > 0] for _, target, valid in checked]).mean())
    assert 0 < chance < 0.05
    assert voxel_precision(network, checked, torch.float32) > 10 * chance


def test_a_whole_training_in_miniature(small, tmp_path):
    recipe = Recipe(mocks=16, volumes=1, steps=2, fields=2, appraiser_steps=2)
    display = Silent()
    out = tmp_path / "mini.safetensors"
    made = run.train(
        recipe, lambda: material.simulated(recipe, None, display), None, out, tmp_path / "work", display,
        command="hisf train --out mini.safetensors", precision_name="float32",
    )  # fmt: skip
    assert [path.name for path in made] == ["mini.safetensors", "mini.md", "mini_curves.png"]
    weights = read_weights(out)
    assert weights.about["recipe"]["steps"] == 2
    assert set(weights.about) >= {"architecture", "data", "sampling", "versions", "licence", "calibration", "scores"}
    assert load_segmenter(weights)(torch.zeros(1, 1, 64, 16, 16)).shape == (1, 1, 64, 16, 16)
    weights.into(Appraiser(), "appraiser")
    card = made[1].read_text()
    assert "hisf train --out mini.safetensors" in card
    assert "CC-BY-4.0" in card
    assert str(tmp_path) not in card + json.dumps(weights.about)
    assert made[2].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    # the same again finds its checkpoints and ends with the same weights
    with safe_open(out, "pt") as file:
        before = {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118
    run.train(
        recipe, lambda: material.simulated(recipe, None, display), None, out, tmp_path / "work", display,
        command="again", precision_name="float32",
    )  # fmt: skip
    with safe_open(out, "pt") as file:
        assert all(torch.equal(file.get_tensor(n), t) for n, t in before.items())


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    geometry = from_options((160, 110, 90), start=1100e6)
    level = sdc2_level(geometry)
    galaxies = from_mass_function(geometry, 150.0, 4, level, 1.0)
    measured = write_cube(folder / "own.fits", geometry, galaxies, DiscModel(), [Noise(geometry, level, 1)], level)
    write_text(folder / "truth.txt", truth_table(measured, geometry))
    torch.manual_seed(5)
    write_weights(
        folder / "start.safetensors", {"segmenter": SlimUNet(), "appraiser": Appraiser()},
        {"architecture": "slim", "calibration": {"slope": 0.9, "offset": -1.0}, "stretch": {"flux": 1.2}},
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("target", ["wedge", "cylinder"])
def test_material_of_a_catalogued_cube(cube, target, monkeypatch):
    from hisf.cli.settings import load

    monkeypatch.setattr(material, "HELD_BATCHES", 1)
    monkeypatch.setattr(material, "PAPER_CROPS", 4)
    settings, _ = load([f"input.data={cube / 'own.fits'}", "cnn.architecture=resnet18"])
    made = material.catalogued(Recipe(architecture="resnet18"), settings, cube / "truth.txt", target, 1.8)
    batch = made.batch(0)
    assert batch.data.shape == (4, 1, 32, 32, 32)
    assert batch.target[:2].any((1, 2, 3, 4)).all()  # half around galaxies
    assert not batch.target[2:].any()
    bright = batch.data[batch.target > 0].mean()
    assert bright > 0.3  # in units of the noise: galaxies are where the target says
    assert abs(batch.data[batch.target == 0].mean()) < 0.05
    few = material.catalogued(Recipe(architecture="resnet18"), settings, cube / "truth.txt", target, 5.0)
    numbers = [int(m.about.split(": ")[1].split()[0]) for m in (made, few)]
    assert numbers[0] > numbers[1] > 0


def test_fine_tuning_to_the_own_cube_keeps_the_appraiser(cube, tmp_path, monkeypatch):
    monkeypatch.setattr(material, "HELD_BATCHES", 1)
    monkeypatch.setattr(material, "CROPS", 1)
    out = tmp_path / "tuned.safetensors"
    words = ["train", f"input.data={cube / 'own.fits'}", "--inject", "--steps", "2", "--mocks", "24"]
    result = CliRunner().invoke(cli, [*words, "--from", str(cube / "start.safetensors"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    tuned, start = read_weights(out), read_weights(cube / "start.safetensors")
    assert tuned.about["calibration"] == start.about["calibration"]
    for name, tensor in start.tensors.items():
        same = torch.equal(tuned.tensors[name], tensor)
        assert same if name.startswith("appraiser") else not (name == "segmenter.head.weight" and same), name
    assert "mock galaxies in own.fits" in out.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["--inject"], InputError, "need the parameter file of a cube"),
        (["--truth", "t.txt", "--inject"], InputError, "exclude each other"),
        (["input.data=x.fits"], InputError, "--truth FILE or --inject"),
        (["--templates", "/nowhere/sdc2"], FileAccessError, "is not there"),
    ],
)
def test_wrong_commands(words, kind, said, tmp_path):
    result = CliRunner().invoke(cli, ["train", *words, "--out", str(tmp_path / "w.safetensors")])
    assert isinstance(result.exception, kind)
    assert said in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_logistic_fit_finds_the_truth():
    rng = np.random.default_rng(1)
    logit = rng.normal(0, 3, 20000)
    real = rng.random(20000) < 1 / (1 + np.exp(-(0.7 * logit - 1.0)))
    slope, offset = calibrate.fit_logistic(logit[:, None], real)
    assert slope == pytest.approx(0.7, abs=0.04)
    assert offset == pytest.approx(-1.0, abs=0.06)
    rows = calibrate.diagram(1 / (1 + np.exp(-(slope * logit + offset))), real)
    assert sum(row["n"] for row in rows) == 20000
    assert max(abs(row["stated"] - row["true"]) for row in rows) < 0.05
    assert calibrate._shift(logit, rng.random(20000) < 1 / (1 + np.exp(-(logit + 0.8)))) == pytest.approx(0.8, abs=0.1)
