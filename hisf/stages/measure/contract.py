"""What a measurement is: a family of catalogue columns, taken from one source's cut-out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hisf.data.box import Box
from hisf.data.columns import Column
from hisf.data.cube import Cube
from hisf.data.source import Source
from hisf.settings import Parameter, Settings


@dataclass(frozen=True)
class Cutout:
    """One source and the voxels of its bounding box.

    Attributes
    ----------
    source : Source
    box : Box
        The bounding box in cube coordinates.
    data : ndarray of float64, shape ``box.shape`` (z, y, x)
        The measured cube; its sign is turned for a source of negative flux, so that the source is positive.
    member : ndarray of bool
        The source's own voxels.
    free : ndarray of bool
        Voxels of no source at all.
    negative : bool
        Whether the sign was turned.
    """

    source: Source
    box: Box
    data: np.ndarray
    member: np.ndarray
    free: np.ndarray
    negative: bool


class Measurement(ABC):
    """Measures one family of columns. Values are in pixels, channels and data units; units are converted afterwards.

    Attributes
    ----------
    name : str
    columns : tuple of Column
        What it adds to the catalogue. SoFiA's columns keep their places; others follow in order of registration.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    @abstractmethod
    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source.

        Parameters
        ----------
        cutout : Cutout
        values : mapping
            What the measurements before this one found for the same source.

        Returns
        -------
        mapping of str to float
            A value for every column of `columns`.
        """
