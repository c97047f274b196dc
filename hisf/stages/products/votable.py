"""The VOTable catalogue (spec sofia2 §4.5, clients §2 and §3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from hisf.data.catalogue import Catalogue
from hisf.data.cube import Cube
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.frames import celestial_frame
from hisf.stages.products.stamp import CREATOR, catalogue_time

DATATYPES = {"text": 'datatype="char" arraysize="*"', "int": 'datatype="long"', "float": 'datatype="double"'}


class VOTableCatalogue(Product):
    """VOTable: one RESOURCE with the settings as PARAMs and one TABLE as TABLEDATA, full precision.

    Version 1.3 as SoFiA's, whose rules for units do not know ``Jy/beam``; with ``pipeline.compatibility = improved``
    version 1.4, whose rules (VOUnits) do. The namespace of both is that of 1.3.
    """

    name = "VOTable catalogue"
    suffix = "_cat.xml"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCatXML``, or ``output.writeReport``, which is made of it."""
        return settings["output.writeCatXML"] or settings["output.writeReport"]

    def write(self, result: Result, path: Path) -> None:
        """Write the catalogue."""
        assert result.catalogue is not None
        path.write_text("\n".join(as_votable(result.catalogue, result.cube, result.settings)) + "\n", encoding="utf-8")


def as_votable(catalogue: Catalogue, cube: Cube, settings: Settings) -> Iterator[str]:
    """Yield the lines of the VOTable."""
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    version = "1.4" if settings["pipeline.compatibility"] == "improved" else "1.3"
    yield f'<VOTABLE version="{version}" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    yield " <RESOURCE>"
    yield f"  <DESCRIPTION>Source catalogue created by {escape(CREATOR)}</DESCRIPTION>"
    system = coordinate_system(cube)
    if system:
        yield f"  {system}"
    yield _param("Time", catalogue_time(), "time.creation")
    yield _param("Creator", CREATOR, "meta.id;meta.software")
    for name in settings:
        yield _param(name, settings.text(name), "meta.note")
    yield '  <TABLE ID="hisf_source_catalogue" name="hisf source catalogue">'
    reference = ' ref="sky"' if system else ""
    for column in catalogue.columns:
        sky = reference if column.ucd.startswith("pos.eq") or column.ucd.startswith("pos.galactic") else ""
        unit = column.unit.replace("*", ".") if cube.improved else column.unit  # the standard multiplies by a point
        attributes = f"{DATATYPES[column.kind]} name={_quoted(column.name)} unit={_quoted(unit)}"
        yield f"   <FIELD {attributes} ucd={_quoted(column.ucd)}{sky}>"
        yield f"    <DESCRIPTION>{escape(_clean(column.help))}</DESCRIPTION>"
        yield "   </FIELD>"
    yield "   <DATA>"
    yield "    <TABLEDATA>"
    for row in catalogue.rows():
        yield "     <TR>"
        for column, value in zip(catalogue.columns, row, strict=True):
            yield f"      <TD>{_cell(column.kind, value)}</TD>"
        yield "     </TR>"
    yield "    </TABLEDATA>"
    yield "   </DATA>"
    yield "  </TABLE>"
    yield " </RESOURCE>"
    yield "</VOTABLE>"


def coordinate_system(cube: Cube) -> str:
    """Return the COOSYS element of the cube's positions; empty where there is none."""
    frame, equinox = celestial_frame(cube)
    if frame in ("fk4", "fk5"):
        letter = "B" if frame == "fk4" else "J"
        return f'<COOSYS ID="sky" system="eq_{frame.upper()}" equinox="{letter}{equinox:g}"/>'
    system = {"icrs": "ICRS", "galactic": "galactic"}.get(frame, "")
    return f'<COOSYS ID="sky" system="{system}"/>' if system else ""


def _param(name: str, value: str, ucd: str) -> str:
    return f'  <PARAM name={_quoted(name)} datatype="char" arraysize="*" value={_quoted(value)} ucd="{ucd}"/>'


def _cell(kind: str, value: object) -> str:
    if kind == "float":
        return f"{value:.15e}"
    return escape(_clean(str(value)))


def _quoted(text_: str) -> str:
    return quoteattr(_clean(text_))


def _clean(text_: str) -> str:
    """Drop control characters, which no XML file may hold."""
    return "".join(c for c in text_ if c.isprintable() or c == " ")
