"""Products: catalogues as text and VOTable, mask cube, noise; written by whole runs on small cubes."""

import io
import os
import re
import sys
import warnings

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.table import Table
from astropy.wcs import WCS

from hisf.data.catalogue import Catalogue
from hisf.data.columns import Column
from hisf.errors import FileAccessError, NothingFoundError
from hisf.pipeline import Report
from hisf.settings import load_settings
from hisf.stages.products.ascii import as_ascii
from hisf.stages.products.fits_image import empty_header, write_image
from hisf.stages.products.names import base_name, product_base
from hisf.stages.products.votable import as_votable
from hisf.stages.products.writing import write_file
from hisf.testing import GaussianSource, as_cube, make_cube, make_header, run_pipeline, write_fits

SOURCES = (GaussianSource(0.02, 8, 10, 12), GaussianSource(0.015, 14, 20, 22), GaussianSource(0.015, 6, 22, 6))
FIND = ["pipeline.finder=threshold", "threshold.threshold=4", "linker.minSizeZ=3", "linker.minSizeXY=3"]
ALL = ["output.writeMask=true", "output.writeCatASCII=true", "output.writeNoise=true"]
SHAPE = (20, 28, 30)


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """A run on a region with all products: (catalogue, report, folder, file, array)."""
    folder = tmp_path_factory.mktemp("run")
    array, header = make_cube(SHAPE, sources=SOURCES)
    path = write_fits(folder / "cube.fits", array, header)
    report = Report()
    settings = [*FIND, *ALL, "scaleNoise.enable=true", "input.region=2,27,3,27,1,18", "output.filename=out.fits"]
    catalogue = run_pipeline(path, folder, settings, report=report)
    assert len(catalogue) == 3
    return catalogue, report, folder, path, array


def test_products_are_where_their_names_say(products):
    _, report, folder, _, _ = products
    names = {"out_cat.txt", "out_cat.xml", "out_mask.fits", "out_noise.txt"}
    assert {p.name for p in report.products} == names
    assert {p.name for p in folder.iterdir()} == names | {"cube.fits"}  # no unfinished files


# --- text: spec sofia2 §4.4, clients §1 ----------------------------------------------------------------------------


def test_column_names_stand_on_line_19(products):
    """Programs look there (spec clients §1)."""
    catalogue, _, folder, _, _ = products
    lines = (folder / "out_cat.txt").read_text().splitlines()
    assert lines[18].split() == ["#", *catalogue.names]
    assert lines[17].split() == ["#", *(str(n) for n in range(1, 47))]
    assert len(re.findall(r"\S+", lines[19])) == 47
    assert lines[20] == ""
    assert all(line.startswith("#") for line in lines[:20])
    assert len(lines) == 21 + len(catalogue)


def test_text_catalogue_is_read_by_astropy_as_clients_do(products):
    catalogue, _, folder, _, _ = products
    table = Table.read(folder / "out_cat.txt", format="ascii", header_start=18)
    assert table.colnames == catalogue.names
    assert table["name"].tolist() == catalogue["name"].tolist()
    for column in catalogue.columns:
        if column.kind == "int":
            assert table[column.name].tolist() == catalogue[column.name].tolist()
        elif column.kind == "float":
            # six decimals, or five digits after the point where the number is small or large
            assert np.allclose(table[column.name], catalogue[column.name], rtol=6e-6, atol=6e-7), column.name


def test_columns_are_28_and_14_wide(products):
    _, _, folder, _, _ = products
    lines = (folder / "out_cat.txt").read_text().splitlines()
    header = [line for line in lines if line.startswith("#")][-3:]
    rows = [line for line in lines if line.startswith(" ")]
    for line in [*header, *rows]:
        cells = [line[1:29], *(line[29 + 14 * n : 43 + 14 * n] for n in range(45))]
        assert all(cell == cell.strip().rjust(len(cell)) and cell.strip() for cell in cells)
        assert line[29 + 45 * 14 :].strip() == ""
    assert all(re.fullmatch(r' *"SoFiA J[\d.]+[+-][\d.]+"', row[1:29]) for row in rows)


def text_of(value, kind="float"):
    catalogue = Catalogue((Column("v", kind, "", "", ""),), {"v": [value]})
    return as_ascii(catalogue).splitlines()[-1]


