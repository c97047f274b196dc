"""Bad input: one sentence on standard error, SoFiA's exit code, no traceback, nothing half-written (spec sofia2 §5).

Each table has one kind of file: what is wrong with it, how such a file is made, the exit code, and what the sentence
says. 5 is a file that cannot be read, 7 one that is read and is not what it has to be.
"""

import json
import os
import re
import shutil
import sys

import h5py
import numpy as np
import pytest
from astropy.io import fits

from hisf.cli import main
from hisf.testing import make_cube, run_pipeline, write_fits, write_hdf5

ARRAY, HEADER = make_cube()


def write(path, array=ARRAY, **cards):
    """Write a cube with some cards changed or added."""
    header = HEADER.copy()
    header.update(cards)
    return write_fits(path, array, header)


def text(content):
    """A maker of files with this content."""
    return lambda path: path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)


def cut(make, size):
    """A maker of files that end early: after ``size`` bytes, or after a share of them."""

    def made(path):
        make(path)
        os.truncate(path, int(size * path.stat().st_size) if size < 1 else size)

    return made


def replaced(make, old, new):
    """A maker of files in which the first of these bytes are others."""
    assert len(old) == len(new)

    def made(path):
        make(path)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return made


def card(key, value):
    """The bytes of a card of a FITS header."""
    return f"{key:<8}= {value:>20}".encode()


