"""What the appraising network learns from: detections of the segmentation network in fields of noise and mocks.

True and false detections alike come out of the finder and the linker, so that the appraiser sees what it will see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hisf.data.box import Box
from hisf.data.voxels import ArrayVoxels
from hisf.kernels.link import Ellipsoid, label_objects, link_voxels
from hisf.kernels.objects import group_voxels
from hisf.nn.appraiser import VALUES
from hisf.nn.canonical import Sampling
from hisf.nn.cutouts import Cutout, cut, place
from hisf.nn.normalise import NoiseUnits, channel_noise
from hisf.nn.segment import Segmenter
from hisf.train.crops import BINS, EDGE, SCALING
from hisf.train.mocks import Mock
from hisf.train.noise import Volume, make_volume

FIELD = (256, 256, 256)  # voxels (z, y, x)
MOCKS = 160  # in a field
THRESHOLD = 0.25  # of the score, a little below the default of the finder
LINK = Ellipsoid(2, 3)
LEAST_PIXELS = 8
BEAM_TOLERANCE = 0.35  # pixels, between mocks and noise


@dataclass(frozen=True, eq=False)
class Candidates:
    """Detections.

    Attributes
    ----------
    data : ndarray of float16, shape (n, z, y, x)
        First channel of `hisf.nn.cutouts.Cutout.data`.
    weight : ndarray of float16, shape (n, z)
        Second channel, which is the same all over the sky.
    numbers : ndarray of float32, shape (n, 4)
    real : ndarray of float32, shape (n,)
    values : ndarray of float32, shape (n, 7)
        `hisf.nn.appraiser.VALUES`: places from the middle, pixels, channels, deg, logarithms; 0 where not real.
    receding : ndarray of float32, shape (n, 2)
        (x, y) of the receding side.
    snr : ndarray of float32, shape (n,)
    """

    data: np.ndarray
    weight: np.ndarray
    numbers: np.ndarray
    real: np.ndarray
    values: np.ndarray
    receding: np.ndarray
    snr: np.ndarray


@dataclass(frozen=True, eq=False)
class _Placed:
    mock: Mock
    centre: np.ndarray
    flux: float
    snr: float
    receding: np.ndarray
    box: Box
    own: np.ndarray


def make_candidates(
    network: nn.Module,
    mocks: Sequence[Mock],
    templates: Path | None,
    seed: int,
    number: int,
    precision: torch.dtype,
) -> Candidates:
    """Return the detections of field ``number``."""
    volume = make_volume(templates, FIELD, seed, number)
    return field_candidates(network, mocks, volume, MOCKS, np.random.default_rng([seed, 80, number]), precision)


def field_candidates(
    network: nn.Module,
    mocks: Sequence[Mock],
    volume: Volume,
    count: int,
    rng: np.random.Generator,
    precision: torch.dtype,
) -> Candidates:
    """Put mocks into a volume, find, link, and cut out what was found."""
    data = volume.data.astype(np.float32) * volume.level[:, None, None]
    if rng.random() < 0.5:
        np.negative(data, out=data)
    near = [m for m in mocks if abs(m.beam - volume.beam) < BEAM_TOLERANCE]
    placed = _place(data, near, count, rng)
    sampling = Sampling(data.shape, (1, 1, 1), volume.beam)
    voxels = ArrayVoxels(data)
    noise = channel_noise(voxels)
    whole = Box.whole(data.shape)
    segmenter = Segmenter(network, sampling, torch.device("cpu"), precision)
    index = np.flatnonzero(segmenter.scores(whole, whole, data, NoiseUnits(noise)) > THRESHOLD)
    label, objects = label_objects(link_voxels(index, data.shape, LINK))
    order, start = group_voxels(label, objects)
    found = []
    for k in range(objects):
        own = index[order[start[k] : start[k + 1]]]
        if len(own) < LEAST_PIXELS:
            continue
        z, y, x = np.unravel_index(own, data.shape)
        centre, extent = place(z, y, x, data.reshape(-1)[own])
        cutout = cut(voxels, sampling, noise, centre, extent)
        found.append((cutout, *_truth(placed, (z, y, x), centre, cutout)))
    if not found:
        return _stack([])
    return _stack(found)


def _stack(found: list) -> Candidates:
    n = len(found)
    values = np.zeros((n, len(VALUES)), np.float32)
    receding, real, snr = np.zeros((n, 2), np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)
    data, weight, numbers = [], [], []
    for k, (cutout, truth, direction, s) in enumerate(found):
        data.append(cutout.data[0].astype(np.float16))
        weight.append(cutout.data[1].max((1, 2)).astype(np.float16))
        numbers.append(cutout.numbers)
        if truth is not None:
            values[k], receding[k], real[k], snr[k] = truth, direction, 1.0, s
    return Candidates(np.array(data), np.array(weight), np.array(numbers, np.float32), real, values, receding, snr)


def _place(data: np.ndarray, mocks: Sequence[Mock], count: int, rng: np.random.Generator) -> list[_Placed]:
    """Add mocks to ``data`` in place, apart from each other as far as that is easy."""
    bins = np.digitize([m.snr for m in mocks], BINS) - 1
    members = [k for b in range(len(BINS)) if len(k := np.flatnonzero(bins == b))]
    placed: list[_Placed] = []
    for _ in range(count if members else 0):
        mock = mocks[int(rng.choice(members[int(rng.integers(len(members)))]))]
        scale = float(np.exp(rng.uniform(*np.log(SCALING))))
        cutout, centre, direction = turned(mock, rng)
        cutout = cutout * np.float32(scale)
        for _ in range(4):
            corner = [int(rng.integers(0, max(1, n - m + 1))) for n, m in zip(data.shape, cutout.shape, strict=True)]
            box = Box(*(v for c, m in zip(corner, cutout.shape, strict=True) for v in (c, c + m)))
            if not any(box.overlaps(p.box) for p in placed):
                break
        box = box.grow((0, 0, 0), data.shape)
        part = cutout[tuple(slice(0, n) for n in box.shape)]
        data[box.slices] += part
        own = part > EDGE * part.max()
        where = centre + np.array([box.z0, box.y0, box.x0])
        placed.append(_Placed(mock, where, mock.flux * scale, mock.snr * scale, direction, box, own))
    return placed


def turned(mock: Mock, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cut-out of a mock turned at random, its centre (z, y, x), and (x, y) of its receding side.

    The receding side is that of lower channels; mirroring the spectrum exchanges the sides.
    """
    quarter, mirror, reverse = int(rng.integers(4)), rng.random() < 0.5, rng.random() < 0.5
    cutout, (z, y, x) = mock.cutout.astype(np.float32), mock.centre
    dx, dy = math.cos(mock.receding), math.sin(mock.receding)
    for _ in range(quarter):  # np.rot90 on (y, x): (y, x) goes to (n_x - 1 - x, y)
        y, x = cutout.shape[2] - 1 - x, y
        dy, dx = -dx, dy
        cutout = np.rot90(cutout, 1, (1, 2))
    if mirror:
        cutout, x, dx = cutout[:, :, ::-1], cutout.shape[2] - 1 - x, -dx
    if reverse:
        cutout, z, dx, dy = cutout[::-1], cutout.shape[0] - 1 - z, -dx, -dy
    return cutout, np.array([z, y, x]), np.array([dx, dy])


