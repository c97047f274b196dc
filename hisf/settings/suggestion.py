"""What a user may have meant by a key that nobody knows."""

from collections.abc import Iterable

_MOST_NAMES = 6  # of a section that one message lists


def suggest(key: str, names: Iterable[str]) -> str:
    """Return what to say in brackets about a key that nobody knows; nothing if there is nothing to say.

    ``' (did you mean NAME?)'`` with the closest name, of which one that differs in nothing but case and surrounding
    blanks goes first. Otherwise the names of its section; or, where no parameter has such a section, that a plugin may
    be missing.
    """
    import difflib  # only a mistake needs it

    by_lower = {name.lower(): name for name in names}
    wanted = key.strip().lower()[:100]
    close = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.7)
    if close:
        return f" (did you mean {by_lower[close[0]]}?)"
    section, dot, _ = wanted.partition(".")
    if not dot:
        return ""
    same = [name for lower, name in by_lower.items() if lower.startswith(f"{section}.")]
    if same:
        more = ", …" if len(same) > _MOST_NAMES else ""
        return f" (there are {', '.join(same[:_MOST_NAMES])}{more})"
    return f" (no parameter begins with {section}.; if a plugin declares it, that plugin is not installed)"
