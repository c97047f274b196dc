"""What the networks run on: processor, CUDA or MPS, and how precisely they count there."""

from __future__ import annotations

import torch

from hisf.errors import InputError
from hisf.execution.machine import threads
from hisf.settings import Settings


def prepare(settings: Settings) -> tuple[torch.device, torch.dtype]:
    """Return device and precision of ``cnn.device`` and ``cnn.precision``, with as many threads as the kernels have.

    Raises
    ------
    InputError
        The device is not there.
    """
    torch.set_num_threads(threads())
    device = choose_device(settings["cnn.device"])
    return device, choose_precision(settings["cnn.precision"], device)


def choose_device(name: str) -> torch.device:
    """Return the device of a name: ``auto`` is CUDA, then MPS, then the processor.

    Raises
    ------
    InputError
        The device is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    if (name == "cuda" and not cuda) or (name == "mps" and not mps):
        raise InputError(f"cnn.device = {name}, but PyTorch finds no such device here; auto takes what is there.")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the precision of a name; ``auto`` is bfloat16 where the device computes in it, else float32."""
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu":
        capable = torch.cpu.get_capabilities()
        return torch.bfloat16 if capable.get("avx512_bf16") or capable.get("amx_bf16") else torch.float32
    return torch.float32