# spec sofia2 §4.4: %.6f, but %.5e if non-zero and (|v| >= 1e4 or |v| < 1e-3)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000000"), (1.0, "1.000000"), (-2.5, "-2.500000"), (9999.9999994, "9999.999999"), (1e4, "1.00000e+04"),
        (-1e4, "-1.00000e+04"), (1e-3, "0.001000"), (0.000999999, "9.99999e-04"), (-1e-9, "-1.00000e-09"),
        (1.41e9, "1.41000e+09"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_numbers_in_text(value, text):
    assert text_of(value).strip() == text
    assert text_of(value)[:15] == text.rjust(15)


def test_integers_and_names_in_text():
    assert text_of(1234567, "int").strip() == "1234567"
    assert text_of("A 1", "text")[:29] == '"A 1"'.rjust(29)


def test_column_without_unit_has_a_dash():
    lines = as_ascii(
        Catalogue((Column("v", "float", "", "", ""), Column("w", "float", "pix", "", "")), {"v": [], "w": []})
    )
    assert [line.split() for line in lines.splitlines() if line.startswith("#")][-1] == ["#", "-", "pix"]


# --- VOTable: spec sofia2 §4.5 -------------------------------------------------------------------------------------


def read_votable(path):
    """Read, any doubt of astropy's an error but one.

    W50: units are spelled as SoFiA spells them (Jy/beam, Jy*Hz), which the CDS rules that VOTable 1.3 refers to do not
    know.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", votable.exceptions.W50)
        return votable.parse(path, verify="warn")


@pytest.mark.parametrize("physical", ["false", "true"])
@pytest.mark.parametrize(
    ("compatibility", "version", "doubts"), [("sofia2", "1.3", {"W50"}), ("improved", "1.4", set())]
)
def test_votable_conforms_to_its_version(products, tmp_path, physical, compatibility, version, doubts):
    """Astropy's validator has no doubts, or that of `read_votable` where units are those of SoFiA."""
    words = [f"parameter.physical={physical}", f"pipeline.compatibility={compatibility}"]
    run_pipeline(products[3], tmp_path, [*FIND, *words])
    output = io.StringIO()
    valid = votable.validate(tmp_path / "cube_cat.xml", output=output)
    assert valid is (not doubts)
    assert set(re.findall(r"\b[EW]\d\d\b", output.getvalue())) == doubts, output.getvalue()
    assert read_votable(tmp_path / "cube_cat.xml").version == version


def test_votable_has_every_value_to_the_last_digit(products):
    catalogue, _, folder, _, _ = products
    (resource,) = read_votable(folder / "out_cat.xml").resources
    (table,) = resource.tables
    assert [f.name for f in table.fields] == catalogue.names
    for column, field in zip(catalogue.columns, table.fields, strict=True):
        assert (str(field.unit or ""), field.ucd or "") == (column.unit, column.ucd)
        assert field.datatype == {"text": "char", "int": "long", "float": "double"}[column.kind]
        values = table.array[column.name]
        if column.kind == "float":
            assert np.allclose(values, catalogue[column.name], rtol=1e-15, atol=0, equal_nan=True), column.name
        else:
            assert values.tolist() == catalogue[column.name].tolist()


def test_votable_records_the_settings(products):
    _, _, folder, path, _ = products
    (resource,) = read_votable(folder / "out_cat.xml").resources
    params = {p.name: p.value for p in resource.params}
    assert params["input.data"] == str(path)
    assert params["threshold.threshold"] == "4"
    assert params["Creator"].startswith("hisf ")
    assert "Time" in params


def odd_catalogue():
    columns = (Column("name", "text", "", "meta.id", "a < b & c"), Column("v", "float", "", "stat.param", "Value"))
    return Catalogue(columns, {"name": ["<&\"'>", "plain"], "v": [np.nan, 1.5]})


def test_votable_escapes_what_xml_does_not_allow(tmp_path):
    cube = as_cube(*make_cube((3, 4, 5), sources=()))
    settings = load_settings(["parameter.prefix=<&\"'>", "output.filename=a\x07b"])
    path = tmp_path / "odd.xml"
    path.write_text("\n".join(as_votable(odd_catalogue(), cube, settings)), encoding="utf-8")
    (resource,) = read_votable(path).resources
    assert resource.tables[0].array["name"].tolist() == ["<&\"'>", "plain"]
    params = {p.name: p.value for p in resource.params}
    assert params["parameter.prefix"] == "<&\"'>"
    assert params["output.filename"] == "ab"
    assert resource.tables[0].fields[0].description == "a < b & c"


def test_votable_keeps_nan(tmp_path):
    cube = as_cube(*make_cube((3, 4, 5), sources=()))
    path = tmp_path / "odd.xml"
    path.write_text("\n".join(as_votable(odd_catalogue(), cube, load_settings([]))), encoding="utf-8")
    values = np.ma.filled(read_votable(path).resources[0].tables[0].array["v"], np.nan)
    assert np.array_equal(values, [np.nan, 1.5], equal_nan=True)


def test_prefix_with_xml_characters_through_a_whole_run(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE, sources=SOURCES))
    catalogue = run_pipeline(path, tmp_path, [*FIND, 'parameter.prefix=<&"x'])
    assert catalogue["name"][0].startswith('<&"x J')
    (resource,) = read_votable(tmp_path / "cube_cat.xml").resources
    assert resource.tables[0].array["name"].tolist() == catalogue["name"].tolist()