def _truth(placed: list[_Placed], voxels: tuple, centre: tuple, cutout: Cutout) -> tuple[Any, Any, float]:
    """Return values, receding side and S/N of the mock that a detection is of; Nones where it is of none."""
    z, y, x = voxels
    best, most = None, 0
    for p in placed:
        b = p.box
        inside = (z >= b.z0) & (z < b.z1) & (y >= b.y0) & (y < b.y1) & (x >= b.x0) & (x < b.x1)
        if inside.any():
            n = int(p.own[z[inside] - b.z0, y[inside] - b.y0, x[inside] - b.x0].sum())
            away = np.abs(p.centre - np.array(centre))
            reach = math.hypot(p.mock.beam, p.mock.size * p.mock.beam)
            if n > most and away[0] < 0.8 * p.mock.width and math.hypot(away[1], away[2]) < reach:
                best, most = p, n
    if best is None:
        return None, None, 0.0
    fz, fy, fx = cutout.factors
    off = cutout.inside(best.centre)
    truth = [
        *off, math.log(best.flux / (fz * fy * fx * cutout.noise)), math.log(best.mock.size * best.mock.beam / fx),
        best.mock.inclination_deg, math.log(best.mock.width / fz),
    ]  # fmt: skip
    return truth, best.receding, best.snr
