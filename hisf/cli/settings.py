"""Settings for a command: the parameters of hisf and of all plugins, files and command line on top."""

from __future__ import annotations

from collections.abc import Sequence

from hisf.plugins import PluginManager
from hisf.settings import Settings, load_settings


def what_is_ignored(settings: Settings) -> list[str]:
    """Return a sentence for every setting that this version takes no notice of."""
    effect = {p.name: p.effect for p in settings.parameters}
    why = {"partial": "is not in this version of hisf yet", "none": "has no effect in hisf"}
    return [f"{settings.origin(n)}: {n} = {settings.text(n)} {why[effect[n]]}." for n in settings.ignored]


def load(arguments: Sequence[str], foreign: bool = True) -> tuple[Settings, PluginManager]:
    """Load plugins and settings.

    Parameters
    ----------
    arguments : sequence of str
        Parameter files and ``KEY=VALUE`` settings, in order.
    foreign : bool
        As `PluginManager`.
    """
    manager = PluginManager(foreign)
    return load_settings(arguments, manager.parameters()), manager
