"""``hisf-sofia`` in the place of ``sofia``: arguments, streams, exit codes, files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from hisf import __version__
from hisf.cli import sofia
from hisf.evaluate.comparison import compare_outputs
from hisf.evaluate.outputs import open_output
from hisf.settings import PARAMETERS
from hisf.testing import make_cube, run_pipeline, write_fits

CALL = "import sys; from hisf.cli.sofia import main; sys.argv[0] = sys.argv.pop(1); main()"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call the command in a folder with cube.fits; returns (exit code, standard output, standard error)."""
    write_fits(tmp_path / "cube.fits", *make_cube())
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        monkeypatch.setattr(sys, "argv", ["sofia", *arguments])
        with pytest.raises(SystemExit) as leaving:
            sofia.main()
        return (leaving.value.code, *capsys.readouterr())

    return called


def finders():
    return list(json.loads(Path("cube_run.json").read_text())["plugins"]["finders"])


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help(call, word):
    code, out, err = call(word)
    assert (code, err) == (0, "") and out.startswith("Usage: hisf-sofia PARFILE")


@pytest.mark.parametrize("word", ["-v", "--version"])
def test_version(call, word):
    assert call(word) == (0, f"hisf {__version__}, in place of SoFiA 2\n", "")


def test_help_loads_nothing_heavy():
    code = "import sys, hisf.cli.sofia as s; s._run(['-h']); print({'numpy', 'torch', 'rich'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 7, "A parameter file or a setting is needed"),
        (["none.par"], 5, "none.par"),
        (["input.data=none.fits"], 5, "none.fits"),
        (["input.data=cube.fits", "input.dta=x"], 7, "unknown parameter 'input.dta' (did you mean input.data?)"),
        (["input.data=cube.fits", " scfind.threshold = 4"], 7, "unknown parameter"),  # nothing is trimmed there
        (["input.data=cube.fits", "scfind.threshold=0"], 7, "scfind.threshold"),
        (["input.data=cube.fits", "scfind.kernelsZ=0,,3"], 7, "scfind.kernelsZ"),
        (["input.data=cube.fits", "scfind.enable=false"], 7, "Nothing to search with"),
        (["input.data=cube.fits", "output.directory=none"], 5, "none"),
        (["input.data=cube.fits", "linker.enable=false"], 8, "linker.enable is false"),
        (["input.data=cube.fits", "scfind.threshold=500"], 8, "No source found"),
    ],
)
def test_failures_have_sofias_codes_and_one_sentence(call, arguments, code, words):
    found, _, err = call(*arguments)
    lines = err.splitlines()
    assert found == code
    assert lines[-1] == f"Exit code {code}." and lines[-2].startswith("ERROR: ") and words in lines[-2]
    assert len(lines) == 2 and "Traceback" not in err


def test_a_truncated_cube(call):
    Path("cut.fits").write_bytes(Path("cube.fits").read_bytes()[:9000])
    code, _, err = call("input.data=cut.fits")
    assert code == 5 and "cut.fits" in err


def test_a_par_file_in_this_folder(call, tmp_path):
    """As pyFAT calls it: nothing but a par file, which names no finder; all paths are those of this folder."""
    Path("sofia_input.par").write_text(
        "input.data = cube.fits  # the cube\nlinker.radiusXY = 2\noutput.writeMask = true\n"
    )
    code, out, err = call("sofia_input.par")
    assert (code, err) == (0, "")
    assert "1 source, found by scfind" in " ".join(out.split())
    assert finders() == ["scfind"]
    (row,) = Table.read("cube_cat.xml")
    np.testing.assert_allclose([row["x"], row["y"], row["z"]], [18, 16, 20], atol=0.3)
    mask = fits.getdata("cube_mask.fits")
    assert mask.shape == (40, 32, 36) and int((mask == row["id"]).sum()) == row["n_pix"]
    assert {p.name for p in tmp_path.iterdir()} == {
        "cube.fits", "sofia_input.par", "cube_cat.xml", "cube_cat.txt", "cube_mask.fits", "cube_run.json",
            "cube_run.log",
    }  # fmt: skip


