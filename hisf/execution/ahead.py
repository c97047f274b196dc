"""Imports that are made while compiled code is at work, so that nobody waits for them later."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module


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
