"""What can be said against the values of settings without looking at any cube (codes: spec sofia2 §5)."""

from collections.abc import Iterator

from hisf.errors import InputError
from hisf.settings.settings import Settings

_AXES = ("x", "y", "z")
_REGION_FORM = "xmin, xmax, ymin, ymax, zmin, zmax"


def check_settings(settings: Settings) -> list[str]:
    """List everything that is wrong with the values alone, one sentence each; an empty list is good.

    A section that is switched off is not looked at, except the linker's, whose settings always count.
    """
    return [
        *_check_input(settings),
        *_check_flags(settings),
        *_check_ranges(settings),
        *_check_reliability(settings),
    ]


def validate(settings: Settings) -> None:
    """Refuse settings of which `check_settings` has anything to say.

    Raises
    ------
    InputError
        With the first of the sentences.
    """
    problems = check_settings(settings)
    if problems:
        more = len(problems) - 1
        raise InputError(problems[0] + (f" (And {more} more of the settings are wrong.)" if more else ""))


def _at(settings: Settings, name: str) -> str:
    """Begin a sentence with where a setting was written, unless it is the default."""
    return f"{settings.origin(name)}: " if settings.is_set(name) else ""


def _check_input(settings: Settings) -> Iterator[str]:
    if "input.data" in settings and not settings["input.data"]:
        yield f"{_at(settings, 'input.data')}input.data is empty: it must name the cube to search."
    region = settings.get("input.region", ())
    if not region:
        return
    start = f"{_at(settings, 'input.region')}input.region = {settings.text('input.region')}"
    if len(region) != 6:
        yield f"{start} has {len(region)} values instead of the six {_REGION_FORM}."
        return
    if min(region) < 0:
        yield f"{start} has a negative value: {_REGION_FORM} count from 0."
    for axis, lower, upper in zip(_AXES, region[::2], region[1::2], strict=True):
        if lower > upper:
            yield f"{start} is reversed in {axis} ({lower} > {upper}): it takes {_REGION_FORM}."


def _check_flags(settings: Settings) -> Iterator[str]:
    boxes = settings.get("flag.region", ())
    if len(boxes) % 6:
        yield (
            f"{_at(settings, 'flag.region')}flag.region = {settings.text('flag.region')} has {len(boxes)} values: "
            f"it takes six for every box, {_REGION_FORM}."
        )


def _check_ranges(settings: Settings) -> Iterator[str]:
    for parameter in settings.parameters:
        if parameter.section != "linker" and not settings.is_active(parameter.section):
            continue
        complaint = parameter.check(settings[parameter.name])
        if complaint:
            yield _at(settings, parameter.name) + complaint


def _check_reliability(settings: Settings) -> Iterator[str]:
    if not settings.get("reliability.enable"):
        return
    for name in ("linker.positivity", "linker.keepNegative"):
        if settings.get(name):
            yield (
                f"{_at(settings, name)}{name} = true cannot be combined with reliability.enable = true "
                f"({settings.origin('reliability.enable')}): switch one of the two off."
            )
    words = settings.get("reliability.parameters")
    if words is not None and len(words) < 2:
        yield (
            f"{_at(settings, 'reliability.parameters')}reliability.parameters = "
            f"{settings.text('reliability.parameters')} must be at least two words, such as peak, sum, mean."
        )
