"""The work folder of a training: which training it belongs to, and what may be removed from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hisf.errors import FileAccessError, InputError
from hisf.stages.products.writing import write_file

SEGMENTER, APPRAISER, DETECTIONS = "segmenter.safetensors", "appraiser.safetensors", "detections"
UNCALIBRATED, RECORD = "uncalibrated.safetensors", "training.json"
FILES = (SEGMENTER, APPRAISER, UNCALIBRATED, RECORD)


def open_folder(work: Path, training: Mapping[str, Any], anew: bool) -> None:
    """Make the work folder of a training, or make sure that it is this training's.

    A folder with checkpoints but without a record is taken: its checkpoints are checked when they are read.

    Parameters
    ----------
    work : Path
    training : mapping
        What makes a training another one; to be written as JSON.
    anew : bool
        Whether the files of an earlier training are removed first. Other files stay.

    Raises
    ------
    FileAccessError
        The folder cannot be made or written to.
    InputError
        It is that of another training.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        if anew:
            for name in FILES:
                (work / name).unlink(missing_ok=True)
            if (work / DETECTIONS).is_dir():
                shutil.rmtree(work / DETECTIONS)
    except OSError as error:
        raise FileAccessError(f"{work} cannot be used ({error.strerror}); name another folder with --work.") from None
    record, text = work / RECORD, json.dumps(training, indent=1, sort_keys=True)
    begun = any((work / name).exists() for name in (SEGMENTER, DETECTIONS, APPRAISER))
    changed = _changed(record, json.loads(text)) if begun and record.exists() else ""
    if changed:
        raise InputError(
            f"{work} holds another training ({changed}); begin with --anew, or name another folder with --work."
        )
    if not (begun and record.exists()):
        write_file(record, lambda path: path.write_text(text + "\n", encoding="utf-8"))


def _changed(record: Path, training: Mapping[str, Any]) -> str:
    """Return in words in what a recorded training differs; empty where it does not."""
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
        pairs = [
            f"{name} {was} instead of {now}"
            for part, values in training.items()
            for name in sorted({*values, *before[part]})
            if (was := before[part].get(name, "nothing")) != (now := values.get(name, "nothing"))
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{record.name} cannot be read"
    return ", ".join(pairs)
