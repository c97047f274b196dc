"""Steps that act voxel by voxel: inversion, and division or multiplication by a cube of the same size (spec §2.2)."""

from __future__ import annotations

import numpy as np

from hisf.data.box import Box
from hisf.settings import Settings
from hisf.stages.precondition.contract import Step


class Invert(Step):
    """Turn the sign of the data (``input.invert``)."""

    name = "invert"
    position = 20
    measuring = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``input.invert``."""
        return settings["input.invert"]

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Turn the sign."""
        return np.negative(data, out=data)


class DivideByNoise(Step):
    """Divide the searched data by ``input.noise``; where the noise is 0 or blank the result is blank."""

    name = "divide by noise cube"
    position = 40
    rescales = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there is a noise cube."""
        return bool(settings["input.noise"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide."""
        return divide(data, self.cube.companions["noise"].read(box))


class MultiplyByWeights(Step):
    """Multiply the searched data by the square root of ``input.weights``."""

    name = "multiply by weights"
    position = 50
    rescales = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there is a weights cube."""
        return bool(settings["input.weights"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Multiply; a negative weight blanks its voxel."""
        with np.errstate(invalid="ignore"):
            data *= np.sqrt(self.cube.companions["weights"].read(box))
        return data


class DivideByGain(Step):
    """Divide the measured data by ``input.gain``; the searched data are left as they are (spec §2.2, 28a)."""

    name = "divide by gain"
    position = 90
    searching = False
    measuring = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there is a gain cube."""
        return bool(settings["input.gain"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide."""
        return divide(data, self.cube.companions["gain"].read(box))


def divide(data: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Divide ``data`` in place; where the divisor is 0 or NaN the result is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        data /= divisor
    data[divisor == 0] = np.nan
    return data
