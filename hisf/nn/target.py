"""What the network is to draw: the galaxies of a catalogue as voxels (spec forska §3; Håkansson et al. 2023, §2.2.2).

Two drawings. The *wedge* is that of the paper: of a rotating disc, whose velocities lie between those of a rigid and
those of a flat rotation curve, enlarged by a few pixels for the beam. The *cylinder* is that of the challenge entry
(§19): the ellipse of the disc times its whole line width. κ = q, with which edge-on discs are regular (§3.1), and
widths are those of the source frame (§1.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.spectral import SpectralAxis
from hisf.data.wcs import WorldCoordinates
from hisf.errors import InputError

if TYPE_CHECKING:
    from astropy.table import QTable

THICKNESS = 0.2  # of a disc, in units of its diameter (spec forska §1.2)
PADDING_BEAMS = 0.4  # FWHM: the 1 px of the paper in SDC2 (§3.2)
SMALL = 1e-9  # in place of a minor axis of nothing


@dataclass(frozen=True, slots=True)
class Galaxy:
    """A disc on the grid of a cube.

    Attributes
    ----------
    z, y, x : float
        Centre, zero-based pixels.
    size : float
        Diameter of the disc, pixels.
    inclination : float
        Degrees, 90 for edge-on.
    pa : float
        Position angle of the receding side, degrees, such that it lies towards (x, y) = (−sin pa, cos pa).
    n20 : float
        Line width, channels, positive.
    receding : int
        Sign of dz/dv, v positive for receding: −1 where channels grow with frequency, as in SDC2.
    padding : float
        By which a wedge is enlarged on the sky, pixels.
    thickness : float
        Of the disc, in units of its diameter.

    Raises
    ------
    ValueError
        A number is not finite or out of range.
    """

    z: float
    y: float
    x: float
    size: float
    inclination: float
    pa: float
    n20: float
    receding: int = -1
    padding: float = 1.0
    thickness: float = THICKNESS

    def __post_init__(self) -> None:
        for field in fields(self):
            if not math.isfinite(getattr(self, field.name)):
                raise ValueError(f"{field.name} = {getattr(self, field.name)} of a galaxy is not a finite number.")
        if self.size <= 0 or self.n20 <= 0 or self.padding < 0 or self.thickness < 0:
            raise ValueError(f"{self}: size and n20 must be positive, padding and thickness not negative.")
        if self.receding not in (-1, 1):
            raise ValueError(f"receding = {self.receding} is neither -1 nor 1.")

    @property
    def axis_ratio(self) -> float:
        """Minor over major axis of the disc on the sky, ``q = sqrt(cos² i + α² sin² i)`` (Eq. 1)."""
        i = math.radians(self.inclination)
        return math.hypot(math.cos(i), self.thickness * math.sin(i))


Drawing = Callable[[Galaxy], tuple[Box, np.ndarray]]


def bounds(
    x: np.ndarray, y: np.ndarray, size: float, q: float, pad: float, rim_slack: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the velocities that a padded disc can have at places of the sky (§3.1, §3.2; Eqs. 2, 3, B.1, B.2).

    Parameters
    ----------
    x, y : ndarray, any shape, pixels
        From the centre along the major axis (receding side positive) and across it.
    size : float
        Diameter, pixels.
    q : float
        Axis ratio, which is κ too; cos i for the paper's κ.
    pad : float
        Radius of the disc by which the mask is dilated on the sky, pixels.
    rim_slack : float
        0 (paper) to 1: by how much slower than its maximum the rim may rotate (§3.5).

    Returns
    -------
    lower, upper : ndarray of float64, shape of x
        From the systemic velocity, receding positive, in units of w20/2; within ±1. ``lower`` may exceed ``upper``
        outside the padded disc, where the mask is not asked for.

    Raises
    ------
    ValueError
        ``size`` or ``q`` is not positive, ``pad`` negative or ``rim_slack`` outside 0 … 1.
    """
    if size <= 0 or q <= 0 or pad < 0 or not 0 <= rim_slack <= 1:
        raise ValueError(f"size {size} and q {q} must be positive, pad {pad} ≥ 0, rim_slack {rim_slack} in 0 … 1.")
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    distance = np.hypot(x, y)
    tangent = np.sqrt(np.maximum(distance**2 - pad**2, 0.0))  # its length from the centre to the dilating disc
    # (x, y) turned to the two tangents: the extreme azimuths within the dilating disc
    backward = _fastest(tangent * x - pad * y, tangent * y + pad * x, q)
    forward = _fastest(tangent * x + pad * y, tangent * y - pad * x, q)
    slope = (1.0 - rim_slack) * 2.0 / size
    lower = np.where(x > pad, np.minimum((x - pad) * slope, 1.0), np.where(y < 0, forward, backward))
    upper = np.where(x < -pad, np.maximum((x + pad) * slope, -1.0), np.where(y < 0, backward, forward))
    central = distance < pad
    on_axis = np.abs(y) <= pad
    lower = np.where(central | ((x <= 0) & on_axis), -1.0, lower)
    upper = np.where(central | ((x >= 0) & on_axis), 1.0, upper)
    return lower, upper