@pytest.mark.parametrize(
    ("header", "system"),
    [
        ({}, 'system="eq_FK5" equinox="J2000"'),
        ({"cards": {"EQUINOX": 1950.0}}, 'system="eq_FK4" equinox="B1950"'),
        ({"cards": {"EQUINOX": None, "EPOCH": 1950.0}}, 'system="eq_FK4" equinox="B1950"'),
        ({"cards": {"EQUINOX": None}}, 'system="ICRS"'),
        ({"cards": {"RADESYS": "ICRS"}}, 'system="ICRS"'),
        ({"frame": "galactic"}, 'system="galactic"'),
        ({"cards": {"CTYPE1": None}}, None),
    ],
)
def test_coordinate_system_of_the_votable(header, system):
    cube = as_cube(np.zeros((3, 4, 5), np.float32), make_header((3, 4, 5), **header))
    text = "\n".join(as_votable(odd_catalogue(), cube, load_settings([])))
    assert ("<COOSYS" in text) == (system is not None)
    if system:
        assert system in text


def test_same_run_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE, sources=SOURCES))
    contents = []
    for _ in range(2):
        report = Report()
        run_pipeline(path, tmp_path, [*FIND, *ALL], report=report)
        contents.append([p.read_bytes() for p in report.products])
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3
    assert b"Tue, 14 Nov 2023, 22:13:20" in contents[0][1]


# --- mask cube: spec sofia2 §4.1, §4.2 -----------------------------------------------------------------------------


def test_mask_holds_the_ids_of_the_catalogue(products):
    catalogue, _, folder, _, _ = products
    with fits.open(folder / "out_mask.fits", memmap=False) as file:
        file.verify("exception")
        mask, header = file[0].data, file[0].header
    assert mask.dtype == np.dtype(">i4")
    assert header["BITPIX"] == 32
    assert mask.shape == (18, 25, 26)
    assert sorted(np.unique(mask)) == [0, *catalogue["id"]]
    for row, label in enumerate(catalogue["id"]):
        z, y, x = np.nonzero(mask == label)
        assert len(z) == catalogue["n_pix"][row]
        for name, axis in zip("xyz", (x, y, z), strict=True):
            assert (axis.min(), axis.max()) == (catalogue[f"{name}_min"][row], catalogue[f"{name}_max"][row])
    assert (folder / "out_mask.fits").stat().st_size % 2880 == 0


def test_mask_covers_the_bright_voxels(products):
    """True by the truth that was put in: the peaks of the sources carry labels."""
    _, _, folder, _, _ = products
    mask = fits.getdata(folder / "out_mask.fits")
    for s in SOURCES:
        assert mask[int(s.z) - 1, int(s.y) - 3, int(s.x) - 2] > 0


