"""The command: files, bytes, populations, memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from hisf.cli.simulate import command
from hisf.data.sdc2_table import read_sdc2
from hisf.errors import FileAccessError, HisfError, InputError
from hisf.simulate import Beam, from_catalogue, from_mass_function, from_options, sdc2_level
from hisf.simulate.population import mass_function

SMALL = ["--shape", "60,50,40", "--channel", "100kHz"]
ROWS = """id ra dec hi_size line_flux_integral central_freq pa i w20
7 180.0 -30.0 12.0 90.0 1092000000 30 60 200
9 180.005 -30.01 9.0 40.0 1091500000 200 40 150
3 181.0 -30.0 9.0 40.0 1091500000 200 40 150
"""


def simulate(out: Path, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(out), *map(str, arguments)])
    if result.exception:
        raise result.exception
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "rows.txt"
    path.write_text(ROWS)
    return path


def test_cube_truth_and_mask_are_written(tmp_path: Path, catalogue: Path) -> None:
    out = tmp_path / "mock.fits"
    output = simulate(out, *SMALL, "--catalogue", catalogue, "--mask", "--continuum", 5, "--ripple", "1e-6")
    assert "2 galaxies, 2 of them above S/N 5." in output
    names = {"mock.fits", "mock_truth.txt", "mock_truth.xml", "mock_mask.fits", "mock_continuum.txt", "rows.txt"}
    assert {p.name for p in tmp_path.iterdir()} == names
    with fits.open(out) as (hdu,):
        hdu.verify("exception")
        assert hdu.data.shape == (40, 50, 60)
        assert hdu.header["BUNIT"] == "Jy/beam"
        assert "DATE" not in hdu.header
        assert np.isfinite(hdu.data).all()
    assert out.stat().st_size % 2880 == 0
    truth = read_sdc2(tmp_path / "mock_truth.txt")
    assert list(truth["id"]) == [1, 2]
    assert truth["w20"].unit == "km / s"
    assert truth["snr"][0] > truth["snr"][1] > 5
    assert truth["inside"][0] == pytest.approx(1.0)


def test_truth_as_votable_has_units(tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astropy.io.votable.tree.tablewriter.write_tabledata", None)  # it breaks memory
    simulate(tmp_path / "mock.fits", *SMALL, "--catalogue", catalogue)
    table = Table.read(tmp_path / "mock_truth.xml", format="votable")
    assert [str(table[name].unit) for name in ("ra", "hi_size", "central_freq", "w20")] == [
        "deg",
        "arcsec",
        "Hz",
        "km / s",
    ]
    text = Table.read(tmp_path / "mock_truth.txt", format="ascii")
    assert text.colnames == table.colnames
    assert np.array(text["ra"]) == pytest.approx(np.array(table["ra"]), abs=1e-8)
    assert list(text["template"]) == list(table["template"])


def test_mask_holds_the_labels_of_bright_voxels(tmp_path: Path, catalogue: Path) -> None:
    simulate(tmp_path / "m.fits", *SMALL, "--catalogue", catalogue, "--mask", "--no-noise", "--mask-fraction", 0.3)
    mask, cube = fits.getdata(tmp_path / "m_mask.fits"), fits.getdata(tmp_path / "m.fits")
    assert mask.dtype == ">i4"
    assert set(np.unique(mask)) == {0, 1, 2}
    truth = read_sdc2(tmp_path / "m_truth.txt")
    assert cube[mask == 1].min() >= 0.3 * truth["peak"][0]
    assert cube[mask == 0].max() <= 0.6 * truth["peak"][0]
    z, y, x = (round(truth[name][1]) for name in "zyx")
    assert (mask[z - 3 : z + 4, y - 2 : y + 3, x - 2 : x + 3] == 2).any()


def test_noiseless_cube_has_the_flux_of_its_galaxies(tmp_path: Path, catalogue: Path) -> None:
    simulate(tmp_path / "m.fits", *SMALL, "--catalogue", catalogue, "--no-noise")
    truth = read_sdc2(tmp_path / "m_truth.txt")
    flux = fits.getdata(tmp_path / "m.fits").sum(dtype=float) * 100e3 / 7.0818
    assert flux == pytest.approx((truth["line_flux_integral"].value * truth["inside"]).sum(), rel=0.01)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    options = [*SMALL, "--mask", "--continuum", 9, "--ripple", "1e-6,30", "--min-snr", 0.5, "--density", 9]
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        folder = tmp_path / name
        folder.mkdir()
        simulate(folder / "m.fits", *options, "--seed", seed)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert (tmp_path / "a" / "m.fits").read_bytes() != (tmp_path / "c" / "m.fits").read_bytes()


def test_velocity_axis_holds_galaxies(tmp_path: Path) -> None:
    arguments = [
        "--shape",
        "80,80,120",
        "--pixel",
        30,
        "--beam",
        "90,70,40",
        "--start",
        "3500km/s",
        "--channel",
        "-8km/s",
    ]
    simulate(tmp_path / "m.fits", *arguments, "--no-noise", "--noise", 1e-3, "--density", 40, "--seed", 2)
    header, truth = fits.getheader(tmp_path / "m.fits"), read_sdc2(tmp_path / "m_truth.txt")
    assert header["CTYPE3"] == "VRAD"
    assert header["CDELT3"] == -8000.0
    assert len(truth) > 0
    velocity = 299792.458 * (1 - truth["central_freq"].value / 1420405751.786)
    assert (velocity > 3500 - 8 * 120.5).all()
    assert (velocity < 3504).all()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["ESO121-G6_ATCA", "NGC6946_WSRT", "WALLABY_Eridanus_20_ASKAP"])
def test_like_an_observed_cube(shared: Path, tmp_path: Path, name: str) -> None:
    like = shared / "data" / "cubes" / f"{name}.fits"
    simulate(tmp_path / "m.fits", "--like", like, "--noise", 1e-3, "--density", 100)
    ours, theirs = fits.getheader(tmp_path / "m.fits"), fits.getheader(like)
    for key in ("NAXIS", "NAXIS1", "NAXIS3", "CRPIX1", "CRVAL2", "CTYPE3", "CDELT3", "CRVAL3"):
        assert ours[key] == theirs[key]
    assert fits.getdata(tmp_path / "m.fits").std() == pytest.approx(1e-3, rel=0.2)


def test_rows_outside_the_cube_are_left_out_and_wrong_ones_refused(tmp_path: Path, catalogue: Path) -> None:
    geometry = from_options((40, 50, 60), step=1e5)
    galaxies = from_catalogue(catalogue, geometry, 1)
    assert [g.size_arcsec for g in galaxies] == [12.0, 9.0]
    catalogue.write_text(ROWS.replace("12.0 90.0", "12.0 -90.0"))
    with pytest.raises(InputError, match="line_flux_integral is -90 in row 2"):
        from_catalogue(catalogue, geometry, 1)


def test_drawn_galaxies_follow_the_mass_function() -> None:
    geometry = from_options((3000, 600, 600), 30.0, Beam(90.0, 90.0), 1.3e9, 30e3)
    galaxies = from_mass_function(geometry, 0.2, 3, sdc2_level(geometry), 0.0)
    mass = np.log10([g.mass_msun for g in galaxies])
    edges = np.arange(7.0, 10.51, 0.5)
    found = np.histogram(mass, edges)[0].astype(float)
    fine = np.linspace(7.0, 10.5, 3501)
    expected = np.array([np.mean(mass_function(fine[(fine >= a) & (fine < a + 0.5)])) for a in edges[:-1]])
    ratio = found / found.sum() / (expected / expected.sum())
    assert ratio == pytest.approx(1.0, abs=0.2)
    assert np.mean([g.inclination_deg for g in galaxies]) == pytest.approx(57.3, abs=1.0)


def test_mass_function_is_that_of_alfalfa() -> None:
    assert mass_function(np.array([9.94]))[0] == pytest.approx(np.log(10) * 4.5e-3 / np.e)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        (["--shape", "10,10"], InputError, "--shape"),
        (["--start", "fast"], InputError, "--start"),
        (["--start", "100km/s", "--channel", "1kHz"], InputError, "both"),
        (["--beam", "5,9"], InputError, "major"),
        (["--like", "absent.fits"], FileAccessError, "absent"),
        (["--templates", "absent"], FileAccessError, "absent"),
        (["--catalogue", "absent"], FileAccessError, "absent"),
        (["--rfi", "absent"], FileAccessError, "absent"),
        (["--like", "x.fits", "--pixel", "3"], InputError, "exclude"),
        (["--population", "sdc2"], InputError, "--templates"),
        (["--ripple", "1,0"], InputError, "period"),
        (["--channel", "0"], InputError, "width"),
        (["--shape", "0,5,5"], InputError, "positive"),
    ],
)
def test_wrong_options_are_told_in_a_sentence(tmp_path: Path, arguments: list, error: type, word: str) -> None:
    with pytest.raises(error, match=word):
        simulate(tmp_path / "m.fits", *arguments)
    assert not list(tmp_path.iterdir())


def test_files_are_not_overwritten_unasked(tmp_path: Path) -> None:
    simulate(tmp_path / "m.fits", *SMALL)
    with pytest.raises(HisfError, match="--overwrite"):
        simulate(tmp_path / "m.fits", *SMALL)
    simulate(tmp_path / "m.fits", *SMALL, "--overwrite")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "more", [["--no-noise", "--mask", "--shape", "500,500,800", "--density", "0.1"], ["--shape", "300,300,700"]]
)
def test_memory_does_not_grow_with_the_cube(tmp_path: Path, more: list[str]) -> None:
    code = (
        "import sys\nfrom hisf.cli.simulate import command\n"
        "command(sys.argv[1:], standalone_mode=False)\n"
        "print('peak', *(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    arguments = [str(tmp_path / "m.fits"), "--density", "3", *more]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split("peak")[1]) * 1024
    assert (tmp_path / "m.fits").stat().st_size > 250e6
    assert peak < 300e6, done.stdout
    for path in tmp_path.iterdir():
        path.unlink()
