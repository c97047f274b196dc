"""The command ``hisf train``: errors, defaults, what it says of itself."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from hisf.cli import cli, main, train
from hisf.cli.train_display import TrainDisplay
from hisf.errors import FileAccessError, InputError
from hisf.nn.slim import SlimUNet
from hisf.nn.weights import write_weights
from hisf.train.loop import State
from hisf.train.recipe import Recipe

CUBE = Path(__file__).parents[2] / "examples" / "sdc2_like.fits"
TRUTH = CUBE.with_name("sdc2_like_truth.txt")


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["--inject"], InputError, "need the parameter file of a cube"),
        (["--truth", str(TRUTH)], InputError, "need the parameter file of a cube"),
        (["--truth", str(TRUTH), "--inject"], InputError, "exclude each other"),
        (["input.data=x.fits"], InputError, "--truth FILE or --inject"),
        (["input.data=x.fits", "--truth", "nowhere.txt"], FileAccessError, r"nowhere\.txt is not there"),
        (["--templates", "nowhere"], FileAccessError, r"nowhere lacks templates\.txt"),
        (["--no-appraiser", "--appraiser-steps", "5"], InputError, "exclude each other"),
        ([f"input.data={CUBE}", "--truth", str(TRUTH), "--appraiser-steps", "5"], InputError, "does not bring"),
        (["--architecture", "resnet18"], InputError, r"resnet18 .* learns from a catalogued cube only"),
        ([f"input.data={CUBE}", "--inject", "--architecture", "resnet34"], InputError, "catalogued cube only"),
        (["--from", "nowhere.safetensors"], FileAccessError, r"nowhere\.safetensors is not there"),
        (["nowhere.par"], FileAccessError, r"nowhere\.par"),
        (["--out", "nowhere/w.safetensors"], FileAccessError, "nowhere is not a folder"),
        (["input.data=nowhere.fits", "--truth", str(TRUTH)], FileAccessError, r"nowhere\.fits"),
        ([f"input.data={CUBE}", "--truth", str(TRUTH)], InputError, "100 pixels wide|96 pixels wide"),
    ],
)
def test_wrong_commands(words, kind, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["train", "--out", "w.safetensors", *words])
    assert isinstance(result.exception, kind), result.output
    with pytest.raises(kind, match=said):
        raise result.exception
    assert "\n" not in str(result.exception)
    assert not list(tmp_path.glob("*.*"))  # at most an empty work folder


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--steps", "0"],
        ["--steps", "many"],
        ["--mocks", "3"],
        ["--fields", "1"],
        ["--seed", "-1"],
        ["--min-snr", "-1"],
        ["--device", "abacus"],
        ["--architecture", "resnet50"],
        ["--precision", "double"],
        ["--target", "sphere"],
    ],
)
def test_options_out_of_range_and_no_out(words, tmp_path, monkeypatch, capsys):
    out = ["--out", str(tmp_path / "w.safetensors")] if words else []
    monkeypatch.setattr(sys, "argv", ["hisf", "train", *words, *out])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 7
    said = capsys.readouterr().err
    assert said.startswith("ERROR: ")
    assert (words[0] if words else "--out") in said
    assert len(said.splitlines()) == 1


def test_weights_of_another_network_are_refused_at_once(tmp_path):
    write_weights(tmp_path / "slim.safetensors", {"segmenter": SlimUNet()}, {"architecture": "slim"})
    result = CliRunner().invoke(cli, [
        "train", f"input.data={CUBE}", "--truth", str(TRUTH), "--architecture", "resnet18", "--from",
        str(tmp_path / "slim.safetensors"), "--out", str(tmp_path / "w.safetensors"),
    ])  # fmt: skip
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "--from slim.safetensors holds slim, not resnet18."


def test_help_does_not_wait_for_torch():
    code = "import sys; from hisf.cli import cli; cli(['train', '--help'], standalone_mode=False); "
    code += "assert not {'torch', 'numba', 'matplotlib'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--inject" in done.stdout


def test_defaults_are_those_of_the_recipe():
    recipe = Recipe()
    assert (recipe.steps, recipe.appraiser_steps) == (train.STEPS, train.APPRAISER_STEPS)
    defaults = {p.name: p.default for p in train.command.params}
    for field in fields(Recipe):
        if field.name not in ("architecture", "steps", "appraiser_steps"):
            assert defaults[field.name] == getattr(recipe, field.name), field.name


def test_the_command_is_told_without_folders():
    defaults = {p.name: None if callable(p.default) else p.default for p in train.command.params}
    options = {name: value for name, value in defaults.items() if name not in ("arguments", "out")}
    options |= {
        "templates": Path("/home/me/sdc2"),
        "seed": 3,
        "no_appraiser": True,
        "work": Path("/tmp/w"),
        "threads": 2,
    }
    options |= {"start": "/data/old.safetensors", "min_snr": 1.8, "truth": None, "steps": None, "appraiser_steps": None}
    options |= {"architecture": None, "device": None, "precision": None}
    said = train._said(
        ("/home/me/my.par", "input.data=/data/a.fits", "flag.threshold=5"), Path("/x/w.safetensors"), options
    )
    assert said == (
        "hisf train my.par input.data=a.fits flag.threshold=5 --templates sdc2 --no-appraiser --seed 3 "
        "--from old.safetensors --out w.safetensors"
    )


def test_a_log_has_plain_lines(capsys, monkeypatch):
    from hisf.cli import train_display

    monkeypatch.setattr(train_display, "PATIENCE", -1.0)
    with TrainDisplay() as display, display.stage("segmenter", 20) as advance:
        advance(5)
        display.state("segmenter", State(5, 20, {"dice": 0.51234, "cross-entropy": 0.1}, 0.7, 0.7))
        display.state("segmenter", State(10, 20, {"dice": 0.5}, 0.6, 0.7))
    assert capsys.readouterr().out.splitlines() == [
        "segmenter (20)",
        "  segmenter 5/20",
        "  segmenter 5/20: dice 0.5123, cross-entropy 0.1000; score 0.7000 (best)",
        "  segmenter 10/20: dice 0.5000; score 0.6000",
    ]
