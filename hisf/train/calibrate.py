"""Calibration: what the networks say of simulated cubes, against their truth.

Whole cubes go through the whole pipeline, so what is calibrated is what a user will read: the confidence of a source
after linking, the uncertainties of a catalogue. The cubes share nothing with the training but the galaxies they are
made of.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hisf.data.sdc2_table import read_sdc2
from hisf.evaluate.sdc2 import score_sdc2
from hisf.pipeline import run
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.simulate import (
    ContinuumResiduals,
    DiscModel,
    Layer,
    Model,
    Noise,
    TemplateModel,
    from_mass_function,
    from_options,
    from_sdc2,
    read_pairs,
    rfi_ratio,
    sdc2_level,
    truth_table,
    write_cube,
    write_text,
)
from hisf.train.noise import CONTINUUM_DEG2

if TYPE_CHECKING:
    from hisf.data.catalogue import Catalogue
    from hisf.train.recipe import Display, Recipe

SHAPE = (1000, 480, 480)  # (z, y, x) of a cube
STARTS_HZ = (1090e6, 1060e6, 1115e6, 1000e6)  # first channels, in turn
CUBES = 20  # so that a tenth of the stated confidence has more than a hundred sources
DENSITY = 2.0  # that of SDC2 twice, as in the cubes that hisf is judged by
WITH_CLASSIC = 5  # cubes that the classic finder searches as well
SMALLEST = 40  # sources from which something is calibrated
KNOTS = np.arange(-2.0, 7.0)  # logits between which the curve of the calibration is drawn
STIFFNESS = 60.0  # what a unit of squared change of its slope costs, in log likelihood
LINES = """pipeline.finder = {finder}
linker.radiusXY = 2
linker.radiusZ = 3
linker.minSizeXY = 2
linker.minSizeZ = 3
reliability.enable = false
scfind.kernelsXY = 0, 3, 6
scfind.kernelsZ = 0, 3, 7, 15, 31
scfind.threshold = 4.2
scfind.replacement = 2.0
scaleNoise.enable = {scaled}
scaleNoise.mode = spectral
parameter.physical = true
cnn.confidence = 0
appraise.method = network
output.writeCatASCII = false
output.writeCatXML = false
"""
# value of the network, column of the catalogue, column of the truth
COLUMNS = (
    ("flux", "hi_flux", "line_flux_integral"),
    ("size", "hi_size", "hi_size"),
    ("width", "hi_w20", "w20"),
    ("inclination", "hi_incl", "i"),
    ("z", "hi_freq", "central_freq"),
)


@dataclass(frozen=True, eq=False)
class Judged:
    """The sources of a cube: the network's logit, whether it is a galaxy, who found it, catalogue and truth rows."""

    logit: np.ndarray
    real: np.ndarray
    finders: np.ndarray
    catalogue: Catalogue
    truth: Any
    truth_row: np.ndarray


def calibrate(
    path: Path, recipe: Recipe, templates: Path | None, folder: Path, display: Display, cubes: int = CUBES
) -> dict[str, Any]:
    """Run the pipeline with uncalibrated weights on simulated cubes and fit what they say to the truth.

    Returns
    -------
    dict
        ``calibration``: of the logit, and of agreement between finders; ``stretch``: factors of the uncertainties;
        ``scores``: what was measured.
    """
    alone, joint = [], []
    with display.stage("calibration", cubes) as advance:
        for number in range(cubes):
            cube = make_cube(templates, folder, recipe.seed + 10, number)
            alone.append(judge(cube, path, "cnn"))
            if number < WITH_CLASSIC:
                joint.append(judge(cube, path, "cnn+scfind"))
            cube.unlink()
            cube.with_suffix(".txt").unlink()
            advance(1)
    logit, real = (np.concatenate([getattr(j, n) for j in alone]) for n in ("logit", "real"))
    curve = fit_curve(logit, real) if _enough(real) else [[x, x] for x in KNOTS.tolist()]
    stated = 1.0 / (1.0 + np.exp(-np.interp(logit, *np.transpose(curve))))
    return {
        "calibration": {"curve": curve} | _agreement(joint, curve),
        "stretch": _stretches(alone),
        "scores": {
            "cubes": cubes,
            "sources": len(real),
            "galaxies": int(real.sum()),
            "diagram": diagram(stated, real),
        },
    }


