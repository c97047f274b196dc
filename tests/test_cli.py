"""The command line: what it prints, its exit codes, its speed of answering."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from hisf import __version__
from hisf.cli import COMMANDS, main
from hisf.settings import PARAMETERS, load_settings
from hisf.testing import make_cube, write_fits


@pytest.fixture
def hisf(monkeypatch, capsys):
    """Call the command line in this process; returns (exit code, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hisf", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code, out, err

    return call


@pytest.fixture
def cube(tmp_path):
    """A small FITS cube with one bright source at x = 18, y = 16, z = 20."""
    return write_fits(tmp_path / "cube.fits", *make_cube())


@pytest.fixture
def par(tmp_path, cube):
    """A parameter file for it."""
    path = tmp_path / "my.par"
    path.write_text(f"input.data = {cube}\nscfind.enable = true\noutput.writeMask = true\n")
    return path


def test_help_answers_at_once():
    # the promise is 0.3 s; the imports that would break it are looked at, since seconds depend on the machine
    code = (
        "import sys, hisf.cli; print([m for m in sys.modules if m.split('.')[0] in ('numpy','numba','astropy','rich')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert found == "[]"


def test_help_names_every_command(hisf):
    code, out, _ = hisf("--help")
    assert code == 0
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(hisf, name):
    code, out, _ = hisf(name, "--help")
    assert code == 0 and "Usage: hisf" in out


def test_run_finds_the_source_and_says_where_things_are(hisf, par, tmp_path):
    code, out, err = hisf("run", par)
    assert (code, err) == (0, "")
    assert "1 source, found by scfind in 0.0 million voxels" in " ".join(out.split())
    for name in ("cube_cat.txt", "cube_cat.xml", "cube_mask.fits", "cube_run.json"):
        assert str(tmp_path / name) in out
        assert (tmp_path / name).exists()
    assert "Mvoxel/s" in out  # plain lines, since this is no terminal
    table = Table.read(tmp_path / "cube_cat.xml")
    assert len(table) == 1
    assert np.allclose([table["x"][0], table["y"][0], table["z"][0]], [18, 16, 20], atol=0.3)


def test_settings_on_the_command_line_override_the_file(hisf, par, tmp_path):
    code, _, _ = hisf("run", par, "output.filename=other", "output.writeMask=false")
    assert code == 0
    assert (tmp_path / "other_cat.xml").exists() and not (tmp_path / "other_mask.fits").exists()


def test_finder_option_swaps_the_finder_and_nothing_else(hisf, par, tmp_path):
    assert hisf("run", par, "--finder", "threshold")[0] == 0
    record = json.loads((tmp_path / "cube_run.json").read_text())
    assert record["plugins"]["finders"] == {"threshold": f"hisf {__version__}"}
    assert record["plugins"]["precondition"] == {} and "position" in record["plugins"]["measure"]
    changed = {n for n, s in record["settings"].items() if s["origin"] == "command line"}
    assert changed == {"pipeline.finder"}


def test_unknown_finder_names_those_there_are(hisf, par):
    code, _, err = hisf("run", par, "--finder", "scfnd")
    assert code == 7
    assert "scfnd" in err and "scfind, threshold" in err


def test_quiet_says_nothing_when_all_is_well(hisf, par):
    assert hisf("run", par, "--quiet") == (0, "", "")


def test_verbose_explains_decisions(hisf, par):
    _, out, _ = hisf("run", par, "-v")
    assert "kernel 3 × 15" in out and "linker:" in out


def test_quiet_and_verbose_exclude_each_other(hisf, par):
    assert hisf("run", par, "-q", "-v")[0] == 7


def test_log_tells_what_was_said(hisf, par, tmp_path):
    code, _, _ = hisf("run", "--quiet", par, "scaleNoise.windowXY=x")
    lines = (tmp_path / "cube_run.log").read_text().splitlines()
    assert code == 0 and lines[0].startswith(f"hisf {__version__}, ")
    kinds = [line.split()[1] for line in lines[1:]]
    assert {"warning", "info", "stage", "result", "written"} == set(kinds)
    assert "scaleNoise.windowXY = 'x' is read as 0" in lines[1 + kinds.index("warning")]
    assert any("S+C kernel 3 × 7: rms" in line for line in lines)  # what only --verbose shows
    assert lines[1 + kinds.index("result")].endswith("1 sources")


def test_log_tells_why_a_run_found_nothing(hisf, par, tmp_path):
    code, _, err = hisf("run", par, "scfind.threshold=1000")
    last = (tmp_path / "cube_run.log").read_text().splitlines()[-1]
    assert code == 8 and " error " in last and last.rpartition(" error ")[2].strip() in err


def test_log_can_be_switched_off(hisf, par, tmp_path):
    (tmp_path / "cube_run.log").write_text("of an earlier run")
    assert hisf("run", par, "output.writeLogFile=false", "output.overwrite=true")[0] == 0
    assert (tmp_path / "cube_run.log").read_text() == "of an earlier run"


def test_record_tells_settings_with_their_origin(hisf, par, tmp_path):
    hisf("run", par, "scfind.threshold=4.5")
    record = json.loads((tmp_path / "cube_run.json").read_text())
    assert record["settings"]["scfind.threshold"] == {"value": "4.5", "origin": "command line"}
    assert record["settings"]["output.writeMask"]["origin"].endswith("my.par line 3")
    assert record["settings"]["linker.radiusXY"]["origin"] == "default"
    assert record["cube"]["shape"] == [40, 32, 36] and record["sources"] == 1 and record["exit"] == 0
    stages = [t["stage"] for t in record["timings"]]
    assert stages == ["load", "global noise", "scfind", "link", "measure", "write"]


def test_a_par_file_without_finder_runs_the_network(hisf, cube, tmp_path):
    par = tmp_path / "plain.par"
    par.write_text(f"input.data = {cube}\n")
    hisf("run", par, "cnn.confidence=0")
    record = json.loads((tmp_path / "cube_run.json").read_text())
    assert list(record["plugins"]["finders"]) == ["cnn"]
    assert list(record["plugins"]["appraise"]) == ["network"]


def test_what_is_not_there_yet_is_said_once(hisf, par):
    _, _, err = hisf("run", par, "input.primaryBeam=response.fits")
    assert err.count("input.primaryBeam = response.fits is not in this version") == 1


def test_check_lists_everything_that_is_wrong(hisf, tmp_path):
    par = tmp_path / "bad.par"
    par.write_text("scfind.threshold = -1\ninput.region = 5, 4, 0, 9, 0, 9\nlinker.radiusXY = 3.9\n")
    code, out, err = hisf("check", par)
    assert code == 7
    assert out.count("wrong:") == 3  # no cube, region reversed, threshold not positive
    assert "3.9" in out and "bad.par line 1" in out
    assert "3 of the settings" in err


def test_check_suggests_what_was_meant(hisf, tmp_path):
    par = tmp_path / "typo.par"
    par.write_text("scfind.treshold = 4\n")
    code, _, err = hisf("check", par)
    assert code == 7
    assert "typo.par line 1" in err and "scfind.threshold" in err


def test_check_of_a_good_file(hisf, par):
    code, out, err = hisf("check", par)
    assert (code, err) == (0, "")
    assert "3 settings, none of them wrong" in out


def test_params_explains_every_linker_parameter(hisf):
    _, out, _ = hisf("params", "linker.")
    wanted = [p for p in PARAMETERS if p.name.startswith("linker.")]
    assert len(wanted) > 12
    for parameter in wanted:
        assert parameter.name in out and parameter.help in out


def test_params_of_nothing_known(hisf):
    code, out, _ = hisf("params", "xyzzy")
    assert code == 0 and "xyzzy" in out


def test_template_is_a_par_file_of_the_defaults(hisf, tmp_path):
    _, out, _ = hisf("template")
    (tmp_path / "all.par").write_text(out)
    settings = load_settings([str(tmp_path / "all.par")])
    assert settings == load_settings([])
    assert all(settings.is_set(p.name) for p in PARAMETERS)


def test_plugins_lists_stages_in_order(hisf):
    _, out, _ = hisf("plugins")
    places = [out.index(word) for word in ("precondition", "finders", "link", "reliability", "dilate", "measure")]
    assert places == sorted(places)
    assert "scfind" in out and "hisf 0.1.0" in out


def test_two_runs_give_the_same_bytes(hisf, par, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    products = []
    for _ in range(2):
        assert hisf("run", par)[0] == 0
        products.append({p.name: p.read_bytes() for p in tmp_path.glob("cube_*") if p.suffix not in (".json", ".log")})
    assert products[0] == products[1] and len(products[0]) == 3


def test_interrupt_leaves_no_broken_file(tmp_path):
    rng = np.random.default_rng(5)
    path, out = tmp_path / "big.fits", tmp_path / "out"
    fits.writeto(path, rng.standard_normal((300, 200, 200), np.float32))
    out.mkdir()
    command = [
        sys.executable,
        "-m",
        "hisf",
        "run",
        f"input.data={path}",
        f"output.directory={out}",
        "scfind.enable=true",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    lines = []
    while not lines or "global noise" not in lines[-1]:  # the finder is next, which takes a second or more
        lines.append(process.stdout.readline())
        assert lines[-1], "the run ended early"
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in err and "Traceback" not in err
    left = [path.name for path in out.iterdir()]
    assert left in ([], ["big_journal"])
    assert ("--resume" in err) == bool(left)


def test_python_m_hisf_is_the_same_program():
    out = subprocess.run([sys.executable, "-m", "hisf", "--version"], capture_output=True, text=True, check=True).stdout
    assert out.startswith("hisf, version 0.1.0")


def test_paths_with_spaces_and_unicode(hisf, tmp_path):
    folder = tmp_path / "süß # dir"
    folder.mkdir()
    path = write_fits(folder / "my cube.fits", *make_cube())
    assert hisf("run", f"input.data={path}", "scfind.enable=true")[0] == 0
    assert Path(folder / "my cube_cat.txt").exists()


def test_check_notices_missing_files_and_plugins(hisf, tmp_path):
    par = tmp_path / "gone.par"
    par.write_text("input.data = nowhere.fits\npipeline.finder = wavelet\nlinker.method = duchamp\n")
    code, out, _ = hisf("check", par)
    assert code == 7
    assert "gone.par line 1: input.data = nowhere.fits" in out
    assert "gone.par line 2: pipeline.finder = wavelet" in out and "scfind, threshold" in out


def test_check_notices_a_missing_output_folder(hisf, par):
    code, out, _ = hisf("check", par, "output.directory=nowhere")
    assert code == 7 and "output.directory = nowhere" in out


def test_unknown_key_of_a_known_section_lists_its_parameters(hisf, par):
    _, _, err = hisf("run", par, "dilation.xyz123=1")
    assert "there are dilation.enable, dilation.iterationsXY" in err


def test_unknown_section_may_be_a_missing_plugin(hisf, par):
    _, _, err = hisf("run", par, "wavelet.scales=4")
    assert "no parameter begins with wavelet." in err and "plugin" in err


@pytest.mark.parametrize(("raised", "code"), [("0", 0), ("5", 5), ("None", 0), ("'sentence'", 1)])
def test_a_command_ends_at_once_but_not_before_it_is_done(raised, code):
    """What was printed is written, what is registered with atexit is called, and nothing is freed."""
    program = (
        "import atexit, sys\n"
        "from hisf.cli import leave_after\n"
        "class Thing:\n"
        "    def __del__(self): print('freed')\n"
        "thing = Thing()\n"
        "atexit.register(print, 'bye', end='')\n"
        "print('hello', end=' ')\n"
        f"leave_after(lambda: sys.exit({raised}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "hello bye", "")
