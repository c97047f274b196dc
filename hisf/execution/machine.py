"""What the machine offers: processors and memory, with the limits of a container respected."""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from hisf.errors import InputError

log = logging.getLogger(__name__)

CONTAINER = Path("/sys/fs/cgroup")  # limits of the control group
SHARE = 0.6  # of the available memory
NOTICE = logging.INFO + 5  # a message for every user that is no warning
logging.addLevelName(NOTICE, "NOTICE")


_threads = 0  # of the compiled kernels; 0 until it is set


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(wanted: int) -> int:
    """Set the number of threads of the compiled kernels and return it (spec sofia2 §1.4).

    Parameters
    ----------
    wanted : int
        0 or less leaves it to ``OMP_NUM_THREADS``, else to the number of processors; more than those is cut down.
    """
    global _threads
    if wanted <= 0:
        given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        wanted = int(given) if given.isdigit() and int(given) > 0 else processors()
    # threads of OpenMP (PyTorch's) that wait for work sleep: awake they take processors from others
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _threads = min(wanted, processors())
    return _threads


def threads() -> int:
    """Return the number of threads of the compiled kernels: as many as processors until it is set."""
    return _threads or processors()


def usable_memory(wanted: str = "") -> int:
    """Return the bytes that a run may use.

    Parameters
    ----------
    wanted : str
        A number of bytes with or without a unit, as in ``2GB`` (10⁹) or ``2GiB`` (2³⁰); empty means 60 % of what is
        available to this process.

    Raises
    ------
    InputError
        It is not a number of bytes.
    """
    if not wanted.strip():
        return int(SHARE * min(_available(), _container_limit()))
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kMGT]?)(i?)B?\s*", wanted, re.IGNORECASE)
    size = 0
    if match:
        power = " KMGT".index(match[2].upper() or " ")
        size = int(float(match[1]) * (1024 if match[3] else 1000) ** power)
    if not size:
        raise InputError(f"pipeline.memory = {wanted} is not an amount of memory; write for example 2GB.")
    return size


def resident() -> int:
    """Return the bytes of memory that this process takes now; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _available() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return 4.0 * 2**30


def _container_limit() -> float:
    """Return what the control group of this process has left, infinite without a limit.

    Files that the system keeps in memory count as used there, but make room for whoever needs it.
    """
    for folder, limit_file, usage_file, files in (
        (CONTAINER, "memory.max", "memory.current", "inactive_file"),
        (CONTAINER / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            left = float((folder / limit_file).read_text()) - float((folder / usage_file).read_text())
        except (OSError, ValueError):
            continue
        with suppress(OSError, ValueError):
            kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            left += float(kept.get(files, 0))
        return max(0.0, left)
    return float("inf")