def make_cube(templates: Path | None, folder: Path, seed: int, number: int) -> Path:
    """Make a cube of SDC2's kind with its truth and return its path."""
    geometry = from_options(SHAPE, start=STARTS_HZ[number % len(STARTS_HZ)])
    seed = seed * 100 + number
    quiet = level = sdc2_level(geometry)
    power = ratio = None
    if templates:
        power = read_pairs(templates / "noise_uv_psd.txt", "baseline in wavelengths and noise power")
        ratio = rfi_ratio(templates / "noise_rfi.txt", geometry.frequencies)
        level = level * ratio
        galaxies = from_sdc2(templates, geometry, DENSITY, seed)
    else:
        galaxies = from_mass_function(geometry, DENSITY, seed, quiet, 0.5)
    layers: list[Layer] = [Noise(geometry, level, seed, power, ratio)]
    layers.append(ContinuumResiduals(geometry, math.ceil(CONTINUUM_DEG2 * geometry.area_deg2), seed))
    model: Model = TemplateModel(templates) if templates else DiscModel()
    path = folder / f"calibration_{number}.fits"
    measured = write_cube(path, geometry, galaxies, model, layers, level)
    write_text(path.with_suffix(".txt"), truth_table(measured, geometry))
    return path


def judge(cube: Path, weights: Path, finder: str) -> Judged:
    """Search a cube, keep everything, and match it with the truth as SDC2 does."""
    manager = PluginManager()
    with tempfile.TemporaryDirectory(dir=cube.parent) as place:
        par = Path(place) / "calibrate.par"
        scaled = "true" if "scfind" in finder else "false"
        par.write_text(LINES.format(finder=finder, scaled=scaled), encoding="utf-8")
        settings = load_settings(
            [str(par), f"input.data={cube}", f"output.directory={place}", f"cnn.weights={weights}"],
            manager.parameters(),
        )
        catalogue = run(settings, manager)
    truth = read_sdc2(cube.with_suffix(".txt"))
    score = score_sdc2(_submission(catalogue), truth)
    n = len(catalogue)
    real, row = np.zeros(n, bool), np.full(n, -1)
    real[score.detection_rows], row[score.detection_rows] = True, score.truth_rows
    stated = np.clip(catalogue["confidence"], 1e-12, 1.0 - 1e-12)
    finders = catalogue["finders"] if "finders" in catalogue else np.full(n, finder, object)
    return Judged(np.log(stated / (1.0 - stated)), real, finders, catalogue, truth, row)


def fit_curve(logit: np.ndarray, real: np.ndarray) -> list[list[float]]:
    """Return the curve from logits to those of the share of galaxies, of the greatest penalised likelihood.

    Returns
    -------
    list of [float, float]
        Logit and calibrated logit at `KNOTS`: linear between them, never falling, constant beyond.
    """
    from scipy.optimize import minimize

    x = np.clip(logit, KNOTS[0], KNOTS[-1])
    steps = np.clip(x[:, None] - KNOTS[:-1], 0.0, np.diff(KNOTS)) / np.diff(KNOTS)
    basis = np.column_stack([np.ones(len(x)), steps])
    bends = np.diff(np.eye(len(KNOTS))[1:], axis=0)

    def loss(rises: np.ndarray) -> tuple[float, np.ndarray]:
        said, bend = basis @ rises, bends @ rises
        value = np.logaddexp(0.0, said).sum() - said[real].sum() + STIFFNESS * (bend @ bend)
        return value, basis.T @ (1.0 / (1.0 + np.exp(-said)) - real) + 2.0 * STIFFNESS * (bends.T @ bend)

    start = np.concatenate([KNOTS[:1], np.diff(KNOTS)])
    bounds = [(None, None)] + [(0.0, None)] * (len(KNOTS) - 1)
    said = np.cumsum(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x)
    return [[float(k), round(float(y), 4)] for k, y in zip(KNOTS, said, strict=True)]


