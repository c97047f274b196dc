"""Cubes with known content, and files in every form that hisf reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

from hisf.data.box import Box, Shape
from hisf.data.cube import Cube
from hisf.data.fits_voxels import DTYPES, Scaling

PIXEL = 10.0 / 3600.0  # deg
BEAM_MAJOR, BEAM_MINOR = 4.0, 3.2  # FWHM in pixels, along y and x
TO_SIGMA = 1.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))

# first four characters of CTYPE3 -> CRVAL3, CDELT3, CUNIT3
SPECTRAL = {
    "FREQ": (1.41e9, 1.8e4, "Hz"),
    "VRAD": (2.0e6, -4.0e3, "m/s"),
    "VOPT": (2.0e6, -4.0e3, "m/s"),
    "VELO": (2.0e6, -4.0e3, "m/s"),
    "FELO": (2.0e6, -4.0e3, "m/s"),
}


class GaussianSource(NamedTuple):
    """A source in the form of a three-dimensional Gaussian.

    Attributes
    ----------
    peak : float
        Value of its central voxel, in data units.
    z, y, x : float
        Centre, zero-based.
    sigma_z, sigma_xy : float
        Standard deviations in channels and pixels.
    """

    peak: float
    z: float
    y: float
    x: float
    sigma_z: float = 2.0
    sigma_xy: float = 2.0


def make_cube(
    shape: Shape = (40, 32, 36),
    *,
    noise: float = 1e-3,
    sources: Iterable[GaussianSource] = (GaussianSource(0.02, 20.0, 16.0, 18.0),),
    seed: int = 1,
    ctype3: str = "FREQ",
    frame: str = "equatorial",
    beam: bool = True,
    dtype: Any = np.float32,
    cards: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, fits.Header]:
    """Make a cube of noise and sources.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    noise : float
        Standard deviation of the noise in data units; 0 for none.
    sources : iterable of GaussianSource
        Added as they are, not smoothed with the beam.
    seed : int
        Of the random numbers; the same seed gives the same cube.
    ctype3, frame, beam, cards
        See `make_header`. Without a beam the noise is independent from voxel to voxel.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    array : ndarray, shape (z, y, x)
    header : `~astropy.io.fits.Header`
        Without BITPIX and NAXIS, which `write_fits` and `as_cube` add.
    """
    array = _noise(shape, seed, beam) * noise if noise else np.zeros(shape)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for s in sources:
        planar = ((y - s.y) ** 2 + (x - s.x) ** 2) / s.sigma_xy**2
        array += s.peak * np.exp(-0.5 * (planar + (z - s.z) ** 2 / s.sigma_z**2))
    return array.astype(dtype), make_header(shape, ctype3=ctype3, frame=frame, beam=beam, cards=cards)


def make_header(
    shape: Shape,
    *,
    ctype3: str = "FREQ",
    frame: str = "equatorial",
    beam: bool = True,
    cards: Mapping[str, Any] | None = None,
) -> fits.Header:
    """Make the header of a cube: 10″ pixels in SIN projection, reference pixel in the middle.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    ctype3 : str
        Spectral type: FREQ, VRAD, VOPT, VELO or FELO, with whatever ending.
    frame : str
        ``equatorial`` or ``galactic``.
    beam : bool
        Whether there are BMAJ, BMIN and BPA: 4.0 by 3.2 pixels.
    cards : mapping of str to value, optional
        Set last; None removes a card. This is the place for awkward headers.

    Returns
    -------
    `~astropy.io.fits.Header`
    """
    _, ny, nx = shape
    longitude, latitude = ("RA---SIN", "DEC--SIN") if frame == "equatorial" else ("GLON-SIN", "GLAT-SIN")
    value, step, unit = SPECTRAL[ctype3[:4]]
    header = fits.Header()
    axes = (
        (longitude, nx // 2 + 1.0, 180.0, -PIXEL, "deg"),
        (latitude, ny // 2 + 1.0, -30.0, PIXEL, "deg"),
        (ctype3, 1.0, value, step, unit),
    )
    for n, (ctype, pixel, reference, delta, cunit) in enumerate(axes, 1):
        header[f"CTYPE{n}"], header[f"CRPIX{n}"], header[f"CRVAL{n}"] = ctype, pixel, reference
        header[f"CDELT{n}"], header[f"CUNIT{n}"] = delta, cunit
    header["BUNIT"] = "Jy/beam"
    header["RESTFRQ"] = 1.420405752e9
    if frame == "equatorial":
        header["EQUINOX"] = 2000.0
    if beam:
        header["BMAJ"], header["BMIN"], header["BPA"] = BEAM_MAJOR * PIXEL, BEAM_MINOR * PIXEL, 0.0
    for key, card in (cards or {}).items():
        if card is None:
            header.remove(key, ignore_missing=True)
        else:
            header[key] = card
    return header


def as_cube(array: np.ndarray, header: fits.Header, region: tuple[int, ...] = (), name: str = "test cube") -> Cube:
    """Return a `Cube` of an array, without a file; what is read from it are copies.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Not copied.
    header : `~astropy.io.fits.Header`
        BITPIX and NAXIS are added.
    region : tuple of int
        As in ``input.region``.
    name : str
        For messages.
    """
    bitpix = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}[f"{array.dtype.kind}{array.dtype.itemsize}"]
    return Cube(name, _complete(header, array.shape, bitpix), _MemoryVoxels(array), region)


def write_fits(
    path: Path,
    array: np.ndarray,
    header: fits.Header,
    *,
    bitpix: int | None = None,
    bscale: float | None = None,
    bzero: float | None = None,
    blank: int | None = None,
    stokes: str = "none",
) -> Path:
    """Write a FITS file, byte for byte as asked, past the conversions of any library.

    Parameters
    ----------
    path : Path
    array : ndarray, shape (y, x), (z, y, x) or (4th, z, y, x)
        Physical values; NaN becomes ``blank`` in integer files.
    header : `~astropy.io.fits.Header`
        SIMPLE, BITPIX, NAXIS and the cards of scaling are added.
    bitpix : int, optional
        8, 16, 32, 64, -32 or -64; that of the array otherwise. The values are rounded and must fit.
    bscale, bzero : float, optional
        Written as cards where given; what is stored is (value − bzero)/bscale.
    blank : int, optional
        Written as a card where given.
    stokes : str
        ``none``; ``fourth`` adds a fourth axis of length 1 behind the spectral one; ``third`` puts it before.

    Returns
    -------
    Path
        ``path``.
    """
    if bitpix is None:
        bitpix = {"f4": -32, "f8": -64, "u1": 8, "i2": 16, "i4": 32, "i8": 64}[array.dtype.str[1:]]
    stored = np.asarray(array)
    if bscale is not None or bzero is not None:
        stored = (stored - (bzero or 0.0)) / (1.0 if bscale is None else bscale)
    if bitpix > 0 and stored.dtype.kind == "f":
        stored = np.where(np.isnan(stored), 0 if blank is None else blank, np.rint(stored))
    full = _complete(header, array.shape, bitpix, stokes)
    for key, value in (("BSCALE", bscale), ("BZERO", bzero), ("BLANK", blank)):
        if value is not None:
            full[key] = value
    data = np.ascontiguousarray(stored.astype(DTYPES[bitpix])).tobytes()
    path.write_bytes(
        full.tostring(sep="", endcard=True, padding=True).encode("ascii") + data + b"\0" * (-len(data) % 2880)
    )
    return path


def write_hdf5(path: Path, array: np.ndarray, header: fits.Header, layout: str = "idia") -> Path:
    """Write an HDF5 file whose attributes are the header cards.

    Parameters
    ----------
    path : Path
    array : ndarray of 2 to 4 axes
        Stored as it is.
    header : `~astropy.io.fits.Header`
    layout : str
        ``idia``: cards on the group ``0``, the data set ``0/DATA`` in it; ``plain``: one data set ``cube`` with the
        cards.

    Returns
    -------
    Path
        ``path``.
    """
    import h5py

    with h5py.File(path, "w") as file:
        if layout == "idia":
            holder = file.create_group("0")
            holder.create_dataset("DATA", data=array)
        else:
            holder = file.create_dataset("cube", data=array)
        for key, value in header.items():
            holder.attrs[key] = value
    return path


class _MemoryVoxels:
    """An array in the place of a file."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        nz, ny, nx = array.shape
        self.shape: Shape = (nz, ny, nx)
        self.integer = array.dtype.kind in "iu"
        self.dtype = np.dtype(np.float32) if self.integer else array.dtype
        self.scaling = Scaling(fits.Header(), self.integer)

    def read(self, box: Box) -> np.ndarray:
        """Return a copy of ``box`` in floating point."""
        return self.array[box.slices].astype(self.dtype)

    def read_stored(self, box: Box) -> np.ndarray:
        """Return a copy of ``box``."""
        return self.array[box.slices].copy()


