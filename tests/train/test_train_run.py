"""A whole training in miniature, and that networks learn."""

import json
import logging
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open

from hisf.errors import FileAccessError, InputError, NothingFoundError
from hisf.nn.appraiser import Appraiser
from hisf.nn.architectures import load_segmenter
from hisf.nn.slim import SlimUNet
from hisf.nn.weights import read_weights
from hisf.train import calibrate, candidates, material, run
from hisf.train.crops import Crops
from hisf.train.loop import Schedule, fit
from hisf.train.recipe import Recipe, collect
from hisf.train.segmenter import segmentation_loss, tensors, voxel_precision
from hisf.train.work import open_folder


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(material, "VOLUME", (64, 40, 40))
    monkeypatch.setattr(material, "HELD", (64, 40, 40))
    monkeypatch.setattr(material, "HELD_BATCHES", 1)
    monkeypatch.setattr(material, "HELD_MOCKS", 16)
    monkeypatch.setattr(material, "CROPS", 1)
    monkeypatch.setattr(candidates, "FIELD", (64, 64, 64))
    monkeypatch.setattr(candidates, "MOCKS", 6)
    monkeypatch.setattr(candidates, "THRESHOLD", 0.0)  # everything is one detection
    monkeypatch.setattr("hisf.train.recipe.DETECTIONS", 8)
    monkeypatch.setattr(calibrate, "SHAPE", (64, 32, 32))
    monkeypatch.setattr(calibrate, "STARTS_HZ", (1090e6,))
    monkeypatch.setattr(calibrate, "WITH_CLASSIC", 1)
    monkeypatch.setattr(calibrate.calibrate, "__defaults__", (2,))  # cubes: of the second, what is found is a galaxy
    monkeypatch.setattr(calibrate, "DENSITY", 2000.0)  # so that all voxels together are positive


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


def train(recipe, display, folder, **options):
    return run.train(
        recipe, lambda: material.simulated(recipe, None, display), None, folder / "mini.safetensors", folder / "work",
        display, command="hisf train --out mini.safetensors", precision_name="float32", **options,
    )  # fmt: skip


