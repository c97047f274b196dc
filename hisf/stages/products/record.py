"""The run record: what was run, with which settings from where, how long it took, what was odd; and the log."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hisf import __version__
from hisf.plugins import PluginManager
from hisf.settings import Settings
from hisf.stages.products.stamp import utc_date
from hisf.stages.products.writing import log_path, record_path, write_file

if TYPE_CHECKING:
    from hisf.pipeline import Report
    from hisf.plugins import PluginManager

LIBRARIES = ("numpy", "astropy", "numba", "h5py")


def write_record(
    settings: Settings, manager: PluginManager, report: Report, warnings: Sequence[str], error: str, code: int
) -> Path:
    """Write ``NAME_run.json`` beside the products; return its path.

    Raises
    ------
    FileAccessError
        It cannot be written.
    """
    path = record_path(report.base)
    content = json.dumps(_content(settings, manager, report, warnings, error, code), indent=1) + "\n"
    return write_file(path, lambda beside: beside.write_text(content, encoding="utf-8"))


def write_log(settings: Settings, base: Path, lines: Sequence[str]) -> None:
    """Write ``NAME_run.log`` beside the products, if ``output.writeLogFile`` asks for it: what the run said.

    Raises
    ------
    FileAccessError
        It cannot be written.
    """
    if settings["output.writeLogFile"]:
        text = "\n".join([f"hisf {__version__}, {utc_date()} UTC", *lines]) + "\n"
        write_file(log_path(base), lambda beside: beside.write_text(text, encoding="utf-8"))


def _content(
    settings: Settings, manager: PluginManager, report: Report, warnings: Sequence[str], error: str, code: int
) -> dict[str, Any]:
    return {
        "hisf": __version__,
        "date": utc_date(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "exit": code,
        "error": error,
        "plugins": _plugins(manager, report.used),
        "cube": {"shape": list(report.shape), "axes": ["z", "y", "x"], "rms": _finite(report.rms)},
        "voxels_detected": report.detected,
        "sources_linked": report.linked,
        "sources": report.kept,
        "products": [str(p) for p in report.products],
        "timings": report.timings,
        "warnings": list(warnings),
        "settings": {name: {"value": settings.text(name), "origin": str(settings.origin(name))} for name in settings},
    }


def _plugins(manager: PluginManager, used: dict[str, list[str]]) -> dict[str, dict[str, str]]:
    """Return, by stage, the implementations that made the result and the distributions they came from."""
    return {
        stage: {i.name: i.distribution for i in manager.implementations(stage) if i.name in names}
        for stage, names in used.items()
    }


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