def test_the_catalogue_is_that_of_smooth_and_clip(call, tmp_path):
    (tmp_path / "other").mkdir()
    run_pipeline(tmp_path / "cube.fits", tmp_path / "other", ["output.writeMask=true"])
    assert call("input.data=cube.fits", "output.writeMask=true")[0] == 0
    assert compare_outputs(open_output(tmp_path / "cube"), open_output(tmp_path / "other")).identical


def test_both_finders_where_both_are_on(call):
    assert call("input.data=cube.fits", "threshold.enable=true")[0] == 0
    assert finders() == ["scfind", "threshold"]


def test_a_mask_alone_is_measured(call):
    assert call("input.data=cube.fits", "output.writeMask=true", "output.filename=first")[0] == 0
    assert call("input.data=cube.fits", "scfind.enable=false", "input.mask=first_mask.fits")[0] == 0
    assert finders() == ["mask"]
    assert (
        compare_outputs(open_output(Path("first_cat.xml")), open_output(Path("cube_cat.xml"))).columns[0].n_differ == 0
    )


def test_another_finder_by_name(call):
    assert call("input.data=cube.fits", "pipeline.finder=threshold")[0] == 0
    assert finders() == ["threshold"]


def test_nothing_found_leaves_what_was_written_before_and_no_catalogue(call):
    code, out, _ = call(
        "input.data=cube.fits", "scfind.threshold=500", "output.writeFiltered=true", "output.writeRawMask=true"
    )
    assert code == 8 and "scfind" in out
    assert Path("cube_filtered.fits").exists() and not fits.getdata("cube_mask-raw.fits").any()
    assert not list(Path().glob("cube_cat.*")) and not Path("cube_mask.fits").exists()


def test_unknown_keys_are_let_pass_where_asked(call):
    code, _, err = call("pipeline.pedantic=false", "input.data=cube.fits", "some.thing=1")
    assert code == 0 and err.startswith("WARNING: ") and "some.thing" in err


def test_every_key_at_its_default_changes_nothing(call, tmp_path):
    """As Stimela calls it: every parameter on the command line, empty ones too."""
    every = [f"{p.name}={p.default.replace(', ', ',')}" for p in PARAMETERS if p.since[0] == "2"]
    renamed = ["background.enable=false", "background.windowXY=31", "filter.discardNegative=true", "filter.minPixels=0",
               "filter.minSNR=3.0", "output.marginCubelets=10"]  # fmt: skip
    assert len(every) > 99
    code, _, err = call(*every, *renamed, "input.data=cube.fits", "output.filename=every", "output.writeMask=true")
    assert (code, err) == (0, "")
    assert call("input.data=cube.fits", "output.writeMask=true")[0] == 0
    assert compare_outputs(open_output(tmp_path / "every"), open_output(tmp_path / "cube")).identical


@pytest.mark.shared
def test_every_key_of_the_newest_sofia(call, shared):
    rows = [line.split("\t") for line in (shared / "spec" / "sofia-2.7-parameters.tsv").read_text().splitlines()[1:]]
    every = [f"{row[0]}={row[2].replace(', ', ',')}" for row in rows]
    assert len(every) == 109
    assert call(*every, "input.data=cube.fits")[::2] == (0, "")
    assert finders() == ["scfind"]


@pytest.mark.shared
def test_a_par_file_of_sofia_gives_sofias_catalogue(call, shared, tmp_path):
    """No word changed."""
    golden = shared / "parity" / "goldens" / "plain_defaults"
    Path("plain.fits").symlink_to(shared / "parity" / "cubes" / "plain.fits")
    assert call(str(golden / "case.par"))[::2] == (0, "")
    result = compare_outputs(open_output(golden / "g_cat.xml"), open_output(tmp_path / "plain"))
    assert result.identical and len(result.rows_a) > 3 and len(result.columns) == 46


def test_under_the_name_of_sofia_and_with_its_threads(tmp_path):
    """In a process of its own, called by another name, with the threads that the batch system gives."""
    write_fits(tmp_path / "cube.fits", *make_cube())
    (tmp_path / "my.par").write_text("input.data = cube.fits\n")
    probe = (
        "import atexit; from hisf.execution.machine import threads\n"
        "atexit.register(lambda: print('threads', threads()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe + CALL, "/usr/bin/sofia", "my.par"],
        cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "threads 1"
    assert (tmp_path / "cube_cat.txt").read_text().splitlines()[18].split()[1:3] == ["name", "id"]
