"""Runs to be reported on."""

from pathlib import Path

import pytest

from hisf.cli.run import search
from hisf.errors import HisfError
from hisf.plugins import PluginManager
from hisf.settings import load_settings


@pytest.fixture(scope="session")
def search_cube():
    """Return a function that runs as the command line does, with the record of the run."""

    def search_cube(cube: Path, folder: Path, *arguments: str) -> int:
        """Return the exit code."""
        manager = PluginManager()
        given = ["scfind.enable=true", "output.writeReport=true", f"input.data={cube}", f"output.directory={folder}"]
        try:
            search(load_settings([*given, *arguments], manager.parameters()), manager, quiet=True)
        except HisfError as error:
            return error.exit_code
        return 0

    return search_cube
