"""What is fetched while something else is at work, so that nobody waits for it later: imports and files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

AHEAD = 1 << 30  # bytes of a file


def import_ahead(modules: Iterable[str]) -> threading.Thread:
    """Import modules in a thread; what cannot be imported is left to whoever needs it.

    Parameters
    ----------
    modules : iterable of str
    """
    thread = threading.Thread(target=_import, args=([*modules],), name="imports", daemon=True)
    thread.start()
    return thread


def _import(modules: list[str]) -> None:
    for name in modules:
        with suppress(ImportError):
            import_module(name)


def read_ahead(path: str) -> None:
    """Ask the system to read the beginning of a file, up to `AHEAD`, while libraries are imported; in a thread."""
    if path and hasattr(os, "posix_fadvise"):
        threading.Thread(target=_read, args=(path,), name="reading", daemon=True).start()


def _read(path: str) -> None:
    with suppress(OSError, ValueError):
        if not Path(path).is_file():  # a pipe would lose what is read
            return
        with Path(path).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, AHEAD, os.POSIX_FADV_WILLNEED)