def _fastest(x: np.ndarray, y: np.ndarray, q: float) -> np.ndarray:
    """Return cos u, the cosine of the azimuth in the disc's plane: the velocity of a flat rotation curve (Eq. 3)."""
    radius = np.hypot(x, y / q)
    return np.divide(x, radius, out=np.zeros_like(radius), where=radius > 0)


def wedge(galaxy: Galaxy, rim_slack: float = 0.0) -> tuple[Box, np.ndarray]:
    """Return the voxels of a rotating disc (§3.2, §3.3).

    The footprint is the ellipse with semi-axes S/2 + p and s/2 + p at pixel centres, and the pixel that the centre
    lies in. Where only the latter applies, that pixel holds (nearly) all of the disc and takes the whole width.

    Parameters
    ----------
    galaxy : Galaxy
    rim_slack : float
        See `bounds`.

    Returns
    -------
    box : Box
        The smallest around the mask, in cube coordinates; it may lie outside the cube.
    mask : ndarray of bool, shape ``box.shape`` (z, y, x)
        With at least one voxel, and no gap along z.
    """
    q = max(galaxy.axis_ratio, SMALL)
    along, across, corner = _plane(galaxy, galaxy.padding)
    inside = _ellipse(along, across, galaxy.size / 2 + galaxy.padding, q * galaxy.size / 2 + galaxy.padding)
    lower, upper = bounds(along, across, galaxy.size, q, galaxy.padding, rim_slack)
    lower, upper = np.where(inside, lower, -1.0), np.where(inside, upper, 1.0)
    return _fill(galaxy, inside, lower, upper, corner)


def cylinder(galaxy: Galaxy) -> tuple[Box, np.ndarray]:
    """Return the voxels of the ellipse of a disc, not padded, times its whole line width (§19); else as `wedge`."""
    along, across, corner = _plane(galaxy, 0.0)
    inside = _ellipse(along, across, galaxy.size / 2, max(galaxy.axis_ratio, SMALL) * galaxy.size / 2)
    whole = np.ones(inside.shape)
    return _fill(galaxy, inside, -whole, whole, corner)


DRAWINGS: dict[str, Drawing] = {"wedge": wedge, "cylinder": cylinder}


def extent(galaxy: Galaxy) -> Box:
    """Return a box, in cube coordinates, that holds every mask of a galaxy; the smallest one may be smaller."""
    a, b = galaxy.size / 2 + galaxy.padding, galaxy.axis_ratio * galaxy.size / 2 + galaxy.padding
    theta = math.radians(galaxy.pa)
    half_x = math.hypot(a * math.sin(theta), b * math.cos(theta))
    half_y = math.hypot(a * math.cos(theta), b * math.sin(theta))
    ends = []
    for centre, half in ((galaxy.z, galaxy.n20 / 2), (galaxy.y, half_y), (galaxy.x, half_x)):
        ends += [math.floor(centre - half + 0.5), math.floor(centre + half + 0.5) + 1]
    return Box(*ends)


