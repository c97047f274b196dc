"""The score of the SKA Science Data Challenge 2, as the official scorer (ska-sdc 2.0.0) computes it (spec forska §15).

The official numbers are the defaults of `Sdc2Field`; another field, band, beam or cosmology gives the same score for
another survey. Two habits of the official scorer are kept on purpose: rows count as one source where their ``id`` is
the same, and the search radius comes from the submitted line width, so that a width near zero unmatches a source.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from astropy.coordinates import angular_separation
from astropy.table import Table

from hisf.data.sdc2_table import COLUMNS
from hisf.errors import InputError
from hisf.evaluate.columns import missing, numbers
from hisf.evaluate.pairs import nearby_pairs

LIGHT = 299792458.0  # m/s
ARCSEC_PER_RADIAN = 206265.0  # the scorer's rounding
LARGEST_ERROR = 5.0  # multi-dimensional error from which a match is bad
# property -> error at which its score begins to fall below 1
TOLERANCES = {
    "position": 0.3, "central_freq": 0.3, "flux": 0.1, "hi_size": 0.3, "pa": 10.0, "w20": 0.3, "i": 10.0,
}  # fmt: skip
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class Sdc2Field:
    """What the score takes as given.

    Attributes
    ----------
    ra, dec : float
        Field centre, deg.
    low, high : float
        Band, Hz; rows at its ends or beyond are not matched.
    beam : float
        Full width at half maximum, arcsec.
    rest : float
        Rest frequency, Hz.
    hubble : float
        H0, km/s/Mpc.
    matter, dark_energy : float
        Density parameters.
    """

    ra: float = 180.0
    dec: float = -30.0
    low: float = 0.95e9
    high: float = 1.15e9
    beam: float = 7.0
    rest: float = 1.420405752e9
    hubble: float = 67.0
    matter: float = 0.32
    dark_energy: float = 0.68

    def angular_distance(self, frequency: np.ndarray) -> np.ndarray:
        """Return the angular diameter distance (Mpc) of an HI line at ``frequency`` (Hz); negative beyond rest."""
        z = self.rest / frequency - 1.0
        curvature = 1.0 - self.matter - self.dark_energy
        x = 1.0 + 0.5 * z[..., None] * (NODES + 1.0)
        expansion = np.sqrt(self.matter * x**3 + curvature * x**2 + self.dark_energy)
        comoving = 0.5 * z * (WEIGHTS / expansion).sum(axis=-1)
        if abs(curvature) > 1e-12:
            root = np.sqrt(abs(curvature))
            comoving = (np.sinh(root * comoving) if curvature > 0 else np.sin(root * comoving)) / root
        return LIGHT / 1000.0 / self.hubble * comoving / (1.0 + z)

    def offsets(self, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the offsets (rad) from the field centre: longitude and latitude in the frame centred there."""
        along, lat, lat0 = np.radians(ra - self.ra), np.radians(dec), np.radians(self.dec)
        x = np.cos(lat0) * np.cos(lat) * np.cos(along) + np.sin(lat0) * np.sin(lat)
        y = np.cos(lat) * np.sin(along)
        z = np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(along)
        return np.arctan2(y, x), np.arcsin(np.clip(z, -1.0, 1.0))


@dataclass(frozen=True)
class Sdc2Score:
    """The score and its parts.

    Attributes
    ----------
    score : float
        Sum of the accuracies of the matches, less one per false detection.
    n_det : int
        Rows submitted, those outside the band included.
    n_match, n_bad, n_false : int
        Matches; matches rejected for their error; ``n_det - n_match``.
    n_truth, n_found : int
        Truth sources inside the band, and how many of them have a match.
    n_dropped : int
        Submitted rows that hold NaN; the official reader drops them before counting.
    accuracy : float
        Mean of the matches' accuracy, duplicates sharing one; 0 to 1.
    properties : dict of str to float
        Mean score of every property over the matches; empty without a match.
    detection_rows, truth_rows, accuracies : ndarray, shape (n_match,)
        Which rows of the tables match, and what each match adds to the score.
    """

    score: float
    n_det: int
    n_match: int
    n_bad: int
    n_truth: int
    n_found: int
    n_dropped: int
    accuracy: float
    properties: dict[str, float]
    detection_rows: np.ndarray = field(repr=False)
    truth_rows: np.ndarray = field(repr=False)
    accuracies: np.ndarray = field(repr=False)

    @property
    def n_false(self) -> int:
        """Detections that match nothing."""
        return self.n_det - self.n_match

    @property
    def reliability(self) -> float:
        """``n_match / n_det``; NaN for an empty catalogue."""
        return self.n_match / self.n_det if self.n_det else float("nan")

    @property
    def completeness(self) -> float:
        """``n_found / n_truth``; NaN without a truth source."""
        return self.n_found / self.n_truth if self.n_truth else float("nan")


