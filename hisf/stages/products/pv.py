"""Position-velocity diagrams along and across the kinematic major axis (spec sofia2 §4.9)."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from hisf.data.cube import Cube
from hisf.data.header import card, number, text
from hisf.settings import Settings
from hisf.stages.products.cubelet import Cubelet
from hisf.stages.products.fits_image import BEAM, GLOBAL, empty_header, printable, sign

SPECTRAL_KEYS = ("CTYPE", "CRVAL", "CUNIT")


def slice_positions(x: float, y: float, angle: float, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of a slit.

    Parameters
    ----------
    x, y : float
        Its centre in pixels.
    angle : float
        Direction in which the offset grows: deg from +y, counter-clockwise.
    half : int
        Number of samples on either side of the centre, one pixel apart.

    Returns
    -------
    x, y : ndarray, shape (2 half + 1,)
    """
    offset, theta = np.arange(-half, half + 1.0), np.radians(angle)
    return x - offset * np.sin(theta), y + offset * np.cos(theta)


def interpolate(data: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sample every channel at positions between pixels, bilinearly.

    Parameters
    ----------
    data : ndarray, shape (z, y, x)
    x, y : ndarray, shape (n,)
        Pixels counted from 0.

    Returns
    -------
    ndarray of float64, shape (z, n)
        NaN outside the image and where one of the pixels that count is NaN. On a pixel its own value; SoFiA 2.5 leaves
        samples blank there.
    """
    _, ny, nx = data.shape
    inside = (x >= 0) & (x <= nx - 1) & (y >= 0) & (y <= ny - 1)
    found = np.full((len(data), len(x)), np.nan)
    x, y = x[inside], y[inside]
    left, low = np.floor(x).astype(int), np.floor(y).astype(int)
    dx, dy = x - left, y - low
    right, high = left + (dx > 0), low + (dy > 0)
    lower = (1 - dx) * data[:, low, left] + dx * data[:, low, right]
    upper = (1 - dx) * data[:, high, left] + dx * data[:, high, right]
    found[:, inside] = (1 - dy) * lower + dy * upper
    return found


def diagrams(cubelet: Cubelet, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the diagram of a source and of its mask along one slit through its centroid.

    Parameters
    ----------
    cubelet : Cubelet
    angle : float
        deg, from +y, counter-clockwise.

    Returns
    -------
    data : ndarray of the cubelet's type, shape (z, n)
        n = 2 L + 1 with L half the longer side of the cubelet, rounded down; NaN outside the cubelet.
    mask : ndarray of uint8, shape (z, n)
        The mask, sampled likewise and rounded; 0 outside.
    """
    half = max(cubelet.box.shape[1:]) // 2
    x, y = slice_positions(cubelet.x, cubelet.y, angle, half)
    mask = np.nan_to_num(interpolate(cubelet.member.astype(float), x, y))
    return interpolate(cubelet.data, x, y).astype(cubelet.data.dtype), np.rint(mask).astype(np.uint8)


def common_header(dtype: np.dtype, cube: Cube, settings: Settings) -> fits.Header:
    """Return what the headers of all diagrams of one type have in common.

    Axis 1 is the offset as ANGLE, axis 2 the spectral axis of the cube. That of a mask, which is of type uint8, has
    neither unit nor beam.
    """
    mask, grid = dtype == np.uint8, cube.header
    header = empty_header(dtype, (0, 0))
    unit = text(grid, "CUNIT2", "deg")
    pixel, channel = (number(grid, f"CDELT{n}") or number(grid, f"CD{n}_{n}") or 1.0 for n in (2, 3))
    header["CTYPE1"], header["CUNIT1"] = "ANGLE", "deg" if unit.lower().startswith("deg") else unit
    header["CRPIX1"], header["CRVAL1"], header["CDELT1"] = 0.0, 0.0, pixel
    for key in SPECTRAL_KEYS:
        value = card(grid, f"{key}3")
        if value is not None:
            header[f"{key}2"] = value
    header["CRPIX2"], header["CDELT2"] = number(grid, "CRPIX3") or 0.0, channel
    for key in grid:
        if (key in GLOBAL and "POLE" not in key) or key.startswith("SPECSYS") or (key in BEAM and not mask):
            value = card(grid, key)
            if value is not None:
                header[key] = value
    sign(header, settings, " " if mask else card(grid, "BUNIT", ""))
    return header


def diagram_header(cubelet: Cubelet, angle: float, image: np.ndarray, cube: Cube, common: fits.Header) -> fits.Header:
    """Return the header of a diagram of shape (z, n), from `common_header`.

    ``PVD_X``, ``PVD_Y`` (pixels of the cubelet counted from 0), ``PVD_LON``, ``PVD_LAT`` and ``PVD_PA`` (deg) say where
    the slit lies.
    """
    header = common.copy()
    header["NAXIS2"], header["NAXIS1"] = image.shape
    header["CRPIX1"] = image.shape[1] // 2 + 1.0
    header["CRPIX2"] -= cubelet.box.z0
    header["OBJECT"] = printable(cubelet.name)
    _describe_slit(header, cubelet, angle, cube)
    return header


def _describe_slit(header: fits.Header, cubelet: Cubelet, angle: float, cube: Cube) -> None:
    header["PVD_X"] = cubelet.x, "[pix] centre of the slit, counted from 0"
    header["PVD_Y"] = cubelet.y, "[pix] centre of the slit, counted from 0"
    if cube.wcs is not None:
        place = (np.array([value]) for value in (cubelet.x + cubelet.box.x0, cubelet.y + cubelet.box.y0, 0.0))
        longitude, latitude, _ = cube.wcs.to_world(*place)
        if np.isfinite(longitude[0]) and np.isfinite(latitude[0]):
            header["PVD_LON"], header["PVD_LAT"] = float(longitude[0]), float(latitude[0])
    header["PVD_PA"] = angle, "[deg] from +y, counter-clockwise"
