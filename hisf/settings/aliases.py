"""Keys of SoFiA 2.7 that hisf knows by their 2.5 names; each is declared once, here."""

from collections.abc import Callable
from dataclasses import dataclass


def keep(text: str) -> str:
    """Take the text over unchanged."""
    return text


def invert_bool(text: str) -> str:
    """Turn a Boolean of the opposite sense around; only the exact word true is true."""
    return "false" if text == "true" else "true"


@dataclass(frozen=True)
class Alias:
    """Another name for one or more parameters.

    Parameters
    ----------
    name
        The key as it may stand in a parameter file.
    targets
        The parameters that it sets.
    translate
        Makes the text for the targets out of the text of the alias.
    help
        One sentence for the user.
    """

    name: str
    targets: tuple[str, ...]
    translate: Callable[[str], str]
    help: str


_BACKGROUND = ("enable", "statistic", "windowXY", "windowZ", "gridXY", "gridZ", "interpolate")

ALIASES: tuple[Alias, ...] = (
    *(
        Alias(f"background.{word}", (f"rippleFilter.{word}",), keep, "Name of the ripple filter in SoFiA 2.7.")
        for word in _BACKGROUND
    ),
    Alias(
        "filter.discardNegative",
        ("linker.keepNegative",),
        invert_bool,
        "SoFiA 2.7's opposite of linker.keepNegative: true drops sources of negative flux.",
    ),
    Alias("filter.minPixels", ("reliability.minPixels",), keep, "Name of reliability.minPixels in SoFiA 2.7."),
    Alias("filter.minSNR", ("reliability.minSNR",), keep, "Name of reliability.minSNR in SoFiA 2.7."),
    Alias(
        "output.marginCubelets",
        ("output.marginCubeletsXY", "output.marginCubeletsZ"),
        keep,
        "One margin for pixels and channels, as SoFiA 2.4 to 2.6 have it.",
    ),
)
