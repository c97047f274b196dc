#!/usr/bin/env python3
"""Whether the time per voxel stays the same as cubes grow.

    python benchmarks/growth.py [--finder scfind|cnn] [--sizes 10,30,100,300,1000] [--memory 2GB] [--repeat N]

Seeded cubes of noise with galaxies, 500 × 400 pixels and as many channels as it takes, are searched with the same
memory, process start to exit. What counts is the time for every further voxel from one size to the next, as a ratio to
that between the first two sizes: the start of Python and its libraries, seconds on any cube, falls out. Peak memory is
given too. Needs as much disk as the largest cube in the temporary folder, 4 GB with the sizes above.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from classic import PAR, timed

NY, NX = 400, 500


def make_cube(path: Path, voxels: int) -> int:
    """Write a cube of about so many voxels, a block of 50 channels again and again; return how many it has."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    block = np.stack([gaussian_filter(rng.standard_normal((NY, NX)), 1.06) for _ in range(50)]).astype(np.float32)
    block *= 3e-5 / block.std()
    dy, dx = np.mgrid[-8:9, -8:9]
    for _ in range(4):
        x, y, peak = rng.integers(10, NX - 10), rng.integers(10, NY - 10), rng.uniform(1e-4, 2e-4)
        block[15:35, y - 8 : y + 9, x - 8 : x + 9] += (peak * np.exp(-(dx**2 + dy**2) / 6)).astype(np.float32)
    channels = max(20, voxels // (NY * NX))
    header = fits.Header()
    axes = (("RA---SIN", 180.0, -2.8 / 3600, "deg"), ("DEC--SIN", -30.0, 2.8 / 3600, "deg"), ("FREQ", 1e9, 3e4, "Hz"))
    header["SIMPLE"], header["BITPIX"], header["NAXIS"] = True, -32, 3
    header["NAXIS1"], header["NAXIS2"], header["NAXIS3"] = NX, NY, channels
    for n, (ctype, value, step, unit) in enumerate(axes, 1):
        header[f"CTYPE{n}"], header[f"CRVAL{n}"], header[f"CDELT{n}"], header[f"CUNIT{n}"] = ctype, value, step, unit
        header[f"CRPIX{n}"] = 1.0
    header["BMAJ"], header["BMIN"], header["BPA"], header["BUNIT"] = 7 / 3600, 7 / 3600, 0.0, "Jy/beam"
    with path.open("wb") as file:
        file.write(header.tostring().encode("ascii"))
        for z in range(0, channels, 50):
            file.write(block[: channels - z].astype(">f4").tobytes())
        file.write(b"\0" * (-file.tell() % 2880))
    return channels * NY * NX


def main() -> None:
    """Measure and print."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--finder", default="scfind", choices=("scfind", "cnn"))
    ap.add_argument("--sizes", default="10,30,100,300,1000", help="millions of voxels")
    ap.add_argument("--memory", default="2GB")
    ap.add_argument("--repeat", type=int, default=3, help="runs up to 100 million voxels; one above")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cube, par = Path(folder) / "cube.fits", Path(folder) / "growth.par"
        par.write_text(f"{PAR}input.data = {cube}\npipeline.finder = {args.finder}\npipeline.memory = {args.memory}\n")
        command = [sys.executable, "-m", "hisf", "run", "--quiet", str(par)]

        def seconds(repeat: int) -> tuple[float, float]:
            walls, peaks = zip(*(timed(command) for _ in range(repeat)), strict=True)
            return statistics.median(walls), max(peaks)

        make_cube(cube, 4_000_000)
        timed(command)  # compiles
        print(f"{args.finder}, pipeline.memory = {args.memory}")
        first, before = 0.0, (0, 0.0)
        for size in args.sizes.split(","):
            voxels = make_cube(cube, int(float(size) * 1e6))
            wall, peak = seconds(args.repeat if voxels <= 100e6 else 1)
            line = f"{voxels / 1e6:6.0f} Mvoxel: {wall:7.2f} s, {peak:.0f} MB"
            if before[0]:
                further = (wall - before[1]) / (voxels - before[0])
                first = first or further
                line += f", {1e9 * further:6.1f} ns per further voxel, {further / first:.2f} of the first"
            print(line, flush=True)
            before = voxels, wall


if __name__ == "__main__":
    main()
