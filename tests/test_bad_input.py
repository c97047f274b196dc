"""Bad input: one sentence on standard error, SoFiA's exit code, no traceback, nothing half-written (spec sofia2 §5)."""

import os
import sys

import numpy as np
import pytest
from astropy.io import fits

from hisf.cli import main
from hisf.testing import make_cube, write_fits

ARRAY, HEADER = make_cube()


def write(path, array=ARRAY, **cards):
    """Write a cube with some cards changed or added."""
    header = HEADER.copy()
    header.update(cards)
    return write_fits(path, array, header)


def truncated(path):
    write(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def half_a_header(path):
    write(path)
    with path.open("r+b") as file:
        file.truncate(1000)


def not_simple(path):
    write(path)
    raw = path.read_bytes()
    path.write_bytes(b"XTENSION= 'IMAGE   '".ljust(80) + raw[80:])


def five_axes(path):
    fits.writeto(path, np.zeros((2, 2, 2, 2, 2), np.float32))


def two_long_axes(path):
    fits.writeto(path, np.zeros((2, 3, 4, 5), np.float32))


def no_data(path):
    fits.PrimaryHDU().writeto(path)


CUBES = {
    "text": (lambda p: p.write_text("this is no cube\n"), 5, "not a FITS file"),
    "empty": (lambda p: p.write_bytes(b""), 5, "empty"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08\x00rest"), 5, "compressed"),
    "truncated data": (truncated, 5, "truncated"),
    "truncated header": (half_a_header, 5, "header"),
    "no SIMPLE": (not_simple, 7, "SIMPLE"),
    "no data": (no_data, 7, "NAXIS"),
    "five axes": (five_axes, 7, "NAXIS"),
    "two long axes": (two_long_axes, 7, "axes 3 and 4"),
    "all NaN": (lambda p: write(p, np.full_like(ARRAY, np.nan)), 7, "blank"),
    "constant": (lambda p: write(p, np.ones_like(ARRAY)), 7, "noise"),
    "plain integers": (lambda p: write(p, np.ones(ARRAY.shape, np.int16)), 7, "integers"),
    "broken HDF5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100), 5, "HDF5"),
    "folder": (lambda p: p.mkdir(), 5, "folder"),
}

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
    "par file is a cube": (["CUBE"], 7, "input.data"),
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run hisf on a cube in a folder of its own; returns (exit code, standard error, products)."""

    def call(cube, *settings):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path)
        given = [str(cube) if s == "CUBE" else s for s in settings]
        first = [f"input.data={cube}", f"output.directory={out}", "scfind.enable=true", "output.writeMask=true"]
        monkeypatch.setattr(sys, "argv", ["hisf", "run", "--quiet", *first, *given])
        with pytest.raises(SystemExit) as leaving:
            main()
        return leaving.value.code, capsys.readouterr().err, sorted(p.name for p in out.iterdir())

    return call


def assert_one_sentence(err):
    errors = [line for line in err.splitlines() if not line.startswith("WARNING")]
    assert len(errors) == 1 and errors[0].startswith("ERROR: "), err
    assert errors[0].rstrip().endswith((".", ")")), "not a sentence"
    assert "Traceback" not in err and "Internal error" not in err


@pytest.mark.parametrize("name", CUBES)
def test_bad_cube(run, tmp_path, name):
    make, code, words = CUBES[name]
    make(tmp_path / "cube.fits")
    found, err, products = run(tmp_path / "cube.fits")
    assert found == code, err
    assert words in err and "cube.fits" in err
    assert_one_sentence(err)
    assert products == []


@pytest.mark.parametrize("name", SETTINGS)
def test_bad_settings(run, tmp_path, name):
    settings, code, words = SETTINGS[name]
    write(tmp_path / "cube.fits")
    found, err, products = run(tmp_path / "cube.fits", *settings)
    assert found == code, err
    assert words in err
    assert_one_sentence(err)
    assert [p for p in products if not p.endswith(("_run.json", "_run.log"))] == []


@pytest.mark.parametrize("key", ["input.gain", "input.noise", "input.weights"])
def test_companion_of_another_size(run, tmp_path, key):
    write(tmp_path / "cube.fits")
    write(tmp_path / "other.fits", ARRAY[:-1])
    code, err, _ = run(tmp_path / "cube.fits", f"{key}=other.fits")
    assert code == 7 and "39" in err and "other.fits" in err


def test_mask_of_floats(run, tmp_path):
    write(tmp_path / "cube.fits")
    code, err, _ = run(tmp_path / "cube.fits", "input.mask=cube.fits")
    assert code == 7 and "integers" in err


def test_existing_products_are_kept_when_overwriting_is_off(run, tmp_path):
    write(tmp_path / "cube.fits")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cube_cat.xml").write_text("precious")
    code, err, products = run(tmp_path / "cube.fits", "output.overwrite=false")
    assert code == 5 and "cube_cat.xml" in err
    assert products == ["cube_cat.xml"]
    assert (tmp_path / "out" / "cube_cat.xml").read_text() == "precious"


@pytest.mark.parametrize("name", ["cube_run.json", "cube_run.log"])
def test_record_and_log_are_kept_too_when_overwriting_is_off(run, tmp_path, name):
    write(tmp_path / "cube.fits")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("precious")
    code, err, _ = run(tmp_path / "cube.fits", "output.overwrite=false")
    assert code == 5 and name in err
    assert (tmp_path / "out" / name).read_text() == "precious"


def test_mask_of_unsigned_integers(run, tmp_path):
    write(tmp_path / "cube.fits")
    mask = np.zeros(ARRAY.shape, np.uint16)
    mask[17:24, 12:21, 14:23] = 3
    fits.writeto(tmp_path / "mask.fits", mask)
    code, err, _ = run(tmp_path / "cube.fits", "input.mask=mask.fits", "scfind.enable=false")
    assert code == 0, err
    assert fits.getdata(tmp_path / "out" / "cube_mask.fits").sum() == (mask > 0).sum()


def test_a_gain_without_anything_that_rescales_is_said_to_have_no_effect(run, tmp_path):
    write(tmp_path / "cube.fits")
    assert "input.gain has no effect" in run(tmp_path / "cube.fits", "input.gain=cube.fits")[1]
    assert "input.gain" not in run(tmp_path / "cube.fits", "input.gain=cube.fits", "scaleNoise.enable=true")[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written(run, tmp_path):
    write(tmp_path / "cube.fits")
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o500)
    code, err, _ = run(tmp_path / "cube.fits")
    assert code == 5 and "cannot be written" in err


def test_a_failing_write_leaves_the_old_product(run, tmp_path, monkeypatch):
    from hisf.stages.products.mask import MaskCube

    write(tmp_path / "cube.fits")
    assert run(tmp_path / "cube.fits")[0] == 0
    before = (tmp_path / "out" / "cube_mask.fits").read_bytes()

    def full(self, result, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MaskCube, "write", full)
    code, err, products = run(tmp_path / "cube.fits")
    assert code == 5 and "cube_mask.fits" in err and "No space left" in err
    assert (tmp_path / "out" / "cube_mask.fits").read_bytes() == before
    assert not [p for p in products if "part" in p]