def _plane(galaxy: Galaxy, padding: float) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return places along and across the major axis, each (y, x), of pixels around a galaxy, and the first (y, x)."""
    box = extent(galaxy)
    x = np.arange(box.x0, box.x1) - galaxy.x
    y = np.arange(box.y0, box.y1)[:, None] - galaxy.y
    sine, cosine = math.sin(math.radians(galaxy.pa)), math.cos(math.radians(galaxy.pa))
    return y * cosine - x * sine, -y * sine - x * cosine, (box.y0, box.x0)


def _ellipse(along: np.ndarray, across: np.ndarray, major: float, minor: float) -> np.ndarray:
    return (along / major) ** 2 + (across / max(minor, SMALL)) ** 2 <= 1.0


def _fill(
    galaxy: Galaxy, inside: np.ndarray, lower: np.ndarray, upper: np.ndarray, corner: tuple[int, int]
) -> tuple[Box, np.ndarray]:
    """Return the voxels between velocities, each (y, x) in units of w20/2, both ends included (§3.3)."""
    inside = inside.copy()
    inside[math.floor(galaxy.y + 0.5) - corner[0], math.floor(galaxy.x + 0.5) - corner[1]] = True
    if galaxy.receding < 0:
        lower, upper = -upper, -lower
    first = np.floor(galaxy.z + galaxy.n20 / 2 * lower + 0.5).astype(np.int64)
    last = np.floor(galaxy.z + galaxy.n20 / 2 * upper + 0.5).astype(np.int64)
    ys, xs = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    cut = slice(int(ys[0]), int(ys[-1]) + 1), slice(int(xs[0]), int(xs[-1]) + 1)
    z0, z1 = int(first[inside].min()), int(last[inside].max()) + 1
    z = np.arange(z0, z1)[:, None, None]
    mask = inside[cut] & (z >= first[cut]) & (z <= last[cut])
    y0, x0 = corner[0] + cut[0].start, corner[1] + cut[1].start
    return Box(z0, z1, y0, y0 + mask.shape[1], x0, x0 + mask.shape[2]), mask


def target_mask(galaxies: Sequence[Galaxy], shape: Shape, box: Box | None = None, draw: Drawing = wedge) -> np.ndarray:
    """Return the union of the masks of galaxies within a box.

    Parameters
    ----------
    galaxies : sequence of Galaxy
        Those that do not touch the box are passed over.
    shape : tuple of int
        Of the cube (z, y, x).
    box : Box, optional
        The whole cube without it.
    draw : callable
        One of `DRAWINGS`.

    Returns
    -------
    ndarray of bool, shape ``box.shape`` (z, y, x)

    Raises
    ------
    ValueError
        The box is not inside the cube.
    """
    box = _inside(box, shape)
    target = np.zeros(box.shape, bool)
    for _, here, mask in _pieces(galaxies, box, draw):
        target[here.slices] |= mask
    return target


def label_map(galaxies: Sequence[Galaxy], shape: Shape, box: Box | None = None, draw: Drawing = wedge) -> np.ndarray:
    """Return which galaxy each voxel of a box belongs to (§3.4); parameters and errors as in `target_mask`.

    A voxel of several masks belongs to the galaxy with the nearest centre, the spectral distance in units of N20/2
    and the spatial one in units of the padded semi-major axis S/2 + p; to the first of those at equal distance.

    Returns
    -------
    ndarray of int32, shape ``box.shape`` (z, y, x)
        0 for background, n + 1 for galaxy n. Beside it one float32 array of that shape is held while it is made.
    """
    box = _inside(box, shape)
    labels = np.zeros(box.shape, np.int32)
    nearest = np.full(box.shape, np.inf, np.float32)
    for n, here, mask in _pieces(galaxies, box, draw):
        galaxy, place = galaxies[n], here.shift(box.z0, box.y0, box.x0)
        across = galaxy.size / 2 + galaxy.padding
        z = (np.arange(place.z0, place.z1) - galaxy.z)[:, None, None] / (galaxy.n20 / 2)
        y = (np.arange(place.y0, place.y1) - galaxy.y)[:, None] / across
        x = (np.arange(place.x0, place.x1) - galaxy.x) / across
        distance = (z**2 + y**2 + x**2).astype(np.float32)
        closer = mask & (distance < nearest[here.slices])
        labels[here.slices][closer] = n + 1
        nearest[here.slices][closer] = distance[closer]
    return labels


def _inside(box: Box | None, shape: Shape) -> Box:
    whole = Box.whole(shape)
    if box is not None and box != box.grow((0, 0, 0), shape):
        raise ValueError(f"{box} is not inside the cube of shape {shape}.")
    return whole if box is None else box


def _pieces(galaxies: Sequence[Galaxy], box: Box, draw: Drawing) -> Iterator[tuple[int, Box, np.ndarray]]:
    """Yield, for every galaxy that touches a box: its number, where it lies within the box, its mask there."""
    for n, galaxy in enumerate(galaxies):
        if not extent(galaxy).overlaps(box):
            continue
        own, mask = draw(galaxy)
        if own.overlaps(box):
            inner = own.inside(box)
            here = inner.grow((0, 0, 0), box.shape)
            yield n, here, mask[here.inside(inner).slices]


def galaxies_of_sdc2(
    table: QTable,
    coordinates: WorldCoordinates,
    axis: SpectralAxis,
    beam_arcsec: float,
    padding_beams: float = PADDING_BEAMS,
    thickness: float = THICKNESS,
) -> list[Galaxy]:
    """Place the rows of a catalogue in SDC2 format on the grid of a cube.

    ``N20 = w20 · ν_c / (c · |Δν|)``, w20 being a width in the frame of the source (§1.3). Position angles are turned
    from the sky to the grid of the cube, whatever its orientation.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        As `hisf.data.sdc2_table.read_sdc2` returns it.
    coordinates : WorldCoordinates
        Of the cube; equatorial.
    axis : SpectralAxis
        Of the cube.
    beam_arcsec : float
        FWHM of the beam, the geometric mean of its axes, arcsec.
    padding_beams : float
        Padding of the wedge in units of it.
    thickness : float
        Of the discs, in units of their diameters.

    Returns
    -------
    list of Galaxy
        In the order of the rows, also those outside the cube.

    Raises
    ------
    InputError
        The cube's positions are not right ascension and declination, or a row makes no galaxy.
    """
    if not coordinates.equatorial:
        raise InputError("The catalogue has right ascensions and declinations, the cube has not.")
    ra, dec = table["ra"].to_value("deg"), table["dec"].to_value("deg")
    x, y = coordinates.to_pixel(ra, dec)
    frequency, w20 = table["central_freq"].to_value("Hz"), table["w20"].to_value("km/s")
    size, pa, inclination = (table[n].to_value(u) for n, u in (("hi_size", "arcsec"), ("pa", "deg"), ("i", "deg")))
    galaxies = []
    for n in range(len(table)):
        step = coordinates.arcsec_per_pixel(x[n], y[n])
        pixel = math.sqrt(abs(float(np.linalg.det(step))))
        try:
            theta = math.radians(pa[n])
            dx, dy = np.linalg.solve(step, [math.sin(theta), math.cos(theta)])
            channels = axis.channels_per_kms(float(frequency[n]))
            galaxies.append(
                Galaxy(
                    float(axis.channel(frequency[n])), float(y[n]), float(x[n]), float(size[n]) / pixel,
                    float(inclination[n]), math.degrees(math.atan2(-dx, dy)), float(w20[n]) * abs(channels),
                    1 if channels > 0 else -1, padding_beams * beam_arcsec / pixel, thickness,
                )
            )  # fmt: skip
        except (ValueError, np.linalg.LinAlgError, ZeroDivisionError) as error:
            raise InputError(f"Source {table['id'][n]} of the catalogue cannot be drawn: {error}") from None
    return galaxies