def _noise(shape: Shape, seed: int, beam: bool) -> np.ndarray:
    """Return Gaussian noise of standard deviation 1, channel by channel smoothed with the beam."""
    white = np.random.default_rng(seed).standard_normal(shape)
    if not beam:
        return white
    v, u = np.fft.fftfreq(shape[1])[:, None], np.fft.rfftfreq(shape[2])
    sigma_y, sigma_x = BEAM_MAJOR * TO_SIGMA, BEAM_MINOR * TO_SIGMA
    transfer = np.exp(-2.0 * np.pi**2 * ((sigma_y * v) ** 2 + (sigma_x * u) ** 2))
    smooth = np.fft.irfft2(np.fft.rfft2(white) * transfer, s=shape[1:])
    return smooth / smooth.std()


def _complete(header: fits.Header, shape: tuple[int, ...], bitpix: int, stokes: str = "none") -> fits.Header:
    """Return a header with SIMPLE, BITPIX, NAXIS and, where asked, a Stokes axis."""
    sizes = list(reversed(shape))
    cards = {key: value for key, value in header.items() if key not in ("SIMPLE", "BITPIX", "EXTEND", "NAXIS")}
    if stokes != "none":
        axis = {"CTYPE": "STOKES", "CRPIX": 1.0, "CRVAL": 1.0, "CDELT": 1.0}
        if stokes == "third":
            for key in ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT"):
                if f"{key}3" in cards:
                    cards[f"{key}4"] = cards.pop(f"{key}3")
        cards |= {f"{key}{'4' if stokes == 'fourth' else '3'}": value for key, value in axis.items()}
        sizes.insert(3 if stokes == "fourth" else 2, 1)
    full = fits.Header()
    full["SIMPLE"], full["BITPIX"], full["NAXIS"] = True, bitpix, len(sizes)
    for n, size in enumerate(sizes, 1):
        full[f"NAXIS{n}"] = size
    for key, value in cards.items():
        if not key.startswith("NAXIS"):
            full[key] = value
    return full
