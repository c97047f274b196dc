"""The appraising network: how likely a source is a galaxy, and what galaxy it is."""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hisf.data.cube import Cube
from hisf.data.source import Source, SourceList
from hisf.data.spectral import LIGHT_KMS, SpectralAxis, read_axis
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.execution.workspace import Workspace
from hisf.nn.cutouts import Cutout, cut, place
from hisf.settings import Settings
from hisf.stages.appraise.contract import Advance, Appraisal
from hisf.stages.finders.choose import chosen_finders

log = logging.getLogger(__name__)

TOGETHER = 64  # sources that the network sees at once
FINDER = "cnn"
Key = tuple[bytes, tuple[str, ...], bool]


@dataclass(eq=False)
class _Known:
    """What is known of a cube: the noise of its channels, and what the network said of sources."""

    noise: np.ndarray | None = None
    estimates: dict[Key, dict[str, float]] = field(default_factory=dict)


class NetworkAppraisal(Appraisal):
    """Judge and characterise cut-outs with a network that was trained on the finder's detections of mock galaxies.

    Where the network finder runs, sources of a confidence below ``cnn.confidence`` are dropped; the sources of classic
    finders are all kept.

    Raises
    ------
    FileAccessError, InputError
        The weights cannot be read, or hold no such network.
    """

    name = "network"

    def __init__(self, settings: Settings, cube: Cube) -> None:
        from hisf.nn.canonical import sampling_of
        from hisf.nn.judge import Judge
        from hisf.nn.machine import prepare
        from hisf.nn.weights import read_weights

        super().__init__(settings, cube)
        path = settings["cnn.weights"]
        weights = read_weights(Path(path) if path else None)
        if not weights.has("appraiser"):
            raise InputError(
                f"{weights.path} holds no appraising network; set appraise.method = forska or none, or train one with "
                "`hisf train`."
            )
        self._judge = Judge(weights, *prepare(settings))
        self._sampling = sampling_of(cube)
        self._finders = [name for name in chosen_finders(settings) if name != "mask"]
        self._known = _Known()
        self._wcs = cube.wcs if cube.wcs and cube.wcs.celestial else None
        try:
            self._axis: SpectralAxis | None = read_axis(cube.header, cube.name)
        except InputError as error:
            self._axis = None
            log.warning("%s Frequencies, fluxes, widths and position angles of galaxies stay unknown.", error)

    def appraise(
        self, sources: SourceList, searched: Voxels, measured: Voxels, workspace: Workspace, advance: Advance
    ) -> SourceList:
        """Return the sources that are likely enough to be galaxies, characterised."""
        from hisf.nn.canonical import AveragedVoxels
        from hisf.nn.normalise import channel_noise

        known = self._known
        if known.noise is None:
            known.noise = channel_noise(AveragedVoxels(measured, self._sampling))
        keys = [_key(source) for source in sources]
        unknown = [n for n, key in enumerate(keys) if key not in known.estimates]
        advance(len(keys) - len(unknown))
        for first in range(0, len(unknown), TOGETHER):
            some = [sources[n] for n in unknown[first : first + TOGETHER]]
            cutouts = [self._cut(source, sources, measured, known.noise) for source in some]
            known.estimates.update(zip(map(_key, some), self._estimate(some, cutouts), strict=True))
            advance(len(some))
        least = self.settings["cnn.confidence"] if FINDER in self._finders else 0.0
        judged = [source.estimated(known.estimates[key]) for source, key in zip(sources, keys, strict=True)]
        kept = [source for source in judged if not source.estimates["confidence"] < least]
        log.info("network: %d of %d sources have a confidence of %g or more", len(kept), len(sources), least)
        return SourceList.renumbered(sources.shape, kept)

    def retuned(self, settings: Settings) -> NetworkAppraisal:
        """Return the appraisal for other settings, with the same network and all it has said of this cube."""
        other = copy.copy(self)
        other.settings = settings
        return other

    def _cut(self, source: Source, sources: SourceList, measured: Voxels, noise: np.ndarray) -> Cutout:
        """Cut a source out of the cube, its channels ascending in frequency."""
        rest, x = np.divmod(source.core, sources.shape[2])
        z, y = np.divmod(rest, sources.shape[1])
        box = source.box
        values = measured.read(box)[z - box.z0, y - box.y0, x - box.x0]
        sign = -1.0 if source.f_sum < 0 else 1.0
        centre, extent = place(z, y, x, sign * values)
        factors = self._sampling.factors
        coarse = tuple((c + 0.5) / f - 0.5 for c, f in zip(centre, factors, strict=True))
        size = tuple(math.ceil(n / f) for n, f in zip(extent, factors, strict=True))
        return cut(measured, self._sampling, noise, coarse, size)  # type: ignore[arg-type]

    def _estimate(self, sources: Sequence[Source], cutouts: Sequence[Cutout]) -> list[dict[str, float]]:
        """Return the estimates of some sources, in the units of the catalogue."""
        descending = self._axis is not None and float(np.diff(self._axis.frequency(np.array([0.0, 1.0])))[0]) < 0
        flipped = [c.data[:, ::-1] for c in cutouts] if descending else [c.data for c in cutouts]
        found = self._judge.look(flipped, [c.numbers for c in cutouts])
        made = []
        for k, (source, cutout) in enumerate(zip(sources, cutouts, strict=True)):
            value = {name: float(found.values[name][k]) for name in found.values}
            error = {name: float(found.errors[name][k]) for name in found.errors}
            if descending:
                value["z"] = -value["z"]
            estimates = {"confidence": self._judge.confidence(float(found.logit[k]), source.finders, self._finders)}
            averaged = cutout.outside(np.array([value["z"], value["y"], value["x"]]))
            factors = np.array(self._sampling.factors) * np.array(cutout.factors)
            z, y, x = (averaged + 0.5) * np.array(self._sampling.factors) - 0.5
            estimates |= self._on_the_sky(x, y, factors, value, error, found.receding[k], found.off_receding[k])
            estimates |= self._along_the_line(z, factors, cutout, value, error)
            estimates |= {
                "hi_incl": float(np.clip(value["inclination"], 0.0, 90.0)),
                "err_hi_incl": error["inclination"],
            }
            made.append(estimates)
        return made

    def _on_the_sky(
        self,
        x: float,
        y: float,
        factors: np.ndarray,
        value: dict[str, float],
        error: dict[str, float],
        receding: np.ndarray,
        off_receding: float,
    ) -> dict[str, float]:
        """Return position, size and position angle."""
        if self._wcs is None:
            return {}
        sky = self._wcs.arcsec_per_pixel(x, y)  # steps in x and y to steps to the east and the north
        pixel = math.sqrt(abs(float(np.linalg.det(sky))))
        size = float(np.exp(value["size"])) * factors[2] * pixel
        estimates = {"hi_size": size, "err_hi_size": size * error["size"]}
        if self._wcs.equatorial:
            ra, dec, _ = self._wcs.to_world(np.array([x]), np.array([y]), np.zeros(1))
            off = np.hypot(sky[:, 0] * error["x"] * factors[2], sky[:, 1] * error["y"] * factors[1])
            estimates |= {"hi_ra": float(ra[0]) % 360.0, "hi_dec": float(dec[0])}
            estimates |= {"err_hi_ra": float(off[0]), "err_hi_dec": float(off[1])}
            if self._axis is not None:
                east, north = sky @ (receding / factors[[2, 1]] * factors[2])
                estimates |= {
                    "hi_pa": math.degrees(math.atan2(east, north)) % 360.0,
                    "err_hi_pa": math.degrees(float(off_receding)),
                }
        return estimates

    def _along_the_line(
        self, z: float, factors: np.ndarray, cutout: Cutout, value: dict[str, float], error: dict[str, float]
    ) -> dict[str, float]:
        """Return frequency, width and flux."""
        if self._axis is None:
            return {}
        frequency = float(self._axis.frequency(z))
        channel = self._axis.width_hz(frequency)
        width = float(np.exp(value["width"])) * factors[0] * channel * LIGHT_KMS / frequency
        estimates = {
            "hi_freq": frequency,
            "err_hi_freq": error["z"] * factors[0] * channel,
            "hi_w20": width,
            "err_hi_w20": width * error["width"],
        }
        if self.cube.scales.per_beam and self.cube.scales.beam_known:
            total = float(np.exp(value["flux"])) * cutout.noise * float(np.prod(factors))
            flux = total * channel / self.cube.scales.beam_area
            estimates |= {"hi_flux": flux, "err_hi_flux": flux * error["flux"]}
        return estimates


def _key(source: Source) -> Key:
    """Return what the estimates of a source depend on, the cube aside."""
    return hashlib.sha256(source.core.tobytes()).digest(), source.finders, bool(source.f_sum < 0)
