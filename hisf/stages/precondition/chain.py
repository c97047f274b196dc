"""Running the preconditioning steps in order."""

from __future__ import annotations

from collections.abc import Sequence

from hisf.data.cube import Cube
from hisf.data.voxels import Voxels
from hisf.execution.progress import Progress
from hisf.execution.workspace import FilteredVoxels, Workspace
from hisf.stages.precondition.contract import Step


def precondition(cube: Cube, steps: Sequence[Step], workspace: Workspace, progress: Progress) -> Voxels:
    """Return the cube that is searched: every searching step measured on what the one before left, then applied.

    Parameters
    ----------
    cube : Cube
    steps : sequence of Step
        In the order of their positions.
    workspace : Workspace
        Loads the cube where there is room for it; otherwise the steps are applied whenever a box is read.
    progress : Progress
    """
    size = cube.shape[0] * cube.shape[1] * cube.shape[2]
    with progress.stage("load", size) as advance:
        voxels = workspace.hold(cube)
        advance(size)
    for step in steps:
        if step.searching:
            with progress.stage(step.name, size) as advance:
                step.measure(voxels, workspace, advance)
                voxels = workspace.transform(voxels, step.apply, step.whole_spectra)
    return voxels


def reload(cube: Cube, searched: Voxels, steps: Sequence[Step]) -> Voxels:
    """Return the cube that is measured (spec sofia2 §2.2, step 28a).

    Where a step changed the scale of the data, sources are measured on the original cube, read again by the box, with
    only the measuring steps applied; otherwise on the searched cube itself.
    """
    if not any(step.rescales for step in steps):
        return searched
    voxels: Voxels = cube
    for step in steps:
        if step.measuring:
            voxels = FilteredVoxels(voxels, step.apply, step.whole_spectra)
    return voxels
