"""The edges of a spectral line (spec forska §10.3)."""

from __future__ import annotations

import numpy as np

LEVEL = 0.2  # of the peak
TRUSTED = 2.5  # noises that a peak is high at least, for noise to be told from the edge of the line
TRIALS = 64  # spectra of the bootstrap
CHANNEL = (1.0 / 12.0) ** 0.5  # channels, by which an edge scatters for want of finer ones
UNCERTAIN = 0.15  # of a mask's depth, by which each of its ends is uncertain, at least one channel


def edges_at(spectrum: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the outermost channels at which a spectrum crosses ``level`` times its peak, interpolated linearly.

    Parameters
    ----------
    spectrum : ndarray, shape (n,)
        Beyond its ends it counts as 0.

    Returns
    -------
    low, high : float
        Zero-based channels; NaN if no channel is positive.
    """
    padded = np.concatenate([[0.0], spectrum, [0.0]])
    cut = level * padded.max()
    above = np.flatnonzero(padded > cut)
    if not len(above):
        return np.nan, np.nan
    first, last = int(above[0]), int(above[-1])
    low = first - (padded[first] - cut) / (padded[first] - padded[first - 1])
    high = last + (padded[last] - cut) / (padded[last] - padded[last + 1])
    return float(low) - 1.0, float(high) - 1.0


def line_edges(
    spectrum: np.ndarray, noise: np.ndarray, mask: tuple[int, int], seed: int
) -> tuple[float, float, float, float]:
    """Return the edges of a line, and how uncertain width and middle are.

    Where the peak does not stand out from the noise, which then would pass for the edges of the line, the mask says how
    wide the line is.

    Parameters
    ----------
    spectrum : ndarray, shape (n,)
        Flux in the mask.
    noise : ndarray, shape (n,)
        Its standard deviation; NaN where unknown.
    mask : tuple of int
        First channel of the mask before dilation and the one after its last.
    seed : int
        Of the bootstrap.

    Returns
    -------
    low, high, err_width, err_middle : float
        Channels, zero-based. The uncertainties are half of the range that holds 68 % of bootstrap spectra, which
        are the spectrum with its noise once more, and the scatter of edges on channels.
    """
    low, high = edges_at(spectrum)
    peak = int(spectrum.argmax())
    if not spectrum[peak] > TRUSTED * noise[peak]:
        off = max(1.0, UNCERTAIN * (mask[1] - mask[0]))
        return mask[0] - 0.5, mask[1] - 0.5, np.sqrt(2.0) * off, off / np.sqrt(2.0)
    trials = spectrum + noise * np.random.default_rng(seed).standard_normal((TRIALS, len(spectrum)))
    ends = np.array([edges_at(trial) for trial in trials])
    width, middle = (
        0.5 * float(np.diff(np.nanpercentile(values, [16, 84]))[0])
        for values in (ends[:, 1] - ends[:, 0], ends.mean(1))
    )
    return low, high, float(np.hypot(width, np.sqrt(2.0) * CHANNEL)), float(np.hypot(middle, CHANNEL / np.sqrt(2.0)))
