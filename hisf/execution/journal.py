"""What a run leaves behind when it is interrupted: every finished tile, and whatever else took long to compute.

The journal is a folder with one small file of arrays (numpy's npz) per entry. An entry is written beside and renamed,
so that it is there whole or not at all, whenever the process is killed; no file is ever changed. The digest of an entry
follows it, so that what a disk or a copy has damaged is not read.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hisf.errors import FileAccessError, InputError

log = logging.getLogger(__name__)

WRITTEN_BY = "fingerprint.json"
DIGEST = 32  # bytes of a SHA-256


class Journal:
    """The journal of a run, beside its products; its folder is made for the first entry.

    Parameters
    ----------
    folder : Path
    fingerprint : mapping of str to str
        All that the entries depend on, by the names that the user knows it by.
    resume : bool
        Go on from the entries that are there; otherwise they are removed.

    Raises
    ------
    InputError
        The entries that are there were made from something else.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, str], resume: bool) -> None:
        self.folder = folder
        self._fingerprint = dict(fingerprint)
        written = _read(folder / WRITTEN_BY)
        if written is not None and resume:
            _compare(folder, written, fingerprint)
            log.info("%s: %d finished pieces of the interrupted run", folder, len(list(folder.glob("*.npz"))))
            return
        if resume:
            log.warning("There is no journal %s to resume from; the run begins anew.", folder)
        shutil.rmtree(folder, ignore_errors=True)

    def recall(self, name: str) -> np.ndarray | None:
        """Return the entry of a name; None where there is none, or a damaged one."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            content = path.read_bytes()
            entry, digest = content[:-DIGEST], content[-DIGEST:]
            if hashlib.sha256(entry).digest() != digest:
                raise ValueError("its digest is another one")
            with np.load(io.BytesIO(entry), allow_pickle=False) as arrays:
                values = np.asarray(arrays["values"])
                return np.cumsum(values, dtype=np.int64) if arrays["ascending"] else values
        except Exception as error:  # noqa: BLE001 - zipfile and numpy raise unrelated classes
            log.warning("%s is damaged (%s); what it holds is computed anew.", path, error)
            return None

    def keep(self, name: str, values: np.ndarray) -> None:
        """Write an entry.

        Parameters
        ----------
        name : str
        values : ndarray
            Ascending indices are kept as their differences, which take less room.

        Raises
        ------
        FileAccessError
            It cannot be written.
        """
        ascending = values.ndim == 1 and values.dtype == np.int64 and values.size > 0
        steps = np.diff(values, prepend=0) if ascending else values
        ascending = ascending and bool(steps.min() >= 0)
        kept = steps.astype(np.min_scalar_type(steps.max())) if ascending else values

        def write(path: Path) -> None:
            entry = io.BytesIO()
            np.savez(entry, values=kept, ascending=ascending)
            path.write_bytes(entry.getvalue() + hashlib.sha256(entry.getvalue()).digest())

        try:
            if not self.folder.exists():
                self.folder.mkdir()
                _write(self.folder / WRITTEN_BY, lambda path: path.write_text(json.dumps(self._fingerprint, indent=1)))
            _write(self._path(name), write)
        except OSError as error:
            raise FileAccessError(f"The journal {self.folder} cannot be written ({error}).") from None

    def remember(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the entry of a name; where there is none, compute it and keep it."""
        known = self.recall(name)
        if known is not None:
            return known
        values = compute()
        self.keep(name, values)
        return values

    def remove(self) -> None:
        """Remove the journal of a run that is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        readable = "".join(c if c.isalnum() else "-" for c in name)[:60]
        return self.folder / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.npz"


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside, then rename."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    write(beside)
    beside.replace(path)


def _read(path: Path) -> dict[str, str] | None:
    try:
        return {str(name): str(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def _compare(folder: Path, written: Mapping[str, str], mine: Mapping[str, str]) -> None:
    changed = [name for name in {**written, **mine} if written.get(name) != mine.get(name)]
    if not changed:
        return
    name = changed[0]
    more = f", and {len(changed) - 1} more changed" if len(changed) > 1 else ""
    was, now = (_short(values.get(name)) for values in (written, mine))
    raise InputError(
        f"The interrupted run cannot be resumed: {name} was {was} and is {now}{more}. Undo that, or run without "
        f"--resume, which begins anew and removes {folder.name}."
    )


def _short(value: str | None) -> str:
    return "not there" if value is None else value if len(value) <= 80 else value[:77] + "..."
