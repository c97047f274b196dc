"""The parametrisation of FORSKA (Håkansson et al. 2023, §2.3; spec forska §10)."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
from astropy.io import fits

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.header import number
from hisf.data.source import Source, SourceList
from hisf.data.spectral import LIGHT_KMS, SpectralAxis, read_axis
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.appraise.contract import Advance, Appraisal
from hisf.stages.appraise.disc import angle_of, gradient, principal_axis, size_and_inclination
from hisf.stages.appraise.line import line_edges
from hisf.stages.appraise.noise import Noise, measure_noise

log = logging.getLogger(__name__)

MARGIN = (10, 12, 12)  # voxels around a source (z, y, x) in which its noise is measured
FEWEST_CHANNELS = 5  # from which the gradient of the centroid is taken
ARCSEC = 3600.0  # in a degree
Estimates = dict[str, float]


@dataclass(frozen=True, eq=False)
class _Cutout:
    """A source and the voxels of its box.

    Attributes
    ----------
    source : Source
    box : Box
    data : ndarray of float64, shape ``box.shape`` (z, y, x)
        0 outside the mask; the sign is turned for a source of negative flux.
    member, core : ndarray of bool
        The voxels of the mask, and those of the mask before dilation.
    noise : Noise
    sign : float
        −1 where the sign was turned, otherwise 1.
    sky : ndarray, shape (2, 2), arcsec
        From steps in x and y to steps to the east and the north; NaN where unknown.
    """

    source: Source
    box: Box
    data: np.ndarray
    member: np.ndarray
    core: np.ndarray
    noise: Noise
    sign: float
    sky: np.ndarray

    def spread(self, weights: np.ndarray, voxels: np.ndarray) -> float:
        """Return what noise does to a sum over ``voxels`` (a mask) with ``weights``, in raster order."""
        dense = np.zeros(voxels.shape)
        dense[voxels] = weights
        return self.noise.of_sum(dense)


class ForskaAppraisal(Appraisal):
    """Characterise sources from their masks and the flux in them; keep those within the limits of flux.

    Fluxes, positions and lines are those of the mask, size, inclination and position angle those of the mask before
    dilation. The padding that the network is trained to add is taken off sizes, which mean little for masks of another
    making. It does not judge: ``confidence`` stays unknown.

    Raises
    ------
    InputError
        There are limits of flux, but the header does not say what a flux is.
    """

    name = "forska"

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self._spectral = _axis(cube)
        self._wcs = cube.wcs if cube.wcs and cube.wcs.celestial else None
        scales = cube.scales
        self._beam = _beam_arcsec(cube.header) if scales.beam_known else math.nan
        self._flux_known = self._spectral is not None and scales.per_beam and not math.isnan(self._beam)
        self._limits: tuple[float, float] = (settings["forska.minFlux"], settings["forska.maxFlux"])
        if any(self._limits) and not self._flux_known:
            raise InputError(
                f"forska.minFlux and forska.maxFlux are in Jy Hz, but {cube.name} lacks a beam, a spectral axis or "
                "data in Jy/beam; complete its header, or set both to 0."
            )

    def appraise(
        self, sources: SourceList, searched: Voxels, measured: Voxels, workspace: Workspace, advance: Advance
    ) -> SourceList:
        """Return the sources within the limits of flux, characterised."""
        least, most = self._limits
        kept = []
        for source in sources:
            estimates = self._characterise(source, sources, measured)
            flux = estimates.get("hi_flux", math.nan)
            if not ((least and not flux > least) or (most and not flux < most)):
                kept.append(source.estimated(estimates))
            advance(1)
        log.info("forska: %d of %d sources within the limits of flux", len(kept), len(sources))
        return SourceList.renumbered(sources.shape, kept)

    def _characterise(self, source: Source, sources: SourceList, measured: Voxels) -> Estimates:
        wide = source.box.grow(MARGIN, measured.shape)
        labels = sources.paint(wide)
        data = np.array(measured.read(wide), np.float64)
        inner = source.box.inside(wide).slices
        member = labels[inner] == source.label
        sign = -1.0 if source.f_sum < 0 else 1.0
        box, sky = source.box, np.full((2, 2), np.nan)
        if self._wcs:
            sky = self._wcs.arcsec_per_pixel((box.x0 + box.x1 - 1) / 2, (box.y0 + box.y1 - 1) / 2)
        inside = np.where(member, sign * data[inner], 0.0)
        core = replace(source, voxels=source.core).member(box, sources.shape)
        cutout = _Cutout(source, box, inside, member, core, measure_noise(data, labels == 0), sign, sky)
        return self._line(cutout) | self._place(cutout) | self._disc(cutout) | self._angle(cutout)

    def _line(self, cutout: _Cutout) -> Estimates:
        """Return frequency, width and flux of the line."""
        axis = self._spectral
        if axis is None:
            return {}
        first, source = cutout.box.z0, cutout.source
        deep = np.flatnonzero(cutout.core.any((1, 2)))
        spectrum, noise = cutout.data.sum((1, 2)), cutout.noise.of_channels(cutout.member.astype(float))
        low, high, off_width, off_middle = line_edges(
            spectrum, noise, (deep[0], deep[-1] + 1), seed=int(source.core[0])
        )
        ends = axis.frequency(first + np.array([low, high]))
        middle = float(ends.mean())
        channel = axis.width_hz(middle)
        found = {
            "hi_freq": middle,
            "err_hi_freq": off_middle * channel,
            "hi_w20": LIGHT_KMS * abs(float(ends[1] - ends[0])) / middle,
            "err_hi_w20": LIGHT_KMS * off_width * channel / middle,
        }
        if self._flux_known:
            scale = channel / self.cube.scales.beam_area
            found["hi_flux"] = cutout.sign * float(cutout.data.sum()) * scale
            found["err_hi_flux"] = cutout.noise.of_sum(cutout.member.astype(float)) * scale
        return found

    def _place(self, cutout: _Cutout) -> Estimates:
        """Return the position: the centroid of the positive voxels, or of all where none is positive."""
        if self._wcs is None or not self._wcs.equatorial:
            return {}
        _, y, x = np.nonzero(cutout.member)
        weight = np.maximum(cutout.data[cutout.member], 0.0)
        bright = weight.sum()
        if not bright > 0:
            weight, bright = np.ones(len(x)), float(len(x))
        place = np.stack([x + cutout.box.x0, y + cutout.box.y0])
        centre = place @ weight / bright
        ra, dec, _ = self._wcs.to_world(centre[:1], centre[1:], np.zeros(1))
        lever = cutout.sky @ (place - centre[:, None]) * (weight > 0) / bright
        return {
            "hi_ra": float(ra[0]) % 360.0,
            "hi_dec": float(dec[0]),
            "err_hi_ra": cutout.spread(lever[0], cutout.member),
            "err_hi_dec": cutout.spread(lever[1], cutout.member),
        }

    def _disc(self, cutout: _Cutout) -> Estimates:
        """Return size and inclination."""
        if self._wcs is None or math.isnan(self._beam):
            return {}
        y, x = np.nonzero(cutout.core.any(0))
        east, north = cutout.sky @ np.stack([x, y])
        pixel = math.sqrt(abs(float(np.linalg.det(cutout.sky))))
        padding = self.settings["forska.padding"] * self._beam
        area = self.cube.scales.beam_area * pixel**2
        return size_and_inclination(east, north, padding, pixel, area)

    def _angle(self, cutout: _Cutout) -> Estimates:
        """Return the position angle of the receding side."""
        if self._wcs is None or self._spectral is None or not self._wcs.equatorial:
            return {}
        z, y, x = np.nonzero(cutout.core)
        vector, weights = gradient(cutout.data[cutout.core], z, x, y)
        if np.ptp(z) + 1 < FEWEST_CHANNELS:
            vector = principal_axis(z, x, y) * np.linalg.norm(vector)
        middle = float(self._spectral.frequency(cutout.box.z0 + z.mean()))
        receding = np.sign(self._spectral.channels_per_kms(middle))
        vector, weights = receding * cutout.sky @ vector, cutout.sky @ weights
        across = np.array([-vector[1], vector[0]]) / max(float(np.hypot(*vector)), np.finfo(float).tiny)
        angle, off = angle_of(vector, cutout.spread(across @ weights, cutout.core))
        return {"hi_pa": angle, "err_hi_pa": off}


def _axis(cube: Cube) -> SpectralAxis | None:
    """Return the spectral axis; None, and a warning, where it is not known."""
    try:
        return read_axis(cube.header, cube.name)
    except InputError as error:
        log.warning("%s Frequencies, fluxes, widths and position angles of galaxies stay unknown.", error)
        return None


def _beam_arcsec(header: fits.Header) -> float:
    """Return the geometric mean of the axes of the beam; NaN where they are not positive."""
    product = (number(header, "BMAJ", 0.0) or 0.0) * (number(header, "BMIN", 0.0) or 0.0)
    return ARCSEC * math.sqrt(product) if product > 0 else math.nan
