"""Voxels of a FITS file, mapped rather than loaded."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from hisf.data.box import Box, Shape
from hisf.data.header import axis_sizes, card, number
from hisf.errors import FileAccessError, InputError

DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
RELEASE = 1 << 22  # bytes of the file that a read may touch before their pages are handed back
PAGES = 1 << 16  # bytes that the system maps around the first one touched


class Scaling:
    """BSCALE, BZERO and BLANK of a header, applied to what is read (spec sofia2 §2.1).

    Float data are multiplied, then added to; integer data become float32 values ``BZERO + BSCALE·v``, evaluated in
    double. A missing keyword counts as its FITS default.
    """

    def __init__(self, header: fits.Header, integer: bool) -> None:
        scale, zero = number(header, "BSCALE"), number(header, "BZERO")
        self.scale = 1.0 if scale is None else scale
        self.zero = 0.0 if zero is None else zero
        blank = number(header, "BLANK") if integer else None
        self.blank = int(blank) if blank is not None and math.isfinite(blank) else None
        self.integer = integer

    @property
    def trivial(self) -> bool:
        """Whether the values stand in the file as they are."""
        return self.scale == 1.0 and self.zero == 0.0

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Return physical values: a new array, or ``stored`` itself where they stand there as they are."""
        if self.integer:
            values = (self.zero + self.scale * stored.astype(np.float64)).astype(np.float32)
            if self.blank is not None:
                values[stored == self.blank] = np.nan
            return values
        if self.trivial:
            return stored
        values = stored.astype(stored.dtype.newbyteorder("="))
        values *= values.dtype.type(self.scale)
        values += values.dtype.type(self.zero)
        return values


class FitsVoxels:
    """The primary array of a FITS file as a (z, y, x) cube, memory-mapped: opening costs nothing, whatever its size.

    Parameters
    ----------
    path : Path
    header : `~astropy.io.fits.Header`
        The header as it stands in the file.
    offset : int
        Byte at which the data begin.

    Raises
    ------
    FileAccessError
        The file is shorter than its header says.
    InputError
        BITPIX or the axes are not those of an image.
    """

    def __init__(self, path: Path, header: fits.Header, offset: int) -> None:
        sizes = axis_sizes(header, str(path))
        bitpix = number(header, "BITPIX")
        if bitpix is None or bitpix not in DTYPES:
            raise InputError(f"{path}: BITPIX is {card(header, 'BITPIX')!r}; 8, 16, 32, 64, -32 or -64 is needed.")
        stored = np.dtype(DTYPES[int(bitpix)])
        self.integer = stored.kind in "iu"
        self.scaling = Scaling(header, self.integer)
        length, present = stored.itemsize * int(np.prod(sizes, dtype=object)), path.stat().st_size - offset
        if present < length:
            raise FileAccessError(
                f"{path} is truncated: its header promises {length} bytes of data, the file holds {max(present, 0)}."
            )
        self._made_of = path, header, offset
        self._touched = 0  # bytes of the file that may be mapped
        # axes 3 and 4: one of them has length 1, so both orders are the same bytes
        depth = int(np.prod(sizes[2:])) if len(sizes) > 2 else 1
        self.shape: Shape = (depth, sizes[1] if len(sizes) > 1 else 1, sizes[0])
        with path.open("rb") as file:
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        count = int(np.prod(self.shape, dtype=object))
        self._mapped = np.frombuffer(self._pages, stored, count, offset).reshape(self.shape)
        self.dtype = np.dtype(np.float32) if self.integer else stored.newbyteorder("=")

    def __reduce__(self) -> tuple[type[FitsVoxels], tuple[Path, fits.Header, int]]:
        """Pickle what the file is opened with, not what is in it."""
        return FitsVoxels, self._made_of

    def read(self, box: Box) -> np.ndarray:
        """Return the physical values of ``box``, a new array in native byte order."""
        return self._by_pieces(box, self.dtype, self.scaling.apply)

    def read_stored(self, box: Box) -> np.ndarray:
        """Return the values of ``box`` as they stand in the file (for integer masks), native byte order."""
        return self._by_pieces(box, self._mapped.dtype.newbyteorder("="), lambda stored: stored)

    def _by_pieces(self, box: Box, dtype: np.dtype, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Read a few channels at a time and hand their pages back, so that they do not count as memory in use."""
        self._require_whole()
        stored = self._mapped[box.slices]
        depth, rows, columns = stored.shape
        row = self.shape[2] * stored.itemsize
        touched = 2 * PAGES + rows * min(row, columns * stored.itemsize + PAGES)  # by one channel, at most
        channels = max(1, RELEASE // max(1, touched))
        values = np.empty(stored.shape, dtype)
        for z in range(0, depth, channels):
            values[z : z + channels] = convert(stored[z : z + channels])
            self._release(channels * touched)
        return values

    def _require_whole(self) -> None:
        """Make sure that the file still has what is mapped of it; touching the rest would kill the process."""
        if self._pages.size() < len(self._pages):
            raise FileAccessError(f"{self._made_of[0]} has become shorter while it was being read.")

    def _release(self, touched: int) -> None:
        self._touched += touched
        if self._touched >= RELEASE and hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
