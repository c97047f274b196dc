"""What a catalogue is compared with: a truth catalogue, or mock galaxies in the user's cube."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import QTable

from hisf.data.box import Box
from hisf.data.catalogue import Catalogue
from hisf.errors import InputError
from hisf.evaluate.columns import as_table, numbers
from hisf.evaluate.layouts import RawTable
from hisf.evaluate.reading import comparable, read_catalogue
from hisf.evaluate.scorecard import Scorecard, compare, field_of, official_field
from hisf.evaluate.sdc2 import Sdc2Field
from hisf.inject.experiment import open_scene
from hisf.inject.mocks import Mock, draw_galaxies, place
from hisf.settings import Settings
from hisf.simulate.truth import truth_table

SNR = (1.5, 20.0)  # of mock galaxies, from those that nothing finds to those that everything does


@dataclass(frozen=True)
class Injection:
    """Mock galaxies for a cube, drawn anew from the seed wherever they are needed.

    Attributes
    ----------
    number : int
        Of those that are drawn; those that find no place are left out.
    seed : int
    real : list of Box
        Where there are sources already; no mock is put there, and what is found there does not count.
    """

    number: int
    seed: int
    real: list[Box] = field(default_factory=list)

    def draw(self, settings: Settings) -> tuple[list[Mock], QTable]:
        """Return the mocks that find a place, and the truth about them as `hisf simulate` writes it.

        Raises
        ------
        InputError
            None does, or the cube is of no use.
        """
        cube, geometry, noise, blank = open_scene(settings, flipped=False)
        galaxies = draw_galaxies(geometry, noise, self.number, SNR, self.seed)
        mocks, _ = place(galaxies, cube, geometry, noise, blank, self.real, self.seed)
        if not mocks:
            raise InputError(f"{cube.name}: no free place for any of {self.number} mocks; take more of the cube.")
        return mocks, truth_table([mock.measured for mock in mocks if mock.measured], geometry)


@dataclass(frozen=True, eq=False)
class Truth:
    """A truth catalogue, and where detections do not count.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        As `hisf.evaluate.reading.read_catalogue` returns it.
    where : Sdc2Field
    real : sequence of Box
    """

    table: QTable
    where: Sdc2Field
    real: Sequence[Box] = ()

    @property
    def flux(self) -> np.ndarray:
        """Fluxes, Jy Hz; NaN where unknown."""
        return numbers(self.table, "line_flux_integral")

    def score(self, catalogue: Catalogue | None) -> Scorecard:
        """Compare a catalogue with the truth.

        Parameters
        ----------
        catalogue : Catalogue or None
            With positions in the pixels of the searched region; None where nothing was found.
        """
        if catalogue is None:
            return compare(as_table({}, 0, "nothing found", []), self.table, self.where)
        counts = ~inside(catalogue, self.real)
        columns = {c.name: catalogue[c.name][counts] for c in catalogue.columns if c.kind != "text"}
        units = {c.name: c.unit for c in catalogue.columns}
        raw = RawTable({name: v.astype(float) for name, v in columns.items()}, units, int(counts.sum()), "catalogue")
        return compare(comparable(Path("the catalogue"), raw), self.table, self.where)


def read_truth(path: Path) -> Truth:
    """Read a truth catalogue.

    Raises
    ------
    FileAccessError
        It cannot be read.
    InputError
        It is no catalogue, or has no rows.
    """
    table = read_catalogue(path)
    if not len(table):
        raise InputError(f"{path} has no rows; there is nothing to compare with.")
    return Truth(table, Sdc2Field() if official_field(table) else field_of(table))


def inside(catalogue: Catalogue, boxes: Sequence[Box]) -> np.ndarray:
    """Return which sources have their centroid in one of the boxes."""
    x, y, z = (catalogue[a] for a in "xyz")
    within = np.zeros(len(catalogue), bool)
    for box in boxes:
        within |= (
            (box.x0 <= x) & (x < box.x1) & (box.y0 <= y) & (y < box.y1) & (box.z0 <= z) & (z < box.z1)
        )  # fmt: skip
    return within
