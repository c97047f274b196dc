"""Weights: safetensors files with what is to be known about them in their header. Nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hisf.errors import FileAccessError, InputError

FORMAT = "hisf-weights-1"
SHIPPED = Path(__file__).parent / "data" / "hisf.safetensors"


@dataclass(frozen=True, eq=False)
class Weights:
    """The content of a weights file.

    Attributes
    ----------
    path : Path
    about : dict
        ``architecture``, ``recipe``, and for networks that judge ``calibration``.
    tensors : dict of str to Tensor
        Under the prefix of the network: ``segmenter.`` or ``appraiser.``.
    """

    path: Path
    about: dict[str, Any]
    tensors: dict[str, torch.Tensor]

    def has(self, part: str) -> bool:
        """Return whether the file holds a network."""
        return any(name.startswith(f"{part}.") for name in self.tensors)

    def into(self, network: nn.Module, part: str) -> nn.Module:
        """Fill a network and return it, ready to be used.

        Raises
        ------
        InputError
            The file does not hold exactly its weights.
        """
        own = {n.removeprefix(f"{part}."): t for n, t in self.tensors.items() if n.startswith(f"{part}.")}
        state = network.state_dict()
        for name, tensor in state.items():
            if name not in own:
                raise InputError(f"{self.path} lacks {part}.{name}; it is not a file of this network. Train it anew.")
            if own[name].shape != tensor.shape:
                raise InputError(
                    f"{self.path}: {part}.{name} has the shape {tuple(own[name].shape)}, the network needs "
                    f"{tuple(tensor.shape)}; it is a file of another network."
                )
            if own[name].is_floating_point() and not torch.isfinite(own[name]).all():
                raise InputError(f"{self.path}: {part}.{name} holds values that are not finite; the file is broken.")
        network.load_state_dict({name: own[name].to(state[name].dtype) for name in state})
        return network.eval()


def read_weights(path: Path | None = None) -> Weights:
    """Read a weights file; without ``path`` the one that ships with hisf.

    Raises
    ------
    FileAccessError
        It is missing or cannot be read.
    InputError
        It is not a weights file of hisf.
    """
    from safetensors import SafetensorError, safe_open

    path = path or SHIPPED
    if not path.is_file():
        raise FileAccessError(f"cnn.weights: {path} is not there; give a file that `hisf train` made.")
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except OSError as error:
        raise FileAccessError(f"cnn.weights: {path} cannot be read: {error}.") from None
    except (SafetensorError, ValueError, UnicodeDecodeError) as error:
        raise InputError(
            f"cnn.weights: {path} is not a safetensors file ({error}); give a file that `hisf train` made."
        ) from None
    if about.get("format") != FORMAT:
        raise InputError(
            f"cnn.weights: {path} is not a weights file of hisf (format {about.get('format', 'not said')}); give a "
            "file that `hisf train` made."
        )
    try:
        said = json.loads(about["about"])
        if not isinstance(said, dict) or not isinstance(said.get("architecture"), str):
            raise ValueError
    except (KeyError, ValueError):
        raise InputError(f"cnn.weights: the header of {path} is broken; give a file that `hisf train` made.") from None
    return Weights(path, said, tensors)


def write_weights(path: Path, networks: Mapping[str, nn.Module], about: Mapping[str, Any]) -> None:
    """Write networks, weights of convolutions and linear layers in half precision.

    Parameters
    ----------
    path : Path
    networks : mapping of str to Module
        By the name of the part.
    about : mapping
        See `Weights`.
    """
    from safetensors.torch import save_file

    tensors = {}
    for part, network in networks.items():
        for name, tensor in network.state_dict().items():
            large = tensor.is_floating_point() and tensor.dim() > 1
            tensors[f"{part}.{name}"] = (tensor.half() if large else tensor).contiguous().clone()
    save_file(tensors, path, metadata={"format": FORMAT, "about": json.dumps(about, sort_keys=True)})