def diagram(stated: np.ndarray, real: np.ndarray) -> list[dict[str, float]]:
    """Return stated and true share of galaxies in tenths of the stated confidence."""
    rows = []
    for k in range(10):
        here = (stated >= k / 10) & (stated < (k + 1) / 10 if k < 9 else stated <= 1.0)
        if here.any():
            rows.append({"n": int(here.sum()), "stated": float(stated[here].mean()), "true": float(real[here].mean())})
    return rows


def _submission(catalogue: Catalogue) -> Any:
    """Return the catalogue in the columns of SDC2."""
    from astropy import units
    from astropy.table import QTable

    table = QTable()
    table["id"] = np.arange(len(catalogue))
    for ours, theirs, unit in (
        ("hi_ra", "ra", "deg"), ("hi_dec", "dec", "deg"), ("hi_size", "hi_size", "arcsec"),
        ("hi_flux", "line_flux_integral", "Jy Hz"), ("hi_freq", "central_freq", "Hz"), ("hi_pa", "pa", "deg"),
        ("hi_incl", "i", "deg"), ("hi_w20", "w20", "km/s"),
    ):  # fmt: skip
        table[theirs] = catalogue[ours] * units.Unit(unit)
    return table


def _enough(real: np.ndarray) -> bool:
    return SMALLEST <= real.sum() <= len(real) - SMALLEST


def _agreement(joint: list[Judged], curve: list[list[float]]) -> dict[str, float]:
    """Return what agreement adds to the calibrated logit, by who found a source."""
    if not joint:
        return {}
    logit, real, finders = (np.concatenate([getattr(j, n) for j in joint]) for n in ("logit", "real", "finders"))
    said = np.interp(logit, *np.transpose(curve))
    added = {}
    for name, word in (("agreed", "cnn+scfind"), ("alone", "cnn"), ("missed", "scfind")):
        here = finders == word
        if here.sum() >= SMALLEST and 0 < real[here].sum() < here.sum():
            added[name] = _shift(said[here], real[here])
    return added


def _shift(said: np.ndarray, real: np.ndarray) -> float:
    """Return what is to be added to logits so that as many are expected to be real as are."""
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (1.0 / (1.0 + np.exp(-(said + middle)))).sum() < real.sum():
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _stretches(judged: list[Judged]) -> dict[str, float]:
    """Return by how much uncertainties are to be stretched so that 68.3 % of the galaxies lie within one."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*(c[0] for c in COLUMNS), "angle")}
    for j in judged:
        k = np.flatnonzero(j.real)
        rows = j.truth_row[k]
        for name, ours, theirs in COLUMNS:
            truth = np.asarray(getattr(j.truth[theirs], "value", j.truth[theirs]))[rows]
            found[name].append(np.abs(j.catalogue[ours][k] - truth) / j.catalogue[f"err_{ours}"][k])
        truth = np.asarray(j.truth["pa"].value)[rows]
        off = np.abs((j.catalogue["hi_pa"][k] - truth + 180.0) % 360.0 - 180.0)
        found["angle"].append(off / j.catalogue["err_hi_pa"][k])
    result = {}
    for name, parts in found.items():
        pulls = np.concatenate(parts)
        pulls = pulls[np.isfinite(pulls)]
        if len(pulls) >= SMALLEST:
            result[name] = float(np.clip(np.percentile(pulls, 68.27), 0.3, 5.0))
    return result
