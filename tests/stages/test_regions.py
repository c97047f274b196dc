"""Regions for DS9 and CARTA, and annotations for Karma (spec sofia2 §4.7)."""

import logging
import re
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

FIND = ["pipeline.finder=threshold", "threshold.threshold=4", "linker.minSizeZ=3", "linker.minSizeXY=3"]
WRITE = ["output.writeRegions=true", "output.writeKarma=true"]
REGION = "input.region=1,46,2,45,0,29"
# an elongated one, from two blobs, and a round one
SOURCES = (
    GaussianSource(0.03, 10, 12, 13), GaussianSource(0.03, 10, 16, 15), GaussianSource(0.02, 20, 34, 36),
)  # fmt: skip
ELLIPSE = re.compile(r'ellipse\(([\d.+-]+),([\d.+-]+),([\d.]+)("?),([\d.]+)"?,([\d.+-]+)\) # text=\{(\d+)\}')


def run(folder, settings=(), **options):
    path = write_fits(folder / "cube.fits", *make_cube((30, 48, 50), **{"sources": SOURCES, **options}))
    return run_pipeline(path, folder, [*FIND, *WRITE, REGION, *settings]), fits.getheader(path)


def regions(folder):
    """Frame, and rows of x, y, half-axes, angle, id."""
    lines = (folder / "cube_cat.reg").read_text().splitlines()
    assert lines[0] == "# Region file format: DS9 version 4.1"
    rows = [ELLIPSE.fullmatch(line) for line in lines[4:]]
    assert all(rows)
    return lines[3], [tuple(float(row[n]) for n in (1, 2, 3, 5, 6, 7)) for row in rows]


def outline(x, y, r1, r2, angle):
    """Points of an ellipse as DS9 draws it: the first axis ``angle`` counter-clockwise from +x, which is west."""
    t, a = np.linspace(0, 2 * np.pi, 60), np.radians(angle)
    u, v = r1 * np.cos(t), r2 * np.sin(t)
    return u * np.cos(a) - v * np.sin(a), u * np.sin(a) + v * np.cos(a)


def radii(catalogue, n, x, y):
    """Of points in pixels, in units of the ellipse of the catalogue: 1 on it."""
    a = np.radians(catalogue["ell3s_pa"][n])
    dx, dy = x - catalogue["x"][n], y - catalogue["y"][n]
    along, across = -dx * np.sin(a) + dy * np.cos(a), dx * np.cos(a) + dy * np.sin(a)
    return np.hypot(along / catalogue["ell3s_maj"][n], across / catalogue["ell3s_min"][n])


HEADERS = {
    "fk5": {},
    "fk5 rotated": {"cards": {"CROTA2": 35.0}},
    "fk5 mirrored": {"cards": {"CDELT1": 10.0 / 3600.0}},
    "fk4": {"cards": {"EQUINOX": 1950.0}},
    "icrs": {"cards": {"EQUINOX": None}},
    "galactic": {"frame": "galactic"},
    "fk5 of long pixels": {"cards": {"CDELT2": 20.0 / 3600.0}},
}


@pytest.mark.parametrize("case", HEADERS)
def test_ellipses_on_the_sky_are_those_of_the_catalogue(tmp_path, case):
    catalogue, source = run(tmp_path, **HEADERS[case])
    frame, rows = regions(tmp_path)
    assert frame == case.split()[0]
    assert len(rows) == len(catalogue) == 2
    for n, (longitude, latitude, *shape, label) in enumerate(rows):
        assert label == catalogue["id"][n]
        west, north = outline(0, 0, *shape)
        sky = longitude - west / 3600 / np.cos(np.radians(latitude)), latitude + north / 3600
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x, y = WCS(source).celestial.wcs_world2pix(*sky, 0)
        # half-axes to 0.01″, positions to 0.004″, a flat sky
        np.testing.assert_allclose(radii(catalogue, n, x - 1, y - 2), 1.0, atol=5e-3)


@pytest.mark.parametrize("options", [{"cards": {"CTYPE1": None}}, {"cards": {"EQUINOX": 1975.0, "RADESYS": "FK5"}}])
def test_ellipses_in_pixels_where_there_is_no_sky(tmp_path, options):
    catalogue, _ = run(tmp_path, ["parameter.offset=true"], **options)
    frame, rows = regions(tmp_path)
    assert frame == "image"
    for n, (x, y, *shape, _) in enumerate(rows):
        dx, dy = outline(0, 0, *shape)
        # in the pixels of the region, counted from 1
        np.testing.assert_allclose(radii(catalogue, n, x + dx, y + 1 + dy), 1.0, atol=2e-3)


def test_without_parametrisation_circles_around_the_masks(tmp_path):
    catalogue, _ = run(tmp_path, ["parameter.enable=false", "parameter.wcs=false"])
    frame, rows = regions(tmp_path)
    assert frame == "image"
    for n, (x, y, r1, r2, _, _) in enumerate(rows):
        low, high = (np.array([catalogue[f"{a}_{end}"][n] for a in "xy"]) for end in ("min", "max"))
        assert (x, y) == tuple((low + high) / 2 + 1)
        assert r1 == r2 == (high - low + 1).max() / 2


# --- Karma ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frame", "names"), [("equatorial", ("ra", "dec")), ("galactic", ("l", "b"))])
def test_karma_has_a_number_at_every_source(tmp_path, frame, names):
    catalogue, _ = run(tmp_path, frame=frame)
    lines = (tmp_path / "cube_cat.ann").read_text().splitlines()
    orders = [line for line in lines if line and not line.startswith("#")]
    assert orders[:3] == ["COORD W", "PA STANDARD", "COLOR GREEN"]
    places = zip(*(catalogue[name] for name in names), strict=True)
    assert orders[3:] == [f"TEXT W {lon:e} {lat:e} {n}" for n, (lon, lat) in enumerate(places, 1)]
    assert len(orders) == 5


@pytest.mark.parametrize("setting", ["parameter.wcs=false", "parameter.enable=false"])
def test_karma_needs_the_sky(tmp_path, caplog, setting):
    with caplog.at_level(logging.WARNING):
        run(tmp_path, [setting])
    assert not (tmp_path / "cube_cat.ann").exists()
    assert "output.writeKarma has no effect" in caplog.text
