"""Code that is not hisf's own, at arm's length.

Whatever a plugin raises, and whatever it returns against its contract, becomes a `PluginError` that names the plugin,
the distribution it comes from and the method; nothing of it is silently taken for a result.
"""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np

from hisf.data.columns import ESTIMATED
from hisf.data.source import SourceList
from hisf.errors import HisfError, PluginError
from hisf.stages.finders.run import complaint_about

PASSING = (HisfError, MemoryError, BrokenPipeError)  # what is told by itself
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)  # no fault of who writes
KINDS: dict[str, Any] = {"text": str, "int": (int, np.integer), "float": Real}  # of columns
Check = Callable[..., str]  # check(part, answer, *arguments) -> what is wrong, or nothing


@contextmanager
def blamed(who: str, method: str, seconds: float = 0.0) -> Iterator[None]:
    """Turn what is raised inside into a `PluginError`.

    Parameters
    ----------
    who : str
        The plugin and its distribution.
    method : str
    seconds : float
        Time after which it is told to hang; 0 for none.

    Raises
    ------
    PluginError
        Anything but a `HisfError`, a lack of memory, or a disk that cannot be written to.
    """
    try:
        with _limited(seconds):
            yield
    except PASSING:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
        raise PluginError(f"{who} fails in {method}: {what}.") from error


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError where what is inside takes longer; the outermost limit counts."""
    outside = threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0] > 0
    if seconds <= 0 or outside:
        yield
        return

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"no answer within {seconds:g} s (pipeline.pluginTimeout)")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def guard(part: Any, stage: str, who: str) -> Any:
    """Return an instance of a foreign class, from now on with its methods watched.

    Parameters
    ----------
    part : object
        Implements a stage; changed in place.
    stage : str
    who : str
        The plugin and its distribution.
    """
    for method, check in METHODS[stage].items():
        vars(part).setdefault(method, _Watched(part, method, who, check))
    return part


class _Watched:
    """A method of a plugin; goes with it to other processes."""

    def __init__(self, part: Any, method: str, who: str, check: Check) -> None:
        self._part, self._method, self._who, self._check = part, method, who, check

    def __call__(self, *arguments: Any) -> Any:
        where = f"{type(self._part).__name__}.{self._method}"
        with blamed(self._who, where, _seconds(self._part, arguments)):
            answer = getattr(type(self._part), self._method)(self._part, *arguments)
        complaint = self._check(self._part, answer, *arguments)
        if complaint:
            raise PluginError(f"{self._who}: {where} {complaint}.")
        return answer


def _seconds(part: Any, arguments: tuple[Any, ...]) -> float:
    settings = getattr(part, "settings", None) or getattr(arguments[0] if arguments else None, "settings", None)
    return float(settings["pipeline.pluginTimeout"]) if settings is not None else 0.0


def _anything(part: Any, answer: object, *arguments: object) -> str:
    return ""


def _halo(part: Any, answer: Any, *arguments: object) -> str:
    return _triple(answer, 0)


def _grid(part: Any, answer: Any, *arguments: object) -> str:
    return _triple(answer, 1)


def _triple(answer: Any, least: int) -> str:
    whole = isinstance(answer, (tuple, list)) and all(isinstance(n, (int, np.integer)) and n >= least for n in answer)
    if whole and len(answer) == 3:
        return ""
    return f"returned {answer!r}; three whole numbers (z, y, x) of at least {least} are needed"


def _number(part: Any, answer: object, *arguments: object) -> str:
    fits = isinstance(answer, (int, np.integer)) and answer >= 0
    return "" if fits else f"returned {answer!r}; a whole number of at least 0 is needed"


def _numbers(part: Any, answer: Any, *arguments: object) -> str:
    fits = isinstance(answer, (tuple, list)) and not any(_number(part, size) for size in answer)
    return "" if fits else f"returned {answer!r}; whole numbers of bytes are needed"


def _score(part: Any, answer: Any, tile: Any) -> str:
    return complaint_about(np.asarray(answer), tile)


def _voxels(part: Any, answer: Any, data: np.ndarray, box: object) -> str:
    if not isinstance(answer, np.ndarray):
        return f"returned {type(answer).__name__}, not an array"
    if answer.shape != data.shape or answer.dtype != data.dtype:
        return f"returned {answer.dtype} of shape {answer.shape} for {data.dtype} of shape {data.shape}"
    return ""


def _sources(part: Any, answer: Any, given: Any, *arguments: object) -> str:
    """Check a list of sources; ``given`` is what it was made from, a mask store or a list."""
    if not isinstance(answer, SourceList):
        return f"returned {type(answer).__name__}, not a SourceList"
    if answer.shape != given.shape:
        return f"returned sources of a cube of shape {answer.shape}, not {given.shape}"
    if [source.label for source in answer] != list(range(1, len(answer) + 1)):
        return "returned labels that do not count from 1"
    voxels = np.concatenate([np.empty(0, np.int64), *(source.voxels for source in answer)])
    if voxels.size and not (voxels.min() >= 0 and voxels.max() < np.prod(answer.shape, dtype=np.int64)):
        return "returned a source with voxels outside the cube"
    if len(np.unique(voxels)) < len(voxels):
        return "returned sources that share a voxel"
    return ""


def _grown(part: Any, answer: Any, given: SourceList, *arguments: object) -> str:
    complaint = _sources(part, answer, given)
    if not complaint and len(answer) != len(given):
        return f"returned {len(answer)} sources for {len(given)}"
    return complaint


def _appraised(part: Any, answer: Any, given: SourceList, *arguments: object) -> str:
    complaint = _sources(part, answer, given)
    if complaint:
        return complaint
    names = {name for source in answer for name in source.estimates} - {column.name for column in ESTIMATED}
    return f"estimates {min(names)}, which is no column of an appraisal" if names else ""


def _values(part: Any, answer: Any, *arguments: object) -> str:
    if not isinstance(answer, Mapping):
        return f"returned {type(answer).__name__}, not a mapping"
    declared = {column.name: column.kind for column in part.columns}
    odd = sorted(map(str, answer.keys() ^ declared.keys()))
    if odd:
        return f"returned {'no value for' if odd[0] in declared else 'a value for the undeclared'} column {odd[0]}"
    wrong = next((name for name, kind in declared.items() if not isinstance(answer[name], KINDS[kind])), None)
    return f"returned {answer[wrong]!r} for {wrong}, a column of kind {declared[wrong]}" if wrong else ""


def _written(part: Any, answer: object, result: object, path: Any) -> str:
    return "" if path.exists() else "wrote no file"


# stage -> method -> check of its answer
METHODS: dict[str, dict[str, Check]] = {
    "precondition": {"measure": _anything, "apply": _voxels},
    "finders": {
        "halo": _halo, "grid": _grid, "passes": _number, "memory": _number, "arrays": _numbers,
        "look": _anything, "find": _score,
    },
    "link": {"link": _sources},
    "reliability": {"judge": _sources},
    "dilate": {"dilate": _grown},
    "appraise": {"appraise": _appraised},
    "measure": {"measure": _values},
    "products": {"applies": _anything, "write": _written},
}  # fmt: skip
