"""``hisf tune`` as a whole: record, resuming after a kill, time limit, results, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from astropy.table import QTable
from classic_scene import CLASSIC, VARIED

from hisf.evaluate.reading import read_catalogue
from hisf.evaluate.scorecard import compare
from hisf.pipeline import run
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.tune import results
from hisf.tune.objective import load_objective, shares
from hisf.tune.record import read_record
from hisf.tune.run import make_plan
from hisf.tune.space import dimensions_of
from hisf.tune.worker import Question, Trier

TRIALS = 5
OBJECTIVE = """\
import time

def doubled(card):
    return 2.0 * len(card.match.detections)

def slow(card):
    if len(card.catalogue) != {n}:
        time.sleep(60)
    return 1.0

def text(card):
    return "many"

def broken(card):
    return 1 / 0
"""


@pytest.fixture(scope="module")
def tuned(scene, tmp_path_factory):
    """Return the folder of a tuning of `TRIALS` trials that nothing disturbed."""
    folder = tmp_path_factory.mktemp("tuned")
    par = folder / "a.par"
    par.write_text(CLASSIC.format(cube=scene[0], out=folder))
    command = [sys.executable, "-m", "hisf", "tune", par, "--truth", scene[1], "--objective", "alpha", *VARIED,
               "--trials", str(TRIALS)]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "out.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def without_figures(monkeypatch):
    """Draw nothing at the end of a tuning, where a test is of the record alone; figures take longer than trials."""
    monkeypatch.setattr(results, "draw_record", lambda record, base, best: [])


def test_record_has_every_trial_and_the_par_file_first(tuned, scene):
    record = read_record(tuned / "a_tune.jsonl")
    assert [trial.number for trial in record.trials] == list(range(TRIALS + 1))
    start = {"scfind.threshold": "3.0", "linker.radiusZ": "2", "reliability.threshold": "0.3"}
    assert record.trials[0].values == start
    assert len({json.dumps(trial.values) for trial in record.trials}) > 3
    assert len({trial.alpha for trial in record.trials}) == TRIALS + 1
    flux = read_catalogue(scene[1])["line_flux_integral"].unmasked.value
    assert record.header.flux == flux.tolist()
    for trial in record.trials:
        if not trial.failed:
            assert trial.score == pytest.approx((trial.completeness + trial.reliability) / 2)
            assert len(trial.found) == round(trial.completeness * len(flux))
            assert len(trial.found) == round(trial.reliability * trial.detections)


def test_a_trial_is_what_a_run_with_its_par_file_gives(tuned, scene, hisf, tmp_path):
    record = read_record(tuned / "a_tune.jsonl")
    best = max((t for t in record.trials if not t.failed), key=lambda t: (t.score, -t.number))
    more = [f"output.directory={tmp_path}", "output.writeCatXML=true", "parameter.physical=true"]
    code, _, _ = hisf("run", tuned / "a_tuned.par", *more, "-q")
    assert code == 0
    card = compare(read_catalogue(tmp_path / "a_cat.xml"), read_catalogue(scene[1]))
    assert shares(card) == (best.reliability, best.completeness)
    assert sorted(card.match.truths.tolist()) == best.found


def test_sdc2_score_and_average_precision_are_those_of_hisf_score(scene, par, tmp_path):
    manager = PluginManager()
    given = (str(par), "appraise.method=network")
    settings = load_settings(given, manager.parameters())
    dimensions = dimensions_of(["linker.radiusZ=1..4"], settings)
    plan = make_plan(given, settings, dimensions, scene[1], 0, "sdc2", 1, 1, None)
    trial = Trier(plan.task)(Question(0, {"linker.radiusZ": "3"}, None))
    more = ["parameter.physical=true", "output.writeCatXML=true", "linker.radiusZ=3"]
    run(load_settings([*given, *more], manager.parameters()), manager)
    card = compare(read_catalogue(tmp_path / "a_cat.xml"), read_catalogue(scene[1]))
    assert trial.score == trial.sdc2 == pytest.approx(card.sdc2.score, rel=1e-9)  # the file has 16 digits
    assert trial.average_precision == pytest.approx(card.curve.average_precision, rel=1e-9) != 0
    assert trial.errors == pytest.approx({e.name: e.median_absolute for e in card.errors}, rel=1e-6)


def test_par_file_is_the_users_and_what_changed(tuned):
    text, own = (tuned / "a_tuned.par").read_text(), (tuned / "a.par").read_text()
    assert text.startswith(own)
    assert "made by hisf tune, objective alpha" in text
    record = read_record(tuned / "a_tune.jsonl")
    best = max((t for t in record.trials if not t.failed), key=lambda t: (t.score, -t.number))
    settings = load_settings([str(tuned / "a_tuned.par")])
    assert {name: float(settings[name]) for name in best.values} == {n: float(v) for n, v in best.values.items()}


def test_tables_and_figures_are_there(tuned, hisf):
    figures = [f"a_tune_{n}.{e}" for n in ("tradeoff", "ranking", "flux", "sources") for e in ("png", "pdf")]
    tables = [f"a_tune_{n}.ecsv" for n in ("trials", "flux", "sources")]
    before = {name: (tuned / name).read_bytes() for name in figures + tables}
    rows = len(QTable.read(tuned / "a_tune_trials.ecsv", format="ascii.ecsv"))
    assert rows == sum(not trial.failed for trial in read_record(tuned / "a_tune.jsonl").trials)
    code, out, _ = hisf("tune", "--analyse", tuned / "a_tune.jsonl")
    assert code == 0 and "Best sets" in out and all(name in out for name in figures + tables)
    assert before == {name: (tuned / name).read_bytes() for name in figures + tables}


def test_killed_and_resumed_ends_with_the_same_record(tuned, scene, par, tmp_path, hisf, without_figures):
    words = ["tune", par, "--truth", scene[1], "--objective", "alpha", *VARIED, "--trials", str(TRIALS)]
    command = [sys.executable, "-m", "hisf", *map(str, words)]
    place = tmp_path / "a_tune.jsonl"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not place.exists() or place.read_bytes().count(b"\n") < 4:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    left = place.read_bytes()
    assert 4 <= left.count(b"\n") <= TRIALS + 1
    place.write_bytes(left[: left.rindex(b"\n", 0, -1) + 20])  # and the last line only half written
    code, _, err = hisf(*words, "--resume")
    assert code == 0, err
    assert _trials(place) == _trials(tuned / "a_tune.jsonl")
    assert (tmp_path / "a_tuned.par").read_text().splitlines()[-4:] == (
        (tuned / "a_tuned.par").read_text().splitlines()[-4:]
    )  # fmt: skip


def test_more_trials_go_on_from_the_record(tuned, scene, hisf, tmp_path, without_figures):
    par = tmp_path / "a.par"
    par.write_text(CLASSIC.format(cube=scene[0], out=tmp_path))
    (tmp_path / "a_tune.jsonl").write_bytes(
        b"\n".join((tuned / "a_tune.jsonl").read_bytes().split(b"\n")[:4]) + b"\n"
    )  # fmt: skip
    common = ["tune", par, "--truth", scene[1], "--objective", "alpha", *VARIED]
    code, _, err = hisf(*common, "--trials", "4", "--resume")
    assert code == 0, err
    assert _trials(tmp_path / "a_tune.jsonl") == _trials(tuned / "a_tune.jsonl")[:5]
    code, _, err = hisf(*common, "--trials", "4", "--resume", "--seed", "2")
    assert code == 7 and "seed was 1 and is 2" in err
    code, _, err = hisf(*common, "--trials", "4", "output.overwrite=false")
    assert code == 5 and "exists and output.overwrite is false" in err


def test_side_by_side_is_the_same_every_time(scene, tmp_path, hisf, without_figures):
    records = []
    for name in ("b", "c"):
        folder = tmp_path / name
        folder.mkdir()
        par = folder / "a.par"
        par.write_text(CLASSIC.format(cube=scene[0], out=folder))
        common = ["tune", par, "--truth", scene[1], "--objective", "alpha", *VARIED, "--parallel", "2"]
        if name == "c":  # stops in the middle of two that belong together
            assert hisf(*common, "--trials", "2")[0] == 0
        code, _, err = hisf(*common, "--trials", "4", *["--resume"] * (name == "c"))
        assert code == 0, err
        records.append(_trials(folder / "a_tune.jsonl"))
    assert records[0] == records[1]
    assert [json.loads(line)["number"] for line in records[0]] == [0, 1, 2, 3, 4]


def test_a_trial_over_the_time_limit_has_failed_and_the_rest_goes_on(scene, par, tmp_path, hisf, tuned):
    n = read_record(tuned / "a_tune.jsonl").trials[0].detections
    (tmp_path / "mine.py").write_text(OBJECTIVE.format(n=n))
    start = time.monotonic()
    code, out, err = hisf(
        "tune", par, "--truth", scene[1], "--objective", f"{tmp_path / 'mine.py'}:slow", "--vary",
        "reliability.threshold=0.3|0.99", "--trials", "5", "--time-limit", "3",
    )  # fmt: skip
    assert code == 0, err
    trials = read_record(tmp_path / "a_tune.jsonl").trials
    late = [trial for trial in trials if trial.failed]
    assert {trial.error for trial in late} == {"over the time limit of 3 s"}
    assert {trial.values["reliability.threshold"] for trial in late} == {"0.99"}
    assert {trial.values["reliability.threshold"] for trial in trials if not trial.failed} == {"0.3"}
    assert f"{len(late)} of which failed" in out
    assert time.monotonic() - start < 60


def test_an_objective_of_ones_own(scene, par, tmp_path, hisf):
    (tmp_path / "mine.py").write_text(OBJECTIVE.format(n=0))
    code, _, err = hisf(
        "tune", par, "--truth", scene[1], "--objective", f"{tmp_path / 'mine.py'}:doubled", *VARIED, "--trials", "2"
    )  # fmt: skip
    assert code == 0, err
    for trial in read_record(tmp_path / "a_tune.jsonl").trials:
        assert trial.failed or trial.score == 2.0 * len(trial.found)
    assert load_objective("math:fsum") is not None


@pytest.mark.parametrize(
    ("function", "words"), [("broken", "ZeroDivisionError"), ("text", "ValueError"), ("none", "no function none")]
)
def test_an_objective_that_fails_stops_the_tuning(scene, par, tmp_path, hisf, function, words):
    (tmp_path / "mine.py").write_text(OBJECTIVE.format(n=0))
    objective = f"{tmp_path / 'mine.py'}:{function}"
    code, _, err = hisf("tune", par, "--truth", scene[1], "--objective", objective, *VARIED, "--trials", "1")
    assert code == 7 and words in err and "Traceback" not in err


def test_mocks_take_the_place_of_a_truth(par, tmp_path, hisf):
    code, out, err = hisf("tune", par, "--inject", "12", "--objective", "alpha", *VARIED, "--trials", "1")
    assert code == 0, err
    truth = read_catalogue(tmp_path / "a_tune_truth.txt")
    assert 1 <= len(truth) <= 12 and "a_tune_truth.txt" in out
    assert f"{len(truth)} of 12 mock galaxies have room" in out
    record = read_record(tmp_path / "a_tune.jsonl")
    assert len(record.header.flux) == len(truth)
    start = record.trials[0]
    assert start.completeness > 0.15  # S/N 1.5 to 20 in equal shares of the logarithm; above 8 nothing is missed
    assert start.reliability > 0.1  # what was there without mocks does not count


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "par file"),
        (["{par}"], "either --truth FILE or --inject N"),
        (["{par}", "--truth", "{truth}", "--inject", "3"], "either --truth FILE or --inject N"),
        (["{par}", "--truth", "{truth}", "--vary", "linker.radiusXY=1"], "LOW..HIGH"),
        (["{par}", "--truth", "{truth}", "--vary", "linker.radiuXY=1..3"], "linker.radiusXY"),
        (["{par}", "--truth", "{truth}", "--objective", "best"], "sdc2, alpha, ap"),
        (["{par}", "--truth", "{truth}", "--objective", "no.module:f"], "no.module cannot be loaded"),
        (["{par}", "--truth", "{truth}", "--trials", "0"], "--trials"),
        (["{par}", "--truth", "{truth}", "--time-limit", "0"], "--time-limit"),
        (["{par}", "--truth", "{truth}", "--time-limit", "nan"], "--time-limit"),
        (["{par}", "--truth", "{truth}", "--objective", "sdc2", "--vary", "linker.radiusZ=1..3"], "appraise.method"),
        (["--analyse", "{par}"], "not a record of hisf tune"),
        (["{par}", "--analyse", "{par}"], "takes a record and nothing else"),
        (["{par}", "linker.radiusXY=-1", "--truth", "{truth}"], "linker.radiusXY"),
    ],
)
def test_refusals_are_a_sentence_with_exit_code_7(scene, par, hisf, arguments, words):
    code, _, err = hisf("tune", *[a.format(par=par, truth=scene[1]) for a in arguments])
    assert code == 7
    assert words in err and "Traceback" not in err


def test_missing_files_have_exit_code_5(scene, par, tmp_path, hisf):
    for arguments in (
        [par, "--truth", tmp_path / "no.txt"],
        [tmp_path / "no.par", "--truth", scene[1]],
        [par, "--truth", scene[1], "--vary", tmp_path / "no.txt"],
        [par, "--truth", scene[1], "--objective", f"{tmp_path / 'no.py'}:f"],
        [par, "--truth", scene[1], "--objective", "alpha", "input.data=no.fits"],
        ["--analyse", tmp_path / "no.jsonl"],
        [par, "--truth", scene[1], "--resume"],
    ):
        code, _, err = hisf("tune", *arguments)
        assert code == 5, (arguments, err)
        assert "Traceback" not in err


def test_help_does_not_load_what_only_a_tuning_needs():
    heavy = ("hyperopt", "matplotlib", "torch", "scipy")
    code = f"import sys, hisf.cli.tune; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert found == "[]"


def _trials(path: Path) -> list[bytes]:
    """Return the lines of the trials, without the header, which knows the places of the files."""
    return path.read_bytes().split(b"\n")[1:-1]
