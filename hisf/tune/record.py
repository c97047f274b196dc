"""The record of a tuning: a file of JSON lines, the first of which says what is tuned, every other one a trial.

Nothing in it depends on the clock, so that a tuning that was killed and resumed has the same record, to the byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hisf.errors import FileAccessError, InputError


@dataclass(frozen=True)
class Trial:
    """What came of one set of values.

    Attributes
    ----------
    number : int
        0 is the user's own setting.
    values : dict of str to str
        Texts of the parameters that are varied.
    alpha : float or None
        Weight of the reliability when the trial was proposed, for the objective ``alpha``.
    error : str
        Why it failed, one sentence; empty if it did not.
    score : float or None
        The objective; None for a trial that failed.
    completeness, reliability : float or None
        Of the match by position and frequency; reliability 0 for an empty catalogue.
    sdc2, average_precision : float or None
        None where the catalogue does not allow them.
    detections : int
    found : list of int
        Rows of the truth that have a match, ascending.
    errors : dict of str to float
        Median modulus of the error of every attribute, by the names and in the units of
        `hisf.evaluate.statistics.ATTRIBUTES`.
    """

    number: int
    values: dict[str, str]
    alpha: float | None = None
    error: str = ""
    score: float | None = None
    completeness: float | None = None
    reliability: float | None = None
    sdc2: float | None = None
    average_precision: float | None = None
    detections: int = 0
    found: list[int] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether there is nothing to compare."""
        return self.score is None


@dataclass(frozen=True)
class Header:
    """What is tuned; a tuning is resumed only with the same.

    Attributes
    ----------
    objective : str
    seed, parallel : int
    time_limit : float or None
        Seconds.
    vary : list of str
        As `hisf.tune.space.parse_dimension` reads them.
    settings : dict of str to str
        What the result of a run depends on, defaults left out.
    flux : list of float or None
        Fluxes of the truth, Jy Hz, in the order of its rows; None where unknown.
    """

    objective: str
    seed: int
    parallel: int
    time_limit: float | None
    vary: list[str]
    settings: dict[str, str]
    flux: list[float | None]


class Record:
    """A record on disk, written line by line; each line is there whole or not at all.

    Parameters
    ----------
    path : Path
    header : Header
    trials : list of Trial
        Those that are there.
    """

    def __init__(self, path: Path, header: Header, trials: Sequence[Trial]) -> None:
        self.path, self.header, self.trials = path, header, list(trials)

    @classmethod
    def begin(cls, path: Path, header: Header) -> Record:
        """Begin a new record, in place of one that may be there.

        Raises
        ------
        FileAccessError
            It cannot be written.
        """
        _write(path, "wb", {"hisf tune": asdict(header)})
        return cls(path, header, [])

    @classmethod
    def resume(cls, path: Path, header: Header) -> Record:
        """Go on with the record that is there; half a line at its end, left by a kill, is cut off.

        Raises
        ------
        FileAccessError
            It cannot be read or written.
        InputError
            It is the record of something else.
        """
        found = read_record(path)
        mine, theirs = asdict(header), asdict(found.header)
        for name in mine:
            if mine[name] != theirs[name]:
                raise InputError(f"{path} cannot be resumed: {_difference(name, theirs[name], mine[name])}.")
        try:
            whole = path.read_bytes()
            with path.open("r+b") as file:
                file.truncate(whole.rindex(b"\n") + 1)
        except OSError as error:
            raise FileAccessError(f"{path} cannot be written: {error.strerror or error}.") from None
        return found

    def add(self, trial: Trial) -> None:
        """Append a trial.

        Raises
        ------
        FileAccessError
            It cannot be written.
        """
        _write(self.path, "ab", asdict(trial))
        self.trials.append(trial)


def read_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    FileAccessError
        It cannot be read.
    InputError
        It is no record.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise FileAccessError(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        header = Header(**json.loads(lines[0])["hisf tune"])
        trials = [Trial(**json.loads(line)) for line in lines[1:]]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a record of hisf tune ({type(error).__name__}: {error}).") from None
    if [trial.number for trial in trials] != list(range(len(trials))):
        raise InputError(f"{path} is damaged: its trials are not numbered from 0 on.")
    return Record(path, header, trials)


def _write(path: Path, mode: str, content: Mapping[str, Any]) -> None:
    line = json.dumps(content, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    try:
        with path.open(mode) as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FileAccessError(f"{path} cannot be written: {error.strerror or error}.") from None


def _difference(name: str, was: Any, now: Any) -> str:
    """Return a clause on what differs."""
    if isinstance(was, dict) and isinstance(now, dict):
        name = next(key for key in {**was, **now} if was.get(key) != now.get(key))
        was, now = was.get(name, "not set"), now.get(name, "not set")
    elif isinstance(was, list):
        return f"{'the truth' if name == 'flux' else name} differs"
    return f"{name} was {was} and is {now}"
