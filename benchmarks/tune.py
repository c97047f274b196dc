#!/usr/bin/env python3
"""What a tuning costs, in runs of the same pipeline, measured in one go.

    python benchmarks/tune.py [--shape NX,NY,NZ] [--density D] [--trials N] [--runs N] [--pipeline network,classic]

A cube in the manner of SDC2 with its truth is made from a seed. ``parfiles/sdc2.par`` (the network) and the classic
chain (S+C with 15 kernels, reliability) are run a few times, process start to exit, before and after `hisf tune` with
50 trials on the same cube; the ratio of the times is printed. One process each, with as many threads as there are.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAR = Path(__file__).parent.parent / "parfiles" / "sdc2.par"
PIPELINES = {
    "network": ("sdc2", ()),
    "classic": ("alpha", (
        "pipeline.finder=scfind", "appraise.method=none", "output.writeCatSDC2=false", "reliability.enable=true",
        "scaleNoise.enable=true", "scaleNoise.mode=spectral", "reliability.plot=false", "dilation.enable=true",
        "scfind.threshold=3.5",
    )),
}  # fmt: skip


def hisf(*arguments: object) -> float:
    """Call hisf; return the seconds that it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "hisf", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="128,128,192")
    parser.add_argument("--density", type=float, default=100.0)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3, help="before the tuning, and again after it")
    parser.add_argument("--pipeline", default=",".join(PIPELINES))
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        cube, truth = Path(folder) / "c.fits", Path(folder) / "c_truth.txt"
        hisf("simulate", cube, "--shape", options.shape, "--density", options.density, "--min-snr", 3, "--seed", 101)
        rows = len(truth.read_text().splitlines()) - 1
        print(f"{options.shape} voxels (x, y, z), {rows} galaxies")
        for name in options.pipeline.split(","):
            objective, settings = PIPELINES[name]
            given = (PAR, f"input.data={cube}", f"output.directory={folder}", *settings)
            hisf("run", *given)  # compiles, and reads the cube into the cache
            seconds = [hisf("run", *given) for _ in range(options.runs)]
            tuning = hisf("tune", *given, "--truth", truth, "--objective", objective, "--trials", options.trials)
            seconds += [hisf("run", *given) for _ in range(options.runs)]
            run = statistics.median(seconds)
            print(
                f"{name:<8} run {run:6.2f} s (median of {len(seconds)}, {min(seconds):.2f} to {max(seconds):.2f}), "
                f"{options.trials} trials {tuning:6.1f} s = {tuning / run:.1f} runs"
            )


if __name__ == "__main__":
    main()
