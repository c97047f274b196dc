"""What is varied: parameters and their ranges, given by the user or taken from the paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hisf.errors import FileAccessError, InputError
from hisf.settings import Kind, Parameter, Settings
from hisf.settings.suggestion import suggest

TUNABLE = (Kind.INT, Kind.FLOAT)
DIGITS = 6  # of a number that is drawn from a range without steps
MOST_STEPS = 1e6
# Håkansson et al. (2023), Table 2, in whole voxels. The threshold has steps, so that trials share what the appraisal
# said of their sources; 0 and 1 themselves, all voxels and none, are left out.
NETWORK = (
    "cnn.threshold=0.05..0.95:0.05", "linker.radiusXY=1..5", "linker.radiusZ=1..100", "linker.minSizeXY=1..5",
    "linker.maxSizeXY=5..30", "linker.minSizeZ=1..50", "linker.maxSizeZ=50..400", "linker.minPixels=1..300",
)  # fmt: skip
DILATION = ("dilation.iterationsXY=1..5", "dilation.iterationsZ=1..20")
FORSKA = ("forska.minFlux=0..50",)
CONFIDENCE = ("cnn.confidence=0..1",)  # stands for the limit of flux where the network appraises
# around the settings that teams of SDC2 used
LINKER = ("linker.radiusXY=1..4", "linker.radiusZ=1..6", "linker.minSizeXY=1..8", "linker.minSizeZ=1..15")
SCFIND = ("scfind.threshold=3..5:0.4",)  # each of the values is a search
THRESHOLD = ("threshold.threshold=3..6:0.25",)
RELIABILITY = ("reliability.threshold=0.1..0.99", "reliability.scaleKernel=0.2..1", "reliability.minSNR=0..5")


@dataclass(frozen=True)
class Dimension:
    """One parameter that is varied: over a range, or over some texts.

    Attributes
    ----------
    name : str
    low, high : float
        Ends of the range, both included.
    step : float
        Distance of the values that are tried; 0 for any value.
    whole : bool
        Whether values are whole numbers.
    choices : tuple of str
        Texts instead of a range.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    whole: bool = False
    choices: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """Index of the last value of a range with steps, or of the last choice."""
        return len(self.choices) - 1 if self.choices else math.floor((self.high - self.low) / self.step + 1e-9)

    def coordinate(self, text: str) -> float | None:
        """Return where a text lies for the optimiser: the value, or its index; None where it is no choice."""
        if self.choices:
            return float(self.choices.index(text)) if text in self.choices else None
        return (float(text) - self.low) / self.step if self.step else float(text)

    def text(self, coordinate: float) -> str:
        """Return the text of a coordinate, which is moved to the nearest value that may be tried."""
        if self.step or self.choices:
            index = min(max(round(coordinate), 0), self.last)
            if self.choices:
                return self.choices[index]
            value = self.low + index * self.step
            return str(round(value)) if self.whole else f"{value:.{DIGITS}g}"
        return f"{min(max(coordinate, self.low), self.high):.{DIGITS}g}"

    def spelled(self) -> str:
        """Return what `parse_dimension` reads as this."""
        if self.choices:
            return f"{self.name}={'|'.join(self.choices)}"
        steps = f":{self.step:g}" if self.step and not (self.whole and self.step == 1.0) else ""
        return f"{self.name}={self.low:g}..{self.high:g}{steps}"


def parse_dimension(text: str, parameters: Iterable[Parameter]) -> Dimension:
    """Read ``NAME=LOW..HIGH``, ``NAME=LOW..HIGH:STEP`` or ``NAME=TEXT|TEXT``.

    Raises
    ------
    InputError
        It is none of them, there is no such parameter, or it does not accept the ends of the range or a choice.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    known = {parameter.name: parameter for parameter in parameters}
    if not equals or not values:
        raise InputError(f"--vary {text}: write NAME=LOW..HIGH, NAME=LOW..HIGH:STEP or NAME=TEXT|TEXT.")
    if name not in known:
        raise InputError(f"--vary {text}: unknown parameter {name!r}{suggest(name, known)}.")
    parameter = known[name]
    dimension = _choices(text, parameter, values) if "|" in values else _range(text, parameter, values)
    ends = dimension.choices or (dimension.text(0.0 if dimension.step else dimension.low),
                                 dimension.text(dimension.last if dimension.step else dimension.high))  # fmt: skip
    for end in ends:
        complaint = parameter.remark(end) or parameter.check(parameter.parse(end))
        if complaint:
            raise InputError(f"--vary {text}: {complaint}")
    return dimension


def _choices(text: str, parameter: Parameter, values: str) -> Dimension:
    choices = tuple(word.strip() for word in values.split("|"))
    if len(set(choices)) < len(choices) or not all(choices):
        raise InputError(f"--vary {text}: every choice has to be there once, and none empty.")
    return Dimension(parameter.name, choices=choices)


def _range(text: str, parameter: Parameter, values: str) -> Dimension:
    if parameter.kind not in TUNABLE:
        raise InputError(
            f"--vary {text}: {parameter.name} is a {parameter.kind.value} and has no range; write "
            f"{parameter.name}=TEXT|TEXT for the values to try."
        )
    span, colon, step_text = values.partition(":")
    low_text, _, high_text = span.partition("..")
    try:
        low, high, step = float(low_text), float(high_text), float(step_text) if colon else 0.0
    except ValueError:
        raise InputError(f"--vary {text}: two numbers LOW..HIGH are needed, and a third in LOW..HIGH:STEP.") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"--vary {text}: LOW has to be below HIGH.")
    if colon and not (0.0 < step <= high - low and (high - low) / step <= MOST_STEPS):
        raise InputError(f"--vary {text}: STEP has to be above 0 and fit into the range.")
    whole = parameter.kind is Kind.INT
    if whole and not all(value.is_integer() for value in (low, high, step)):
        raise InputError(f"--vary {text}: {parameter.name} takes whole numbers.")
    return Dimension(parameter.name, low, high, step or float(whole), whole)


def read_dimensions(path: Path) -> list[str]:
    """Return the lines of a file of ranges; what follows ``#`` is a comment.

    Raises
    ------
    FileAccessError
        It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileAccessError(f"--vary {path} cannot be read: {error} (a range is NAME=LOW..HIGH).") from None
    return [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]


def usual(settings: Settings, finders: Sequence[str], appraisal: str) -> list[str]:
    """Return the ranges to vary where the user names none.

    Those of Håkansson et al. (2023), Table 2, where the network is the finder; otherwise some around the settings that
    are usual for SoFiA. Only what has an effect with these settings is varied.

    Parameters
    ----------
    settings : Settings
    finders : sequence of str
        Names of those that run.
    appraisal : str
        Name of the one that runs; ``none`` for none.
    """
    network = "cnn" in finders
    found: list[str] = [*(NETWORK if network else LINKER)]
    found += SCFIND * ("scfind" in finders) + THRESHOLD * ("threshold" in finders)
    found += RELIABILITY * bool(settings["reliability.enable"] and not (network and appraisal == "network"))
    found += DILATION * bool(network and settings["dilation.enable"])
    found += FORSKA * (appraisal == "forska") + CONFIDENCE * (network and appraisal == "network")
    return found


def dimensions_of(texts: Sequence[str], settings: Settings) -> list[Dimension]:
    """Return what is varied, by name.

    Raises
    ------
    InputError
        A text is wrong, or a parameter is there twice.
    """
    found = [parse_dimension(text, settings.parameters) for text in texts]
    names = [dimension.name for dimension in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"--vary: {twice} is there more than once.")
    return sorted(found, key=lambda dimension: dimension.name)
