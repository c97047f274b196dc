"""Cross-match, shares, attribute errors and the completeness–reliability curve against their definitions."""

import math

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from official_catalogues import make_truth, perturb

from hisf.evaluate.columns import COLUMNS, as_table, missing, numbers
from hisf.evaluate.crossmatch import Match, cross_match
from hisf.evaluate.statistics import attribute_errors, curve, errors_of, round_edges, shares, wilson


def sky(**columns):
    """Return a catalogue; what is not given is missing."""
    values = {name: np.asarray(v, float) for name, v in columns.items()}
    return as_table(values, len(values["ra"]), "test", [])


def slow_match(catalogue, truth, beam):
    """The cross-match once more: over and over the closest pair that is left."""
    pairs = []
    for a in range(len(catalogue["ra"])):
        for b in range(len(truth["ra"])):
            reach = math.hypot(truth["hi_size"][b], beam)
            width = truth["w20"][b] * truth["central_freq"][b] / 299792.458
            ra, dec, ra_t, dec_t = (math.radians(v) for v in (catalogue["ra"][a], catalogue["dec"][a],
                                                              truth["ra"][b], truth["dec"][b]))  # fmt: skip
            h = math.sin((dec - dec_t) / 2) ** 2 + math.cos(dec) * math.cos(dec_t) * math.sin((ra - ra_t) / 2) ** 2
            away = math.degrees(2 * math.asin(math.sqrt(h))) * 3600 / reach
            shift = abs(catalogue["central_freq"][a] - truth["central_freq"][b]) / width
            if away < 1 and shift < 1:
                pairs.append((math.hypot(away, shift), a, b))
    out = {}
    while pairs:
        _, a, b = min(pairs)
        out[a] = b
        pairs = [p for p in pairs if p[1] != a and p[2] != b]
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 50), st.sampled_from([7.0, 30.0, 300.0]), st.floats(0, 3))
def test_cross_match_takes_the_closest_pairs_first(seed, n, beam, scale):
    rng = np.random.default_rng(seed)
    truth = make_truth(rng, max(n, 5))
    catalogue = {name: v[:n] for name, v in perturb(truth, rng, scale).items()}
    match = cross_match(Table(catalogue), Table(truth), beam)
    expected = slow_match(catalogue, truth, beam)
    assert {int(a): int(b) for a, b in enumerate(match.truth_of) if b >= 0} == expected
    assert {int(a): int(b) for b, a in enumerate(match.detection_of) if a >= 0} == expected
    np.testing.assert_array_equal(match.truth_of[match.detections], match.truths)


def test_cross_match_wraps_at_zero_hours():
    match = cross_match(
        sky(ra=[359.9999], dec=[10], central_freq=[1.4e9]), sky(ra=[0.0001], dec=[10], central_freq=[1.4e9])
    )
    assert match.truth_of.tolist() == [0]


def test_width_of_a_source_is_measured_at_its_own_frequency():
    truth = sky(ra=[10], dec=[0], central_freq=[1e9], w20=[300])
    edge = 300 * 1e9 / 299792.458
    for shift, hit in ((0.999, 0), (1.001, -1)):
        assert cross_match(sky(ra=[10], dec=[0], central_freq=[1e9 + shift * edge]), truth).truth_of[0] == hit


@pytest.mark.parametrize(("truth_width", "width", "usual"), [(None, None, 300), (None, 50, 50), (80, 50, 80)])
def test_missing_widths_are_filled_in(truth_width, width, usual):
    freq = [1e9, 1e9]
    truth = sky(ra=[10, 20], dec=[0, 0], central_freq=freq, w20=[np.nan, truth_width or np.nan])
    edge = usual * 1e9 / 299792.458
    for shift, hit in ((0.99, 0), (1.01, -1)):
        found = sky(ra=[10], dec=[0], central_freq=[1e9 + shift * edge], w20=[width or np.nan])
        assert cross_match(found, truth).truth_of[0] == hit


def test_rows_without_a_place_match_nothing():
    truth = sky(ra=[10, np.nan], dec=[0, 0], central_freq=[1e9, 1e9])
    found = sky(ra=[10, 10, np.nan], dec=[0, 0, 0], central_freq=[np.nan, 1e9, 1e9])
    assert cross_match(found, truth).truth_of.tolist() == [-1, 0, -1]


def test_masked_and_missing_columns_are_nan():
    table = sky(ra=[1, 2], dec=[np.nan, 3])
    assert table.colnames == list(COLUMNS)
    assert numbers(table, "dec").tolist()[1:] == [3.0]
    assert np.isnan(numbers(table, "dec")[0])
    assert missing(table, "pa")
    assert not missing(table, "dec")
    assert missing(Table({"ra": [1.0]}), "dec")
    units = Table({"ra": np.ma.array([1.0, 2.0], mask=[True, False])})
    assert np.isnan(numbers(units, "ra")[0])
    assert not missing(table[:0], "pa")


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (1, 1), (500, 1000)])
def test_wilson_bounds_solve_their_equation(hits, n):
    # the bounds are the shares p for which |hits/n - p| is one standard deviation sqrt(p (1 - p) / n)
    for bound in wilson(hits, n):
        assert (hits / n - bound) ** 2 == pytest.approx(bound * (1 - bound) / n, abs=1e-12)