def scribbled(make):
    """A maker of files whose second half is overwritten."""

    def made(path):
        make(path)
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(b"\xff" * (path.stat().st_size // 2))

    return made


def compressed_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("cube", data=ARRAY, chunks=(8, 8, 8), compression="gzip", fletcher32=True)


def hdf5(**data_sets):
    """A maker of HDF5 files with these data sets."""

    def made(path):
        with h5py.File(path, "w") as file:
            for name, values in data_sets.items():
                file[name] = values

    return made


FITS = "is not a FITS file|FITS header"
CUBES = {
    "text": (text("this is no cube\n"), 5, r"cube\.fits is not a FITS file: it has no FITS header"),
    "empty": (text(b""), 5, r"cube\.fits is empty; a FITS or HDF5 file is needed"),
    "compressed": (text(b"\x1f\x8b\x08\x00rest"), 5, r"is compressed; decompress it first"),
    "a picture": (text(b"\x89PNG\r\n\x1a\n" + b"\0" * 3000), 5, r"is not a FITS file"),
    "data cut off": (cut(write, 0.5), 5, r"is truncated: its header promises \d+ bytes of data, the file holds \d+"),
    "header cut off": (cut(write, 1000), 5, r"the FITS header is truncated or damaged"),
    "data missing": (cut(write, 2880), 5, r"is truncated: .* the file holds 0\."),
    "an extension": (
        replaced(write, b"SIMPLE  =                    T", b"XTENSION= 'IMAGE   '          "), 7, r"first card is not",
    ),
    "no data": (lambda p: fits.PrimaryHDU().writeto(p), 7, r"NAXIS is 0; a cube or image with 1 to 4 axes"),
    "five axes": (lambda p: fits.writeto(p, np.zeros((2, 2, 2, 2, 2), np.float32)), 7, r"NAXIS is 5"),
    "two long axes": (lambda p: fits.writeto(p, np.zeros((2, 3, 4, 5), np.float32)), 7, r"axes 3 and 4 have 3 and 2"),
    "NAXIS that is text": (replaced(write, card("NAXIS", 3), card("NAXIS", "'3'")), 7, r"NAXIS is '3'"),
    "an axis of no length": (replaced(write, card("NAXIS1", 36), card("NAXIS1", 0)), 7, r"NAXIS1 is 0; every axis"),
    "an axis below zero": (replaced(write, card("NAXIS2", 32), card("NAXIS2", -32)), 7, r"NAXIS2 is -32"),
    "an axis of a fraction": (replaced(write, card("NAXIS3", 40), card("NAXIS3", 40.5)), 7, r"NAXIS3 is 40\.5"),
    "an axis without end": (
        replaced(write, card("NAXIS3", 40), card("NAXIS3", 10**18)), 5, r"promises 4608000000000000000000 bytes",
    ),
    "an axis that is missing": (replaced(write, b"NAXIS2  ", b"NOXIS2  "), 7, r"NAXIS2 is None"),
    "unknown BITPIX": (replaced(write, card("BITPIX", -32), card("BITPIX", 24)), 7, r"BITPIX is 24; 8, 16, 32, 64"),
    "no BITPIX": (replaced(write, b"BITPIX  ", b"BATPIX  "), 7, r"BITPIX is None"),
    "all blank": (lambda p: write(p, np.full_like(ARRAY, np.nan)), 7, r"every voxel is blank \(NaN\)"),
    "all infinite": (lambda p: write(p, np.full_like(ARRAY, np.inf)), 7, r"every voxel is blank \(NaN\)"),
    "constant": (lambda p: write(p, np.ones_like(ARRAY)), 7, r"noise"),
    "plain integers": (lambda p: write(p, np.ones(ARRAY.shape, np.int16)), 7, r"holds integers without BSCALE"),
    "a folder": (lambda p: p.mkdir(), 5, r"is a folder; a FITS or HDF5 file is needed"),
    "HDF5 that is none": (text(b"\x89HDF\r\n\x1a\n" + b"x" * 100), 5, r"the HDF5 file cannot be opened"),
    "HDF5 cut off": (cut(compressed_hdf5, 0.5), 5, r"the HDF5 file cannot be opened"),
    "HDF5 with other bytes": (scribbled(compressed_hdf5), 5, r"channels 0 to 39 cannot be read|is damaged"),
    "HDF5 without data": (hdf5(), 7, r"0 data sets could be the cube \(none\)"),
    "HDF5 with two cubes": (
        hdf5(a=ARRAY, b=ARRAY), 7, r"2 data sets could be the cube \(/a, /b\); name one with input\.dataset",
    ),
    "HDF5 of text": (hdf5(a=np.full((2, 2, 2), b"x")), 7, r"0 data sets could be the cube"),
    "HDF5 with two long axes": (hdf5(a=np.zeros((2, 3, 4, 5))), 7, r"one must have length 1"),
    "HDF5 of halves": (hdf5(a=np.zeros((2, 3, 4), np.float16)), 7, r"holds float16; numbers|holds float16"),
}  # fmt: skip

GOOD = "input.data = cube.fits\n"
PAR_FILES = {
    "empty": (text(""), 7, r"input\.data is empty: it must name the cube to search"),
    "bytes": (text(bytes(range(256)) * 20), 7, r"input\.data is empty"),
    "a folder": (lambda p: p.mkdir(), 5, r"Cannot read the parameter file .*: Is a directory"),
    "a cube": (write, 7, r"bad\.par is a FITS file, not a parameter file: write input\.data="),
    "an HDF5 file": (compressed_hdf5, 7, r"bad\.par is an HDF5 file, not a parameter file"),
    "an unknown name": (text(GOOD + "scfind.treshold = 4\n"), 7, r"bad\.par line 2: .*mean scfind\.threshold\?"),
    "a line without a value": (text(GOOD + "scfind.threshold\n"), 7, r"bad\.par line 2: scfind\.threshold"),
    "a number that is text": (text(GOOD + "scfind.threshold = high\n"), 7, r"bad\.par line 2: scfind\.threshold"),
    "a number that is NaN": (text(GOOD + "scfind.threshold = nan\n"), 7, r"bad\.par line 2: scfind\.threshold"),
    "a list with a hole": (text(GOOD + "scfind.kernelsZ = 0,,3\n"), 7, r"bad\.par line 2: .*scfind\.kernelsZ"),
    "a cube that is not there": (text("input.data = no.fits\n"), 5, r"no\.fits: no such file \(input\.data, bad"),
    "SoFiA 1 without a cube": (text("steps.doSCfind = true\n"), 7, r"import\.inFile"),
    "SoFiA 1 that would run": (
        text("import.inFile = cube.fits\nsteps.doFlag = true\nflag.regions = __import__('os').getcwd()\n"), 7,
        r"flag\.regions",
    ),
}  # fmt: skip

SETTINGS = {
    "no such cube": (["input.data=nowhere.fits"], 5, "nowhere.fits"),
    "no cube named": (["input.data="], 7, "input.data"),
    "no such par file": (["nowhere.par"], 5, "nowhere.par"),
    "unknown key": (["scfind.treshold=4"], 7, "scfind.threshold"),
    "threshold 0": (["scfind.threshold=0"], 7, "scfind.threshold"),
    "threshold no number": (["scfind.threshold=high"], 7, "scfind.threshold"),
    "region of five": (["input.region=0,1,2,3,4"], 7, "input.region"),
    "region reversed": (["input.region=9,1,0,5,0,5"], 7, "input.region"),
    "region negative": (["input.region=-1,9,0,5,0,5"], 7, "input.region"),
    "region outside": (["input.region=100,200,0,5,0,5"], 7, "outside"),
    "empty list element": (["scfind.kernelsZ=0,,3"], 7, "scfind.kernelsZ"),
    "kernel too wide": (["scfind.kernelsXY=0,64"], 7, "scfind.kernelsXY"),
    "spectral kernel too wide": (["scfind.kernelsZ=0,40"], 7, "40 channels"),
    "no kernels": (["scfind.kernelsXY="], 4, "scfind.kernelsXY"),
    "mask finder without a mask": (["pipeline.finder=mask"], 7, "input.mask"),
    "no such table of positions": (["flag.catalog=nowhere.txt"], 5, "flag.catalog"),
    "weights that are not there": (["pipeline.finder=cnn", "cnn.weights=nowhere.safetensors"], 5, "cnn.weights"),
    "weights of another network": (["pipeline.finder=cnn", "cnn.architecture=resnet34"], 7, "cnn.architecture"),
    "reliability and keepNegative": (["reliability.enable=true", "linker.keepNegative=true"], 7, "keepNegative"),
    "one reliability parameter": (
        ["reliability.enable=true", "reliability.parameters=sum"],
        7,
        "reliability.parameters",
    ),
    "dilation too far": (["dilation.enable=true", "dilation.iterationsZ=40"], 7, "dilation.iterationsZ"),
    "no output folder": (["output.directory=nowhere"], 5, "nowhere"),
    "path as file name": (["output.filename=../escape"], 5, "output.filename"),
    "linker switched off": (["linker.enable=false"], 8, "linker.enable"),
    "nothing found": (["scfind.threshold=1000"], 8, "No source"),
    "no such noise cube": (["input.noise=nowhere.fits"], 5, "input.noise"),
    "no negative sources": (["reliability.enable=true"], 1, "negative"),
    "unknown linker": (["linker.method=duchamp"], 7, "linker.method"),
    "par file is a cube": (["cube.fits"], 7, "input.data"),
    "a file name with a folder in it": (["output.filename=sub/name"], 5, r"output\.filename = sub/name is not a file"),
    "an absolute file name": (["output.filename=/tmp/name"], 5, r"output\.filename = /tmp/name is not a file"),
    "memory without a unit": (["pipeline.memory=lots"], 7, r"pipeline\.memory"),
    "a tile of two sizes": (["pipeline.tile=3,4"], 7, r"pipeline\.tile = 3,4 .* has 2 values"),
    "an unknown engine": (["pipeline.engine=cloud"], 7, r"pipeline\.engine = cloud .* is not known"),
    "an unknown finder": (["pipeline.finder=duchamp"], 7, r"pipeline\.finder = duchamp: no such plugin is installed"),
}

COMPANIONS = {
    "a mask of fractions": ("input.mask", write, 7, r"bad\.fits does not hold integers; input\.mask needs"),
    "a mask cut off": (
        "input.mask", cut(lambda p: write(p, np.ones(ARRAY.shape, np.int32)), 0.7), 5, r"bad\.fits is truncated",
    ),
    "a mask of another size": (
        "input.mask", lambda p: write(p, np.ones((3, 4, 5), np.int32)), 7, r"bad\.fits has 5 × 4 × 3 voxels, the data",
    ),
    "a mask that is text": ("input.mask", text("none"), 5, r"bad\.fits is not a FITS file"),
    "a gain of another size": ("input.gain", lambda p: write(p, ARRAY[:-1]), 7, r"bad\.fits has 36 × 32 × 39 voxels"),
    "noise of another size": ("input.noise", lambda p: write(p, ARRAY[:-1]), 7, r"bad\.fits has 36 × 32 × 39 voxels"),
    "weights of another size": ("input.weights", lambda p: write(p, ARRAY[:-1]), 7, r"bad\.fits has 36 × 32 × 39"),
    "noise of integers": (
        "input.noise", lambda p: write(p, np.ones(ARRAY.shape, np.int16)), 7, r"holds integers without BSCALE",
    ),
    "a gain that is an HDF5 of nothing": ("input.gain", hdf5(), 7, r"0 data sets could be the cube"),
    "positions that are words": ("flag.catalog", text("one two\n"), 7, r"longitudes and latitudes must be numbers"),
    "a position without latitude": ("flag.catalog", text("1 2\n3\n"), 7, r"row 2 has 1 columns, the first row 2"),
    "reliable positions that are words": (
        "reliability.catalog", text("one two\n"), 7, r"longitudes and latitudes must be numbers",
    ),
    "reliable positions that are not there": ("reliability.catalog", lambda p: None, 5, r"bad\.fits: no such file"),
}  # fmt: skip


def tensors(metadata=None, **named):
    """A maker of files of safetensors."""

    def made(path):
        from safetensors.numpy import save_file

        save_file({name: np.asarray(values) for name, values in named.items()} or {"a": np.ones(2)}, path, metadata)

    return made


def pickled(path):
    import pickle

    path.write_bytes(pickle.dumps({"segmenter": [1.0]}))


def about(**said):
    return {"format": "hisf-weights-1", "about": json.dumps({"architecture": "slim", **said})}


WEIGHTS = {
    "not there": (lambda p: None, 5, r"cnn\.weights: bad\.safetensors is not there"),
    "text": (text("weights"), 7, r"is not a safetensors file"),
    "a pickle": (pickled, 7, r"is not a safetensors file"),
    "cut off": (cut(tensors(about()), 0.9), 7, r"is not a safetensors file"),
    "a header that is too long": (text(b"\xff" * 8 + b"{}"), 7, r"is not a safetensors file"),
    "of another program": (tensors({"format": "pt"}), 7, r"is not a weights file of hisf \(format pt\)"),
    "that do not say what": (tensors(), 7, r"is not a weights file of hisf \(format not said\)"),
    "a header that is broken": (
        tensors({"format": "hisf-weights-1", "about": "{"}), 7, r"the header of bad\.safetensors is broken",
    ),
    "of an unknown network": (tensors(about(architecture="huge")), 7, r"architecture"),
    "without the network": (tensors(about()), 7, r"bad\.safetensors"),
}  # fmt: skip

SDC2 = "id ra dec hi_size line_flux_integral central_freq pa i w20\n"
ROW = "1 180.0 -30.0 8.0 40.0 1.2e9 120 60 200\n"
VOTABLE = """<?xml version="1.0"?>{}
<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>{}</RESOURCE></VOTABLE>"""
BOMB = "<!DOCTYPE bomb [<!ENTITY a0 'ha'>{}]>".format(
    "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
)
COLUMNS_ONLY = (
    '<TABLE><FIELD name="{}" datatype="double"/><DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE>'
)
CATALOGUES = {
    "not there": (lambda p: None, 5, r"bad cannot be read: No such file"),
    "a folder": (lambda p: p.mkdir(), 5, r"bad cannot be read: Is a directory"),
    "empty": (text(""), 7, r"bad is empty; a catalogue has at least its column names"),
    "bytes": (text(b"\x80\x81\x82"), 7, r"bad is not text; a VOTable or a text catalogue is needed"),
    "text of something else": (text("Dear all,\n"), 7, r"bad is not a catalogue that hisf knows"),
    "XML that breaks off": (text("<VOTABLE><RESOURCE>"), 7, r"bad is not a readable VOTable"),
    "XML of something else": (text("<html><body/></html>"), 7, r"bad is not a readable VOTable"),
    "a VOTable without a table": (text(VOTABLE.format("", "")), 7, r"bad is not a readable VOTable"),
    "a VOTable without positions": (
        text(VOTABLE.format("", COLUMNS_ONLY.format("freq"))), 7, r"bad has no sky positions",
    ),
    "a billion laughs": (
        text(VOTABLE.format(BOMB, f"<DESCRIPTION>&a11;</DESCRIPTION>{COLUMNS_ONLY.format('freq')}")), 7,
        r"bad is not a readable VOTable",
    ),
    "an image": (write, 7, r"bad is an image and not a catalogue"),
    "a FITS file that breaks off": (cut(write, 3000), 7, r"bad is (not a readable FITS table|an image)"),
    "HDF5 of something else": (hdf5(a=ARRAY), 7, r"bad has no data set `catalogue` with columns"),
    "HDF5 that breaks off": (cut(compressed_hdf5, 0.5), 7, r"bad is not a readable HDF5 file"),
    "text with a short row": (text("# id ra dec freq f_sum\n# - - - - -\n1 2 3\n"), 7, r"line 3 has 3 values"),
    "text without frequencies": (text("# id ra dec f_sum\n# - - - -\n1 2 3 4\n"), 7, r"bad has no spectral position"),
}  # fmt: skip
TRUTHS = {
    "not there": (lambda p: None, 5, r"bad cannot be read"),
    "without rows": (text(SDC2), 7, r"bad has no rows; there is nothing to compare with"),
    "without a column": (text(SDC2.replace(" w20", "")), 7, r"column w20 is missing; the columns are id ra"),
    "with a short row": (text(SDC2 + "1 2 3\n"), 7, r"row 2 has 3 values, the header 9"),
    "with a long row": (text(SDC2 + ROW.strip() + " 7\n"), 7, r"row 2 has 10 values, the header 9"),
    "with text in a column": (text(SDC2 + ROW.replace("40.0", "much")), 7, r"column line_flux_integral holds text"),
    "without a number": (text(SDC2 + ROW.replace("1 ", "nan ", 1)), 7, r"row 2 has no id; every source needs a number"),
    "with an endless number": (text(SDC2 + ROW.replace("1 ", "inf ", 1)), 7, r"row 2 has no id"),
}  # fmt: skip

SOURCES = {
    "not there": (lambda p: None, 5, r"bad_sources\.h5: no such file; output\.writeSources = true"),
    "text": (text("none"), 7, r"is no sources file or a damaged one"),
    "a cube in HDF5": (lambda p: write_hdf5(p, ARRAY, HEADER), 7, r"holds no sources for hisf merge"),
    "cut off": (lambda p: cut(job, 0.6)(p), 7, r"is no sources file or a damaged one"),
    "without its voxels": (lambda p: without(job, "voxels")(p), 7, r"is no sources file or a damaged one"),
    "without its settings": (lambda p: emptied(job, "settings")(p), 7, r"is no sources file or a damaged one"),
    "of a region that is none": (lambda p: emptied(job, "region")(p), 7, r"is no sources file or a damaged one"),
}  # fmt: skip


def job(path):
    """Write the sources of a run on half of the cube that lies beside."""
    given = ["input.region=0,35,0,31,0,24", "output.writeSources=true", "output.filename=bad"]
    run_pipeline(path.parent / "cube.fits", path.parent, given)
    for product in path.parent.glob("bad_cat*"):
        product.unlink()


def without(make, name):
    def made(path):
        make(path)
        with h5py.File(path, "r+") as file:
            del file[name]

    return made


def emptied(make, name):
    def made(path):
        make(path)
        with h5py.File(path, "r+") as file:
            file.attrs[name] = ""

    return made


@pytest.fixture
def hisf(tmp_path, monkeypatch, capsys):
    """Call hisf beside a cube, with products going to a folder of their own; returns (exit code, standard error)."""
    write(tmp_path / "cube.fits")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hisf", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        return leaving.value.code, capsys.readouterr().err

    return call


RUN = ["run", "--quiet", "input.data=cube.fits", "output.directory=out", "scfind.enable=true", "output.writeMask=true"]


def assert_refused(answer, code, words, folder):
    """One sentence with these words, this exit code, and no product but the record of the run."""
    found, err = answer
    assert found == code, err
    errors = [line for line in err.splitlines() if not line.startswith("WARNING")]
    assert len(errors) == 1 and errors[0].startswith("ERROR: "), err
    assert errors[0].rstrip().endswith((".", ")")), "not a sentence"
    assert "Traceback" not in err and "Internal error" not in err
    assert re.search(words, errors[0]), errors[0]
    left = {path.name.removeprefix("cube") for path in (folder / "out").iterdir()}
    assert left <= {"_run.json", "_run.log"}


@pytest.mark.parametrize("name", CUBES)
def test_a_cube_is_refused(hisf, tmp_path, name):
    make, code, words = CUBES[name]
    (tmp_path / "cube.fits").unlink()
    make(tmp_path / "cube.fits")
    assert_refused(hisf(*RUN), code, words, tmp_path)


@pytest.mark.parametrize("name", PAR_FILES)
def test_a_parameter_file_is_refused(hisf, tmp_path, name):
    make, code, words = PAR_FILES[name]
    make(tmp_path / "bad.par")
    assert_refused(hisf("run", "--quiet", "bad.par", "output.directory=out"), code, words, tmp_path)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_refused(hisf, tmp_path, name):
    settings, code, words = SETTINGS[name]
    assert_refused(hisf(*RUN, *settings), code, words, tmp_path)


@pytest.mark.parametrize("name", COMPANIONS)
def test_what_goes_with_a_cube_is_refused(hisf, tmp_path, name):
    key, make, code, words = COMPANIONS[name]
    make(tmp_path / "bad.fits")
    more = ["reliability.enable=true"] if key.startswith("reliability") else []
    assert_refused(hisf(*RUN, f"{key}=bad.fits", *more), code, words, tmp_path)


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_refused(hisf, tmp_path, name):
    make, code, words = WEIGHTS[name]
    make(tmp_path / "bad.safetensors")
    answer = hisf(*RUN, "pipeline.finder=cnn", "cnn.weights=bad.safetensors")
    assert_refused(answer, code, words, tmp_path)


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_catalogue_is_refused(hisf, tmp_path, name):
    make, code, words = CATALOGUES[name]
    make(tmp_path / "bad")
    (tmp_path / "truth.txt").write_text(SDC2 + ROW)
    assert_refused(hisf("score", "bad", "truth.txt", "--json", "out/card.json"), code, words, tmp_path)


@pytest.mark.parametrize("name", TRUTHS)
def test_a_truth_is_refused(hisf, tmp_path, name):
    make, code, words = TRUTHS[name]
    make(tmp_path / "bad")
    (tmp_path / "found.txt").write_text(SDC2 + ROW)
    assert_refused(hisf("score", "found.txt", "bad", "--json", "out/card.json"), code, words, tmp_path)


@pytest.mark.parametrize("name", SOURCES)
def test_sources_of_jobs_are_refused(hisf, tmp_path, name):
    make, code, words = SOURCES[name]
    make(tmp_path / "bad_sources.h5")
    assert_refused(hisf("merge", "--quiet", "bad_sources.h5", "output.directory=out"), code, words, tmp_path)


def test_jobs_that_searched_differently_are_not_merged(hisf, tmp_path):
    job(tmp_path / "bad_sources.h5")
    shutil.move(tmp_path / "bad_sources.h5", tmp_path / "one.h5")
    given = ["output.writeSources=true", "output.filename=bad", "scfind.threshold=6"]
    run_pipeline(tmp_path / "cube.fits", tmp_path, given)
    answer = hisf("merge", "--quiet", "one.h5", "bad_sources.h5", "output.directory=out")
    assert_refused(answer, 7, r"cannot be merged: input.data|cannot be merged: scfind\.threshold", tmp_path)


@pytest.fixture
def journal(hisf, tmp_path, monkeypatch):
    """The journal of a run that was interrupted when it linked."""
    from hisf.stages.link.ellipsoid import EllipsoidLinker

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EllipsoidLinker, "link", interrupted)
        assert hisf(*RUN)[0] == 130
    return tmp_path / "out" / "cube_journal"


def test_the_journal_of_another_run_is_refused(hisf, journal):
    code, err = hisf(*RUN, "--resume", "scfind.threshold=6")
    assert code == 7 and "The interrupted run cannot be resumed: scfind.threshold was" in err
    assert journal.is_dir()


@pytest.mark.parametrize(
    "damage", [cut(lambda p: None, 0.5), text(b""), text(b"nonsense"), lambda p: p.write_bytes(p.read_bytes()[::-1])]
)
def test_a_damaged_entry_of_a_journal_is_computed_anew(hisf, journal, damage):
    entries = [*journal.glob("*.npz")]
    assert entries
    for entry in entries:
        damage(entry)
    code, err = hisf(*RUN, "--resume")
    assert code == 0 and "is damaged" in err and "computed anew" in err
    assert not journal.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "7", '{"hisf": {}}'])
