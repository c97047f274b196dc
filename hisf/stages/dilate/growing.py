"""What ways to grow masks have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.cube import Cube
from hisf.data.source import Source
from hisf.errors import InputError
from hisf.settings import Settings


def check_iterations(settings: Settings, cube: Cube) -> None:
    """Refuse more iterations than a cube has pixels or channels.

    Raises
    ------
    InputError
        The cube is too small for the number of iterations.
    """
    nz, ny, nx = cube.shape
    for key, size, axes in (
        ("dilation.iterationsXY", max(nx, ny), f"{nx} × {ny} pixels"),
        ("dilation.iterationsZ", nz, f"{nz} channels"),
    ):
        if settings[key] >= size:
            raise InputError(f"{key} = {settings[key]} is too large for {cube.name}, which has {axes}; use fewer.")


def with_grown_mask(source: Source, labels: np.ndarray, box: Box, shape: Shape) -> Source:
    """Return the source with the voxels that carry its label.

    Parameters
    ----------
    source : Source
    labels : ndarray of int, shape ``box.shape`` (z, y, x)
        Not all 0; all voxels of the source are in it.
    box : Box
        In cube coordinates.
    shape : tuple of int
        (z, y, x) of the cube.
    """
    _, ny, nx = shape
    z, y, x = np.nonzero(labels == source.label)
    bounds = Box(int(z.min()), int(z.max()) + 1, int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1)
    return replace(
        source,
        voxels=(x + box.x0) + nx * ((y + box.y0) + ny * (z + box.z0)),
        undilated=source.core,
        box=bounds.shift(box.z0, box.y0, box.x0),
        n_pix=len(z),
    )
