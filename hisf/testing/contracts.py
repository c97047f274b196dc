"""Checks of what hisf expects of a plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from astropy.io import fits

from hisf.data.box import Box, Tile
from hisf.data.cube import Cube
from hisf.data.voxels import ArrayVoxels
from hisf.execution.workspace import Workspace
from hisf.settings import PARAMETERS, load_settings
from hisf.stages.finders.contract import Finder
from hisf.stages.finders.run import above, answer_of
from hisf.testing.cubes import as_cube, make_cube

MEMORY = 1 << 30


def check_finder(
    finder_class: type[Finder],
    settings_arguments: Sequence[str] = (),
    *,
    cube: tuple[np.ndarray, fits.Header] | None = None,
    companions: Mapping[str, Cube] | None = None,
    score_tolerance: float = 1e-5,
) -> np.ndarray:
    """Check that a finder keeps the promises of `hisf.api.Finder`; for the tests of a plugin.

    Checked are: its name, and that its parameters have a prefix of their own; a mask is bool, a score floating-point
    from 0 to 1, of the shape of the tile; nothing is detected in blank voxels, and a tile that is all blank is handled;
    the input is not modified; two runs give the same; and the result does not depend on how the cube is cut, as long as
    every tile has the halo that the finder asks for.

    Parameters
    ----------
    finder_class : type
        Subclass of `hisf.api.Finder`.
    settings_arguments : sequence of str
        ``KEY=VALUE`` settings to check it with.
    cube : (ndarray, `~astropy.io.fits.Header`), optional
        To search; (z, y, x). By default one of 40 × 32 × 36 voxels with a source. The first channels are blanked.
    companions : mapping of str to Cube, optional
        Further inputs that the finder reads, of the same shape.
    score_tolerance : float
        How much scores may differ between one tile and several, for the rounding of convolutions.

    Returns
    -------
    ndarray of bool, shape (z, y, x)
        What was detected, for checks that only the author can make.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    """
    _check_declaration(finder_class)
    array, header = cube or make_cube()
    array = array.copy()
    blank = max(1, array.shape[0] // 4)
    array[:blank] = np.nan
    array.flags.writeable = False
    settings = load_settings(settings_arguments, (*PARAMETERS, *finder_class.parameters))
    threshold = settings[finder_class.score_parameter]
    original = array.copy()

    def new_finder(slab_channels: int) -> Finder:
        """Return a finder that has looked at the cube, held in memory or streamed (``slab_channels`` > 0)."""
        opened = as_cube(array, header)
        opened.companions.update(companions or {})
        finder = finder_class(settings, opened)
        if slab_channels:
            finder.look(opened, Workspace(0, slab_channels * array[0].nbytes), lambda n: None)
        else:
            finder.look(ArrayVoxels(array), Workspace(MEMORY), lambda n: None)
        return finder

    whole = Box.whole(array.shape)
    first, second = new_finder(0), new_finder(0)
    score = _find(first, whole, array)
    mask = above(answer_of(first, _tile(first, whole, array)), threshold)
    _require(not (mask & np.isnan(array)).any(), f"finder {first.name} detects blank (NaN) voxels")
    repeated = _find(second, whole, array)
    _require(
        np.array_equal(score, repeated, equal_nan=True), f"finder {first.name} gives another result the second time"
    )
    for channels in (1, 3):
        finder = new_finder(channels)
        for core in _cores(array.shape, blank):
            found = _find(finder, core, array)
            same = np.array_equal if found.dtype == np.bool_ else _close(score_tolerance)
            _require(
                same(found, score[core.slices]),
                f"finder {finder.name} gives another result for the tile {core} (halo {finder.halo()}) than for the "
                f"whole cube, or when it looks at the cube in slabs of {channels} channels",
            )
    _require(np.array_equal(array, original, equal_nan=True), f"finder {first.name} modifies the data it is given")
    return mask


def _check_declaration(finder_class: type[Finder]) -> None:
    _require(
        isinstance(finder_class, type) and issubclass(finder_class, Finder),
        f"{finder_class!r} is not a subclass of hisf.api.Finder",
    )
    name = getattr(finder_class, "name", None)
    _require(
        isinstance(name, str) and name != "" and name == name.strip() and "+" not in name,
        f"the name of {finder_class.__name__} is {name!r}; it must be text without + or blanks around it",
    )
    taken = {p.section for p in PARAMETERS}
    sections = {p.section for p in finder_class.parameters}
    _require(
        len(sections) <= 1, f"finder {name} declares parameters of several prefixes: {', '.join(sorted(sections))}"
    )
    _require(
        not sections & taken,
        f"finder {name} declares parameters with the prefix {', '.join(sections)}, which belongs to hisf",
    )


def _tile(finder: Finder, core: Box, array: np.ndarray) -> Tile:
    box = core.grow(finder.halo(), array.shape)
    data = array[box.slices].view()
    data.flags.writeable = False
    return Tile(core, box, data)


def _find(finder: Finder, core: Box, array: np.ndarray) -> np.ndarray:
    """Return what a finder gives for ``core``, after checks of type, shape and range."""
    tile = _tile(finder, core, array)
    try:
        answer = np.asarray(finder.find(tile))
    except ValueError as error:
        if "read-only" in str(error):
            raise AssertionError(f"finder {finder.name} modifies the data it is given: {error}") from error
        raise
    _require(
        answer.shape == tile.data.shape,
        f"finder {finder.name} returns shape {answer.shape} for a tile of shape {tile.data.shape}",
    )
    _require(
        answer.dtype == np.bool_ or answer.dtype.kind == "f",
        f"finder {finder.name} returns {answer.dtype}; a mask is bool and a score floating-point",
    )
    if answer.dtype.kind == "f":
        inside = answer[tile.inner]
        _require(
            bool(((inside >= 0) & (inside <= 1)).all()), f"finder {finder.name} returns scores that are not 0 to 1"
        )
    return answer[tile.inner].copy()


def _cores(shape: tuple[int, int, int], blank: int) -> Iterator[Box]:
    """Cut a cube into tiles, the first channels (all blank) by themselves, everything in two along y and x."""
    nz, ny, nx = shape
    middle = blank + (nz - blank) // 3
    for z0, z1 in ((0, blank), (blank, middle), (middle, nz)):
        for y0, y1 in ((0, ny // 2), (ny // 2, ny)):
            for x0, x1 in ((0, nx // 3), (nx // 3, nx)):
                if z1 > z0 and y1 > y0 and x1 > x0:
                    yield Box(z0, z1, y0, y1, x0, x1)


def _close(tolerance: float):  # type: ignore[no-untyped-def]  # (a, b) -> bool
    return lambda a, b: np.allclose(a, b, rtol=0.0, atol=tolerance)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
