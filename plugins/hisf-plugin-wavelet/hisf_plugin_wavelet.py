"""A finder for hisf: significant coefficients of a 2D-1D wavelet transform (Flöer & Winkel 2012, PASA 29, 244).

Sky and spectrum are decomposed apart from each other, because sources are not equally extended along both: an
undecimated transform à trous with the B3 spline along x and y, then along z. What is significant in any of the subbands
is added up again.
"""

from dataclasses import dataclass

import numpy as np

from hisf.api import Finder, InputError, Kind, Parameter, Voxels, hookimpl, survey

SPLINE = np.array([1, 4, 6, 4, 1]) / 16
SINCE = "wavelet 0.1"


def scales(data, count, axes):
    """Yield the details of a transform along some axes, the finest first, and then what is left."""
    from scipy.ndimage import convolve1d

    for scale in range(count):
        holes = np.zeros(4 * 2**scale + 1)
        holes[:: 2**scale] = SPLINE
        smoother = data
        for axis in axes:
            smoother = convolve1d(smoother, holes, axis, mode="mirror")
        yield data - smoother
        data = smoother
    yield data


def subbands(data, sky, spectral):
    """Yield ((scale on the sky, scale in the spectrum), coefficients), but for what is smooth along both."""
    for i, plane in enumerate(scales(np.nan_to_num(data), sky, (1, 2))):
        for j, detail in enumerate(scales(plane, spectral, (0,))):
            if (i, j) != (sky, spectral):
                yield (i, j), detail


@dataclass
class Subband:
    """The coefficients of one subband, read by the box as a cube is."""

    voxels: Voxels
    which: tuple
    finder: Finder

    def __post_init__(self):
        self.shape, self.dtype = self.voxels.shape, self.voxels.dtype

    def read(self, box):
        """Return the coefficients of a box; blank where the cube is."""
        around = box.grow(self.finder.halo(), self.shape)
        data = self.voxels.read(around)
        coefficients = next(found for which, found in subbands(data, *self.finder.count) if which == self.which)
        return np.where(np.isnan(data), np.nan, coefficients)[box.inside(around).slices].astype(self.dtype)


class Wavelet(Finder):
    """Add up the significant coefficients of all subbands, and detect where there is enough of them."""

    name = "wavelet"
    parameters = (
        Parameter("starlet.threshold", Kind.FLOAT, "5.0", "Noise of a subband that counts.", SINCE, minimum=0.1),
        Parameter("starlet.level", Kind.FLOAT, "1.0", "Noise of the cube that the sum must reach.", SINCE, minimum=0),
        Parameter("starlet.scalesXY", Kind.INT, "3", "Number of scales on the sky.", SINCE, minimum=0, maximum=6),
        Parameter("starlet.scalesZ", Kind.INT, "4", "Number of scales in the spectrum.", SINCE, minimum=0, maximum=8),
    )

    def __init__(self, settings, cube):
        super().__init__(settings, cube)
        self.count = settings["starlet.scalesXY"], settings["starlet.scalesZ"]

    def halo(self):
        """Ask for the reach of the coarsest scales."""
        sky, spectral = (2 * (2**count - 1) for count in self.count)
        return spectral, sky, sky

    def passes(self):
        """Return how often `look` reads the cube: once for every subband, and once as it is."""
        return (self.count[0] + 1) * (self.count[1] + 1)

    def look(self, voxels, workspace, advance):
        """Measure the noise of the cube and of every subband, each on the whole cube."""
        self.rms = survey(voxels, workspace, advance=advance).rms
        if not self.rms > 0:
            raise InputError(f"The finder wavelet cannot measure the noise of {self.cube.name}; is it constant?")
        sky, spectral = self.count
        every = [(i, j) for i in range(sky + 1) for j in range(spectral + 1)][:-1]
        self.noise = {which: survey(Subband(voxels, which, self), workspace, advance=advance).rms for which in every}

    def find(self, tile):
        """Return where the reconstruction of a tile, of either sign, rises above the noise."""
        total = np.zeros(tile.data.shape)
        for which, coefficients in subbands(tile.data, *self.count):
            limit = self.settings["starlet.threshold"] * self.noise[which]
            total += np.where(np.abs(coefficients) > limit, coefficients, 0.0)
        return (np.abs(total) > self.settings["starlet.level"] * self.rms) & ~np.isnan(tile.data)


@hookimpl
def hisf_register_finders():
    """Offer the finder to hisf."""
    return [Wavelet]
