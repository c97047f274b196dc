"""The analysis of a record: rankings, trade-off curve, completeness by flux, maximum reliability."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import QTable

from hisf.errors import FileAccessError, InputError
from hisf.tune.analysis import (
    area,
    band,
    best_rankings,
    completeness_by_flux,
    flux_edges,
    hull,
    maximum_reliability,
    trial_table,
)
from hisf.tune.record import Header, Record, Trial, read_record
from hisf.tune.results import write_analysis
from hisf.tune.run import best_of, worth

HEADER = Header("alpha", 1, 1, 300.0, ["linker.radiusXY=1..4"], {"input.data": "a.fits"}, [10.0, None, 1000.0, 100.0])


def trial(number, reliability, completeness, found=(), score=None):
    return Trial(
        number, {"linker.radiusXY": "1"}, None, "", completeness if score is None else score, completeness, reliability,
        found=list(found), errors={"flux": 0.1},
    )  # fmt: skip


def by_brute_force(r, c):
    """Ranks on a fine grid of α and, to catch what lies between, at every crossing."""
    alphas = [*np.linspace(0, 1, 501)]
    for i in range(len(r)):
        for j in range(len(r)):
            slope = (r[i] - c[i]) - (r[j] - c[j])
            if slope and 0 <= (c[j] - c[i]) / slope <= 1:
                alphas.append((c[j] - c[i]) / slope)
    ranks = np.full(len(r), len(r))
    for alpha in alphas:
        value = alpha * r + (1 - alpha) * c
        ranks = np.minimum(ranks, 1 + (value[None, :] > value[:, None] + 1e-12).sum(1))
    return ranks


@pytest.mark.parametrize("seed", range(5))
def test_best_rankings_are_those_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    r, c = rng.uniform(size=40), rng.uniform(size=40)
    if seed > 2:  # many equal ones, as of small truths
        r, c = np.round(r, 1), np.round(c, 1)
    np.testing.assert_array_equal(best_rankings(r, c), by_brute_force(r, c))


def test_rank_of_a_point_inside_the_hull():
    r, c = np.array([1.0, 0.0, 0.4, 0.3]), np.array([0.0, 1.0, 0.4, 0.3])
    assert best_rankings(r, c).tolist() == [1, 1, 2, 3]


def test_hull_is_the_upper_right_and_without_what_another_beats():
    trials = [trial(0, 0.9, 0.2), trial(1, 1.0, 0.1), trial(2, 1.0, 0.3), trial(3, 0.5, 0.6), trial(4, 0.5, 0.6),
              trial(5, 0.7, 0.4), trial(6, 0.1, 0.6)]  # fmt: skip
    assert [t.number for t in hull(trials)] == [2, 3]
    assert area(hull(trials)) == pytest.approx(0.3 * 1.0 + 0.3 * 0.5)


def test_bins_of_flux_hold_every_source():
    flux = np.array([10.0, np.nan, 1000.0, 100.0])
    edges = flux_edges(flux)
    assert len(edges) == 31 and edges[0] == 10.0 and edges[-1] == pytest.approx(1000.0)
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(100.0) / 30)
    bins = [b for b in completeness_by_flux(trial(0, 1.0, 0.5, [1, 2]), flux) if b.n]
    assert [(b.n, b.n_hit) for b in bins] == [(1, 0), (1, 0), (1, 1)]
    assert flux_edges(np.array([5.0, 5.0])) == [] == flux_edges(np.array([np.nan]))


def test_maximum_reliability_is_the_best_catalogue_that_has_the_source():
    trials = [trial(0, 0.9, 0.1, [0]), trial(1, 0.5, 0.2, [0, 2]), trial(2, 0.6, 0.1, [2])]
    np.testing.assert_array_equal(maximum_reliability(trials, 4), [0.9, np.nan, 0.6, np.nan])


def test_band_has_bins_of_equal_numbers():
    flux = np.geomspace(1, 1000, 100)
    rows = band(flux, np.linspace(0, 1, 100))
    assert len(rows) == 10
    low, middle, high = rows[0][1:]
    assert (low, middle, high) == pytest.approx(np.percentile(np.arange(10) / 99, (10, 50, 90)))
    assert rows[0][0] == pytest.approx(np.exp(np.log(flux[:10]).mean()))
    assert len(band(flux[:3], np.array([1.0, np.nan, 0.5]))) == 2


def test_worth_follows_alpha():
    t = trial(1, 0.8, 0.2)
    assert worth(t, 0.75) == pytest.approx(0.65)
    assert worth(t) == 0.2
    assert worth(Trial(3, {}, 0.5, "over the time limit"), 0.5) is None


def test_best_is_the_first_of_equal_ones_and_never_a_failed_one():
    trials = [Trial(0, {}, None, "failed"), trial(1, 1, 0.2), trial(2, 1, 0.4), trial(3, 1, 0.4)]
    assert best_of(trials).number == 2
    assert best_of(trials[:1]) is None


def written(tmp_path, trials):
    record = Record.begin(tmp_path / "a_tune.jsonl", HEADER)
    for t in trials:
        record.add(t)
    return record


def test_record_is_read_as_written(tmp_path):
    record = written(tmp_path, [trial(0, 0.5, 0.25), Trial(1, {"linker.radiusXY": "3"}, 0.25, "over the time limit")])
    found = read_record(record.path)
    assert (found.header, found.trials) == (HEADER, record.trials)


def test_half_a_line_is_cut_off(tmp_path):
    record = written(tmp_path, [trial(0, 0.5, 0.25)])
    whole = record.path.read_bytes()
    with record.path.open("ab") as file:
        file.write(b'{"number": 1, "val')
    assert len(Record.resume(record.path, HEADER).trials) == 1
    assert record.path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"settings": {"input.data": "b.fits"}}, "input.data was a.fits and is b.fits"),
        ({"settings": {}}, "input.data was a.fits and is not set"),
        ({"flux": [1.0]}, "the truth differs"),
        ({"vary": []}, "vary differs"),
    ],
)
def test_another_tuning_is_not_resumed(tmp_path, change, words):
    record = written(tmp_path, [])
    with pytest.raises(InputError, match=words):
        Record.resume(record.path, replace(HEADER, **change))


@pytest.mark.parametrize("text", ["", "not json\n", "{}\n", '{"hisf tune": {"seed": 1}}\n', "[1]\n"])
def test_what_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="not a record of hisf tune"):
        read_record(path)
    with pytest.raises(FileAccessError):
        read_record(tmp_path / "b.jsonl")


def test_a_record_with_a_gap_is_damaged(tmp_path):
    record = written(tmp_path, [trial(0, 1, 0.1), trial(2, 1, 0.1)])
    with pytest.raises(InputError, match="damaged"):
        read_record(record.path)


def test_tables_and_figures_of_a_record(tmp_path):
    trials = [trial(0, 0.9, 0.25, [2]), trial(1, 0.5, 0.5, [0, 2]), Trial(2, {"linker.radiusXY": "2"}, None, "no")]
    record = written(tmp_path, trials)
    paths = write_analysis(record, tmp_path / "a_tune")
    names = {path.name for path in paths}
    figures = {f"a_tune_{n}.{e}" for n in ("tradeoff", "ranking", "flux", "sources") for e in ("png", "pdf")}
    assert names == figures | {f"a_tune_{n}.ecsv" for n in ("trials", "flux", "sources")}
    assert all(path.stat().st_size > 100 for path in paths)
    table = QTable.read(tmp_path / "a_tune_trials.ecsv", format="ascii.ecsv")
    assert table["trial"].tolist() == [0, 1] and table["best_ranking"].tolist() == [1, 1]
    assert table["error_flux"].tolist() == [0.1, 0.1] and np.isnan(table["error_size"]).all()
    sources = QTable.read(tmp_path / "a_tune_sources.ecsv", format="ascii.ecsv")
    np.testing.assert_array_equal(sources["maximum_reliability"], [0.5, np.nan, 0.9, np.nan])


def test_nothing_to_analyse(tmp_path):
    record = written(tmp_path, [Trial(0, {}, None, "no")])
    assert write_analysis(record, tmp_path / "a_tune") == []
    assert len(trial_table(record)) == 0


def test_lines_are_json_without_nan(tmp_path):
    record = written(tmp_path, [trial(0, 0.5, 0.25)])
    for line in record.path.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(word))
