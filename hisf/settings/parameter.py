"""One parameter: its single declaration, and how its text becomes a value (spec sofia2 §1.2)."""

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from hisf.errors import InputError
from hisf.settings.reading import read_float, read_int, read_truncated, split_list, split_words, strip_blanks

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")


class Kind(Enum):
    """Type of a parameter; the value is the word shown to users."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    INTS = "list of int"
    FLOATS = "list of float"
    WORDS = "list of words"
    CHOICE = "choice"
    PATH = "path"
    TEXT = "text"


@dataclass(frozen=True)
class Parameter:
    """The declaration of one parameter, from which parser, checks, template and documentation are made.

    Parameters
    ----------
    name
        The key in a parameter file, ``section.word``.
    kind
        Type of the value.
    default
        Default as it would stand in a parameter file.
    help
        One sentence for the user.
    since
        Version that introduced it: ``2.4`` to ``2.7`` of SoFiA, or ``hisf 0.1``.
    choices
        Accepted words, for CHOICE and WORDS.
    fallback
        What an unrecognised word of a CHOICE stands for.
    minimum, maximum
        Range of the number, or of each number of a list; None where anything goes.
    exclusive_minimum
        Whether `minimum` itself is refused.
    unit
        Unit of the number, for people.
    effect
        ``'full'``; ``'partial'``: accepted, but what it controls is not in this version of hisf; ``'none'``: accepted
        and without meaning in hisf.

    Raises
    ------
    ValueError
        If the declaration contradicts itself, for example a default outside its own range.
    """

    name: str
    kind: Kind
    default: str
    help: str
    since: str
    choices: tuple[str, ...] = ()
    fallback: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    unit: str = ""
    effect: Literal["full", "partial", "none"] = "full"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a parameter is named section.word in ASCII letters and digits, not {self.name!r}")
        if set("#\n\0") & set(self.default) or strip_blanks(self.default) != self.default:
            raise ValueError(f"the default {self.default!r} of {self.name} cannot stand in a parameter file")
        if self.kind is Kind.CHOICE and not {self.default, self.fallback} <= set(self.choices):
            raise ValueError(f"default and fallback of {self.name} must be among its choices")
        complaint = self.remark(self.default) or self.check(self.default_value)
        if complaint:
            raise ValueError(f"the default of {self.name} is not a value of its own: {complaint}")

    @property
    def section(self) -> str:
        """The part of the name before the first dot."""
        return self.name.partition(".")[0]

    @property
    def default_value(self) -> Any:
        """The default as a value."""
        return self.parse(self.default)

    @property
    def accepts(self) -> str:
        """The accepted range or words in a few words; empty where anything of the type goes."""
        if self.choices:
            return ("words from " if self.kind is Kind.WORDS else "one of ") + ", ".join(self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{'greater than' if self.exclusive_minimum else 'at least'} {self.minimum:g}"
        return "" if self.maximum is None else f"at most {self.maximum:g}"

    def parse(self, text: str) -> Any:
        """Turn text into a value exactly as SoFiA 2 does, surprises included.

        Parameters
        ----------
        text
            What stands after the equals sign.

        Returns
        -------
        bool, int, float, str, tuple or None
            A tuple for the list kinds; a PATH is the text as written, or None if it is empty.

        Raises
        ------
        InputError
            If a list of numbers has an empty element.
        """
        match self.kind:
            case Kind.BOOL:
                return text == "true"
            case Kind.INT:
                return read_int(text)[0]
            case Kind.FLOAT:
                return read_float(text)[0]
            case Kind.INTS:
                return tuple(read_truncated(element)[0] for element in self._elements(text))
            case Kind.FLOATS:
                return tuple(read_float(element)[0] for element in self._elements(text))
            case Kind.WORDS:
                return split_words(text)
            case Kind.CHOICE:
                return text if text in self.choices else self.fallback
            case Kind.PATH:
                return text or None
            case Kind.TEXT:
                return text

    def _elements(self, text: str) -> tuple[str, ...]:
        elements = split_list(text)
        if elements is None:
            raise InputError(f"{self.name} = {text!r} has an empty element: write numbers separated by single commas.")
        return elements

    def format(self, value: Any) -> str:
        """Turn a value of this parameter into text that `parse` reads back."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ", ".join(_format_number(element) for element in value)
        return _format_number(value)

    def remark(self, text: str) -> str | None:
        """Say in one sentence how `text` is read, where that may surprise its writer; otherwise None."""
        if not text:
            if self.parse(text) == self.default_value:
                return None
            return f"{self.name} is empty, which is read as {self._shown(text)} and not as its default {self.default}."
        match self.kind:
            case Kind.BOOL:
                understood, rule = text in ("true", "false"), "only the exact word true switches it on"
            case Kind.INT:
                understood, rule = read_int(text)[1], "only a leading whole number counts"
            case Kind.FLOAT:
                understood, rule = read_float(text)[1], "only a leading number counts"
            case Kind.INTS:
                understood = all(read_truncated(element)[1] for element in self._elements(text))
                rule = "elements are separated by commas and cut to whole numbers"
            case Kind.FLOATS:
                understood = all(read_float(element)[1] for element in self._elements(text))
                rule = "elements are separated by commas, and only a leading number counts"
            case Kind.CHOICE:
                understood, rule = text in self.choices, f"it takes {self.accepts}"
            case _:
                return None
        return None if understood else f"{self.name} = {text!r} is read as {self._shown(text)}: {rule}."

    def _shown(self, text: str) -> str:
        return self.format(self.parse(text)) or "nothing"

    def check(self, value: Any) -> str | None:
        """Complain in one sentence about a value outside the accepted range or words; otherwise None."""
        elements = value if isinstance(value, tuple) else (value,)
        if all(self._is_accepted(element) for element in elements):
            return None
        finite = all(math.isfinite(element) for element in elements if isinstance(element, float))
        rule = self.accepts if finite else "a finite number"
        return f"{self.name} = {self.format(value)} is not accepted: it must be {rule}."

    def _is_accepted(self, element: Any) -> bool:
        if self.kind is Kind.WORDS:
            return not self.choices or element in self.choices
        if not isinstance(element, int | float) or isinstance(element, bool):
            return True
        if not math.isfinite(element):
            return False
        if self.minimum is not None and (element <= self.minimum if self.exclusive_minimum else element < self.minimum):
            return False
        return self.maximum is None or element <= self.maximum


def _format_number(value: Any) -> str:
    """Write a number, or a word as it is; infinity as a number that overflows, for there is no word for it."""
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return str(value)
