"""Small pictures in a palette, as PNG in a data URL."""

from __future__ import annotations

import base64
from functools import lru_cache
from io import BytesIO

import numpy as np

COLOURS = 63  # of a palette; the 64th is transparent


@lru_cache
def palette(name: str) -> bytes:
    """Return the colours of a colour map of matplotlib, RGB."""
    import matplotlib

    return (matplotlib.colormaps[name](np.linspace(0.0, 1.0, COLOURS))[:, :3] * 255).round().astype(np.uint8).tobytes()


def hex_colours(name: str, n: int) -> list[str]:
    """Return ``n`` colours of a colour map, from its low end to its high end."""
    colours = palette(name)
    places = np.linspace(0, COLOURS - 1, n).round().astype(int)
    return ["#" + colours[3 * place : 3 * place + 3].hex() for place in places]


def shrink(image: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """Average an image over squares of pixels, so that no side is longer than ``most``.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        NaN is left out.
    most : int

    Returns
    -------
    image : ndarray, shape (ceil(y / n), ceil(x / n))
        NaN where all pixels of a square are.
    n : int
        Side of the squares in pixels.
    """
    n = -(-max(image.shape) // most)
    if n == 1:
        return image, 1
    padded = np.pad(image, [(0, -size % n) for size in image.shape], constant_values=np.nan)
    squares = padded.reshape(padded.shape[0] // n, n, padded.shape[1] // n, n)
    count = np.isfinite(squares).sum(axis=(1, 3))
    with np.errstate(invalid="ignore"):
        return np.nansum(squares, axis=(1, 3)) / np.where(count, count, np.nan), n


def data_url(image: np.ndarray, low: float, high: float, colours: str) -> str:
    """Return an image as the URL of a PNG, its last row at the top.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        NaN becomes transparent.
    low, high : float
        Values of the first and the last colour.
    colours : str
        Name of a colour map of matplotlib.
    """
    from PIL import Image

    level = np.clip((image - low) / ((high - low) or 1.0), 0.0, 1.0) * (COLOURS - 1)
    index = np.where(np.isfinite(image), np.nan_to_num(level).round(), COLOURS).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(index[::-1]))
    picture.putpalette(palette(colours) + b"\0\0\0")
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=COLOURS)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
