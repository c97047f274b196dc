"""Catalogue columns, each declared once: name, type, unit, UCD, meaning (spec sofia2 §3.11).

A unit in capital letters stands for one that depends on the cube and the settings: ``DATA`` (the data unit), ``BUNIT``
(the same as the header spells it), ``FLUX`` (that of integrated fluxes), ``WIDTH`` (that of line widths), ``AXIS1`` …
``AXIS3`` (of the world axes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

WORLD = ("AXIS1", "AXIS2", "AXIS3")


@dataclass(frozen=True)
class Column:
    """One catalogue column.

    Attributes
    ----------
    name : str
    kind : str
        ``text``, ``int`` or ``float``.
    unit : str
        As printed, or one of the placeholders of this module.
    ucd : str
        IVOA unified content descriptor.
    help : str
        One sentence.
    """

    name: str
    kind: str
    unit: str
    ucd: str
    help: str

    def resolved(self, unit: str) -> Column:
        """Return the column with its final unit."""
        return replace(self, unit=unit)


def _floats(names: str, unit: str, ucd: str, help_: str) -> list[Column]:
    return [Column(name, "float", unit, ucd, help_) for name in names.split()]


def _cartesian(name: str, kind: str, ucd: str, help_: str) -> list[Column]:
    return [Column(name.format(a), kind, "pix", ucd.format(a), help_.format(a)) for a in "xyz"]


def _box() -> list[Column]:
    pairs = [(a, end) for a in "xyz" for end in ("min", "max")]
    return [
        Column(f"{a}_{end}", "int", "pix", f"pos.cartesian.{a};stat.{end}", f"{end} {a} of the bounding box, inclusive")
        for a, end in pairs
    ]


# columns of the linker and the dilation: known without parametrisation
BASIC: tuple[Column, ...] = (
    Column("name", "text", "", "meta.id", "Source name: prefix and position"),
    Column("id", "int", "", "meta.id", "Running number; the label in the mask cube"),
    *_cartesian("{}", "float", "pos.cartesian.{}", "Flux-weighted centroid along {}, from positive voxels"),
    *_box(),
    Column("n_pix", "int", "", "meta.number;instr.pixel", "Number of voxels in the mask"),
    Column("f_min", "float", "DATA", "phot.flux.density;stat.min", "Smallest voxel value"),
    Column("f_max", "float", "DATA", "phot.flux.density;stat.max", "Largest voxel value"),
    Column("f_sum", "float", "FLUX", "phot.flux", "Integrated flux"),
    Column("rel", "float", "", "stat.probability", "Reliability; 0 where it was not determined"),
    Column("flag", "int", "", "meta.code.qual", "1 spatial edge, 2 spectral edge, 4 blank voxels, 8 neighbour"),
    Column("fill", "float", "", "stat.filling", "Filling factor of the bounding box, before dilation"),
    Column("mean", "float", "BUNIT", "phot.flux.density;stat.mean", "Mean in units of the global rms, before dilation"),
    Column("std", "float", "BUNIT", "phot.flux.density;stat.stdev", "Standard deviation, likewise"),
    Column("skew", "float", "", "stat.param", "Skewness, before dilation"),
    Column("kurt", "float", "", "stat.param", "Excess kurtosis, before dilation"),
)

MEASURED: tuple[Column, ...] = (
    Column("rms", "float", "DATA", "instr.det.noise", "Local noise in the bounding box"),
    *_floats("w20 w50 wm50", "WIDTH", "spect.line.width", "Line width at 20 %, 50 % of the peak, 50 % of the mean"),
    *_floats("ell_maj ell_min", "pix", "phys.angSize", "Axis of the flux-weighted ellipse"),
    Column("ell_pa", "float", "deg", "pos.posAng", "Its position angle from +y, counter-clockwise"),
    *_floats("ell3s_maj ell3s_min", "pix", "phys.angSize", "Axis of the ellipse of pixels above 3 sigma"),
    Column("ell3s_pa", "float", "deg", "pos.posAng", "Its position angle from +y, counter-clockwise"),
    Column("kin_pa", "float", "deg", "pos.posAng", "Position angle of the velocity gradient; -1 or NaN where unknown"),
    *_cartesian("err_{}", "float", "stat.error;pos.cartesian.{}", "Uncertainty of {}"),
    Column("err_f_sum", "float", "FLUX", "stat.error;phot.flux", "Uncertainty of f_sum"),
    *(Column(f"world{n}", "float", unit, "", "World coordinate of the centroid") for n, unit in enumerate(WORLD, 1)),
    *_cartesian("{}_peak", "int", "pos.cartesian.{}", "Position of the peak along {}"),
    *(Column(f"world{n}_peak", "float", unit, "", "World coordinate of the peak") for n, unit in enumerate(WORLD, 1)),
)

# hisf's own columns, after SoFiA's and those of plugins; units are fixed, whatever the cube and the settings
FINDERS = Column("finders", "text", "", "meta.id;meta.software", "Finders that detected it, where several ran")

# name, unit, UCD, meaning; unit of the uncertainty
_GALAXY = (
    ("hi_ra", "deg", "pos.eq.ra", "Right ascension of the galaxy", "arcsec"),
    ("hi_dec", "deg", "pos.eq.dec", "Declination of the galaxy", "arcsec"),
    ("hi_freq", "Hz", "em.freq", "Frequency of the line centre", "Hz"),
    ("hi_flux", "Jy*Hz", "phot.flux", "Line flux integral", "Jy*Hz"),
    ("hi_size", "arcsec", "phys.angSize", "HI major axis diameter at 1 Msun/pc^2", "arcsec"),
    ("hi_incl", "deg", "src.orbital.inclination", "Inclination, 90 for edge-on", "deg"),
    ("hi_pa", "deg", "pos.posAng", "Position angle of the receding side, N through E", "deg"),
    ("hi_w20", "km/s", "spect.line.width", "Line width at 20 % of the peak, rest frame", "km/s"),
)

# columns of the appraisal; only where one ran, NaN where it does not know
ESTIMATED: tuple[Column, ...] = (
    Column("confidence", "float", "", "stat.probability", "Probability that the source is a galaxy"),
    *(Column(name, "float", unit, ucd, help_) for name, unit, ucd, help_, _ in _GALAXY),
    *(
        Column(f"err_{name}", "float", unit, f"stat.error;{ucd}", f"1-sigma uncertainty of {name}{sky}")
        for name, _, ucd, _, unit in _GALAXY
        for sky in [" along a great circle" if name == "hi_ra" else ""]
    ),
)
OWN: tuple[Column, ...] = (FINDERS, *ESTIMATED)


def sofia(*names: str) -> tuple[Column, ...]:
    """Return SoFiA's columns of these names, in file order.

    Raises
    ------
    KeyError
        There is no such column.
    """
    known = {c.name for c in (*BASIC, *MEASURED)}
    for name in names:
        if name not in known:
            raise KeyError(name)
    return tuple(c for c in (*BASIC, *MEASURED) if c.name in names)
