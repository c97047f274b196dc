"""The cube: voxels read on demand, a header of three axes, world coordinates, beam and unit."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from astropy.io import fits

from hisf.data.box import Box, Shape
from hisf.data.header import cut_region, spectral_axis_third
from hisf.data.repair import repair_header
from hisf.data.units import Scales, read_scales
from hisf.data.wcs import WorldCoordinates, describe_axis
from hisf.errors import InputError

PIECE = 1 << 19  # voxels that are looked at together, so that they come from the cache


class StoredVoxels(Protocol):
    """What an opener returns beside the header: voxels as they lie in a file."""

    shape: Shape
    dtype: np.dtype
    integer: bool
    scaling: Any

    def read(self, box: Box) -> np.ndarray:
        """Return physical values, a new array."""
        ...

    def read_stored(self, box: Box) -> np.ndarray:
        """Return values as stored."""
        ...


class Cube:
    """A lazily read cube (z, y, x), or a region of one; nothing is loaded until a box is read.

    Parameters
    ----------
    name : str
        File name for messages.
    header : `~astropy.io.fits.Header`
        As it stands in the file; axes 3 and 4 are exchanged where needed.
    stored : StoredVoxels
    region : sequence of int, optional
        ``xmin, xmax, ymin, ymax, zmin, zmax``, zero-based and inclusive, upper bounds clipped (spec sofia2 §2.3).

    Attributes
    ----------
    region : Box
        The part of the file that this cube is.
    header : `~astropy.io.fits.Header`
        Of that part, with every axis of the file.
    notes : tuple of str
        What had to be repaired.
    improved : bool
        Whether the header was put right where SoFiA takes it as it stands.
    companions : dict of str to Cube
        Further inputs of the same region: ``gain``, ``noise``, ``weights``, ``mask``, where the settings name them.

    Raises
    ------
    InputError
        The region is reversed, negative or outside, or the axes are not those of a cube.
    """

    def __init__(self, name: str, header: fits.Header, stored: StoredVoxels, region: Sequence[int] = ()) -> None:
        self.name = name
        self._stored = stored
        header, exchanged = spectral_axis_third(header, name)
        self.region = region_box(name, region, stored.shape)
        self.header = cut_region(header, self.region)
        self.notes = self._describe_repairs(exchanged)
        self.companions: dict[str, Cube] = {}
        self.improved = False

    def improve(self) -> Cube:
        """Return the cube with its header put right where SoFiA takes it as it stands, see `repair_header`."""
        better = copy.copy(self)
        for name in ("scales", "wcs"):  # of the old header
            better.__dict__.pop(name, None)
        better.header, notes = repair_header(self.header)
        better.notes = (*self.notes, *(f"{self.name}: {note}" for note in notes))
        better.companions = dict(self.companions)
        better.improved = True
        return better

    @property
    def shape(self) -> Shape:
        """Sizes (z, y, x) of the region."""
        return self.region.shape

    @property
    def dtype(self) -> np.dtype:
        """Array precision: float32 or float64."""
        return self._stored.dtype

    @property
    def integer(self) -> bool:
        """Whether the file holds integers that no BSCALE or BZERO turns into physical values."""
        return self._stored.integer and self._stored.scaling.trivial

    @cached_property
    def scales(self) -> Scales:
        """Beam, unit and channel width."""
        return read_scales(self.header)

    @cached_property
    def wcs(self) -> WorldCoordinates | None:
        """World coordinates; None where the header has none that can be used."""
        try:
            return WorldCoordinates(self.header)
        except ValueError:
            return None

    @property
    def spectral_unit(self) -> str:
        """Unit of axis 3 as the header prints it, with SoFiA's defaults where CUNIT3 is missing."""
        return describe_axis(self.header, 3).unit

    def read(self, box: Box) -> np.ndarray:
        """Return the voxels of ``box`` in native byte order, a new array; infinite values become NaN (spec §2.1)."""
        values = np.ascontiguousarray(self._stored.read(box.shift(self.region.z0, self.region.y0, self.region.x0)))
        flat = values.reshape(-1)  # a view
        for first in range(0, flat.size, PIECE):
            piece = flat[first : first + PIECE]
            infinite = np.isinf(piece)
            if infinite.any():
                piece[infinite] = np.nan
        return values

    @property
    def holds_labels(self) -> bool:
        """Whether the values are integers, unsigned ones (BZERO = 32768 and the like) included."""
        scaling = self._stored.scaling
        return self._stored.integer and scaling.scale == 1.0 and float(scaling.zero).is_integer()

    def read_labels(self, box: Box) -> np.ndarray:
        """Return the integers of ``box`` (for masks)."""
        stored = self._stored.read_stored(box.shift(self.region.z0, self.region.y0, self.region.x0))
        zero = int(self._stored.scaling.zero)
        return stored if not zero else stored.astype(np.int64) + zero

    def require_floats(self) -> Cube:
        """Return the cube itself.

        Raises
        ------
        InputError
            It holds plain integers (spec sofia2 §2.1).
        """
        if self.integer:
            raise InputError(
                f"{self.name} holds integers without BSCALE or BZERO; a cube of floating-point values is needed."
            )
        return self

    def require_shape(self, shape: Shape) -> Cube:
        """Return the cube itself.

        Raises
        ------
        InputError
            It has another size than ``shape`` (z, y, x).
        """
        if self.shape != shape:
            mine, wanted = (" × ".join(str(n) for n in reversed(s)) for s in (self.shape, shape))
            raise InputError(
                f"{self.name} has {mine} voxels, the data cube {wanted}; the two must be of the same size."
            )
        return self

    def _describe_repairs(self, exchanged: bool) -> tuple[str, ...]:
        notes = []
        if exchanged:
            notes.append(f"{self.name}: axis 3 has length 1, so axes 3 and 4 were exchanged.")
        scaling = self._stored.scaling
        if not scaling.trivial:
            kind = "integer" if self._stored.integer else "floating-point"
            notes.append(
                f"{self.name}: BSCALE = {scaling.scale:g} and BZERO = {scaling.zero:g} applied to {kind} data."
            )
        return tuple(notes)


def region_box(name: str, region: Sequence[int], shape: Shape) -> Box:
    """Turn ``xmin, xmax, ymin, ymax, zmin, zmax`` (inclusive) into a box; empty means the whole cube.

    Raises
    ------
    InputError
        Not six values, a lower bound above its upper bound, a negative bound, or a region outside the cube.
    """
    if not len(region):
        return Box.whole(shape)
    if len(region) != 6:
        raise InputError(f"input.region has {len(region)} values; xmin, xmax, ymin, ymax, zmin, zmax are needed.")
    bounds = []
    for axis, low, high, size in zip("xyz", region[::2], region[1::2], reversed(shape), strict=True):
        if low < 0 or high < low:
            raise InputError(f"input.region: {axis} from {low} to {high} is not a range of pixels counted from 0.")
        if low >= size:
            raise InputError(
                f"input.region: {axis} from {low} to {high} is outside {name}, which has {axis} = 0 to {size - 1}."
            )
        bounds.append((int(low), int(min(high, size - 1)) + 1))
    (x0, x1), (y0, y1), (z0, z1) = bounds
    return Box(z0, z1, y0, y1, x0, x1)