def test_mask_header_shifts_the_reference_pixel_and_has_no_beam(products):
    _, _, folder, path, _ = products
    source, mask = fits.getheader(path), fits.getheader(folder / "out_mask.fits")
    assert [source[f"CRPIX{n}"] - mask[f"CRPIX{n}"] for n in (1, 2, 3)] == [2, 3, 1]
    for key in ("CTYPE1", "CRVAL1", "CDELT1", "CUNIT3", "RESTFRQ", "EQUINOX"):
        assert mask[key] == source[key]
    assert mask["BUNIT"].strip() == ""
    assert not {"BMAJ", "BMIN", "BPA"} & set(mask)
    assert mask["ORIGIN"].startswith("hisf")
    assert "threshold.threshold = 4" in list(mask["HISTORY"])
    one, two = WCS(source), WCS(mask)
    # the same numbers through the same library, shifted by whole pixels
    assert np.allclose(one.all_pix2world(7, 8, 9, 0), two.all_pix2world(5, 5, 8, 0), rtol=1e-13)


@pytest.mark.parametrize("stokes", ["third", "fourth"])
def test_mask_of_a_cube_with_four_axes_has_three(tmp_path, stokes):
    """Cards of the fourth axis, its rows and columns of matrices included, must not stay."""
    array, header = make_cube(SHAPE, sources=SOURCES, cards={"PC3_4": 0.0, "PC4_3": 0.0, "PC1_4": 0.0, "PC4_4": 1.0})
    path = write_fits(tmp_path / "cube.fits", array, header, stokes=stokes)
    run_pipeline(path, tmp_path, [*FIND, "output.writeMask=true"])
    mask = fits.getheader(tmp_path / "cube_mask.fits")
    assert mask["NAXIS"] == 3
    assert not [key for key in mask if re.fullmatch(r"\w+4|PC4_\d", key)]
    assert WCS(mask).naxis == 3


def test_offset_shifts_the_catalogue_not_the_mask(tmp_path, products):
    inside, _, folder, path, _ = products
    settings = [*FIND, *ALL, "scaleNoise.enable=true", "input.region=2,27,3,27,1,18", "output.filename=out.fits"]
    shifted = run_pipeline(path, tmp_path, [*settings, "parameter.offset=true"])
    for axis, by in (("x", 2), ("y", 3), ("z", 1)):
        assert np.array_equal(shifted[axis], inside[axis] + by)
        assert np.array_equal(shifted[f"{axis}_max"], inside[f"{axis}_max"] + by)
        assert np.array_equal(shifted[f"{axis}_peak"], inside[f"{axis}_peak"])
    assert np.array_equal(fits.getdata(tmp_path / "out_mask.fits"), fits.getdata(folder / "out_mask.fits"))
    assert np.array_equal(shifted["ra"], inside["ra"])


# --- noise: spec sofia2 §4.3 ---------------------------------------------------------------------------------------


def test_noise_spectrum(products):
    """Four comment lines, channel from 0 in the region, tab, 15 decimals."""
    _, _, folder, _, array = products
    lines = (folder / "out_noise.txt").read_text().splitlines()
    assert all(line.startswith("#") for line in lines[:4])
    rows = [line.split("\t") for line in lines[4:]]
    assert [row[0] for row in rows] == [str(z) for z in range(18)]
    assert all(re.fullmatch(r"\d+\.\d{15}", row[1]) for row in rows)
    part = array[1:19, 3:28, 2:28]
    for row, plane in zip(rows, part, strict=True):
        # 1.4826 × MAD of the negative half, element 0 left out (§3.1); 15 decimals
        flat = plane.reshape(-1)[:0:-1]
        half = np.abs(flat[flat < 0])[: plane.size // 2]
        assert float(row[1]) == pytest.approx(1.482602218505602 * float(np.median(half)), rel=1e-6)


def test_noise_cube(tmp_path):
    array, header = make_cube(SHAPE, sources=SOURCES)
    path = write_fits(tmp_path / "cube.fits", array, header)
    local = ["scaleNoise.enable=true", "scaleNoise.mode=local", "output.writeNoise=true", "flag.region=0,3,0,2,5,5"]
    run_pipeline(path, tmp_path, [*FIND, *local])
    noise, found = fits.getdata(tmp_path / "cube_noise.fits", header=True)
    assert noise.shape == SHAPE
    assert (found["BITPIX"], found["BUNIT"], found["BMAJ"]) == (-32, "Jy/beam", header["BMAJ"])
    blank = np.zeros(SHAPE, bool)
    blank[5, :3, :4] = True
    assert np.array_equal(np.isnan(noise), blank)
    # the noise put in, from windows of about 10⁴ voxels of correlated noise: a few per cent, and 3 sources
    assert np.nanmedian(noise) == pytest.approx(1e-3, rel=0.15)
    assert not (tmp_path / "cube_noise.txt").exists()


def test_no_noise_without_scaling(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE, sources=SOURCES))
    run_pipeline(path, tmp_path, [*FIND, "output.writeNoise=true"])
    assert not list(tmp_path.glob("*_noise*"))


