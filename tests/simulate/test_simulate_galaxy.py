"""Galaxies: what is put in can be measured in the noiseless cube."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.cosmology import Planck15
from astropy.io import fits

from hisf.simulate import Beam, DiscModel, Galaxy, Geometry, Shape3D, TemplateModel, draw_shape, from_options, render
from hisf.simulate.cosmology import (
    comoving_mpc,
    flat_speed_kms,
    flux_jy_hz,
    kpc_per_arcsec,
    luminosity_mpc,
    mass_msun,
    redshift,
    size_kpc,
)
from hisf.simulate.disc import line_width, match_speed, surface_density, width_of
from hisf.simulate.render import place_of
from hisf.simulate.writing import write_cube

FREQUENCY = 1.404e9
STEP = 15e3  # Hz, 3.2 km/s


@pytest.fixture(scope="module")
def geometry() -> Geometry:
    return from_options((130, 480, 480), 3.0, Beam(8.0, 8.0), FREQUENCY - 65 * STEP, STEP)


def galaxy_of(log_mass: float = 9.4, **more: object) -> Galaxy:
    """A galaxy on the mass–size relation."""
    mass = 10.0**log_mass
    size = float(size_kpc(mass) / kpc_per_arcsec(redshift(FREQUENCY)))
    plain = Galaxy(1, 180.0, -30.0, size, float(flux_jy_hz(mass, FREQUENCY)), FREQUENCY, 40.0, 60.0, 220.0)
    return replace(plain, **more)


def moments(cutout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intensity and mean channel."""
    image = cutout.sum(axis=0, dtype=float)
    z = np.arange(len(cutout))[:, None, None]
    return image, (cutout * z).sum(axis=0) / np.maximum(image, 1e-30)


def gradient_pa(cutout: np.ndarray, channels_per_kms: float) -> float:
    """Position angle of the receding side by the gradient of the velocity field, deg."""
    image, mean = moments(cutout)
    y, x = np.indices(image.shape)
    root = np.sqrt(image).ravel()
    design = np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=1) * root[:, None]
    _, gx, gy = np.linalg.lstsq(design, mean.ravel() * np.sign(channels_per_kms) * root)[0]
    return float(np.degrees(np.arctan2(-gx, gy))) % 360.0


