"""Settings for a command: the parameters of hisf and of all plugins, files and command line on top."""

from __future__ import annotations

from collections.abc import Sequence

from hisf.plugins import PluginManager
from hisf.settings import Settings, load_settings


def load(arguments: Sequence[str]) -> tuple[Settings, PluginManager]:
    """Load plugins and settings.

    Parameters
    ----------
    arguments : sequence of str
        Parameter files and ``KEY=VALUE`` settings, in order.
    """
    manager = PluginManager()
    return load_settings(arguments, manager.parameters()), manager
