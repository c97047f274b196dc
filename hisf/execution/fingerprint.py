"""What the result of a run depends on, so that an interrupted run is resumed only as the run that it was."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path

import hisf
from hisf.settings import Kind, Settings

# settings that change how a run is computed and nothing of what is found
INCIDENTAL = (
    "pipeline.threads", "pipeline.memory", "pipeline.workers", "pipeline.engine", "pipeline.engineOptions",
    "pipeline.tile", "pipeline.verbose", "pipeline.pedantic", "pipeline.pluginTimeout", "output.overwrite",
)  # fmt: skip
SMALL = 1 << 26  # bytes up to which a file is known by its content
SHIPPED_WEIGHTS = Path(hisf.__file__).parent / "nn" / "data" / "hisf.safetensors"


def fingerprint(settings: Settings, classes: Iterable[type]) -> dict[str, str]:
    """Return what a result depends on, by names that a user knows.

    Parameters
    ----------
    settings : Settings
        Files that they name are told apart by their content, large ones by size and time of change.
    classes : iterable of type
        The implementations that take part; each is told by the file it is in.
    """
    found = {"hisf": hisf.__version__, "its weights": _file(SHIPPED_WEIGHTS)}
    kinds = {parameter.name: parameter.kind for parameter in settings.parameters}
    for name in sorted(settings):
        if name in INCIDENTAL:
            continue
        found[name] = settings.text(name)
        if kinds[name] is Kind.PATH and settings[name]:
            path = Path(settings[name])
            if path.is_file():
                found[f"the content of {name}"] = _file(path)
    for cls in classes:
        found[f"the plugin {cls.__module__}.{cls.__name__}"] = _source(cls)
    return found


def _source(cls: type) -> str:
    try:
        return _file(Path(inspect.getfile(cls)))
    except (OSError, TypeError):  # made at run time
        return ""


def _file(path: Path) -> str:
    try:
        state = path.stat()
        if state.st_size > SMALL:
            return f"{state.st_size} bytes of {state.st_mtime_ns}"
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
