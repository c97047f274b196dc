"""What a user may have meant by a key that nobody knows."""

from collections.abc import Iterable


def suggest(key: str, names: Iterable[str]) -> str:
    """Return ``' (did you mean NAME?)'`` for the name closest to `key`, or nothing if none is close.

    A name that differs in nothing but case and surrounding blanks goes first.
    """
    import difflib  # only a mistake needs it

    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(key.strip().lower()[:100], by_lower, n=1, cutoff=0.7)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""
