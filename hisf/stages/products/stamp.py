"""Who made a product and when."""

from __future__ import annotations

import os
import time

from hisf import __version__

CREATOR = f"hisf {__version__}"


def now() -> time.struct_time:
    """Return the local time; that of ``SOURCE_DATE_EPOCH`` (UTC) where it is set, so that products are reproducible."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.gmtime(int(fixed)) if fixed.isdigit() else time.localtime()


def catalogue_time() -> str:
    """Return the time as catalogues print it, for example ``Sun, 22 Nov 2026, 12:58:43``."""
    stamp, days = now(), ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return time.strftime(f"{days[stamp.tm_wday]}, %d {months[stamp.tm_mon - 1]} %Y, %H:%M:%S", stamp)


def utc_date() -> str:
    """Return the time as FITS headers print it, in UTC."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(fixed) if fixed.isdigit() else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def reproducible() -> bool:
    """Return whether ``SOURCE_DATE_EPOCH`` asks for the same bytes from the same run."""
    return os.environ.get("SOURCE_DATE_EPOCH", "").isdigit()
