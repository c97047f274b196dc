"""The networks by the names that the user writes in ``cnn.architecture``."""

from __future__ import annotations

from torch import nn

from hisf.errors import InputError
from hisf.nn.weights import Weights

# what each is shown of a channel, see `hisf.nn.normalise`
NORMALISATIONS = {"slim": "noise", "resnet18": "percentiles", "resnet34": "percentiles"}


def make_segmenter(architecture: str) -> nn.Module:
    """Return an untrained network: (n, 1, z, y, x) in units of the noise to logits of the same shape.

    Raises
    ------
    InputError
        There is no such architecture.
    """
    if architecture == "slim":
        from hisf.nn.slim import SlimUNet

        return SlimUNet()
    if architecture in NORMALISATIONS:
        from hisf.nn.resnet_unet import ResNetUNet

        return ResNetUNet(int(architecture.removeprefix("resnet")))
    raise InputError(f"cnn.architecture = {architecture} is none of {', '.join(NORMALISATIONS)}.")


def load_segmenter(weights: Weights) -> nn.Module:
    """Return the network of a weights file, ready to be used.

    Raises
    ------
    InputError
        The file does not hold it.
    """
    from hisf.nn.slim import fused

    return fused(weights.into(make_segmenter(weights.about["architecture"]), "segmenter"))
