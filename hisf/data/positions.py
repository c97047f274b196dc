"""Tables of positions on the sky, two columns of text (spec sofia2 §3.2)."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from hisf.errors import FileAccessError, InputError

log = logging.getLogger(__name__)


def read_positions(path: Path) -> np.ndarray | None:
    """Read longitudes and latitudes.

    Columns are separated by blanks, tabs, commas or ``|``. Lines whose first character is not a letter or digit are
    comments, so that, as in SoFiA, a line that begins with a minus sign is dropped; where a number follows, that is
    said.

    Returns
    -------
    ndarray of float64, shape (n, 2), or None
        In the units of the cube's world axes; None where the table is empty or has not two columns, which is said.

    Raises
    ------
    FileAccessError
        The file is missing or unreadable.
    InputError
        A line has fewer columns than the first.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileAccessError(f"{path} cannot be read: {error.strerror or error}.") from None
    lines = [line.strip() for line in text.splitlines()]
    dropped = sum(re.match(r"[-+.]+\d", line) is not None for line in lines)
    if dropped:
        log.warning(
            "%s: %d lines begin with a sign or a point and are dropped; write longitudes from 0 to 360.", path, dropped
        )
    rows = [re.findall(r"[^\s,|]+", line) for line in lines if re.match(r"[A-Za-z0-9]", line)]
    if not rows or len(rows[0]) != 2:
        log.warning("%s is ignored: it has not two columns, longitude and latitude.", path)
        return None
    for n, row in enumerate(rows, 1):
        if len(row) < 2:
            raise InputError(f"{path}: row {n} has {len(row)} columns, the first row 2.")
    try:
        return np.array([[float(value) for value in row[:2]] for row in rows])
    except ValueError as error:
        raise InputError(f"{path}: {error}; longitudes and latitudes must be numbers.") from None
