"""Weights files: what is written is read, and nothing else is accepted."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from hisf.errors import FileAccessError, InputError
from hisf.nn.appraiser import Appraiser
from hisf.nn.architectures import load_segmenter
from hisf.nn.slim import SlimUNet
from hisf.nn.weights import FORMAT, read_weights, write_weights


@pytest.fixture
def written(tmp_path):
    torch.manual_seed(1)
    network = SlimUNet()
    for module in network.modules():  # statistics such as training leaves
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    path = tmp_path / "w.safetensors"
    write_weights(path, {"segmenter": network}, {"architecture": "slim", "recipe": {"seed": 1}})
    return path, network


def test_round_trip_in_half_precision(written):
    path, network = written
    weights = read_weights(path)
    assert weights.about == {"architecture": "slim", "recipe": {"seed": 1}}
    assert weights.has("segmenter")
    assert not weights.has("appraiser")
    again = load_segmenter(weights)
    assert not again.training
    x = torch.randn(1, 1, 64, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(again(x), network.eval()(x), rtol=5e-3, atol=5e-3)


def _pickled(path):
    path.write_bytes(pickle.dumps({"segmenter": 1}))


def _torch_saved(path):
    torch.save({"a": torch.zeros(1)}, path)


def _foreign(path):
    save_file({"a": torch.zeros(1)}, path)


def _no_about(path):
    save_file({"a": torch.zeros(1)}, path, {"format": FORMAT, "about": "[1]"})


def _cut(path):
    _foreign(path)
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_pickled, "is not a safetensors file"),
        (_torch_saved, "is not a safetensors file"),
        (_cut, "is not a safetensors file"),
        (_foreign, "is not a weights file of hisf"),
        (_no_about, "header of .* is broken"),
    ],
)
def test_other_files_are_refused(tmp_path, make, words):
    path = tmp_path / "x.safetensors"
    make(path)
    with pytest.raises(InputError, match=words) as error:
        read_weights(path)
    assert error.value.exit_code == 7
    assert str(path) in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileAccessError, match="is not there") as error:
        read_weights(tmp_path / "none.safetensors")
    assert error.value.exit_code == 5


def test_weights_of_another_network_are_refused(written, tmp_path):
    weights = read_weights(written[0])
    with pytest.raises(InputError, match="lacks appraiser"):
        weights.into(Appraiser(), "appraiser")
    network = SlimUNet()
    network.head = torch.nn.Conv3d(32, 4, 3)
    path = tmp_path / "other.safetensors"
    write_weights(path, {"segmenter": network}, {"architecture": "slim"})
    with pytest.raises(InputError, match=r"segmenter.head.weight has the shape \(4, 32, 3, 3, 3\)"):
        load_segmenter(read_weights(path))


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = SlimUNet()
    network.head.weight.data[0] = float("nan")
    path = tmp_path / "nan.safetensors"
    write_weights(path, {"segmenter": network}, {"architecture": "slim"})
    with pytest.raises(InputError, match="not finite"):
        load_segmenter(read_weights(path))
