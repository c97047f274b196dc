"""Memory of a run: what is held, what stays in the file, how deep a slab may be."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from hisf.data.box import Box, Shape, slabs
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.errors import FileAccessError

Transform = Callable[[np.ndarray, Box], np.ndarray]
SLAB_BYTES = 1 << 26
PIECE = 1 << 22  # bytes of a cube that are read at a time, so that they stay in the cache until they are stored


class Memory(Protocol):
    """Keeps results of a run that was interrupted; see `hisf.execution.journal`."""

    def remember(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what was kept under a name, or else compute and keep it."""
        ...


class FilteredVoxels:
    """A cube seen through a function that transforms any box by itself; nothing is stored.

    Parameters
    ----------
    voxels : Voxels
    transform : callable
        ``transform(data, box) -> data`` of the same shape and dtype; ``data`` may be changed in place.
    whole_spectra : bool
        Whether the function must be given all channels of the spectra that a box touches.
    """

    def __init__(self, voxels: Voxels, transform: Transform, whole_spectra: bool = False) -> None:
        self._voxels = voxels
        self._transform = transform
        self._whole_spectra = whole_spectra
        self.shape = voxels.shape
        self.dtype = voxels.dtype

    def read(self, box: Box) -> np.ndarray:
        """Return the transformed voxels of ``box``, a new array."""
        if not self._whole_spectra:
            return self._transform(self._copy(box), box)
        columns = replace(box, z0=0, z1=self.shape[0])
        return self._transform(self._copy(columns), columns)[box.z0 : box.z1]

    def _copy(self, box: Box) -> np.ndarray:
        """Return the voxels of ``box``, a new array, which those of a file are anyway."""
        values = self._voxels.read(box)
        return values.copy() if isinstance(self._voxels, ArrayVoxels) else values


class Workspace:
    """Decides what lies in memory, what in scratch files and what is read again.

    Parameters
    ----------
    limit : int
        Bytes that arrays of the size of the cube may take together.
    slab_bytes : int
        Bytes of one slab where the cube is not held in memory.
    scratch : Path, optional
        Folder for scratch files; the system's temporary folder otherwise.
    channels : int
        Depth of slabs where it is not left to ``slab_bytes``.
    memory : Memory, optional
        What an interrupted run left behind.
    """

    def __init__(
        self,
        limit: int,
        slab_bytes: int = SLAB_BYTES,
        scratch: Path | None = None,
        channels: int = 0,
        memory: Memory | None = None,
    ) -> None:
        self._left = limit
        self._slab_bytes = slab_bytes
        self._scratch = scratch
        self._channels = channels
        self._memory = memory
        self._maps: list[mmap.mmap] = []

    def remember(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return an array that takes long to compute: a resumed run finds it where the interrupted one left it.

        Parameters
        ----------
        name : str
            Of the array; a finder's begin with its own name.
        compute : callable
            Without arguments; a function of the settings and the cube alone.
        """
        return compute() if self._memory is None else self._memory.remember(name, compute)

    def depth(self, voxels: Voxels) -> int:
        """Return how many channels a slab of `slabs` has."""
        nz, ny, nx = voxels.shape
        if isinstance(voxels, ArrayVoxels) and not self._maps:
            return nz
        return max(1, self._channels or self._slab_bytes // max(1, ny * nx * voxels.dtype.itemsize))

    def slabs(self, voxels: Voxels) -> Iterator[Box]:
        """Cut a cube into slabs of whole channels, from the last channel down.

        A cube that lies in memory is one slab; slabs of another cube are as deep as `slab_bytes` allows.
        """
        for box in slabs(voxels.shape, self.depth(voxels)):
            yield box
            self.release()

    def allocate(self, shape: Shape, dtype: np.dtype) -> np.ndarray:
        """Return an array of ``shape``, filled with zeros: in memory where there is room, else in a scratch file.

        What was read of a scratch file or written to it stays in memory until the next slab of `slabs` or `rows`, or
        until `release`.
        """
        size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
        if size <= self._left:
            self._left -= size
            return np.zeros(shape, dtype)
        pages = _scratch_file(size, self._scratch)
        self._maps.append(pages)
        return np.frombuffer(pages, dtype).reshape(shape)

    def hold(self, voxels: Voxels) -> Voxels:
        """Load a cube into memory where there is room; otherwise return it as it is, to be read again and again."""
        size = int(np.prod(voxels.shape, dtype=object)) * voxels.dtype.itemsize
        if isinstance(voxels, ArrayVoxels) or self._channels or size > self._left:
            return voxels
        self._left -= size
        array = np.empty(voxels.shape, voxels.dtype)
        for box in slabs(voxels.shape, PIECE // max(1, size // max(1, voxels.shape[0]))):
            array[box.slices] = voxels.read(box)
        return ArrayVoxels(array)

    def rows(self, voxels: Voxels) -> Iterator[Box]:
        """Cut a cube into boxes of whole spectra, as many rows deep as `slab_bytes` allows."""
        nz, ny, nx = voxels.shape
        depth = max(1, self._slab_bytes // (nz * nx * voxels.dtype.itemsize))
        for y in range(0, ny, depth):
            yield Box(0, nz, y, min(ny, y + depth), 0, nx)
            self.release()

    def transform(self, voxels: Voxels, transform: Transform, whole_spectra: bool = False) -> Voxels:
        """Return the cube seen through ``transform``; a cube that `hold` loaded is changed in place."""
        if not isinstance(voxels, ArrayVoxels):
            return FilteredVoxels(voxels, transform, whole_spectra)
        channels = max(1, self._slab_bytes // voxels.array[0].nbytes)
        for box in self.rows(voxels) if whole_spectra else slabs(voxels.shape, channels):
            voxels.array[box.slices] = transform(voxels.array[box.slices], box)
            self.release()
        return voxels

    def release(self) -> None:
        """Leave the pages of scratch files to the system, which keeps what was written."""
        for pages in self._maps:
            if hasattr(mmap, "MADV_DONTNEED"):
                pages.madvise(mmap.MADV_DONTNEED)


def _scratch_file(size: int, folder: Path | None) -> mmap.mmap:
    """Return a scratch file in memory; its room on the disk is taken at once, as a full disk later kills the process.

    Raises
    ------
    FileAccessError
        There is not so much room.
    """
    try:
        with tempfile.TemporaryFile(prefix="hisf-", dir=folder) as file:
            if size > shutil.disk_usage(folder or tempfile.gettempdir()).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return mmap.mmap(file.fileno(), size)  # which outlives the file's name
    except OSError as error:
        place, what = folder or tempfile.gettempdir(), error.strerror or error
        raise FileAccessError(
            f"No scratch file of {size / 1e9:.2f} GB can be made in {place} ({what}); set TMPDIR to a folder with more "
            "room, or allow more memory with pipeline.memory."
        ) from None