def stored(path):
    with safe_open(path, "pt") as file:
        return {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118


def test_a_whole_training_in_miniature(small, display, tmp_path):
    recipe = Recipe(mocks=16, volumes=1, steps=2, fields=2, appraiser_steps=2)
    made = train(recipe, display, tmp_path)
    assert [path.name for path in made] == ["mini.safetensors", "mini.md", "mini_curves.png"]
    weights = read_weights(made[0])
    about = weights.about
    assert about["recipe"]["steps"] == 2
    assert about["sampling"]["pixels per beam, range"] == [1.9, 3.6]
    assert about["seeds"] == {"training": 1, "validation": 2, "detections": 3, "calibration": 11}
    assert set(about) >= {"architecture", "data", "versions", "licence", "calibration", "stretch", "scores", "limits"}
    assert load_segmenter(weights)(torch.zeros(1, 1, 64, 16, 16)).shape == (1, 1, 64, 16, 16)
    weights.into(Appraiser(), "appraiser")
    card = made[1].read_text(encoding="utf-8")
    for said in (
        "`hisf train --out mini.safetensors`",
        "16 mock galaxies",
        "2.5 pixels per beam",
        "1.9 to 3.6",
        "4 to 20 km/s",
        "| step | cross-entropy | dice | score |",
        "## Calibration",
        "simulated noise",
        "CC-BY-4.0",
    ):
        assert said in card, said
    assert str(tmp_path) not in card + json.dumps(about)
    assert made[2].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert not list(tmp_path.glob(".*"))  # nothing half-written

    # the same again finds its checkpoints and ends with the same weights
    before = stored(made[0])
    (tmp_path / "work" / "appraiser.safetensors").unlink()
    shutil.rmtree(tmp_path / "work" / "detections")
    train(recipe, display, tmp_path)
    after = stored(made[0])
    assert all(torch.equal(after[n], t) for n, t in before.items())

    # another training does not take them, and --anew removes them and nothing else
    with pytest.raises(InputError, match=r"another training \(volumes 1 instead of 2\); begin with --anew"):
        train(Recipe(mocks=16, volumes=2, steps=2, fields=2, appraiser_steps=2), display, tmp_path)
    with pytest.raises(InputError, match=r"from nothing instead of other\.safetensors"):
        train(recipe, display, tmp_path, source={"from": "other.safetensors"})
    (tmp_path / "work" / "mine.txt").write_text("not hisf's")
    short = Recipe(mocks=16, volumes=1, steps=1, fields=2, appraiser_steps=0)
    train(short, display, tmp_path, anew=True)
    assert sorted(p.name for p in (tmp_path / "work").iterdir() if p.suffix != ".txt") == [
        "segmenter.safetensors", "training.json",
    ]  # fmt: skip
    assert (tmp_path / "work" / "mine.txt").exists()
    segmenter_only = read_weights(made[0])
    assert not segmenter_only.has("appraiser")
    assert "There is no appraiser in it" in made[1].read_text(encoding="utf-8")


def test_a_folder_whose_training_never_began_is_free(tmp_path):
    open_folder(tmp_path, {"recipe": {"steps": 1}}, False)
    open_folder(tmp_path, {"recipe": {"steps": 2}}, False)
    (tmp_path / "segmenter.safetensors").touch()
    with pytest.raises(InputError, match=r"steps 2 instead of 1"):
        open_folder(tmp_path, {"recipe": {"steps": 1}}, False)
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(InputError, match=r"training\.json cannot be read"):
        open_folder(tmp_path, {"recipe": {"steps": 2}}, False)
    (tmp_path / "training.json").unlink()  # of an older hisf, or removed: the checkpoints speak for themselves
    open_folder(tmp_path, {"recipe": {"steps": 3}}, False)
    (tmp_path / "a file").touch()
    with pytest.raises(FileAccessError, match="name another folder with --work"):
        open_folder(tmp_path / "a file", {}, False)


def test_networks_that_find_nothing_are_not_calibrated(small, display, tmp_path, monkeypatch, caplog):
    def nothing(*arguments):
        raise NothingFoundError("No source found.")

    monkeypatch.setattr(calibrate, "calibrate", nothing)
    recipe = Recipe(mocks=16, volumes=1, steps=1, fields=2, appraiser_steps=1)
    with caplog.at_level(logging.WARNING):
        made = train(recipe, display, tmp_path)
    assert "not calibrated" in caplog.text
    assert "calibration" not in read_weights(made[0]).about
    assert "The confidence is not calibrated." in made[1].read_text(encoding="utf-8")


def test_searching_for_detections_leaves_the_network_as_it_is(small, display, mocks, tmp_path, monkeypatch):
    """The finder computes in bfloat16 where the machine has it; the weights that are written must not."""
    monkeypatch.setattr(candidates, "FIELD", (64, 24, 24))  # bfloat16 is slow where the machine does not have it
    torch.manual_seed(1)
    network = SlimUNet().eval()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    found = collect(Recipe(fields=2), network, mocks, None, tmp_path, display, torch.bfloat16)
    assert len(found) == 2
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name]), name


def test_average_precision():
    """By hand: galaxies at ranks 1 and 3 of four valid voxels."""
    network = torch.nn.Conv3d(1, 1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    data, target, valid = (torch.tensor(v, dtype=torch.float32).reshape(1, 1, 1, 1, 5) for v in (
        [4, 3, 2, 1, 9], [1, 0, 1, 0, 0], [1, 1, 1, 1, 0],
    ))  # fmt: skip
    assert voxel_precision(network, [(data, target, valid)], torch.float32) == pytest.approx((1 + 2 / 3) / 2)
    assert voxel_precision(network, [(data, 0 * target, valid)], torch.float32) == 0.0


def test_the_curve_of_the_calibration_finds_the_truth():
    """A curve that a straight line misses by 0.08 in share: logits above 1 are worth less than those below."""
    rng = np.random.default_rng(1)
    logit = rng.normal(1, 2.5, 40000)
    true = np.where(logit < 1, logit, 1 + 0.4 * (logit - 1))
    real = rng.random(40000) < 1 / (1 + np.exp(-true))
    curve = calibrate.fit_curve(logit, real)
    knots, said = np.transpose(curve)
    inside = slice(1, -1)
    np.testing.assert_allclose(said[inside], np.where(knots < 1, knots, 1 + 0.4 * (knots - 1))[inside], atol=0.2)
    rows = calibrate.diagram(1 / (1 + np.exp(-np.interp(logit, knots, said))), real)
    assert sum(row["n"] for row in rows) == 40000
    assert max(abs(row["stated"] - row["true"]) for row in rows) < 0.04
    assert calibrate._shift(logit, rng.random(40000) < 1 / (1 + np.exp(-(logit + 0.8)))) == pytest.approx(0.8, abs=0.1)


def test_the_curve_of_the_calibration_never_falls():
    logit = np.linspace(-2, 6, 4000)
    real = np.sin(3 * logit) + np.linspace(-0.5, 0.5, 4000) > 0
    said = np.transpose(calibrate.fit_curve(logit, real))[1]
    assert (np.diff(said) >= 0).all()