@pytest.fixture(scope="module")
def population(geometry: Geometry, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """Thirty-six galaxies with everything, in one noiseless cube; what is measured over what was asked for."""
    rng = np.random.default_rng(5)
    galaxies = []
    for k in range(36):
        x, y = 40.0 + 80.0 * (k % 6), 40.0 + 80.0 * (k // 6)
        ra, dec = geometry.to_sky(np.array([x]), np.array([y]))
        log_mass = rng.uniform(8.6, 9.1)
        galaxy = galaxy_of(
            log_mass, id=k + 1, ra_deg=float(ra[0]), dec_deg=float(dec[0]), pa_deg=rng.uniform(0, 360),
            inclination_deg=float(np.degrees(np.arccos(rng.uniform(0.4, 0.95)))), w20_kms=rng.uniform(70, 300), seed=k,
            shape=draw_shape(rng, 10.0**log_mass),
        )  # fmt: skip
        galaxies.append(galaxy)
    path = tmp_path_factory.mktemp("population") / "cube.fits"
    found = write_cube(path, geometry, galaxies, DiscModel(), [], np.ones(geometry.shape[0]))
    cube = fits.getdata(path)
    results = []
    for k, (galaxy, one) in enumerate(zip(galaxies, found, strict=True)):
        cell = np.asarray(cube[:, 80 * (k // 6) : 80 * (k // 6) + 80, 80 * (k % 6) : 80 * (k % 6) + 80], np.float64)
        results.append(measure(galaxy, cell, geometry) | {"inside": one.inside})
    return results


def measure(galaxy: Galaxy, cell: np.ndarray, geometry: Geometry) -> dict[str, float]:
    image = cell.sum(axis=0) * STEP / geometry.beam_area / 9.0  # Jy Hz per arcsec²
    z = redshift(galaxy.frequency_hz)
    density = mass_msun(image, galaxy.frequency_hz) / (1e3 * kpc_per_arcsec(z)) ** 2  # Msun/pc², as seen
    ratio = np.sqrt(0.96 * np.cos(np.radians(galaxy.inclination_deg)) ** 2 + 0.04)
    area = 9.0 * (density * ratio > 1.0).sum()
    size = np.sqrt(4.0 * area / np.pi / ratio)
    dz = place_of(galaxy, geometry).channels_per_kms
    y, x = np.indices(image.shape)
    turned = (gradient_pa(cell, dz) - galaxy.pa_deg + 180.0) % 360.0 - 180.0
    return {
        "flux": image.sum() * 9.0 / galaxy.flux_jy_hz,
        "w20": width_of(cell.sum(axis=(1, 2))) / abs(dz) / galaxy.w20_kms,
        "size": size / galaxy.size_arcsec,
        "pa": turned,
        "offset": np.hypot((image * x).sum() / image.sum() - 40, (image * y).sum() / image.sum() - 40) * 3.0,
    }


def test_flux_is_recovered(population: list[dict[str, float]]) -> None:
    assert [r["flux"] for r in population] == pytest.approx([1.0] * 36, abs=0.01)
    assert min(r["inside"] for r in population) > 0.995


def test_w20_is_recovered(population: list[dict[str, float]]) -> None:
    ratios = np.array([r["w20"] for r in population])
    assert np.median(ratios) == pytest.approx(1.0, abs=0.03)
    assert np.percentile(np.abs(ratios - 1.0), 84) < 0.05


def test_size_is_recovered(population: list[dict[str, float]]) -> None:
    ratios = np.array([r["size"] for r in population])
    assert np.median(ratios) == pytest.approx(1.0, abs=0.03)
    assert np.percentile(np.abs(ratios - 1.0), 84) < 0.1  # clumps and lopsidedness change outlines


def test_receding_side_is_at_the_position_angle(population: list[dict[str, float]]) -> None:
    turned = np.array([r["pa"] for r in population])
    assert abs(np.median(turned)) < 3.0
    assert np.percentile(np.abs(turned), 84) < 15.0  # warps turn the outer disc


def test_positions_are_those_of_the_centres(population: list[dict[str, float]]) -> None:
    assert np.median([r["offset"] for r in population]) < 5.0  # arcsec; lopsided by 0.1 of a radius of 50


@pytest.mark.parametrize("pa", [0.0, 130.0, 290.0])
@pytest.mark.parametrize("profile", ["ring", "exponential"])
def test_plain_disc_is_where_and_as_asked(geometry: Geometry, pa: float, profile: str) -> None:
    galaxy = galaxy_of(pa_deg=pa, shape=Shape3D(profile))
    box, cutout = render(galaxy, geometry, DiscModel())
    image, _ = moments(cutout)
    y, x = np.indices(image.shape)
    found = [(image * a).sum() / image.sum() + o for a, o in ((x, box.x0), (y, box.y0))]
    assert found == pytest.approx([240.0, 240.0], abs=0.05)
    z = (cutout.sum(axis=(1, 2)) * np.arange(box.z0, box.z1)).sum() / cutout.sum(dtype=float)
    assert z == pytest.approx(65.0, abs=0.1)
    turned = gradient_pa(cutout, place_of(galaxy, geometry).channels_per_kms) - pa
    assert (turned + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1.5)


@pytest.mark.parametrize("inclination", [0.0, 45.0, 75.0, 90.0])
def test_axis_ratio_is_that_of_a_spheroid(geometry: Geometry, inclination: float) -> None:
    galaxy = galaxy_of(pa_deg=90.0, inclination_deg=inclination, w20_kms=150.0)
    image, _ = moments(render(galaxy, geometry, DiscModel())[1])
    y, x = np.indices(image.shape)
    beam = (8.0 / 3.0) ** 2 / (8.0 * np.log(2.0))
    variances = [np.average((a - np.average(a, weights=image)) ** 2, weights=image) - beam for a in (y, x)]
    expected = np.sqrt(0.96 * np.cos(np.radians(inclination)) ** 2 + 0.04)
    assert np.sqrt(variances[0] / variances[1]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("profile", ["ring", "exponential"])
@pytest.mark.parametrize("mean", [2.6, 3.8, 6.0])
def test_profiles_have_their_mass_and_are_1_at_the_hi_radius(profile: str, mean: float) -> None:
    radius = np.linspace(0.0, 6.0, 6001)
    density = surface_density(profile, mean, radius)
    assert np.interp(1.0, radius, density) == pytest.approx(1.0)
    assert 2.0 * np.trapezoid(density * radius, radius) == pytest.approx(mean, rel=0.01)


def test_formulas_are_those_of_the_papers() -> None:
    assert size_kpc(1e9) == pytest.approx(10 ** (0.506 * 9 - 3.293))
    assert flat_speed_kms(47.0 / 2.66 * 100.0**4) == pytest.approx(100.0)
    z = np.array([0.01, 0.3, 0.5])
    # astropy integrates with scipy where it is there; ours is a table
    assert comoving_mpc(z) == pytest.approx(Planck15.comoving_distance(z).value, rel=1e-6)
    assert luminosity_mpc(0.3) == pytest.approx(Planck15.luminosity_distance(0.3).value, rel=1e-6)
    assert float(mass_msun(flux_jy_hz(1e9, 1.1e9), 1.1e9)) == pytest.approx(1e9)


def test_rotation_curve_rises_and_flattens(geometry: Geometry) -> None:
    galaxy = galaxy_of(
        pa_deg=90.0, inclination_deg=80.0, shape=Shape3D("exponential", turnover=0.2, dispersion_kms=5.0)
    )
    box, cutout = render(galaxy, geometry, DiscModel())
    dz = place_of(galaxy, geometry).channels_per_kms
    row = 240 - box.y0
    image, mean = moments(cutout[:, row : row + 1])
    offset = (240 - box.x0 - np.arange(image.shape[1])) * 3.0 / (galaxy.size_arcsec / 2.0)  # east is receding
    velocity = (mean[0] + box.z0 - 65.0) / dz
    curve = np.interp([0.25, 0.5, 0.75, 1.0], offset[::-1], velocity[::-1])
    assert (np.diff(curve) > 0).all()
    assert curve[3] - curve[2] < 0.3 * curve[0]
    assert curve[3] > 80.0


def test_speed_is_found_from_the_width() -> None:
    rng = np.random.default_rng(1)
    spin = np.cos(rng.uniform(0.0, 2.0 * np.pi, 20000))
    speed = match_speed(spin, np.ones(20000), 8.0, 250.0)
    assert line_width(speed * spin, np.ones(20000), 8.0) == pytest.approx(250.0, rel=1e-3)
    assert line_width(np.zeros(10), np.ones(10), 10.0) == pytest.approx(10.0 * 3.588, rel=0.01)


@pytest.mark.parametrize("width", [20.0, 35.0])
def test_narrow_face_on_galaxy_has_its_width(width: float) -> None:
    geometry = from_options((80, 120, 120), 3.0, Beam(8.0, 8.0), FREQUENCY - 40 * 5e3, 5e3)
    galaxy = galaxy_of(inclination_deg=0.0, w20_kms=width)
    _, cutout = render(galaxy, geometry, DiscModel())
    found = width_of(cutout.sum(axis=(1, 2))) / abs(place_of(galaxy, geometry).channels_per_kms)
    assert found == pytest.approx(width, rel=0.04)


def test_no_flux_leaves_the_reach_that_is_promised(geometry: Geometry) -> None:
    for width in (15.0, 100.0, 500.0):
        for incl in (0.0, 90.0):
            galaxy = galaxy_of(w20_kms=width, inclination_deg=incl, shape=draw_shape(np.random.default_rng(3), 1e9))
            place, model = place_of(galaxy, geometry), DiscModel()
            box, _ = render(galaxy, geometry, model)
            assert place.z - box.z0 <= model.reach(galaxy, place) + 1.0
            assert box.z1 - 1 - place.z <= model.reach(galaxy, place) + 1.0


def test_rendering_is_deterministic_and_depends_on_the_seed(geometry: Geometry) -> None:
    galaxy = galaxy_of(shape=Shape3D(clumps=5), seed=8)
    first, again, other = (render(g, geometry, DiscModel())[1] for g in (galaxy, galaxy, replace(galaxy, seed=9)))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_lopsided_galaxy_is_brighter_on_one_side(geometry: Geometry) -> None:
    galaxy = galaxy_of(pa_deg=0.0, shape=Shape3D(lopsidedness=0.4, lopsided_deg=0.0))
    box, cutout = render(galaxy, geometry, DiscModel())
    image, _ = moments(cutout)
    north = image[240 - box.y0 :].sum()
    assert north / image.sum() > 0.55


@pytest.fixture
def synthetic_templates(tmp_path: Path) -> Callable[[int], Path]:
    """A folder with one template, a rotating bar whose receding side is at +y or −y."""

    def make(side: int) -> Path:
        data = np.zeros((9, 21, 7), np.float32)
        for y in range(21):
            data[int(np.clip(4 + side * (y - 10) * 0.4, 0, 8)), y, 2:5] = 1.0
        header = fits.Header(
            {"DVKMS": 20.0, "PIXKPC": 1.0, "INCL": 60.0, "LOGMHI": 9.5, "DHIKPC": 20.0, "W20": 180.0, "RECSIGN": side}
        )
        (tmp_path / "templates").mkdir()
        fits.writeto(tmp_path / "templates" / "T1.fits.gz", data, header)
        (tmp_path / "templates.txt").write_text("template i log_mhi\nT1 60 9.5\n")
        return tmp_path

    return make


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("size", [20.0, 150.0])
def test_template_is_scaled_and_turned(
    geometry: Geometry, synthetic_templates: Callable, side: int, size: float
) -> None:
    galaxy = galaxy_of(size_arcsec=size, pa_deg=200.0)
    model = TemplateModel(synthetic_templates(side))
    box, cutout = render(galaxy, geometry, model)
    place = place_of(galaxy, geometry)
    assert (gradient_pa(cutout, place.channels_per_kms) - 200.0) == pytest.approx(0.0, abs=3.0)
    assert cutout.sum(dtype=float) / geometry.beam_area * STEP == pytest.approx(galaxy.flux_jy_hz, rel=1e-4)
    image, _ = moments(cutout)
    y, x = np.indices(image.shape) * 3.0
    spread = np.linalg.eigvalsh(np.cov(np.stack([x.ravel(), y.ravel()]), aweights=image.ravel()))[1]
    expected = size**2 * (21 / 20) ** 2 / 12 + (8.0 / 2.3548) ** 2  # a bar of 21 pixels where the size is 20
    assert np.sqrt(spread) == pytest.approx(np.sqrt(expected), rel=0.03)
    assert place.z - box.z0 <= model.reach(galaxy, place) + 1.0
