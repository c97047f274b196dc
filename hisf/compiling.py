"""The compiler in a run: the first one after installing waits for it, the others only load what it has made.

On the first run kernels are compiled by several processes at once, and kept for all later runs.

`python -m hisf.compiling FOLDER GROUP` compiles a group of kernels, as a run in FOLDER needs them.
"""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from hisf.execution.ahead import import_ahead
from hisf.execution.machine import NOTICE

log = logging.getLogger(__name__)

COMPILING = "HISF_COMPILING"  # in the environment of a process that compiles for another one
SHAPE = (24, 40, 44)
FLOAT = np.dtype(np.float32)
SETTINGS = (
    "scaleNoise.enable=true",
    "scfind.kernelsXY=0",
    "scfind.kernelsZ=0",
    "scfind.threshold=2.5",
    "linker.minSizeXY=1",
    "linker.minSizeZ=1",
    "reliability.enable=true",
    "reliability.threshold=0",
    "reliability.minSNR=0",
    "dilation.enable=true",
)


def compile_ahead(search: bool) -> None:
    """Compile what has not been compiled for this processor, and say so; nothing on any but the first run.

    Parameters
    ----------
    search : bool
        Whether the kernels of S+C will be needed; two processes then compile them, which takes half the time.
    """
    if _compiled() or COMPILING in os.environ:
        return
    log.log(NOTICE, "First run: compiling for this processor takes some ten seconds, once.")
    if not search or not sys.executable:
        return
    with tempfile.TemporaryDirectory(prefix="hisf-") as folder:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", __name__, folder, group], env={**os.environ, COMPILING: "1"},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for group in GROUPS
        ]  # fmt: skip
        try:
            for process in processes:  # one that fails leaves it to the run itself
                process.wait()
        finally:
            for process in processes:
                process.kill()
                process.wait()


def load_ahead(search: bool, dtype: np.dtype) -> threading.Thread | None:
    """Load the compiler and the first kernels in a thread, and then what the end of a run needs.

    A run reads its cube in the meantime. Nothing is done where they are loaded already, as in later runs of a process.

    Parameters
    ----------
    search : bool
        Whether the kernels of S+C will be needed.
    dtype : dtype
        Of the cube.
    """
    if "hisf.kernels.clip" in sys.modules or COMPILING in os.environ:
        return None
    thread = threading.Thread(target=_load, args=(search, dtype), name="loading", daemon=True)
    thread.start()
    return thread


def _load(search: bool, dtype: np.dtype) -> None:
    with suppress(Exception):  # the run will meet it too, and say so
        from hisf.kernels.clip import union

        union(np.empty(0, np.int64), np.empty(0, np.int64))
        if search:
            _smooth(Path(), dtype)
        import_ahead(["astropy.wcs"])


def forget_compiler() -> None:
    """Give the pages of LLVM back to the system, 50 MB, once most kernels are loaded; those needed again come back.

    They are program text, mapped from its file and never changed. Does nothing except on Linux.
    """
    maps = Path("/proc/self/maps")
    if not hasattr(mmap, "MADV_DONTNEED") or not maps.exists():
        return
    with suppress(OSError, ValueError, AttributeError):
        libc = ctypes.CDLL(None)
        for line in maps.read_text(encoding="utf-8", errors="replace").splitlines():
            place, access, *_ = line.split()
            if access == "r-xp" and "llvmlite" in line.rsplit("/", 1)[-1]:
                first, last = (int(word, 16) for word in place.split("-"))
                libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), mmap.MADV_DONTNEED)


def _compiled() -> bool:
    """Return whether there are compiled kernels, beside the sources or in the user's own folder."""
    chosen = os.environ.get("NUMBA_CACHE_DIR", "")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    places = [Path(chosen)] if chosen else [Path(__file__).parent / "kernels" / "__pycache__", user]
    return any(next(place.rglob("*.nbi"), None) for place in places)


def _smooth(folder: Path, dtype: np.dtype = FLOAT) -> None:
    """Compile what smooths a cube, and looks at the result."""
    from hisf.data.voxels import ArrayVoxels
    from hisf.kernels.clip import above
    from hisf.stages.finders.smoothing import Buffers, smoothed_slabs

    voxels, buffers = ArrayVoxels(_noise().astype(dtype)), Buffers(SHAPE, dtype, 3)
    for _, values, flags in smoothed_slabs(voxels, buffers, np.zeros(1, np.int64), 3.0, 3, 1.0):
        above(values, 1.0, flags)


def _run(folder: Path) -> None:
    """Compile what a run calls besides: it finds, links, judges and grows sources in a small cube."""
    from astropy.io import fits

    from hisf.pipeline import run
    from hisf.plugins import PluginManager
    from hisf.settings import load_settings

    fits.writeto(folder / "cube.fits", _noise())
    settings = [f"input.data={folder / 'cube.fits'}", f"output.directory={folder}", *SETTINGS]
    manager = PluginManager(foreign=False)
    run(load_settings(settings, manager.parameters()), manager)


def _noise() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(SHAPE, np.float32)


GROUPS: dict[str, Callable[[Path], None]] = {"smooth": _smooth, "run": _run}

if __name__ == "__main__":
    GROUPS[sys.argv[2]](Path(sys.argv[1]))
