"""Line widths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hisf.data.columns import sofia
from hisf.stages.measure.contract import Cutout, Measurement


class LineWidths(Measurement):
    """Widths at 20 % and 50 % of the peak of the spectrum, and at 50 % of its mean between the 5 % and 95 % of flux."""

    name = "line widths"
    columns = sofia("w20", "w50", "wm50")

    def measure(self, cutout: Cutout, values: Mapping[str, float]) -> Mapping[str, float]:
        """Measure one source, in channels."""
        spectrum = np.where(cutout.member, cutout.data, 0.0).sum((1, 2))
        top = spectrum.max()
        return {
            "w20": width_at(spectrum, 0.2 * top),
            "w50": width_at(spectrum, 0.5 * top),
            "wm50": width_at_mean(spectrum),
        }


def width_at(spectrum: np.ndarray, level: float) -> float:
    """Return the width between `edges_at` a level, in channels; 0 if no channel reaches it."""
    start, end = edges_at(spectrum, level)
    return end - start


def edges_at(spectrum: np.ndarray, level: float) -> tuple[float, float]:
    """Return where a profile crosses a level: the outermost channels above, interpolated with their outer neighbours.

    Parameters
    ----------
    spectrum : ndarray of float64, shape (n,)
    level : float

    Returns
    -------
    start, end : float
        Channels counted from 0. A profile that is cut off at the end of the spectrum is not extrapolated; both are 0 if
        no channel reaches the level.
    """
    above = np.flatnonzero(spectrum >= level)
    if not above.size:
        return 0.0, 0.0
    left, right = int(above[0]), int(above[-1])
    start, end = float(left), float(right)
    if left > 0:
        start -= (spectrum[left] - level) / (spectrum[left] - spectrum[left - 1])
    if right < len(spectrum) - 1:
        end += (spectrum[right] - level) / (spectrum[right] - spectrum[right + 1])
    return float(start), float(end)


def width_at_mean(spectrum: np.ndarray) -> float:
    """Return the width at half of the mean flux density of the channels that hold the inner 90 % of the flux.

    In channels; 0 if the flux is not positive or lies in one channel.
    """
    flux = spectrum.sum()
    if not flux > 0:
        return 0.0
    edge = 0.05 * flux
    rising, falling = np.cumsum(spectrum), np.cumsum(spectrum[::-1])
    left = int(np.argmax(rising >= edge))
    right = len(spectrum) - 1 - int(np.argmax(falling >= edge))
    if right <= left:
        return 0.0
    start = left - (rising[left] - edge) / spectrum[left]
    end = right + (falling[len(spectrum) - 1 - right] - edge) / spectrum[right]
    return width_at(spectrum, 0.5 * 0.9 * flux / (end - start))
