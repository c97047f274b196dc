"""The training loop: warm-up and cosine decay, averaged weights, validation, checkpoints, early stopping.

A batch and everything random in a step are functions of the number of the step, and a checkpoint holds all that the
loop knows, so a training that was killed ends as it would have.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from hisf.errors import InputError

log = logging.getLogger(__name__)

Losses = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns.

    Attributes
    ----------
    steps : int
    rate : float
        Learning rate after the warm-up; it falls to a hundredth along a cosine.
    warmup : int
        Steps.
    averaging : float
        Of the exponential moving average of the weights, which is what is validated and kept.
    every : int
        Steps between validations, each with a checkpoint.
    patience : int
        Validations without a better score after which training stops; 0: never.
    seed : int
    """

    steps: int
    rate: float = 2e-3
    warmup: int = 150
    averaging: float = 0.998
    every: int = 250
    patience: int = 0
    seed: int = 1

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step."""
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / self.steps)) + 0.01
        return self.rate * min(1.0, (step + 1) / self.warmup) * cosine


@dataclass(frozen=True)
class State:
    """What is told after every validation.

    Attributes
    ----------
    step, steps : int
    losses : dict of str to float
        Means since the last validation; none at step 0.
    score : float
        Of the averaged weights; larger is better.
    best : float
        The best so far.
    """

    step: int
    steps: int
    losses: dict[str, float]
    score: float
    best: float


def fit(
    network: nn.Module,
    schedule: Schedule,
    batch: Callable[[int], Any],
    loss: Callable[[nn.Module, Any], Losses],
    validate: Callable[[nn.Module], float],
    checkpoint: Path,
    tell: Callable[[State], None] = lambda state: None,
    advance: Callable[[int], None] = lambda steps: None,
    baseline: bool = False,
) -> tuple[nn.Module, list[State]]:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    network : Module
        Changed in place.
    schedule : Schedule
    batch : callable
        ``batch(step)``; called in a thread, ahead of time.
    loss : callable
        ``loss(network, batch)``: what is to be made small, by name; they are added.
    validate : callable
        ``validate(network)``: a score, larger is better.
    checkpoint : Path
        Written beside and renamed. Where it exists, training goes on from it.
    tell : callable
    advance : callable
        ``advance(1)`` after every step.
    baseline : bool
        Whether the network is validated before the first step too, and kept where training makes it no better.

    Returns
    -------
    network : Module
        With the averaged weights of the best validation, in evaluation mode.
    history : list of State

    Raises
    ------
    InputError
        The checkpoint is broken, or one of another training.
    """
    optimiser = torch.optim.AdamW(network.parameters(), schedule.rate, weight_decay=1e-2)
    average = {n: t.detach().clone() for n, t in network.state_dict().items()}
    best = {n: t.clone() for n, t in average.items()}
    history: list[State] = []
    step = 0
    if checkpoint.exists():
        step, history = _load(checkpoint, schedule, network, optimiser, average, best)
        log.info("training goes on at step %d of %d", step, schedule.steps)
        advance(step)
    elif baseline:
        score = validate(network.eval())
        history.append(State(0, schedule.steps, {}, score, score))
        tell(history[-1])
    sums: dict[str, float] = {}
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(batch, step)
        while step < schedule.steps and not _stopped(history, schedule.patience):
            torch.manual_seed(schedule.seed * 1_000_003 + step)
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate_at(step)
            data, ahead = ahead.result(), pool.submit(batch, step + 1)
            network.train()
            parts = loss(network, data)
            optimiser.zero_grad(set_to_none=True)
            torch.stack(list(parts.values())).sum().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            _average(average, network, min(schedule.averaging, 1.0 - 1.0 / (1.0 + step / 5.0)))
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            step += 1
            advance(1)
            if step % schedule.every == 0 or step == schedule.steps:
                own = {n: t.clone() for n, t in network.state_dict().items()}
                network.load_state_dict(average)
                score = validate(network.eval())
                network.load_state_dict(own)
                since = (step - 1) % schedule.every + 1
                top = max([score, *(s.best for s in history)])
                history.append(State(step, schedule.steps, {n: v / since for n, v in sums.items()}, score, top))
                if score >= top:
                    best = {n: t.clone() for n, t in average.items()}
                sums = {}
                _save(checkpoint, schedule, step, history, network, optimiser, average, best)
                tell(history[-1])
    network.load_state_dict(best)
    return network.eval(), history


def _stopped(history: list[State], patience: int) -> bool:
    if not patience or not history:
        return False
    scores = [state.score for state in history]
    return len(scores) - 1 - int(np.argmax(scores)) >= patience


@torch.no_grad()
def _average(average: dict[str, torch.Tensor], network: nn.Module, keep: float) -> None:
    for name, tensor in network.state_dict().items():
        if average[name].is_floating_point():
            average[name].lerp_(tensor, 1.0 - keep)
        else:
            average[name].copy_(tensor)


def _save(
    path: Path,
    schedule: Schedule,
    step: int,
    history: list[State],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, torch.Tensor],
    best: dict[str, torch.Tensor],
) -> None:
    tensors = {f"average.{n}": t for n, t in average.items()} | {f"best.{n}": t for n, t in best.items()}
    tensors |= {f"network.{n}": t for n, t in network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    said = {"schedule": asdict(schedule), "step": step, "history": [asdict(s) for s in history]}
    part = path.with_name(path.name + ".part")
    save_file({n: t.detach().contiguous().clone() for n, t in tensors.items()}, part, {"state": json.dumps(said)})
    part.replace(path)


def _load(
    path: Path,
    schedule: Schedule,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, torch.Tensor],
    best: dict[str, torch.Tensor],
) -> tuple[int, list[State]]:
    try:
        with safe_open(path, "pt") as file:
            said = json.loads((file.metadata() or {})["state"])
            tensors = {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118 - not a mapping
        if said["schedule"] != asdict(schedule):
            raise InputError(f"{path} is the checkpoint of another training; begin with --anew, or in another --work.")
        for name in average:
            average[name].copy_(tensors[f"average.{name}"])
            best[name].copy_(tensors[f"best.{name}"])
        network.load_state_dict({n.removeprefix("network."): t for n, t in tensors.items() if n[:8] == "network."})
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, key = name.split(".")
                state.setdefault(int(number), {})[key] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        return said["step"], [State(**s) for s in said["history"]]
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            f"{path} is not a checkpoint of this training ({error}); begin with --anew, or in another --work."
        ) from None
