#!/usr/bin/env python3
"""How fast the network pipeline is, and how much memory it takes.

    python benchmarks/network.py [--shape NX,NY,NZ] [--threads 1,2] [--repeat N] [--sofia COMMAND]

A cube of SDC2's sampling made by ``hisf simulate`` is searched with the network (finder and appraisal, catalogues
written), process start to exit, and compared in the same minutes with SoFiA 2 where ``--sofia`` names its executable,
else with one yardstick (see ``benchmarks/classic.py``).
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
from pathlib import Path

from classic import timed, yardstick

PAR = """\
pipeline.finder = cnn
linker.radiusXY = 2
linker.radiusZ = 3
reliability.enable = false
parameter.physical = true
output.writeCatSDC2 = true
output.overwrite = true
"""
CLASSIC = """\
scaleNoise.enable = true
scaleNoise.mode = spectral
scfind.kernelsXY = 0, 3, 6
scfind.kernelsZ = 0, 3, 7, 15, 31
scfind.threshold = 4.0
reliability.enable = true
"""


def main() -> None:
    """Measure and print."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--shape", default="480,480,400", help="NX,NY,NZ")
    ap.add_argument("--threads", default="2")
    ap.add_argument("--repeat", type=int, default=2)
    ap.add_argument("--sofia", help="command of SoFiA 2, the reference instead of the yardstick")
    args = ap.parse_args()
    nx, ny, nz = (int(n) for n in args.shape.split(","))
    size = 4 * nx * ny * nz / 1e6
    print(f"{platform.machine()}, {os.cpu_count()} processors; {nx} × {ny} × {nz} voxels, {size:.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        cube, par, classic = Path(folder) / "cube.fits", Path(folder) / "network.par", Path(folder) / "classic.par"
        hisf = [sys.executable, "-m", "hisf"]
        make = [*hisf, "simulate", str(cube), "--shape", args.shape, "--density", "2", "--seed", "5"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        par.write_text(f"{PAR}input.data = {cube}\n")
        classic.write_text(f"{CLASSIC}input.data = {cube}\n")
        timed([*hisf, "run", "--quiet", str(par)])  # compiles, and reads the cube into the system's cache
        for threads in args.threads.split(","):
            setting = f"pipeline.threads={threads}"
            pairs = []
            for _ in range(args.repeat):
                mine, memory = timed([*hisf, "run", "--quiet", str(par), setting])
                sofia = [*shlex.split(args.sofia or ""), str(classic), setting]
                other = timed(sofia)[0] if args.sofia else yardstick((nz, ny, nx))
                pairs.append((mine, other, memory))
            ratio = statistics.median(mine / other for mine, other, _ in pairs)
            mine, other, memory = (statistics.median(values) for values in zip(*pairs, strict=True))
            name = "SoFiA" if args.sofia else "yardsticks"
            print(
                f"{threads} threads: {nz * ny * nx / mine / 1e6:.2f} Mvoxel/s, {ratio:.2f} {name} ({mine:.2f} s "
                f"against {other:.2f} s), peak memory {memory:.0f} MB = {memory / size:.2f} cubes"
            )


if __name__ == "__main__":
    main()
