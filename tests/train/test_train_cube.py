"""Training from the user's own cube: with a catalogue, and with mocks put in."""

import math

import numpy as np
import pytest
import torch
from astropy import units
from click.testing import CliRunner

from hisf.cli import cli
from hisf.cli.settings import load
from hisf.data.sdc2_table import read_sdc2
from hisf.errors import InputError
from hisf.nn.appraiser import Appraiser
from hisf.nn.resnet_unet import ResNetUNet
from hisf.nn.slim import SlimUNet
from hisf.nn.target import DRAWINGS, Galaxy, extent, target_mask
from hisf.nn.weights import read_weights, write_weights
from hisf.simulate import DiscModel, from_mass_function, from_options, sdc2_level, truth_table, write_cube, write_text
from hisf.simulate.noise import Noise
from hisf.train import catalogued, material
from hisf.train.crops import CROP
from hisf.train.observed import observe
from hisf.train.recipe import Recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    geometry = from_options((160, 100, 300), start=1100e6)
    level = sdc2_level(geometry)
    galaxies = from_mass_function(geometry, 14.0, 4, level, 1.0)
    measured = write_cube(folder / "own.fits", geometry, galaxies, DiscModel(), [Noise(geometry, level, 1)], level)
    write_text(folder / "truth.txt", truth_table(measured, geometry))
    torch.manual_seed(5)
    write_weights(
        folder / "start.safetensors", {"segmenter": SlimUNet(), "appraiser": Appraiser()},
        {"architecture": "slim", "calibration": {"curve": [[-1.0, -2.0], [1.0, 0.5]]}, "stretch": {"flux": 1.2}},
    )  # fmt: skip
    return folder


@pytest.fixture
def few(monkeypatch):
    for module in (material, catalogued):
        monkeypatch.setattr(module, "HELD_BATCHES", 1)
        monkeypatch.setattr(module, "CROPS", 2)
    monkeypatch.setattr(catalogued, "PAPER_CROPS", 4)


def settings(folder, architecture="slim"):
    return load([f"input.data={folder / 'own.fits'}", f"cnn.architecture={architecture}"])[0]


@pytest.mark.parametrize("target", ["wedge", "cylinder"])
@pytest.mark.parametrize(("architecture", "crop"), [("resnet18", (32, 32, 32)), ("slim", CROP)])
def test_material_of_a_catalogued_cube(folder, few, architecture, crop, target):
    recipe = Recipe(architecture=architecture)
    made = catalogued.catalogued(recipe, settings(folder, architecture), folder / "truth.txt", target, 1.8)
    batch = made.batch(0)
    half = len(batch.data) // 2
    assert batch.data.shape == (4 if architecture == "resnet18" else 2, 1, *crop)
    assert batch.target[:half].any((1, 2, 3, 4)).all()  # half around galaxies
    assert not batch.target[half:].any()
    bright = batch.data[batch.target > 0].mean()
    assert bright > 0.3  # in units of the noise: galaxies are where the target says
    assert abs(batch.data[batch.target == 0].mean()) < 0.1
    assert batch.data[batch.target == 0].std() == pytest.approx(1.0, abs=0.15)
    again = catalogued.catalogued(recipe, settings(folder, architecture), folder / "truth.txt", target, 1.8)
    np.testing.assert_array_equal(again.batch(5).data, made.batch(5).data)
    np.testing.assert_array_equal(again.held[0].target, made.held[0].target)
    assert str(folder) not in made.about


@pytest.mark.parametrize("target", ["wedge", "cylinder"])
def test_galaxies_count_by_the_snr_under_their_own_mask(folder, target):
    """Expected S/N against the truth summed by hand: flux of a catalogue row over noise of its voxels and beams."""
    own = observe(settings(folder))
    every, none = catalogued.galaxies_of(own, folder / "truth.txt", target, 0.0)
    assert not none
    some, faint = catalogued.galaxies_of(own, folder / "truth.txt", target, 4.0)
    assert len(some) + len(faint) == len(every)
    assert some
    assert faint
    table, area = read_sdc2(folder / "truth.txt"), own.cube.scales.beam_area
    assert len(table) == len(every)  # all lie in the cube
    flux = table["line_flux_integral"].to_value("Jy Hz") / 30e3 * area
    for galaxy, total in zip(every, flux, strict=True):
        mask = int(DRAWINGS[target](galaxy)[1].sum())
        snr = total / own.noise[round(galaxy.z)] / math.sqrt(mask * area)
        assert (galaxy in some) == (snr >= 4.0)


def test_galaxies_outside_the_cube_do_not_count(folder, tmp_path):
    own = observe(settings(folder))
    lines = (folder / "truth.txt").read_text().splitlines()
    row = lines[1].split()
    row[lines[0].split().index("dec")] = "10.0"
    (tmp_path / "far.txt").write_text("\n".join([*lines, " ".join(row)]) + "\n")
    inside = catalogued.galaxies_of(own, folder / "truth.txt", "wedge", 1.8)
    assert catalogued.galaxies_of(own, tmp_path / "far.txt", "wedge", 1.8) == inside


def test_faint_galaxies_are_left_out_of_the_loss(folder, few):
    made = catalogued.catalogued(Recipe(), settings(folder), folder / "truth.txt", "wedge", 4.0)
    valid = np.concatenate([made.batch(k).valid for k in range(6)])
    target = np.concatenate([made.batch(k).target for k in range(6)])
    assert 0 < (valid == 0).mean() < 0.2
    assert not target[valid == 0].any()


