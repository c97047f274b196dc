"""``hisf compare``: which sources are the same, how far values and masks differ, what is said and written."""

import gzip
import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from hisf.cli.compare import command
from hisf.errors import FileAccessError, HisfError, InputError
from hisf.evaluate.comparison import BY_MASK, BY_POSITION, USUAL_BEAM, compare_outputs
from hisf.evaluate.differences import compare_columns, printed_step
from hisf.evaluate.layouts import RawTable
from hisf.evaluate.outputs import open_output
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

EVERYTHING = ("output.writeMask=true", "output.writeMask2d=true", "output.writeMoments=true", "parameter.physical=true",
              "output.writeCatFITS=true", "output.writeCatHDF5=true", "output.filename=run")  # fmt: skip
SOURCES = [GaussianSource(*s) for s in ((0.02, 20, 8, 8), (0.015, 12, 24, 27), (0.006, 30, 25, 8))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of three runs on one cube: deep (three sources), the same again, and shallow (two sources)."""
    folder = tmp_path_factory.mktemp("compare")
    cube = write_fits(folder / "cube.fits", *make_cube(sources=SOURCES))
    for name, threshold in (("deep", 4.0), ("again", 4.0), ("shallow", 12.0)):
        (folder / name).mkdir()
        run_pipeline(cube, folder / name, [*EVERYTHING, f"scfind.threshold={threshold}"])
    return folder


def compare(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout


def compared(*arguments):
    return json.loads(compare(*arguments, "--json", "-"))


def raw(**columns):
    n = len(next(iter(columns.values())))
    return RawTable({name: np.array(values) for name, values in columns.items()}, {}, n)


def test_printed_step_is_that_of_the_text_catalogue():
    # %.6f, and %.5e from 1e4 on and below 1e-3
    values = np.array([0.0, 1.0, -9999.0, 0.001, 0.00099, 12345.0, 1.42e9, -3e-5])
    np.testing.assert_allclose(printed_step(values), [1e-6, 1e-6, 1e-6, 1e-6, 1e-9, 1e-1, 1e4, 1e-10], rtol=1e-12)


def test_differences_of_a_column():
    a = raw(f_sum=[1.0, 10.0, np.nan, 4.0, 0.0], name=["p", "q", "r", "s", "t"], id=[1.0, 2.0, 3.0, 4.0, 5.0])
    b = raw(f_sum=[1.0 + 9e-7, 12.0, 3.0, 3.0, 0.0], name=["p", "q", "r", "s", ""], id=[1.0, 3.0, 2.0, 4.0, 5.0])
    every = np.arange(5)
    (flux, name, number), notes = compare_columns(a, b, every, every)
    assert (flux.n, flux.n_differ, flux.n_missing) == (4, 2, 1)  # 9e-7 is not printed
    assert (flux.median, flux.largest) == (pytest.approx(4.5e-7), 2.0)
    assert flux.largest_relative == pytest.approx(1 / 4)
    assert (name.n, name.n_differ, name.n_missing) == (4, 0, 1)
    assert (number.n_differ, np.isnan(number.largest)) == (2, True)
    assert notes == []
    assert compare_columns(a, b, every, every, tolerance=0.2)[0][0].n_differ == 1


def test_angles_are_compared_on_the_circle():
    a, b = raw(kin_pa=[359.0, 10.0], ell_pa=[89.0, 10.0]), raw(kin_pa=[1.0, 190.0], ell_pa=[-89.0, 100.0])
    kin_pa, ell_pa = compare_columns(a, b, np.arange(2), np.arange(2))[0]
    assert (kin_pa.largest, ell_pa.largest) == (180.0, 90.0)
    assert min(kin_pa.n_differ, ell_pa.n_differ) == 2
    first = compare_columns(a, b, np.array([0]), np.array([0]))[0]
    assert [column.median for column in first] == [2.0, 2.0]


def test_columns_of_different_units_are_not_compared():
    a = RawTable({"f_sum": np.ones(1), "w50": np.ones(1)}, {"f_sum": "Jy/beam", "w50": "Jy*Hz"}, 1)
    b = RawTable({"f_sum": np.ones(1), "w50": np.ones(1)}, {"f_sum": "Jy*Hz", "w50": "Jy*HZ"}, 1)
    columns, notes = compare_columns(a, b, np.arange(1), np.arange(1))
    assert [column.name for column in columns] == ["w50"]
    assert notes == ["f_sum is in Jy/beam in A and in Jy*Hz in B: not compared."]


def test_the_same_run_twice_makes_no_difference(runs):
    out = compare(runs / "deep", runs / "again", "--fail-on-difference")
    assert "3 in both, 0 only in A, 0 only in B; matched by mask overlap." in out
    assert out.endswith("46 of 46 common columns agree in every matched source.\nNo difference: catalogues and masks "
                        "agree.\n")  # fmt: skip
    assert "note:" not in out


@pytest.mark.parametrize("ending", ["txt", "fits", "h5"])
def test_every_kind_of_catalogue_holds_the_same(runs, ending):
    result = compared(runs / "deep" / f"run_cat.{ending}", runs / "again" / "run_cat.xml")
    assert result["identical"], [c for c in result["columns"] if c["n_differ"]]
    assert result["a"]["layout"] != result["b"]["layout"]
    assert len(result["columns"]) == 46


def test_what_another_threshold_changes(runs):
    result = compared(runs / "deep", runs / "shallow")
    assert (result["matched"], result["only_a"], result["only_b"], result["matched_by"]) == (2, 1, 0, BY_MASK)
    assert not result["identical"]
    deep, shallow = (fits.getdata(runs / name / "run_mask.fits") for name in ("deep", "shallow"))
    both = int(((deep > 0) & (shallow > 0)).sum())
    masks = result["masks"]
    assert (masks["n_both"], masks["n_only_a"], masks["n_only_b"]) == (
        both, (deep > 0).sum() - both, (shallow > 0).sum() - both)  # fmt: skip
    assert masks["iou"] == pytest.approx(both / ((deep > 0) | (shallow > 0)).sum())
    tables = [Table.read(runs / name / "run_cat.xml") for name in ("deep", "shallow")]
    n_pix = next(c for c in result["columns"] if c["name"] == "n_pix")
    deep, shallow = ({round(float(row["z"])): int(row["n_pix"]) for row in table} for table in tables)
    lost = [deep[z] - n for z, n in shallow.items()]
    assert (n_pix["n_differ"], n_pix["median"], n_pix["largest"]) == (2, -np.median(lost), max(lost))
    with pytest.raises(HisfError, match="differ, and --fail-on-difference") as failed:
        compare(runs / "deep", runs / "shallow", "--fail-on-difference")
    assert failed.value.exit_code == 1


def test_sources_in_one_only_are_listed(runs):
    out = compare(runs / "deep", runs / "shallow")
    faint = min(Table.read(runs / "deep" / "run_cat.xml"), key=lambda row: row["f_sum"])
    listed = out.partition("Only in A\n")[2].splitlines()
    assert str(faint["name"]) in listed[3] and f" {faint['f_sum']:.4g} " in listed[3]
    assert "Only in B" not in out
    assert max(len(line) for line in out.splitlines() if line[:1] == "|") <= 120


def test_sides_change_places(runs):
    there, back = compared(runs / "deep", runs / "shallow"), compared(runs / "shallow", runs / "deep")
    assert (there["only_a"], there["only_b"]) == (back["only_b"], back["only_a"]) == (1, 0)
    assert there["masks"]["iou"] == back["masks"]["iou"]
    medians = [next(c["median"] for c in side["columns"] if c["name"] == "f_sum") for side in (there, back)]
    assert medians[0] == pytest.approx(-medians[1]) and medians[0] < 0


def test_without_masks_positions_match(runs, tmp_path):
    for name in ("deep", "shallow"):
        (tmp_path / name).mkdir()
        shutil.copy(runs / name / "run_cat.xml", tmp_path / name)
    result = compare_outputs(open_output(tmp_path / "deep"), open_output(tmp_path / "shallow"))
    masked = compare_outputs(open_output(runs / "deep"), open_output(runs / "shallow"))
    assert (result.method, result.beam, result.masks) == (BY_POSITION, USUAL_BEAM, None)
    np.testing.assert_array_equal([result.rows_a, result.rows_b], [masked.rows_a, masked.rows_b])
    assert "No header says how large the beam is" in result.notes[0]
    shutil.copy(runs / "deep" / "run_mom0.fits", tmp_path / "deep")
    shutil.copy(runs / "deep" / "run_mask.fits", tmp_path / "deep")
    result = compare_outputs(open_output(tmp_path / "deep"), open_output(tmp_path / "shallow"))
    assert result.beam == pytest.approx(40.0)  # 4 pixels of 10 arcsec, of the header of the map
    assert result.notes == ["Masks are not compared: only A has one (output.writeMask = true)."]


def test_masks_on_the_sky_are_compared_where_there_is_no_cube(runs, tmp_path):
    for name in ("deep", "shallow"):
        (tmp_path / name).mkdir()
        for file in ("run_cat.xml", "run_mask-2d.fits"):
            shutil.copy(runs / name / file, tmp_path / name)
    result = compare_outputs(open_output(tmp_path / "deep"), open_output(tmp_path / "shallow"))
    deep, shallow = (fits.getdata(tmp_path / name / "run_mask-2d.fits") > 0 for name in ("deep", "shallow"))
    assert (result.method, result.masks.kind) == (BY_POSITION, "image")
    assert result.masks.iou == pytest.approx((deep & shallow).sum() / (deep | shallow).sum())
    assert len(result.masks.pairs) == 2 and np.all(result.masks.pairs < 1)


def test_sources_that_one_side_joins(runs, tmp_path):
    shutil.copytree(runs / "deep", tmp_path / "joined")
    table = open_output(runs / "deep").raw
    first, second = (int(v) for v in np.sort(table.columns["id"])[:2])
    with fits.open(tmp_path / "joined" / "run_mask.fits", mode="update") as hdus:
        hdus[0].data[hdus[0].data == second] = first
    lines = (tmp_path / "joined" / "run_cat.txt").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.split('"')[2:] or int(line.split('"')[2].split()[0]) != second]
    (tmp_path / "joined" / "run_cat.txt").write_text("".join(kept))
    for ending in ("xml", "h5", "fits"):
        (tmp_path / "joined" / f"run_cat.{ending}").unlink()
    result = compared(runs / "deep", tmp_path / "joined")
    assert (result["matched"], result["only_a"], result["only_b"]) == (2, 1, 0)
    assert (result["masks"]["n_shared_a"], result["masks"]["n_shared_b"]) == (1, 0)
    assert (result["masks"]["iou"], result["masks"]["identical"]) == (1.0, False)
    assert "1 of those only in A overlap a source of B" in compare(runs / "deep", tmp_path / "joined")


def test_labels_that_are_no_ids_are_not_used(runs, tmp_path):
    shutil.copytree(runs / "deep", tmp_path / "relabelled")
    with fits.open(tmp_path / "relabelled" / "run_mask.fits", mode="update") as hdus:
        hdus[0].data[hdus[0].data > 0] += 10
    result = compared(runs / "deep", tmp_path / "relabelled")
    assert result["matched_by"] == BY_POSITION and result["masks"]["iou"] == 1.0
    assert any("labels of the mask of B are not the ids" in note for note in result["notes"])


def test_masks_of_another_region_are_left_out(runs, tmp_path):
    run_pipeline(runs / "cube.fits", tmp_path, [*EVERYTHING, "scfind.threshold=4", "input.region=0,35,0,31,0,35",
                                                "parameter.offset=true"])  # fmt: skip
    result = compared(runs / "deep", tmp_path)
    assert (result["matched"], result["masks"], result["matched_by"]) == (3, None, BY_POSITION)
    assert any("must be of the same size" in note for note in result["notes"])


def test_pixels_alone_need_masks(runs, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run_pipeline(runs / "cube.fits", tmp_path / name, [*EVERYTHING, "scfind.threshold=4", "parameter.wcs=false"])
    figure = tmp_path / "figure.png"
    assert "No difference" in compare(tmp_path / "one", tmp_path / "two", "--figure", figure)
    assert figure.read_bytes().startswith(b"\x89PNG")
    for mask in tmp_path.glob("two/*mask*"):
        mask.unlink()
    with pytest.raises(InputError, match=r"cannot be matched: not both have a mask .* no sky positions"):
        compare(tmp_path / "one", tmp_path / "two")


def test_an_sdc2_table_against_a_votable(runs, tmp_path):
    truth = open_output(runs / "deep").table
    words = "id ra dec hi_size line_flux_integral central_freq pa i w20"
    rows = []
    for i, row in enumerate(truth):
        ra, dec, freq, w20 = (row[name].value for name in ("ra", "dec", "central_freq", "w20"))
        rows.append(f"{i} {ra} {dec} 10 {1.1 * row['line_flux_integral'].value} {freq} 0 0 {w20}")
    (tmp_path / "truth.txt").write_text("\n".join([words, *rows]) + "\n")
    result = compared(runs / "deep", tmp_path / "truth.txt")
    flux = next(c for c in result["columns"] if c["name"] == "line_flux_integral")
    assert (result["matched"], flux["n_differ"]) == (3, 3)
    assert flux["largest_relative"] == pytest.approx(1 - 1 / 1.1)
    assert next(c for c in result["columns"] if c["name"] == "w20")["n_differ"] == 0


def test_table_has_every_source_of_either(runs, tmp_path):
    for name in ("table.csv", "table.ecsv"):
        compare(runs / "deep", runs / "shallow", "--table", tmp_path / name)
        table = Table.read(tmp_path / name)
        assert list(table["class"]) == ["both", "both", "only A"]
        assert np.ma.is_masked(table["f_sum_b"][2]) and not np.ma.is_masked(table["f_sum_a"][2])
        deep = Table.read(runs / "deep" / "run_cat.xml")
        assert sorted(table["n_pix_a"]) == sorted(deep["n_pix"])
    assert str(table["f_sum_a"].unit) == "Hz Jy"
    assert table["id_a"].dtype.kind == "i"


def test_figures_are_there_and_the_same_twice(runs, tmp_path):
    starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    for kind, start in starts.items():
        paths = [tmp_path / f"{n}.{kind}" for n in range(2)]
        for path in paths:
            assert str(path) in compare(runs / "deep", runs / "shallow", "--figure", path)
        first, second = (path.read_bytes() for path in paths)
        assert first.startswith(start) and first == second


def test_a_catalogue_without_rows(runs, tmp_path):
    lines = (runs / "deep" / "run_cat.txt").read_text().splitlines(keepends=True)
    (tmp_path / "empty_cat.txt").write_text("".join(lines[:21]))
    figure, table = tmp_path / "figure.png", tmp_path / "table.ecsv"
    result = compared(tmp_path, runs / "deep", "--figure", figure, "--table", table)
    assert (result["a"]["sources"], result["matched"], result["only_b"], result["identical"]) == (0, 0, 3, False)
    assert list(Table.read(table)["class"]) == ["only B"] * 3
    assert "No difference" in compare(tmp_path, tmp_path, "--figure", figure)
    assert compared(runs / "deep", tmp_path, "--figure", figure)["only_a"] == 3


def test_a_folder_of_several_runs_wants_a_name(runs, tmp_path):
    for name in ("deep", "shallow"):
        shutil.copy(runs / name / "run_cat.xml", tmp_path / f"{name}_cat.xml")
        shutil.copy(runs / name / "run_cat.txt", tmp_path / f"{name}_cat.txt")
    with pytest.raises(InputError, match=r"holds 2 runs \(deep, shallow\); name one of them"):
        compare(tmp_path, runs / "deep")
    result = compared(tmp_path / "deep", tmp_path / "shallow")
    assert [result[side]["name"] for side in "ab"] == ["deep", "shallow"]
    assert result["a"]["catalogue"].endswith("deep_cat.xml")  # of full precision


def test_what_is_no_output_is_said(runs, tmp_path):
    with pytest.raises(InputError, match="holds no catalogue"):
        compare(tmp_path, runs / "deep")
    with pytest.raises(FileAccessError, match="neither a catalogue, nor a folder"):
        compare(tmp_path / "none", runs / "deep")
    with pytest.raises(InputError, match="is an image and not a catalogue"):
        compare(runs / "cube.fits", runs / "deep")
    (tmp_path / "cut_cat.h5").write_bytes((runs / "deep" / "run_cat.h5").read_bytes()[:600])
    with pytest.raises(InputError, match="not a readable HDF5 file"):
        compare(tmp_path / "cut_cat.h5", runs / "deep")
    with pytest.raises(FileAccessError, match="cannot be written"):
        compare(runs / "deep", runs / "again", "--figure", tmp_path / "none" / "figure.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--figure", "a.jpeg"], "must end in .png"),
        (["--table", "a.txt"], "must end in .csv"),
        (["--beam", "0"], "not the width of a beam"),
        (["--tolerance", "-1"], "not a relative difference"),
    ],
)
def test_options_that_make_no_sense(runs, options, words):
    with pytest.raises(InputError, match=words):
        compare(runs / "deep", runs / "again", *options)


@pytest.mark.shared
def test_a_run_of_sofia_and_ours_make_no_difference(shared, tmp_path):
    golden, cube = shared / "parity" / "goldens" / "crowded_negative", shared / "parity" / "cubes" / "crowded.fits"
    for folder in ("sofia", "hisf"):
        (tmp_path / folder).mkdir()
    shutil.copy(golden / "g_cat.xml", tmp_path / "sofia")
    (tmp_path / "sofia" / "g_mask.fits").write_bytes(gzip.decompress((golden / "g_mask.fits.gz").read_bytes()))
    run_pipeline(cube, tmp_path / "hisf", [str(golden / "case.par"), f"input.data={cube}", "output.writeMask=true",
                                           f"output.directory={tmp_path / 'hisf'}", "output.filename=g"])  # fmt: skip
    result = compared(tmp_path / "sofia", tmp_path / "hisf")
    assert result["identical"] and result["matched"] == 10 and len(result["columns"]) == 46
