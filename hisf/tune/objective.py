"""What is to be large: a score of the catalogue, built in or the user's own function."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hisf.errors import FileAccessError, InputError

if TYPE_CHECKING:
    from hisf.evaluate.scorecard import Scorecard

Objective = Callable[["Scorecard"], float]
ALPHA = "alpha"  # the only one that changes from trial to trial


def sdc2(card: Scorecard) -> float:
    """Return the SDC2 score.

    Raises
    ------
    InputError
        The catalogue or the truth lacks a column for it.
    """
    if card.sdc2 is None:
        why = next((note for note in card.notes if note.startswith("No SDC2 score")), "No SDC2 score")
        raise InputError(
            f"--objective sdc2: {why.rstrip('.')}; set appraise.method = network or forska, or take another objective."
        )
    return card.sdc2.score


def average_precision(card: Scorecard) -> float:
    """Return the average precision; 0 for an empty catalogue.

    Raises
    ------
    InputError
        The detections are not ranked.
    """
    if card.curve is None and len(card.catalogue):
        raise InputError(
            "--objective ap: the catalogue has neither a confidence nor a reliability that ranks its sources; set "
            "appraise.method = network or reliability.enable = true, or take another objective."
        )
    return card.curve.average_precision if card.curve else 0.0


def balance(alpha: float, reliability: float, completeness: float) -> float:
    """Return α·R + (1 − α)·C (Håkansson et al. 2023, §2.3)."""
    return alpha * reliability + (1.0 - alpha) * completeness


def _even(card: Scorecard) -> float:
    """Return `balance` at α = 1/2, for which the best of all trials is kept."""
    return balance(0.5, *shares(card))


BUILT_IN: dict[str, Objective] = {"sdc2": sdc2, ALPHA: _even, "ap": average_precision}


def shares(card: Scorecard) -> tuple[float, float]:
    """Return reliability and completeness, of the match by position and frequency; 0 for an empty catalogue."""
    n, n_true, n_match = len(card.catalogue), len(card.truth), len(card.match.detections)
    return n_match / n if n else 0.0, n_match / n_true


def load_objective(name: str) -> Objective:
    """Return an objective: a built-in one, or the function that ``module:function`` or ``file.py:function`` names.

    Raises
    ------
    FileAccessError, InputError
        There is no such file, module or function, or it cannot be loaded.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    place, colon, function = name.rpartition(":")
    if not colon or not place or not function.isidentifier():
        raise InputError(f"--objective {name}: take {', '.join(BUILT_IN)}, module:function or file.py:function.")
    found = getattr(_module(place, name), function, None)
    if not callable(found):
        raise InputError(f"--objective {name}: there is no function {function} in {place}.")

    def guarded(card: Scorecard) -> float:
        try:
            value = float(found(card))
        except Exception as error:  # noqa: BLE001 - whatever a foreign function does
            raise InputError(f"--objective {name} fails: {type(error).__name__}: {error}.") from None
        if not math.isfinite(value):
            raise InputError(f"--objective {name} returned {value}; a finite number is needed.")
        return value

    return guarded


def _module(place: str, name: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place)
        if not path.is_file():
            raise FileAccessError(f"--objective {name}: there is no file {path}.")
        specification = importlib.util.spec_from_file_location(path.stem, path)
        assert specification and specification.loader
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    except FileAccessError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a foreign module does on import
        raise InputError(f"--objective {name}: {place} cannot be loaded: {type(error).__name__}: {error}.") from None
    return module
