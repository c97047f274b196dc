"""Reliability from the density of negative detections (spec sofia2 §3.9; Serra, Jurek & Flöer 2012)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hisf.data.cube import Cube
from hisf.data.positions import read_positions
from hisf.data.source import Source, SourceList
from hisf.errors import FileAccessError, HisfError, InputError
from hisf.settings import Settings
from hisf.stages.reliability.contract import FEW_NEGATIVES, Evidence, Reliability, smallest_ratio

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
    """Compare the density of positive and negative detections around each positive one in a space of parameters.

    Negative detections at the positions of ``reliability.catalog`` do not count.

    Raises
    ------
    FileAccessError
        That table is missing.
    InputError
        It is ragged or holds words, or the cube has no world coordinates.
    """

    name = "sofia2"

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self._excluded = excluded_positions(settings, cube)

    def judge(self, sources: SourceList) -> SourceList:
        """Return the reliable sources; R = (P − N)/P of two kernel density estimates.

        Raises
        ------
        HisfError
            There are no negative or no positive sources, or the covariance of the negative ones has no inverse.
        """
        from hisf.kernels.reliability import covariance, density, inverse, reliability_of

        s = self.settings
        negative = [source for source in sources if source.f_sum < 0 and not self._is_excluded(source)]
        positive = [source for source in sources if source.f_sum > 0]
        if not negative or not positive:
            missing = "negative" if not negative else "positive"
            raise HisfError(
                f"Reliability cannot be determined: there are no {missing} detections among {len(sources)} sources; "
                "lower the threshold of the finder, or set reliability.enable to false."
            )
        if len(negative) < FEW_NEGATIVES:
            log.warning(
                "Only %d negative detection%s: the reliability is uncertain; lower the threshold of the finder.",
                len(negative),
                "" if len(negative) == 1 else "s",
            )
        points = {sign: self._points(group) for sign, group in (("negative", negative), ("positive", positive))}
        spread = self._regular(covariance(points["negative"]))
        try:
            scale = self._scale(points["positive"], points["negative"], spread)
            kernel = spread * (scale * scale)
            shape = inverse(kernel)
        except np.linalg.LinAlgError:
            raise self._no_inverse() from None
        smallest = smallest_ratio(s, self.cube)
        bright = np.array([source.f_sum / np.sqrt(source.n_pix) > smallest for source in positive])
        large = np.array([source.n_pix > s["reliability.minPixels"] for source in positive])
        at = points["positive"][bright & large]
        rel = np.zeros(len(positive))
        rel[bright & large] = reliability_of(
            density(at, points["positive"], shape), density(at, points["negative"], shape)
        )
        reliable = bright & (rel >= s["reliability.threshold"])
        keep = np.flatnonzero(reliable)
        p = density(points["negative"], points["positive"], shape)
        n = density(points["negative"], points["negative"], shape)
        self.evidence = Evidence(
            s["reliability.parameters"],
            _describe(positive, rel, reliable),
            _describe(negative, np.zeros(len(negative)), np.zeros(len(negative), bool)),
            kernel,
            smallest,
            (p - n) / np.sqrt(p + n),
        )
        kept = [replace(positive[i], rel=float(rel[i])) for i in keep]
        log.info("reliability: %d of %d positive sources kept, %d negative", len(kept), len(positive), len(negative))
        return SourceList.renumbered(sources.shape, kept)

    def _is_excluded(self, source: Source) -> bool:
        """Return whether a position to leave out lies in the bounding box of a source on the sky, edges included."""
        x, y = self._excluded
        box = source.box
        return bool(((x >= box.x0) & (x <= box.x1 - 1) & (y >= box.y0) & (y <= box.y1 - 1)).any())

    def _points(self, sources: list[Source]) -> np.ndarray:
        """Return the place of each source in parameter space, shape (n, d)."""
        axes = [COORDINATES[word] for word in self.settings["reliability.parameters"]]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array([[axis(source) for axis in axes] for source in sources], float)

    def _regular(self, spread: np.ndarray) -> np.ndarray:
        """Return a covariance that can be inverted.

        Parameters that depend on each other linearly, such as sum, mean and pix together, or no more negative
        detections than parameters, make the covariance singular but for rounding. SoFiA inverts the rounding errors.
        For few negative detections and up to three parameters that is done here too, to the bit; elsewhere, and with
        ``pipeline.compatibility = improved``, the variances are raised by a thousandth of their mean.

        Raises
        ------
        HisfError
            A parameter has no spread at all, where SoFiA gives up too, or one that is not finite.
        """
        from hisf.kernels.reliability import COFACTORS

        words = self.settings["reliability.parameters"]
        if not (np.isfinite(spread).all() and (np.diag(spread) > 0).all()):
            raise self._no_inverse()
        if np.linalg.cond(spread) < SINGULAR:
            return spread
        log.warning(
            "reliability.parameters = %s depend on each other (sum, mean and pix do), or there are too few negative "
            "detections: the reliability is uncertain. Leave one of the parameters out, or lower the threshold of the "
            "finder.",
            self.settings.text("reliability.parameters"),
        )
        dependent = {"sum", "mean", "pix"} <= set(words)
        if len(words) <= COFACTORS and not dependent and self.settings["pipeline.compatibility"] != "improved":
            return spread
        return spread + RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))

    def _no_inverse(self) -> HisfError:
        return HisfError(
            "Reliability cannot be determined: the covariance of the negative detections has no inverse "
            f"(reliability.parameters = {self.settings.text('reliability.parameters')}); choose other parameters or "
            "lower the threshold of the finder."
        )

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
        try:
            scale, converged, _ = find_scale(
                positive, negative, spread, tolerance=s["reliability.tolerance"], iterations=s["reliability.iterations"]
            )
        except np.linalg.LinAlgError:  # singular but for rounding, and at one of the scales to the last bit
            scale, converged = fixed, False
        if not converged:
            log.warning("The automatic search for the reliability kernel did not converge; %g is used.", fixed)
            return fixed
        log.info("reliability: kernel scale %.2f found automatically", scale)
        return scale


def excluded_positions(settings: Settings, cube: Cube) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of ``reliability.catalog`` as zero-based pixels x and y, not rounded (spec sofia2 §3.9).

    Raises
    ------
    FileAccessError
        The table is missing.
    InputError
        It is ragged or holds words, or the cube has no world coordinates.
    """
    if not settings["reliability.catalog"]:
        return np.empty(0), np.empty(0)
    path = Path(settings["reliability.catalog"])
    if not path.exists():
        raise FileAccessError(f"{path}: no such file (reliability.catalog, {settings.origin('reliability.catalog')}).")
    positions = read_positions(path)
    if positions is None:
        return np.empty(0), np.empty(0)
    if cube.wcs is None:
        raise InputError(f"reliability.catalog = {path}: {cube.name} has no world coordinates to find positions with.")
    return cube.wcs.to_pixel(positions[:, 0], positions[:, 1])


def _describe(sources: Sequence[Source], rel: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return what there is to say of sources, one array per word."""
    found: dict[str, np.ndarray] = {"label": np.array([source.linker_label for source in sources], np.int64)}
    for axis in "xyz":
        low = np.array([getattr(source.box, f"{axis}0") for source in sources], float)
        high = np.array([getattr(source.box, f"{axis}1") for source in sources], float)
        found |= {axis: (low + high - 1) / 2, f"n{axis}": high - low}
    with np.errstate(divide="ignore", invalid="ignore"):
        found |= {word: np.array([axis(source) for source in sources], float) for word, axis in COORDINATES.items()}
    return found | {"rel": rel, "kept": kept}
