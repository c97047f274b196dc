"""``hisf simulate``: an HI cube with noise and galaxies, and its truth."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hisf.errors import FileAccessError, InputError

if TYPE_CHECKING:
    import numpy as np

    from hisf.simulate import Galaxy, Geometry, Layer, Model

PATIENCE = 10.0  # seconds between lines in a log
DEFAULT_SHAPE = "480,480,1000"
UNITS = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9, "m/s": 1.0, "km/s": 1e3}
EXAMPLES = """\b
Examples:
  hisf simulate mock.fits                               an SDC2-like cube, 0.9 GB, galaxies of the HI mass function
  hisf simulate mock.fits --templates sdc2 --seed 7     observed galaxies, rows, noise and RFI of SDC2
  hisf simulate mock.fits --like observed.fits --noise 5e-4
  hisf simulate mock.fits --shape 200,200,300 --start 2000km/s --channel 4km/s --pixel 6 --beam 30"""


@click.command("simulate", short_help="Make a cube of galaxies and noise with its truth.", epilog=EXAMPLES)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.fits")
@click.option("--like", type=click.Path(path_type=Path), help="Take the grid from this cube.")
@click.option("--shape", metavar="NX,NY,NZ", help=f"Size in pixels and channels [{DEFAULT_SHAPE}].")
@click.option("--pixel", type=float, help="Pixel in arcsec [2.8].")
@click.option("--beam", metavar="ARCSEC[,ARCSEC[,PA]]", help="Beam: FWHM, position angle in deg [7].")
@click.option("--centre", metavar="RA,DEC", help="Centre of the field in deg [180,-30].")
@click.option("--start", metavar="VALUE", help="First channel: Hz, or with a unit: 1.39GHz, 2000km/s [1090MHz].")
@click.option("--channel", metavar="VALUE", help="Channel width, of either sign, unit as for --start [30kHz].")
@click.option("--optical", is_flag=True, help="A velocity axis is optical, not radio.")
@click.option("--catalogue", type=click.Path(path_type=Path), help="Galaxies: a catalogue in SDC2 columns.")
@click.option(
    "--templates", type=click.Path(path_type=Path), help="Observed galaxies, rows, noise of SDC2: this folder."
)
@click.option(
    "--population",
    type=click.Choice(["auto", "sdc2", "drawn"]),
    default="auto",
    help="Galaxies without a catalogue: rows of the templates' folder, or drawn from the HI mass function.",
)
@click.option("--density", type=click.FloatRange(0), default=1.0, help="Factor on the number of galaxies [1].")
@click.option("--min-snr", type=click.FloatRange(0), default=1.0, help="Least expected S/N of drawn galaxies [1].")
@click.option("--noise", metavar="JY", type=click.FloatRange(0), help="Noise per channel in Jy/beam [that of SDC2].")
@click.option("--no-noise", is_flag=True, help="Galaxies only: no noise, residuals or ripples.")
@click.option("--psd", metavar="FILE", help="Power of the noise per baseline; `beam`: white noise times the beam.")
@click.option("--rfi", metavar="FILE", help="Noise ratio per frequency in MHz; `none`: no RFI.")
@click.option("--primary-beam", type=click.FloatRange(0), default=0.0, help="FWHM in arcsec; noise grows outwards.")
@click.option("--continuum", type=click.IntRange(0), default=0, help="Number of continuum sources with residuals [0].")
@click.option("--ripple", metavar="JY[,MHZ]", help="Rms and period of a standing wave in Jy/beam, MHz [period 25].")
@click.option("--seed", type=click.IntRange(0), default=1, help="Same seed and options, same bytes [1].")
@click.option("--mask", is_flag=True, help="Write OUT_mask.fits too.")
@click.option("--mask-fraction", type=click.FloatRange(0, 1), default=0.1, help="Its edge, as share of the peak [0.1].")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def command(out: Path, **options: Any) -> None:
    """Make the cube OUT.fits, float32 in Jy/beam, and its truth OUT_truth.txt (SDC2 columns) and OUT_truth.xml.

    Pixel, beam, channels and noise are those of the SKA Science Data Challenge 2 unless options say otherwise. The cube
    is made channel by channel, so it may be much larger than the memory.
    """
    from hisf import simulate
    from hisf.stages.products.writing import write_file

    places = _places(out, options)
    geometry = _geometry(options)
    level, layers, continuum = _layers(geometry, options)
    model: Model = simulate.TemplateModel(options["templates"]) if options["templates"] else simulate.DiscModel()
    galaxies = _population(geometry, options, level)
    nz, ny, nx = geometry.shape
    click.echo(
        f"{nx} × {ny} × {nz} voxels ({4e-9 * nx * ny * nz:.3g} GB), {len(galaxies)} galaxies, seed {options['seed']}"
    )
    begun = time.monotonic()
    measured: list[simulate.Measured] = []

    def write(cube: Path, mask: Path | None) -> None:
        with _progress(nx * ny * nz) as advance:
            measured.extend(
                simulate.write_cube(
                    cube, geometry, galaxies, model, layers, level, mask, options["mask_fraction"], advance
                )
            )

    if options["mask"]:
        write_file(places["cube"], lambda cube: write_file(places["mask"], lambda mask: write(cube, mask)))
    else:
        write_file(places["cube"], lambda cube: write(cube, None))
    table = simulate.truth_table(measured, geometry)
    write_file(places["truth"], lambda path: simulate.write_text(path, table))
    write_file(places["votable"], lambda path: simulate.write_votable(path, table))
    if continuum is not None:
        rows = zip(continuum.ra, continuum.dec, continuum.flux_jy, strict=True)
        lines = "# ra dec flux_jy\n" + "".join(f"{ra:.6f} {dec:.6f} {flux:.6g}\n" for ra, dec, flux in rows)
        write_file(places["continuum"], lambda path: path.write_text(lines, encoding="utf-8"))
    seconds = time.monotonic() - begun
    click.echo(f"{seconds:.1f} s, {nx * ny * nz / 1e6 / max(seconds, 1e-3):.1f} Mvoxel/s")
    for name, path in places.items():
        click.echo(f"  {name:<9} {path}")
    bright = sum(m.snr > 5.0 for m in measured)
    click.echo(f"{len(measured)} galaxies, {bright} of them above S/N 5.")


def _places(out: Path, options: dict[str, Any]) -> dict[str, Path]:
    """Return where the files go, after making sure that they can."""
    base = out.name[:-5] if out.name.endswith(".fits") else out.name
    names = {"cube": f"{base}.fits", "truth": f"{base}_truth.txt", "votable": f"{base}_truth.xml"}
    if options["mask"]:
        names["mask"] = f"{base}_mask.fits"
    if options["continuum"] and not options["no_noise"]:
        names["continuum"] = f"{base}_continuum.txt"
    if not out.parent.is_dir():
        raise FileAccessError(f"{out.parent} is not a folder; make it first.")
    places = {kind: out.with_name(name) for kind, name in names.items()}
    for path in places.values():
        if path.exists() and not options["overwrite"]:
            raise FileAccessError(f"{path} exists; --overwrite replaces it.")
    return places


def _geometry(options: dict[str, Any]) -> Geometry:
    from hisf.data.header import read_header
    from hisf.simulate import Beam, from_header, from_options

    beam = None
    if options["beam"]:
        values = _numbers("--beam", options["beam"], 1, 3)
        beam = Beam(values[0], values[1] if len(values) > 1 else values[0], values[2] if len(values) > 2 else 0.0)
        if not 0 < beam.minor_arcsec <= beam.major_arcsec:
            raise InputError(f"--beam is {options['beam']}; the major axis comes first, and both must be positive.")
    if options["like"]:
        for name in ("shape", "pixel", "centre", "start", "channel"):
            if options[name] is not None:
                raise InputError(f"--{name} and --like exclude each other: the grid is that of {options['like']}.")
        header, _ = read_header(options["like"])
        return from_header(header, str(options["like"]), beam)
    nx, ny, nz = (int(v) for v in _numbers("--shape", options["shape"] or DEFAULT_SHAPE, 3, 3))
    start, unit = _quantity("--start", options["start"] or "1090MHz")
    step, unit_of_step = _quantity("--channel", options["channel"] or ("4km/s" if unit == "m/s" else "30kHz"))
    if unit != unit_of_step:
        raise InputError("--start and --channel must both be frequencies or both velocities.")
    velocity = "" if unit == "Hz" else "optical" if options["optical"] else "radio"
    ra, dec = _numbers("--centre", options["centre"] or "180,-30", 2, 2)
    pixel = 2.8 if options["pixel"] is None else options["pixel"]
    return from_options((nz, ny, nx), pixel, beam, start, step, velocity, (ra, dec))


def _layers(geometry: Geometry, options: dict[str, Any]) -> tuple[np.ndarray, list[Layer], Any]:
    """Return the noise of the channels, what is added to them, and the continuum sources."""
    import numpy as np

    from hisf.simulate import ContinuumResiduals, Noise, Ripple, read_pairs, rfi_ratio, sdc2_level

    psd, rfi = _file(options, "psd", "beam", "noise_uv_psd.txt"), _file(options, "rfi", "none", "noise_rfi.txt")
    silent = options["no_noise"] or options["noise"] == 0
    level = np.full(geometry.shape[0], options["noise"]) if options["noise"] else sdc2_level(geometry)
    ratio = rfi_ratio(rfi, geometry.frequencies) if rfi else None
    level = level if ratio is None else level * ratio
    layers: list[Layer] = []
    continuum = None
    if options["no_noise"]:
        return level, layers, continuum
    if not silent:
        power = read_pairs(psd, "baseline in wavelengths and noise power") if psd else None
        layers.append(Noise(geometry, level, options["seed"], power, ratio, options["primary_beam"]))
    if options["continuum"]:
        continuum = ContinuumResiduals(geometry, options["continuum"], options["seed"])
        layers.append(continuum)
    if options["ripple"]:
        values = _numbers("--ripple", options["ripple"], 1, 2)
        period = values[1] if len(values) > 1 else 25.0
        if period <= 0:
            raise InputError(f"--ripple: the period is {period:g} MHz; it must be positive.")
        layers.append(Ripple(geometry, values[0], period * 1e6, options["seed"]))
    return level, layers, continuum


def _file(options: dict[str, Any], name: str, off: str, default: str) -> Path | None:
    """Return the file of an option; by default the one in the templates' folder, if it is there."""
    given = options[name]
    if given == off:
        return None
    if given:
        return Path(given)
    found = options["templates"] / default if options["templates"] else None
    return found if found and found.exists() else None


