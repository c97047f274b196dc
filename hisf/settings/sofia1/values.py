"""Values of SoFiA 1 parameters: every type is fixed, and a wrong one is refused (spec sofia1 §1)."""

import ast
import math
from typing import Any

_TRUE = ("True", "true", "TRUE", "Yes", "yes", "YES")
_LONGEST, _DEEPEST = 100_000, 3  # characters and brackets of a list; SoFiA 1's own have 600 and 2


def read_value(kind: str, text: str) -> Any:
    """Turn the text of a parameter into its value.

    Parameters
    ----------
    kind
        ``'bool'``, ``'int'``, ``'float'``, ``'text'`` or ``'list'``.
    text
        What stands in the file.

    Returns
    -------
    bool, int, float, str or list
        A list is made of numbers, words and lists; it is read as a literal, never run.

    Raises
    ------
    ValueError
        The text is not of that kind; the message says what is needed.
    """
    match kind:
        case "bool":
            return text in _TRUE
        case "int":
            return _number(int, text, "a whole number")
        case "float":
            return _number(float, text, "a number")
        case "list":
            return _literal(text)
    return text


def _number(kind: type, text: str, needed: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not _is_finite(value) or "_" in text:
        raise ValueError(f"{needed} is needed")
    return value


def _is_finite(value: float) -> bool:
    """Tell whether a number can be counted with, which a whole number of hundreds of digits cannot."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _literal(text: str) -> list[Any]:
    needed = "a list such as [1, 2] is needed"
    if len(text) > _LONGEST or "\\" in text or _depth(text) > _DEEPEST:
        raise ValueError(needed)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(needed) from None
    if not isinstance(value, list | tuple) or not _plain(value):
        raise ValueError(needed)
    return list(value)


def _depth(text: str) -> int:
    """Return how deep brackets are nested."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _plain(value: Any) -> bool:
    """Tell whether a literal holds nothing but finite numbers and words."""
    if isinstance(value, list | tuple):
        return all(_plain(element) for element in value)
    return isinstance(value, str) or (
        isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    )