def score_sdc2(catalogue: Table, truth: Table, where: Sdc2Field | None = None) -> Sdc2Score:
    """Score a catalogue against the truth.

    Parameters
    ----------
    catalogue, truth : `~astropy.table.Table`
        With the columns of `hisf.data.sdc2_table.COLUMNS`, in those units. Not modified.
    where : Sdc2Field, optional
        The official field by default.

    Returns
    -------
    Sdc2Score
        Equal to the official scorer's to rounding. Where the official scorer fails (no truth source inside the band)
        every detection is false.

    Raises
    ------
    InputError
        A column is missing altogether.
    """
    where = where or Sdc2Field()
    sub, n_det, n_dropped = _prepare(catalogue, where, "catalogue")
    true, _, _ = _prepare(truth, where, "truth")
    n_truth = len(np.unique(true["id"]))
    a, b, error = _candidates(sub, true)
    # the best truth source of every submitted id; NaN sorts last
    order = np.lexsort((a, b, error, sub["id"][a]))
    a, b, error = a[order], b[order], error[order]
    best = np.unique(sub["id"][a], return_index=True)[1]
    a, b, error = a[best], b[best], error[best]
    _, group, sizes = np.unique(true["id"][b], return_inverse=True, return_counts=True)
    n_dup = sizes[group] if len(b) else np.empty(0)
    good = error < LARGEST_ERROR
    n_bad = int((error >= LARGEST_ERROR).sum())
    a, b, n_dup = a[good], b[good], n_dup[good]
    scores = _property_scores(sub, true, a, b, where.beam)
    accuracies = np.sum(list(scores.values()), axis=0) / len(scores) / n_dup
    n_match, total = len(a), float(np.sum(accuracies))
    return Sdc2Score(
        score=total - (n_det - n_match),
        n_det=n_det,
        n_match=n_match,
        n_bad=n_bad,
        n_truth=n_truth,
        n_found=len(np.unique(true["id"][b])),
        n_dropped=n_dropped,
        accuracy=total / n_match if n_match else 0.0,
        properties={name: float(s.mean()) for name, s in scores.items()} if n_match else {},
        detection_rows=sub["row"][a].astype(int),
        truth_rows=true["row"][b].astype(int),
        accuracies=accuracies,
    )


def _prepare(table: Table, where: Sdc2Field, role: str) -> tuple[dict[str, np.ndarray], int, int]:
    """Return the columns of the rows inside the band, the number of rows before that, and that of rows with NaN."""
    absent = [name for name in COLUMNS if name != "id" and missing(table, name)]
    if absent:
        raise InputError(f"The SDC2 score needs {', '.join(absent)}, which the {role} does not have.")
    values = {name: numbers(table, name) for name in COLUMNS if name != "id"}
    values["id"] = numbers(table, "id") if "id" in table.colnames else np.arange(len(table), dtype=float)
    values["row"] = np.arange(len(table))
    whole = np.all([~np.isnan(v) for v in values.values()], axis=0)
    inside = whole & (values["central_freq"] > where.low) & (values["central_freq"] < where.high)
    kept = {name: v[inside] for name, v in values.items()}
    freq = kept["central_freq"]
    kept["distance"] = where.angular_distance(freq)
    east, north = where.offsets(kept["ra"], kept["dec"])
    kept["x"], kept["y"] = kept["distance"] * east, kept["distance"] * north
    kept["conv"] = np.hypot(kept["hi_size"], where.beam)
    kept["spec"] = kept["w20"] * 1000.0 * freq**2 / (LIGHT * where.rest)
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = kept["distance"] - where.angular_distance(freq + kept["spec"])
    kept["radius"] = np.fmax(kept["conv"] / ARCSEC_PER_RADIAN * kept["distance"], depth)
    return kept, int(whole.sum()), int((~whole).sum())


def _candidates(sub: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every pair close enough to be a match, and its multi-dimensional error."""
    found = [(np.empty(0, int), np.empty(0, int), np.empty(0))]
    reach = (true["conv"] / 3600.0, true["spec"])
    places = [(t["dec"], t["central_freq"]) for t in (sub, true)]
    for a, b in nearby_pairs(places[0], places[1], reach):
        distance2 = sum((sub[k][a] - true[k][b]) ** 2 for k in ("x", "y", "distance"))
        near = distance2 <= sub["radius"][a] ** 2
        a, b = a[near], b[near]
        position = _separation(sub, true, a, b) / true["conv"][b]
        with np.errstate(invalid="ignore", divide="ignore"):
            frequency = np.abs(sub["central_freq"][a] - true["central_freq"][b]) / true["spec"][b]
            near = (position < 1.0) & (frequency < 1.0)
            a, b, position, frequency = a[near], b[near], position[near], frequency[near]
            flux = _relative(sub, true, a, b, "line_flux_integral", "line_flux_integral")
            size = _relative(sub, true, a, b, "hi_size", "conv")
            width = _relative(sub, true, a, b, "w20", "w20")
            found.append((a, b, np.sqrt(position**2 + frequency**2 + flux**2 + size**2 + width**2)))
    a, b, error = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return a, b, error


def _property_scores(
    sub: dict[str, np.ndarray], true: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray, beam: float
) -> dict[str, np.ndarray]:
    """Return the score (0 to 1) of every property of every match; an undefined one counts 0, as in the scorer."""
    turn = np.radians(sub["pa"][a]) - np.radians(true["pa"][b])
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = {
            "position": _separation(sub, true, a, b) / np.sqrt(4.0 * beam**2 + true["hi_size"][b] ** 2),
            "central_freq": _relative(sub, true, a, b, "central_freq", "spec"),
            "flux": _relative(sub, true, a, b, "line_flux_integral", "line_flux_integral"),
            "hi_size": _relative(sub, true, a, b, "hi_size", "hi_size"),
            "pa": np.abs(np.degrees(np.arctan2(np.sin(turn), np.cos(turn)))),
            "w20": _relative(sub, true, a, b, "w20", "w20"),
            "i": np.abs(sub["i"][a] - true["i"][b]),
        }
        return {name: np.nan_to_num(np.minimum(1.0, TOLERANCES[name] / e), nan=0.0) for name, e in errors.items()}


def _separation(sub: dict[str, np.ndarray], true: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return great-circle separations, arcsec."""
    places = (np.radians(v) for v in (sub["ra"][a], sub["dec"][a], true["ra"][b], true["dec"][b]))
    return np.degrees(angular_separation(*places)) * 3600.0


def _relative(
    sub: dict[str, np.ndarray], true: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray, name: str, scale: str
) -> np.ndarray:
    return np.abs(sub[name][a] - true[name][b]) / true[scale][b]
