"""Reliability from the density of negative detections (spec sofia2 §3.9; Serra, Jurek & Flöer 2012)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hisf.data.source import Source, SourceList
from hisf.errors import HisfError
from hisf.stages.reliability.contract import FEW_NEGATIVES, Reliability

log = logging.getLogger(__name__)

SINGULAR = 1e12  # condition number from which the inverse of a covariance is mostly rounding noise
RIDGE = 1e-3  # of the mean variance, added to the variances of such a matrix

# coordinates of the parameter space; of a negative source with the sign of its flux turned
COORDINATES: dict[str, Callable[[Source], float]] = {
    "peak": lambda s: np.log10(s.f_max if s.f_sum > 0 else -s.f_min),
    "sum": lambda s: np.log10(abs(s.f_sum)),
    "mean": lambda s: np.log10(abs(s.f_sum) / s.n_pix),
    "chan": lambda s: float(s.box.z1 - s.box.z0),
    "pix": lambda s: np.log10(s.n_pix),
    "fill": lambda s: np.log10(s.fill),
    "std": lambda s: s.std,
    "skew": lambda s: s.skew,
    "kurt": lambda s: s.kurt,
}


class NegativeDensity(Reliability):
    """Compare the density of positive and negative detections around each positive one in a space of parameters."""

    name = "sofia2"

    def judge(self, sources: SourceList) -> SourceList:
        """Return the reliable sources; R = (P − N)/P of two kernel density estimates.

        Raises
        ------
        HisfError
            There are no negative or no positive sources, or the covariance of the negative ones has no inverse.
        """
        from hisf.kernels.reliability import covariance, density, reliability_of

        s = self.settings
        negative = [source for source in sources if source.f_sum < 0]
        positive = [source for source in sources if source.f_sum > 0]
        if not negative or not positive:
            missing = "negative" if not negative else "positive"
            raise HisfError(
                f"Reliability cannot be determined: there are no {missing} detections among {len(sources)} sources; "
                "lower the threshold of the finder, or set reliability.enable to false."
            )
        if len(negative) < FEW_NEGATIVES:
            log.warning(
                "Only %d negative detections: the reliability is uncertain; lower the threshold of the finder.",
                len(negative),
            )
        points = {sign: self._points(group) for sign, group in (("negative", negative), ("positive", positive))}
        spread = self._regular(covariance(points["negative"]))
        scale = self._scale(points["positive"], points["negative"], spread)
        inverse = np.linalg.inv(spread * scale**2)
        bright = np.array([source.f_sum / np.sqrt(source.n_pix) > self._smallest_snr() for source in positive])
        large = np.array([source.n_pix > s["reliability.minPixels"] for source in positive])
        at = points["positive"][bright & large]
        rel = np.zeros(len(positive))
        rel[bright & large] = reliability_of(
            density(at, points["positive"], inverse), density(at, points["negative"], inverse)
        )
        keep = np.flatnonzero(bright & (rel >= s["reliability.threshold"]))
        kept = [replace(positive[i], rel=float(rel[i])) for i in keep]
        log.info("reliability: %d of %d positive sources kept, %d negative", len(kept), len(positive), len(negative))
        return SourceList.renumbered(sources.shape, kept)

    def _points(self, sources: list[Source]) -> np.ndarray:
        """Return the place of each source in parameter space, shape (n, d)."""
        axes = [COORDINATES[word] for word in self.settings["reliability.parameters"]]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array([[axis(source) for axis in axes] for source in sources], float)

    def _regular(self, spread: np.ndarray) -> np.ndarray:
        """Return a covariance that can be inverted.

        Parameters that depend on each other linearly, such as sum, mean and pix together, or fewer negative detections
        than parameters, make the covariance singular but for rounding. SoFiA inverts the rounding noise; here the
        variances are raised by a thousandth of their mean instead, which gives the same number on every machine.

        Raises
        ------
        HisfError
            A parameter has no spread at all, where SoFiA gives up too, or one that is not finite.
        """
        words = self.settings.text("reliability.parameters")
        if not (np.isfinite(spread).all() and (np.diag(spread) > 0).all()):
            raise HisfError(
                "Reliability cannot be determined: the covariance of the negative detections has no inverse "
                f"(reliability.parameters = {words}); choose other parameters or lower the threshold of the finder."
            )
        if np.linalg.cond(spread) < SINGULAR:
            return spread
        log.warning(
            "reliability.parameters = %s depend on each other (sum, mean and pix do), or there are too few negative "
            "detections: the reliability is uncertain. Leave one of the parameters out.",
            words,
        )
        return spread + RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))

    def _scale(self, positive: np.ndarray, negative: np.ndarray, spread: np.ndarray) -> float:
        """Return the size of the kernel in units of the spread of the negative sources."""
        from hisf.kernels.reliability import find_scale

        s = self.settings
        fixed = s["reliability.scaleKernel"]
        if fixed <= 0:
            log.warning("reliability.scaleKernel = %g is not a size; 0.4 is used.", fixed)
            fixed = 0.4
        if not s["reliability.autoKernel"]:
            return fixed
        scale, converged, _ = find_scale(
            positive, negative, spread, tolerance=s["reliability.tolerance"], iterations=s["reliability.iterations"]
        )
        if not converged:
            log.warning("The automatic search for the reliability kernel did not converge; %g is used.", fixed)
            return fixed
        log.info("reliability: kernel scale %.2f found automatically", scale)
        return scale

    def _smallest_snr(self) -> float:
        """Return the limit on sum/√n in units of the noise: fMin, or minSNR times the root of the beam in pixels."""
        if self.settings["reliability.fMin"] > 0:
            return float(self.settings["reliability.fMin"])
        return self.settings["reliability.minSNR"] * float(np.sqrt(abs(self.cube.scales.reliability_area)))