def test_an_averaged_galaxy_is_where_it_was():
    from hisf.nn.canonical import Sampling

    galaxy = Galaxy(40.0, 31.0, 50.0, 20.0, 60.0, 30.0, 24.0, padding=2.0)
    coarse = catalogued.averaged(galaxy, Sampling((80, 64, 100), (2, 2, 2), 2.5))
    fine = target_mask([galaxy], (80, 64, 100)).reshape(40, 2, 32, 2, 50, 2).mean((1, 3, 5))
    mask = target_mask([coarse], (40, 32, 50))
    assert (np.abs(fine - mask) > 0.5).mean() < 0.003
    assert mask.sum() == pytest.approx(fine.sum(), rel=0.2)  # whole voxels
    assert extent(coarse).z1 <= 40


@pytest.mark.parametrize(("width", "crop"), [(643, 32), (643, 48), (288, 48), (208, 32)])
def test_both_parts_of_a_cube_have_room_for_galaxies(width, crop):
    (zero, middle), (first, last) = catalogued.divide(width, crop, "x.fits")
    assert (zero, last) == (0, width)
    assert first - middle == crop
    assert min(middle, last - first) >= 2 * crop + catalogued.GALAXY
    if (width, crop) == (643, 32):
        assert middle == 514  # four fifths, as in the paper


def test_cubes_that_are_too_small_are_refused(folder, few):
    with pytest.raises(InputError, match=r"x\.fits is 207 pixels wide; crops of 32 .* need 208"):
        catalogued.divide(207, 32, "x.fits")
    assert catalogued.crop_within((100, 64, 64)) == (96, *CROP[1:])
    assert catalogued.crop_within((4000, 64, 64)) == CROP
    with pytest.raises(InputError, match=r"own\.fits holds no galaxy of .*truth\.txt of S/N 10000 or more"):
        catalogued.catalogued(Recipe(), settings(folder), folder / "truth.txt", "wedge", 1e4)


def train(*words):
    return CliRunner().invoke(cli, ["train", *map(str, words)])


def test_the_paper_s_network_learns_from_a_catalogued_cube(folder, few, tmp_path):
    out = tmp_path / "paper.safetensors"
    words = (f"input.data={folder / 'own.fits'}", "--architecture", "resnet18", "--truth", folder / "truth.txt")
    result = train(*words, "--steps", 1, "--precision", "float32", "--out", out)
    assert result.exit_code == 0, result.output
    weights = read_weights(out)
    weights.into(ResNetUNet(18), "segmenter")
    assert weights.about["architecture"] == "resnet18"
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert (
        "`hisf train input.data=own.fits --truth truth.txt --steps 1 --architecture resnet18 --precision float32"
        in card
    )
    assert "own.fits with truth.txt" in card
    assert "Trained on one cube" in card
    assert "no appraiser" in card
    assert str(folder) not in card


def test_fine_tuning_to_the_own_cube_keeps_the_appraiser(folder, few, tmp_path):
    out = tmp_path / "tuned"
    words = (f"input.data={folder / 'own.fits'}", "--inject", "--mocks", 24, "--from", folder / "start.safetensors")
    result = train(*words, "--steps", 3, "--precision", "float32", "--out", out)
    assert result.exit_code == 0, result.output
    tuned, start = read_weights(tmp_path / "tuned.safetensors"), read_weights(folder / "start.safetensors")
    assert "segmenter 0/3: before the first step; score" in result.output
    assert tuned.about["calibration"] == start.about["calibration"]
    same = {name: torch.equal(tuned.tensors[name], tensor) for name, tensor in start.tensors.items()}
    assert all(same[name] for name in same if name.startswith("appraiser"))
    better = "3/3" in result.output.split("(best)")[-2]
    assert all(same[name] for name in same if name.startswith("segmenter")) is not better
    card = (tmp_path / "tuned.md").read_text(encoding="utf-8")
    assert "mock galaxies in own.fits" in card
    assert "| 0 | – | – |" in card
    assert "those of the weights it began with" in card
    without = train(*words, "--steps", 1, "--no-appraiser", "--out", tmp_path / "alone.safetensors")
    assert without.exit_code == 0, without.output
    assert not read_weights(tmp_path / "alone.safetensors").has("appraiser")


def test_what_the_present_network_sees_is_not_learnt_as_background(folder, few, display, monkeypatch):
    """A network that sees what is bright: galaxies of the cube are left out, mocks are put in beside them."""
    from hisf.nn import architectures

    class Bright(torch.nn.Conv3d):
        def forward(self, x, region=None):
            return super().forward(x)[:, :, *region]

    network = Bright(1, 1, (5, 3, 3), padding=(2, 1, 1))
    torch.nn.init.constant_(network.weight, 1 / 12)
    torch.nn.init.constant_(network.bias, -5.0)
    monkeypatch.setattr(architectures, "load_segmenter", lambda weights: network)
    own = settings(folder)
    made = material.injected(Recipe(mocks=24), own, None, display, folder / "start.safetensors")
    share = float(made.about.split("; ")[1].split(" %")[0]) / 100
    assert 0.0005 < share < 0.1
    batches = [made.batch(k) for k in range(8)]
    left_out = np.concatenate([batch.valid == 0 for batch in batches])
    assert 0 < left_out.mean() < 0.2
    data, target = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("data", "target"))
    background = data[~left_out & (target == 0)]
    assert background.std() == pytest.approx(1.0, abs=0.1)
    assert data[left_out].mean() > 0.5
    assert target.mean() > 0.001
    assert (np.asarray(made.mocks, object).size, len(made.limits)) == (24, 2)


def test_truth_has_the_units_of_sdc2(folder):
    assert read_sdc2(folder / "truth.txt")["line_flux_integral"].unit == units.Unit("Jy Hz")
