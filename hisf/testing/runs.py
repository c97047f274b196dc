"""Running the pipeline, or its preconditioning alone, in a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hisf.data.box import Box
from hisf.data.catalogue import Catalogue
from hisf.data.cube import Cube
from hisf.data.voxels import ArrayVoxels
from hisf.execution.progress import Progress
from hisf.execution.workspace import Workspace
from hisf.pipeline import Report, run
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.stages.precondition.chain import precondition, reload
from hisf.stages.precondition.contract import Step


def run_pipeline(
    path: Path,
    out_dir: Path,
    arguments: Iterable[str] = (),
    *,
    plugins: Iterable[object] = (),
    report: Report | None = None,
    resume: bool = False,
) -> Catalogue:
    """Run the pipeline on a file, with the defaults of SoFiA, its finder too, where nothing else is asked for.

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
    resume : bool
        Go on where a run with these settings was interrupted.

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
    given = ["scfind.enable=true", f"input.data={path}", f"output.directory={out_dir}", *arguments]
    return run(load_settings(given, manager.parameters()), manager, report, resume)


class _Silent:
    """An observer that says nothing."""

    def start_stage(self, stage: str, total: int, unit: str) -> None: ...

    def advance_stage(self, stage: str, done: int, total: int) -> None: ...

    def finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None: ...


def run_steps(cube: Cube, arguments: Iterable[str], channels: int = 0) -> tuple[np.ndarray, np.ndarray, list[Step]]:
    """Run the preconditioning steps that settings ask for.

    Parameters
    ----------
    cube : Cube
    arguments : iterable of str
        ``KEY=VALUE`` settings.
    channels : int
        0 holds the cube in memory; otherwise it is streamed in slabs of so many channels.

    Returns
    -------
    searched, measured : ndarray, shape (z, y, x)
        The cube that is searched, and the one on which sources are measured.
    steps : list of Step
    """
    manager = PluginManager()
    settings = load_settings(list(arguments), manager.parameters())
    steps = manager.active("precondition", settings, settings, cube)
    plane = cube.shape[1] * cube.shape[2] * cube.dtype.itemsize
    workspace = Workspace(0, channels * plane) if channels else Workspace(1 << 40)
    searched = precondition(cube, steps, workspace, Progress(_Silent()))
    if isinstance(searched, ArrayVoxels) != (not channels):
        raise AssertionError("the cube is held where it should be streamed, or the other way round")
    whole = Box.whole(cube.shape)
    return np.array(searched.read(whole)), np.array(reload(cube, searched, steps).read(whole)), steps