def test_wilson_without_trials():
    assert all(math.isnan(v) for v in wilson(0, 0))


@given(st.lists(st.floats(1e-5, 1e9), min_size=1, max_size=30))
def test_edges_enclose_the_values(values):
    edges = round_edges(np.array(values))
    assert edges == sorted(set(edges))
    assert edges[0] <= min(values)
    assert max(values) < edges[-1]
    bins = shares(np.array(values), np.array(values) > 1, edges)
    assert sum(b.n for b in bins) == len(values)
    assert sum(b.n_hit for b in bins) == sum(v > 1 for v in values)


def test_edges_are_round():
    assert round_edges(np.array([3.0, 40.0, -1.0, np.nan])) == [2.0, 5.0, 10.0, 20.0, 50.0]
    assert round_edges(np.array([10.0])) == [10.0, 20.0]
    assert round_edges(np.array([-1.0, np.nan])) == []


def test_shares_of_literal_values():
    bins = shares(np.array([1, 2, 2.5, np.nan, 9]), np.array([True, True, False, True, True]), [1, 2, 4, 8])
    assert [(b.n, b.n_hit) for b in bins] == [(1, 1), (2, 1), (0, 0)]
    assert bins[1].share == 0.5
    assert math.isnan(bins[2].share)


def test_errors_of_every_attribute():
    truth = sky(
        ra=[10], dec=[60], central_freq=[1e9], line_flux_integral=[50], hi_size=[10], w20=[200], pa=[350], i=[40]
    )
    found = sky(ra=[10 + 2 / 3600], dec=[60], central_freq=[1e9 - 5e3], line_flux_integral=[60], hi_size=[9], w20=[250],
                pa=[10], i=[30])  # fmt: skip
    match = cross_match(found, truth)
    expected = {"position": 1.0, "frequency": -5.0, "flux": 0.2, "size": -0.1, "w20": 0.25, "position angle": 20.0,
                "inclination": -10.0}  # fmt: skip
    assert {e.name: e.median for e in attribute_errors(found, truth, match)} == pytest.approx(expected, rel=1e-6)


def test_errors_are_percentiles_of_the_signed_errors():
    n = 101
    same = {"ra": np.arange(n), "dec": np.zeros(n), "central_freq": np.full(n, 1e9)}
    truth = sky(**same, i=np.full(n, 45.0), line_flux_integral=np.zeros(n))
    found = sky(**same, i=45.0 + np.arange(n) - 20, line_flux_integral=np.ones(n))
    rows = {e.name: e for e in attribute_errors(found, truth, cross_match(found, truth))}
    assert set(rows) == {"position", "frequency", "inclination"}  # a true flux of zero has no relative error
    row = rows["inclination"]
    assert (row.n, row.median, row.p16, row.p84) == (101, 30.0, -4.0, 64.0)
    assert row.median_absolute == np.median(np.abs(np.arange(n) - 20))


def test_no_match_no_errors():
    nothing = Match(np.array([-1]), np.array([-1]))
    table = sky(ra=[1], dec=[1], central_freq=[1e9])
    assert attribute_errors(table, table, nothing) == []
    assert errors_of("position", table, table, nothing).shape == (0,)


def average_precision_score(hit, score, n_true):
    """scikit-learn's: sum over distinct thresholds, descending, of (recall - recall before) × precision."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        kept = [h for h, s in zip(hit, score, strict=True) if s >= threshold]
        recall, precision = sum(kept) / n_true, sum(kept) / len(kept)
        total += (recall - before) * precision
        before = recall
    return total


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40), st.integers(1, 60))
def test_average_precision_is_that_of_scikit_learn(rows, extra):
    hit, score = [h for h, _ in rows], [s / 6 for _, s in rows]
    n_true = sum(hit) + extra
    truth_of = np.where(hit, np.cumsum(hit), -1) if rows else np.empty(0, int)
    points = curve(np.array(score), truth_of, n_true)
    assert points.average_precision == pytest.approx(average_precision_score(hit, score, n_true), abs=1e-12)


def test_a_source_met_twice_counts_once_for_completeness():
    points = curve(np.array([0.9, 0.8, 0.8, 0.1]), np.array([4, 4, 7, -1]), 4)
    assert points.confidence.tolist() == [0.9, 0.8, 0.1]
    assert points.completeness.tolist() == [0.25, 0.5, 0.5]
    assert points.reliability.tolist() == [1.0, 1.0, 0.75]
    assert points.average_precision == 0.5


def test_the_order_of_equal_confidences_does_not_matter():
    rng = np.random.default_rng(5)
    score, met = rng.integers(0, 4, 50) / 4, np.where(rng.random(50) < 0.5, np.arange(50), -1)
    first = curve(score, met, 60)
    order = rng.permutation(50)
    second = curve(score[order], met[order], 60)
    assert first.average_precision == second.average_precision
    np.testing.assert_array_equal(first.reliability, second.reliability)


def test_curve_of_nothing_and_of_unknown_confidences():
    assert curve(np.empty(0), np.empty(0, int), 3).average_precision == 0.0
    assert math.isnan(curve(np.array([1.0]), np.array([-1]), 0).average_precision)
    last = curve(np.array([np.nan, 0.5]), np.array([-1, 0]), 1)
    assert last.reliability.tolist() == [1.0, 0.5]
