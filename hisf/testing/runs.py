"""Running the whole pipeline in a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hisf.data.catalogue import Catalogue
from hisf.pipeline import Report, run
from hisf.plugins import PluginManager
from hisf.settings import load_settings


def run_pipeline(
    path: Path,
    out_dir: Path,
    arguments: Iterable[str] = (),
    *,
    plugins: Iterable[object] = (),
    report: Report | None = None,
) -> Catalogue:
    """Run the pipeline on a file, with the defaults of SoFiA where nothing else is asked for.

    Parameters
    ----------
    path : Path
        Cube; becomes ``input.data``.
    out_dir : Path
        Folder of the products; becomes ``output.directory``. It has to exist.
    arguments : iterable of str
        ``KEY=VALUE`` settings and paths of parameter files, in order; they may override the two above.
    plugins : iterable of object
        Modules or objects with hook implementations, registered beside those that are installed.
    report : Report, optional
        Filled in with what is not in the catalogue.

    Returns
    -------
    Catalogue

    Raises
    ------
    HisfError
        As `hisf.pipeline.run`.
    """
    manager = PluginManager()
    for n, plugin in enumerate(plugins):
        manager.register(plugin, f"test-{n}", "the test")
    given = [f"input.data={path}", f"output.directory={out_dir}", *arguments]
    return run(load_settings(given, manager.parameters()), manager, report)
