"""FITS headers: reading them leniently, bringing them to three axes, cutting out a region."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from hisf.data.box import Box
from hisf.errors import FileAccessError, InputError

BLOCK = 2880
AXIS_KEYS = ("NAXIS", "CRPIX", "CRVAL", "CDELT", "CTYPE", "CUNIT")


def read_header(path: Path) -> tuple[fits.Header, int]:
    """Read the primary header of a FITS file.

    Returns
    -------
    header : `~astropy.io.fits.Header`
        Without the cards that cannot be parsed: nothing could be read of them, nor written to them.
    offset : int
        Byte at which the data begin.

    Raises
    ------
    FileAccessError
        The file is missing, unreadable, or ends before the header does.
    InputError
        The file has a header, but not that of a FITS primary unit.
    """
    try:
        with path.open("rb") as file:
            first = file.read(BLOCK)
            if not first.startswith(b"SIMPLE  ="):
                raise _not_fits(path, first, file)
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                header = fits.Header.fromfile(file)
                _drop_unparsable(header)
            return header, file.tell()
    except (FileNotFoundError, NotADirectoryError):
        raise FileAccessError(f"{path}: no such file; check input paths in the parameter file.") from None
    except IsADirectoryError:
        raise FileAccessError(f"{path} is a folder; a FITS or HDF5 file is needed.") from None
    except PermissionError:
        raise FileAccessError(f"{path}: permission denied.") from None
    except (OSError, VerifyError, ValueError) as error:
        raise FileAccessError(f"{path}: the FITS header is truncated or damaged ({error}).") from None


def _drop_unparsable(header: fits.Header) -> None:
    for n in reversed(range(len(header))):
        each = header.cards[n]
        try:
            each.value = each.value  # what is not even a value can be read as a text, but not be set
        except (VerifyError, ValueError):
            del header[n]


def _not_fits(path: Path, first: bytes, file: Any) -> FileAccessError | InputError:
    """Return the error for a file that does not begin with SIMPLE: 5 without an END card, 7 with one (spec §5)."""
    if not first:
        return FileAccessError(f"{path} is empty; a FITS or HDF5 file is needed.")
    if first.startswith(b"\x1f\x8b"):
        return FileAccessError(f"{path} is compressed; decompress it first (gunzip).")
    block = first
    while block:
        if any(block[i : i + 8] == b"END     " for i in range(0, len(block), 80)):
            return InputError(f"{path} has a header whose first card is not SIMPLE; it is not a FITS file.")
        block = file.read(BLOCK)
    return FileAccessError(f"{path} is not a FITS file: it has no FITS header.")


def card(header: fits.Header, key: str, default: Any = None) -> Any:
    """Return a header value, or ``default`` where the card is missing, blank or unreadable."""
    try:
        value = header.get(key, default)
    except (VerifyError, ValueError):
        return default
    return default if value is None or isinstance(value, fits.card.Undefined) else value


def number(header: fits.Header, key: str, default: float | None = None) -> float | None:
    """Return a header value as a float (a numeric string counts), or ``default``; one that is not finite is none."""
    value = card(header, key)
    try:
        found = math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return found if math.isfinite(found) else default


def text(header: fits.Header, key: str, default: str = "") -> str:
    """Return a header value as stripped text, or ``default`` where it is missing or blank."""
    return str(card(header, key, "")).strip() or default


def axis_sizes(header: fits.Header, name: str) -> list[int]:
    """Return NAXIS1, NAXIS2 … of a header.

    Raises
    ------
    InputError
        NAXIS is not 1 to 4 or a size is not a positive integer; ``name`` is the file named in the message.
    """
    naxis = card(header, "NAXIS", 0)
    if not isinstance(naxis, int) or isinstance(naxis, bool) or not 1 <= naxis <= 4:
        raise InputError(f"{name}: NAXIS is {naxis!r}; a cube or image with 1 to 4 axes in the primary HDU is needed.")
    sizes = [card(header, f"NAXIS{n}") for n in range(1, naxis + 1)]
    for n, size in enumerate(sizes, 1):
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"{name}: NAXIS{n} is {size!r}; every axis must have at least one pixel.")
    return sizes


def spectral_axis_third(header: fits.Header, name: str) -> tuple[fits.Header, bool]:
    """Bring the one long axis of axes 3 and 4 to place 3 (spec sofia2 §2.1).

    Returns
    -------
    header : `~astropy.io.fits.Header`
        A copy; axes 3 and 4 exchanged where axis 3 was the one of length 1.
    exchanged : bool

    Raises
    ------
    InputError
        Both axes are longer than 1.
    """
    sizes, header = axis_sizes(header, name), header.copy()
    if len(sizes) < 4 or sizes[3] == 1:
        return header, False
    if sizes[2] != 1:
        raise InputError(
            f"{name}: axes 3 and 4 have {sizes[2]} and {sizes[3]} pixels; one of the two must have length 1 "
            "(extract one Stokes parameter first)."
        )
    for key in AXIS_KEYS:
        third, fourth = card(header, f"{key}3"), card(header, f"{key}4")
        for name_, value in ((f"{key}3", fourth), (f"{key}4", third)):
            if value is not None:
                header[name_] = value
            elif name_ in header:
                del header[name_]
    return header, True


def cut_region(header: fits.Header, region: Box) -> fits.Header:
    """Return a copy of ``header`` for ``region`` (z, y, x): NAXISn set, CRPIXn moved (spec sofia2 §2.3)."""
    header = header.copy()
    bounds = ((region.x0, region.x1), (region.y0, region.y1), (region.z0, region.z1))
    for n, (low, high) in enumerate(bounds, 1):
        if f"NAXIS{n}" in header:
            header[f"NAXIS{n}"] = high - low
        reference = number(header, f"CRPIX{n}")
        if low and (reference is not None or f"CTYPE{n}" in header):
            header[f"CRPIX{n}"] = (reference if reference is not None else 0.0) - low
    return header
