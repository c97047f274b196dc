"""One source cut out of the cube, with a margin around it (spec sofia2 §4.9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box
from hisf.data.source import Source
from hisf.stages.products.contract import Result


@dataclass(frozen=True, eq=False)
class Cubelet:
    """A source and its surroundings.

    Attributes
    ----------
    source : Source
    name : str
        That of the catalogue.
    box : Box
        The bounding box and its margin, clipped to the cube, in cube coordinates.
    data : ndarray of float32 or float64, shape ``box.shape`` (z, y, x)
        The measured cube, of either sign, NaN where blank; not to be modified.
    member : ndarray of bool, shape ``box.shape``
        The source's own voxels.
    rms : float
        Local noise in data units; 0 where it is not known.
    x, y : float
        Centroid in pixels of the cubelet, counted from 0; NaN where it was not measured.
    kin_pa : float
        Position angle of the kinematic major axis in deg, from +y, counter-clockwise; NaN where it was not measured.
    """

    source: Source
    name: str
    box: Box
    data: np.ndarray
    member: np.ndarray
    rms: float
    x: float
    y: float
    kin_pa: float


def cubelets(result: Result) -> Iterator[Cubelet]:
    """Yield the sources of the catalogue, one at a time; memory: one bounding box with its margin."""
    assert result.sources is not None and result.catalogue is not None and result.measured is not None
    across, along = (max(0, result.settings[f"output.marginCubelets{axis}"]) for axis in ("XY", "Z"))
    values = measured_values(result)
    for n, source in enumerate(result.sources):
        box = source.box.grow((along, across, across), result.cube.shape)
        data, member = result.measured.read(box), source.member(box, result.cube.shape)
        rms, x, y, kin_pa = (float(values[column][n]) for column in ("rms", "x", "y", "kin_pa"))
        name = str(result.catalogue["name"][n])
        yield Cubelet(source, name, box, data, member, rms, x - box.x0, y - box.y0, kin_pa)


def measured_values(result: Result) -> dict[str, np.ndarray]:
    """Return columns of the catalogue, positions in pixels of the searched region whatever ``parameter.offset`` says.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``x``, ``y``, ``z``, ``kin_pa``, ``ell_*`` and ``ell3s_*`` are NaN and ``rms`` is 0 without
        ``parameter.enable``.
    """
    assert result.catalogue is not None
    ellipses = [f"{kind}_{part}" for kind in ("ell", "ell3s") for part in ("maj", "min", "pa")]
    wanted = ("x", "y", "z", "kin_pa", "rms", *ellipses)
    if not result.settings["parameter.enable"]:
        return {name: np.full(len(result.catalogue), 0.0 if name == "rms" else np.nan) for name in wanted}
    values = {name: result.catalogue[name] for name in wanted}
    if result.settings["parameter.offset"]:
        corner = {axis: getattr(result.cube.region, f"{axis}0") for axis in "xyz"}
        values |= {axis: values[axis] - corner[axis] for axis in "xyz"}
    return values