# --- names and places: spec sofia2 §4.1 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("run.FIT", "run"), ("run.fits", "run"), ("run.txt", "run.txt"), ("a.b.fits", "a.b"),
        ("cube.fits.gz", "cube.fits.gz"), ("plain", "plain"),
    ],
)  # fmt: skip
def test_base_names(given, base):
    assert base_name(load_settings([f"output.filename={given}", "input.data=x/cube.fits"])) == base
    assert base_name(load_settings([f"input.data=x/{given}"])) == base


def test_folder_of_products(tmp_path):
    path = tmp_path / "cube.fits"
    assert product_base(load_settings([f"input.data={path}"])) == tmp_path / "cube"
    with pytest.raises(FileAccessError, match=r"output\.directory") as info:
        product_base(load_settings([f"input.data={path}", f"output.directory={tmp_path / 'absent'}"]))
    assert info.value.exit_code == 5
    with pytest.raises(FileAccessError, match=r"output\.filename"):
        product_base(load_settings([f"input.data={path}", "output.filename=../away"]))


def test_existing_products_are_kept_where_asked(tmp_path, monkeypatch):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE, sources=SOURCES))
    old = tmp_path / "cube_cat.xml"
    old.write_text("old")
    with pytest.raises(FileAccessError, match="overwrite") as info:
        run_pipeline(path, tmp_path, [*FIND, "output.overwrite=false"])
    assert info.value.exit_code == 5
    assert old.read_text() == "old"
    assert not (tmp_path / "cube_cat.txt").exists()  # refused before any work
    run_pipeline(path, tmp_path, FIND)
    assert old.read_text() != "old"


def test_nothing_found_leaves_no_catalogue(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE, sources=()))
    with pytest.raises(NothingFoundError) as info:
        run_pipeline(path, tmp_path, ["pipeline.finder=threshold", "threshold.threshold=50"])
    assert info.value.exit_code == 8
    assert [p.name for p in tmp_path.iterdir()] == ["cube.fits"]


def test_failed_write_leaves_nothing_behind(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError(28, os.strerror(28))

    old = tmp_path / "product.txt"
    old.write_text("old")
    with pytest.raises(FileAccessError, match="No space left"):
        write_file(old, fail)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize("system", ["linux", "elsewhere"])
@pytest.mark.parametrize("before", ["nothing", "a file", "a link"])
def test_a_new_product_takes_the_place_of_the_old(tmp_path, monkeypatch, system, before):
    if system != "linux":
        monkeypatch.setattr(sys, "platform", system)
    path, kept = tmp_path / "product.txt", tmp_path / "kept.txt"
    kept.write_text("kept")
    if before == "a file":
        path.write_text("old")
    elif before == "a link":
        path.symlink_to(kept)
    write_file(path, lambda new: new.write_text("new"))
    assert path.read_text() == "new" and not path.is_symlink()
    assert kept.read_text() == "kept"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kept.txt", "product.txt"]


def test_zeros_of_a_mask_are_holes(tmp_path):
    planes = np.zeros((7, 300, 301), np.int32)
    planes[3, 17, 200], planes[6, 299, 300] = 5, -1
    header = empty_header(planes.dtype, planes.shape[::-1])
    write_image(tmp_path / "mask.fits", header, (planes[z : z + 2] for z in range(0, 7, 2)), load_settings([]))
    with fits.open(tmp_path / "mask.fits") as file:
        file.verify("exception")
    assert np.array_equal(fits.getdata(tmp_path / "mask.fits"), planes)
    size = (tmp_path / "mask.fits").stat().st_size
    assert size % 2880 == 0
    assert size - planes.nbytes < 3 * 2880
    whole = np.zeros((2, 3), np.float32)
    write_image(tmp_path / "zeros.fits", empty_header(whole.dtype, (3, 2)), [whole], load_settings([]))
    assert (tmp_path / "zeros.fits").stat().st_size == 2 * 2880
    assert not fits.getdata(tmp_path / "zeros.fits").any()
