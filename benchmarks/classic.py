#!/usr/bin/env python3
"""How fast the classic pipeline is, as a ratio measured in one run.

    python benchmarks/classic.py [--shape NX,NY,NZ] [--threads 1,2] [--repeat N] [--sofia COMMAND]

A seeded cube of noise with 60 galaxies is searched with S+C (12 kernels), spectral noise scaling, linker, reliability
and dilation, process start to exit, and compared with a reference in the same minutes: SoFiA 2 where ``--sofia`` names
its executable, else one yardstick, which is six passes of scipy.ndimage.uniform_filter1d (width 7, two along each axis,
one thread) over a float32 array of the same shape. SoFiA 2.5.1 was measured at 8.9 yardsticks with 2 threads and 12.2
with 1, peak memory 2.2 times the cube, on 300 × 300 × 500 voxels.

Needs scipy and some 0.5 GB of disk in the temporary folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

PAR = """\
scaleNoise.enable = true
scfind.enable = true
scfind.kernelsXY = 0, 3, 6
scfind.kernelsZ = 0, 3, 7, 15
scfind.threshold = 4.0
linker.radiusXY = 2
linker.radiusZ = 2
reliability.enable = true
reliability.threshold = 0.8
dilation.enable = true
output.writeMask = true
"""


def make_cube(path: Path, shape: tuple[int, int, int]) -> None:
    """Write a cube (z, y, x) of beam-smoothed noise with 60 Gaussian galaxies."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    nz, ny, nx = shape
    cube = np.empty(shape, np.float32)
    for z in range(nz):
        plane = gaussian_filter(rng.standard_normal((ny, nx)), 1.06)
        cube[z] = plane / plane.std() * 3e-5
    dy, dx = np.mgrid[-12:13, -12:13]
    for _ in range(60):
        x, y, z = rng.integers(15, nx - 15), rng.integers(15, ny - 15), rng.integers(35, nz - 35)
        half, sigma, peak = int(rng.uniform(8, 30)), rng.uniform(1.2, 2.5), rng.uniform(3e-5, 2e-4)
        disc = peak * np.exp(-(dx**2 + dy**2) / (2 * sigma**2))
        cube[z - half : z + half, y - 12 : y + 13, x - 12 : x + 13] += disc.astype(np.float32)
    fits.writeto(path, cube)


def yardstick(shape: tuple[int, int, int]) -> float:
    """Return the seconds of one yardstick, the second time that it is done: the first one clears the memory, too."""
    from scipy.ndimage import uniform_filter1d

    a = np.random.default_rng(2).standard_normal(shape, dtype=np.float32)
    b = np.empty_like(a)
    for _ in range(2):
        start = time.perf_counter()
        for axis in (0, 1, 2):
            uniform_filter1d(a, 7, axis=axis, output=b)
            uniform_filter1d(b, 7, axis=axis, output=a)
    return time.perf_counter() - start


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall seconds and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{shlex.join(command)} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--shape", default="300,300,500", help="NX,NY,NZ")
    ap.add_argument("--threads", default="1,2")
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--sofia", help="command of SoFiA 2, the reference instead of the yardstick")
    args = ap.parse_args()
    nx, ny, nz = (int(n) for n in args.shape.split(","))
    shape = nz, ny, nx
    size = 4 * nz * ny * nx / 1e6
    print(f"{platform.machine()}, {os.cpu_count()} processors; {nx} × {ny} × {nz} voxels, {size:.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        cube, par = Path(folder) / "cube.fits", Path(folder) / "classic.par"
        make_cube(cube, shape)
        par.write_text(f"{PAR}input.data = {cube}\n")
        hisf = [sys.executable, "-m", "hisf", "run", "--quiet"]
        timed([*hisf, str(par)])  # compiles, and reads the cube into the system's cache
        for threads in args.threads.split(","):
            setting = f"pipeline.threads={threads}"
            pairs = []
            for _ in range(args.repeat):
                mine, memory = timed([*hisf, str(par), setting])
                other = timed([*shlex.split(args.sofia), str(par), setting])[0] if args.sofia else yardstick(shape)
                pairs.append((mine, other, memory))
            ratio = statistics.median(mine / other for mine, other, _ in pairs)
            mine, other, memory = (statistics.median(values) for values in zip(*pairs, strict=True))
            name = "SoFiA" if args.sofia else "yardsticks"
            print(
                f"{threads} threads: {ratio:.2f} {name} ({mine:.2f} s against {other:.2f} s), "
                f"{nz * ny * nx / mine / 1e6:.1f} Mvoxel/s, peak memory {memory:.0f} MB = {memory / size:.2f} cubes"
            )


if __name__ == "__main__":
    main()
