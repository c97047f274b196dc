"""Numbers and lists as SoFiA 2 reads them: the longest leading part that is a number counts (spec sofia2 §1.2).

Every function returns the value and whether the whole text was understood, so that a caller can tell the user about
``3.9`` that became 3.
"""

import math
import re

_BLANKS = " \t\n\r\v\f"
_INT = re.compile(rf"[{_BLANKS}]*([+-]?)0*([0-9]*)")
_FLOAT = re.compile(rf"[{_BLANKS}]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_LARGEST = 2**63 - 1  # C's long saturates here


def strip_blanks(text: str) -> str:
    """Remove what C counts as white space from both ends, and nothing else."""
    return text.strip(_BLANKS)


def _clamp(number: int) -> int:
    return max(-_LARGEST - 1, min(_LARGEST, number))


def read_int(text: str) -> tuple[int, bool]:
    """Read a base-10 integer prefix; 0 where there is none, saturating at 64 bits."""
    found = _INT.match(text)
    assert found is not None  # every part of the pattern may be empty
    has_digits = found.end() > 0 and text[found.end() - 1] in "0123456789"
    if not has_digits:
        return 0, False
    sign, digits = found.groups()
    magnitude = _LARGEST + 1 if len(digits) > 19 else int(digits or "0")
    number = -magnitude if sign == "-" else magnitude
    return _clamp(number), not strip_blanks(text[found.end() :])


def read_float(text: str) -> tuple[float, bool]:
    """Read a decimal floating-point prefix with an optional exponent; 0 where there is none."""
    found = _FLOAT.match(text)
    if found is None:
        return 0.0, False
    return float(found[1]), not strip_blanks(text[found.end() :])


def read_truncated(text: str) -> tuple[int, bool]:
    """Read an element of an integer list: a float prefix, truncated toward zero."""
    number, understood = read_float(text)
    if math.isinf(number):
        return _clamp(_LARGEST + 1 if number > 0 else -_LARGEST - 1), False
    return _clamp(math.trunc(number)), understood and number == math.trunc(number)


def split_list(text: str) -> tuple[str, ...] | None:
    """Split at commas; nothing at all is an empty list, and an element with nothing in it gives None (an error)."""
    if not strip_blanks(text):
        return ()
    elements = tuple(strip_blanks(element) for element in text.split(","))
    return elements if all(elements) else None


def split_words(text: str) -> tuple[str, ...]:
    """Split at commas and blanks; empty words do not count."""
    return tuple(word for word in re.split(rf"[,{_BLANKS}]+", text) if word)
