"""A finder for hisf: a matched filter for spectral lines of one width."""

import numpy as np

from hisf.api import Finder, InputError, Kind, Parameter, hookimpl, survey


class Matched(Finder):
    """Average the spectra over as many channels as a line is wide, and compare with the noise of such averages."""

    name = "matched"
    parameters = (
        Parameter("matched.width", Kind.INT, "9", "Width of a line in channels.", "matched 0.1", minimum=1),
        Parameter(
            "matched.threshold", Kind.FLOAT, "5.0", "Noise at which the score is 0.5.", "matched 0.1", minimum=0.1
        ),
    )

    def halo(self):
        """Ask for half a line width of channels on either side of a tile."""
        return self.settings["matched.width"] // 2, 0, 0

    def passes(self):
        """Return how often `look` reads the cube."""
        return 1

    def look(self, voxels, workspace, advance):
        """Measure the noise of the whole cube, once."""
        self.noise = survey(voxels, workspace, advance=advance).rms
        if not self.noise > 0:
            raise InputError(f"The finder matched cannot measure the noise of {self.cube.name}; is it constant?")

    def find(self, tile):
        """Return a score for every voxel of a tile."""
        half = self.halo()[0]
        width, depth = 2 * half + 1, len(tile.data)
        padded = np.pad(np.nan_to_num(tile.data), ((half, half), (0, 0), (0, 0)))
        average = sum(padded[first : first + depth] for first in range(width)) / width
        snr = np.abs(average) * width**0.5 / self.noise  # of either sign: the reliability compares the two
        return np.where(np.isnan(tile.data), 0.0, snr / (snr + self.settings["matched.threshold"]))


@hookimpl
def hisf_register_finders():
    """Offer the finder to hisf."""
    return [Matched]
