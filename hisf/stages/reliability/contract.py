"""What a reliability estimator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hisf.data.cube import Cube
from hisf.data.source import SourceList
from hisf.settings import Parameter, Settings

FEW_NEGATIVES = 50


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a judgement rests on: the detections of either sign in a space of d parameters; for plots and tables.

    Attributes
    ----------
    parameters : tuple of str
        The d words of ``reliability.parameters``.
    positive, negative : mapping of str to ndarray, shape (n,)
        One value per linked source: ``label``, ``x``, ``y``, ``z`` (centre of the box, pixels), ``nx``, ``ny``, ``nz``
        (its size), ``rel``, ``kept`` (bool), and all that ``reliability.parameters`` can name.
    kernel : ndarray, shape (d, d)
        Covariance of the kernel, scale included.
    smallest : float
        Limit on the sum over the root of the number of voxels, in units of the noise.
    skellam : ndarray, shape (n,)
        (P − N)/√(P + N) at the negative sources.
    """

    parameters: tuple[str, ...]
    positive: Mapping[str, np.ndarray]
    negative: Mapping[str, np.ndarray]
    kernel: np.ndarray
    smallest: float
    skellam: np.ndarray


class Reliability(ABC):
    """Decides which sources are real; chosen by ``reliability.method``.

    Attributes
    ----------
    evidence : Evidence or None
        Set by `judge`, where an estimator has any; products show it.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    evidence: Evidence | None = None

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    @abstractmethod
    def judge(self, sources: SourceList) -> SourceList:
        """Return the sources that are kept, with ``rel`` set and labels counted anew from 1.

        Raises
        ------
        HisfError
            The reliability cannot be determined.
        """


def smallest_ratio(settings: Settings, cube: Cube) -> float:
    """Return the limit on the sum of a source over the root of its number of voxels, in units of the noise.

    ``reliability.fMin``, or ``reliability.minSNR`` times the root of the beam area in pixels (spec sofia2 §3.9).
    """
    if settings["reliability.fMin"] > 0:
        return float(settings["reliability.fMin"])
    return settings["reliability.minSNR"] * float(np.sqrt(abs(cube.scales.reliability_area)))