def test_a_journal_that_does_not_say_what_it_is_of_is_not_resumed(hisf, journal, content):
    (journal / "fingerprint.json").write_text(content)
    code, err = hisf(*RUN, "--resume")
    assert (code == 0 and "no journal" in err) or (code == 7 and "cannot be resumed" in err)


def test_there_are_at_least_sixty_kinds_of_bad_input():
    assert sum(map(len, (CUBES, PAR_FILES, SETTINGS, COMPANIONS, WEIGHTS, CATALOGUES, TRUTHS, SOURCES))) >= 60


def test_existing_products_are_kept_when_overwriting_is_off(hisf, tmp_path):
    (tmp_path / "out" / "cube_cat.xml").write_text("precious")
    code, err = hisf(*RUN, "output.overwrite=false")
    assert code == 5 and "cube_cat.xml" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cube_cat.xml"]
    assert (tmp_path / "out" / "cube_cat.xml").read_text() == "precious"


@pytest.mark.parametrize("name", ["cube_run.json", "cube_run.log"])
def test_record_and_log_are_kept_too_when_overwriting_is_off(hisf, tmp_path, name):
    (tmp_path / "out" / name).write_text("precious")
    code, err = hisf(*RUN, "output.overwrite=false")
    assert code == 5 and name in err
    assert (tmp_path / "out" / name).read_text() == "precious"


def test_a_mask_of_unsigned_integers_is_accepted(hisf, tmp_path):
    mask = np.zeros(ARRAY.shape, np.uint16)
    mask[17:24, 12:21, 14:23] = 3
    fits.writeto(tmp_path / "mask.fits", mask)
    code, err = hisf(*RUN, "input.mask=mask.fits", "scfind.enable=false")
    assert code == 0, err
    assert fits.getdata(tmp_path / "out" / "cube_mask.fits").sum() == (mask > 0).sum()


def test_a_gain_without_anything_that_rescales_is_said_to_have_no_effect(hisf):
    assert "input.gain has no effect" in hisf(*RUN, "input.gain=cube.fits")[1]
    assert "input.gain" not in hisf(*RUN, "input.gain=cube.fits", "scaleNoise.enable=true")[1]