def _population(geometry: Geometry, options: dict[str, Any], level: np.ndarray) -> list[Galaxy]:
    from hisf.simulate import from_catalogue, from_mass_function, from_sdc2

    seed, density, templates = options["seed"], options["density"], options["templates"]
    if options["catalogue"]:
        return from_catalogue(options["catalogue"], geometry, seed)
    kind = options["population"]
    if kind == "sdc2" and not templates:
        raise InputError("--population sdc2 needs --templates, the folder with the rows.")
    if kind == "sdc2" or (kind == "auto" and templates and (templates / "truth.txt").exists()):
        return from_sdc2(templates, geometry, density, seed)
    return from_mass_function(geometry, density, seed, level, options["min_snr"])


def _numbers(name: str, text: str, least: int, most: int) -> list[float]:
    try:
        values = [float(v) for v in text.split(",")]
    except ValueError:
        values = []
    if not least <= len(values) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise InputError(f"{name} is {text!r}; {count} numbers separated by commas are needed.")
    return values


def _quantity(name: str, text: str) -> tuple[float, str]:
    """Return a value in Hz or m/s, and which of the two."""
    match = re.fullmatch(r"([-+.\deE]+)\s*(Hz|kHz|MHz|GHz|m/s|km/s)?", text.strip())
    try:
        value = float(match[1]) if match else None
    except ValueError:
        value = None
    if match is None or value is None:
        raise InputError(f"{name} is {text!r}; a number in Hz, or with one of the units {', '.join(UNITS)}, is needed.")
    unit = match[2] or "Hz"
    return value * UNITS[unit], "m/s" if unit.endswith("/s") else "Hz"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show progress: a bar on a terminal, else a line now and then; the value is told what was done since."""
    if sys.stdout.isatty():
        from rich.progress import Progress

        with Progress() as bar:
            task = bar.add_task("simulate", total=total)
            yield lambda n: bar.update(task, advance=n)
        return
    done, spoken = 0, time.monotonic()

    def advance(n: int) -> None:
        nonlocal done, spoken
        done += n
        if time.monotonic() - spoken > PATIENCE:
            spoken = time.monotonic()
            click.echo(f"  {100 * done / total:3.0f} %")

    yield advance
