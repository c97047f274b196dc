"""The SDC2 score equals the official scorer's, and behaves as a score should."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from official_catalogues import BASELINES, COLUMNS, GOLDENS, baseline, checksum, make_catalogues, make_truth, perturb

from hisf.data.sdc2_table import COLUMNS as DECLARED
from hisf.errors import InputError
from hisf.evaluate.pairs import nearby_pairs
from hisf.evaluate.sdc2 import LIGHT, Sdc2Field, score_sdc2

ANSWERS = json.loads(GOLDENS.read_text(encoding="utf-8"))
CASES = make_catalogues()
# truth rows of spec forska §17.2
SPEC = [
    (0, 180.00, -30.00, 10, 50, 1.05e9, 30, 60, 200),
    (1, 180.05, -30.00, 14, 80, 1.00e9, 350, 40, 300),
    (2, 179.90, -29.95, 8, 20, 1.10e9, 120, 75, 150),
]
WIDTH = 517816.0035  # Hz, spectral size of row 0


def table(rows):
    return Table(rows=[tuple(map(float, row)) for row in rows], names=COLUMNS)


def changed(k, **values):
    row = dict(zip(COLUMNS, SPEC[k], strict=True))
    return tuple({**row, **values}.values())


def assert_official(name, catalogue, truth):
    official = ANSWERS["answers"][name]
    sums = [checksum(catalogue), checksum(truth)]
    assert sums == pytest.approx(official["checksums"], rel=1e-12), "the catalogues are not those that were scored"
    score = score_sdc2(Table(catalogue), Table(truth))
    assert score.score == pytest.approx(official["score"], abs=1e-6)
    assert [score.n_det, score.n_match, score.n_bad, score.n_false] == [
        official[n] for n in ("n_det", "n_match", "n_bad", "n_false")
    ]
    assert score.accuracy == pytest.approx(official["accuracy"], abs=1e-6)
    assert score.properties == pytest.approx(official["properties"], abs=1e-6)


def test_columns_are_the_declared_ones():
    assert list(DECLARED) == COLUMNS
    assert ANSWERS["scorer"] == "ska-sdc 2.0.0"


@pytest.mark.parametrize("name", CASES)
def test_equals_the_official_scorer(name):
    assert_official(name, *CASES[name])


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the shared generator leaves a file open
@pytest.mark.parametrize("seed", BASELINES)
def test_equals_the_official_scorer_on_a_real_submission(seed, shared):
    pytest.importorskip("scipy", reason="the generator of the shared truth needs scipy")
    assert_official(f"baseline_{seed}", *baseline(shared, seed))


@pytest.mark.parametrize(
    ("rows", "score", "n_det", "n_match"),
    [
        (SPEC, 3.0, 3, 3),
        ([changed(0, dec=-30 + 3 / 3600, hi_size=12, line_flux_integral=60, central_freq=1.05e9 + 2e5, pa=50, i=75,
                  w20=260)], 0.777627, 1, 1),
        ([SPEC[0], changed(0, id=9, ra=181), changed(0, id=10, central_freq=1.16e9)], -1.0, 3, 1),
        ([changed(1, pa=10)], 0.928571, 1, 1),
        ([changed(0, central_freq=1.05e9 + 0.99 * WIDTH)], 0.900433, 1, 1),
        ([changed(0, central_freq=1.05e9 + 1.01 * WIDTH)], -1.0, 1, 0),
        ([changed(0, line_flux_integral=350)], -1.0, 1, 0),
        ([changed(0, dec=-30 + 8 / 3600, hi_size=1, w20=1)], -1.0, 1, 0),
    ],
)  # fmt: skip
def test_worked_examples_of_the_spec(rows, score, n_det, n_match):
    found = score_sdc2(table(rows), table(SPEC))
    assert (found.n_det, found.n_match) == (n_det, n_match)
    assert found.score == pytest.approx(score, abs=1e-6)


def test_distance_equals_astropy():
    # astropy's own integral; it needs scipy, which hisf does not
    pytest.importorskip("scipy")
    from astropy.cosmology import LambdaCDM

    freq = np.linspace(0.3e9, 1.42e9, 50)
    for matter, dark in ((0.32, 0.68), (0.3, 0.6), (0.4, 0.9)):
        where = Sdc2Field(matter=matter, dark_energy=dark)
        expected = LambdaCDM(H0=67, Om0=matter, Ode0=dark).angular_diameter_distance(where.rest / freq - 1).value
        np.testing.assert_allclose(where.angular_distance(freq), expected, rtol=1e-9)


def test_offsets_equal_astropy():
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 50), rng.uniform(-89, 89, 50)
    for centre in ((180.0, -30.0), (0.2, 88.0)):
        east, north = SkyCoord(*centre, unit="deg").spherical_offsets_to(SkyCoord(ra, dec, unit="deg"))
        x, y = Sdc2Field(ra=centre[0], dec=centre[1]).offsets(ra, dec)
        np.testing.assert_allclose(x, east.wrap_at("180d").rad, atol=1e-12)
        np.testing.assert_allclose(y, north.rad, atol=1e-12)


def brute_force(sub, true, where):
    """The score once more, pair by pair, as spec forska §15 says it."""
    inside = [k for k in range(len(true["id"])) if where.low < true["central_freq"][k] < where.high]
    best = {}
    for a in range(len(sub["id"])):
        freq = sub["central_freq"][a]
        if not where.low < freq < where.high:
            continue
        for b in inside:
            conv, spec = size(true, b, where)
            conv_a, spec_a = size(sub, a, where)
            place, place_t = at(sub, a, where), at(true, b, where)
            depth = where.angular_distance(np.array([freq]))[0] - where.angular_distance(np.array([freq + spec_a]))[0]
            radius = max(conv_a / 206265 * place[2], depth)
            if sum((p - q) ** 2 for p, q in zip(place, place_t, strict=True)) > radius**2:
                continue
            sep = separation(sub, a, true, b)
            shift = abs(freq - true["central_freq"][b])
            if sep >= conv or shift >= spec:
                continue
            parts = [sep / conv, shift / spec, off(sub, a, true, b, "line_flux_integral"), off(sub, a, true, b, "w20")]
            parts.append(abs(sub["hi_size"][a] - true["hi_size"][b]) / conv)
            m = np.sqrt(sum(p**2 for p in parts))
            if m < best.get(a, (np.inf, 0))[0]:
                best[a] = (m, b)
    kept = [b for _, b in best.values()]
    total, n_match = 0.0, 0
    for a, (m, b) in best.items():
        if m >= 5:
            continue
        turn = abs((sub["pa"][a] - true["pa"][b] + 180) % 360 - 180)
        errors = [
            (separation(sub, a, true, b) / np.sqrt(4 * where.beam**2 + true["hi_size"][b] ** 2), 0.3),
            (abs(sub["central_freq"][a] - true["central_freq"][b]) / size(true, b, where)[1], 0.3),
            (off(sub, a, true, b, "line_flux_integral"), 0.1), (off(sub, a, true, b, "hi_size"), 0.3), (turn, 10),
            (off(sub, a, true, b, "w20"), 0.3), (abs(sub["i"][a] - true["i"][b]), 10),
        ]  # fmt: skip
        total += np.mean([1.0 if e <= t else t / e for e, t in errors]) / kept.count(b)
        n_match += 1
    return total - (len(sub["id"]) - n_match), n_match


def size(t, k, where):
    return np.hypot(t["hi_size"][k], where.beam), t["w20"][k] * 1e3 * t["central_freq"][k] ** 2 / LIGHT / where.rest


def at(t, k, where):
    distance = where.angular_distance(np.array([t["central_freq"][k]]))[0]
    x, y = where.offsets(np.array([t["ra"][k]]), np.array([t["dec"][k]]))
    return distance * x[0], distance * y[0], distance


def off(t, a, u, b, name):
    return abs(t[name][a] - u[name][b]) / u[name][b]


def separation(t, a, u, b):
    ra, dec, ra_u, dec_u = (np.radians(v) for v in (t["ra"][a], t["dec"][a], u["ra"][b], u["dec"][b]))
    h = np.sin((dec - dec_u) / 2) ** 2 + np.cos(dec) * np.cos(dec_u) * np.sin((ra - ra_u) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(h))) * 3600


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("elsewhere", [False, True])
def test_equals_a_pair_by_pair_score(seed, elsewhere):
    rng = np.random.default_rng(seed)
    truth = make_truth(rng, 40)
    where = Sdc2Field()
    if elsewhere:  # another field, band and beam
        truth["ra"], truth["dec"] = (truth["ra"] + 180.0) % 360, truth["dec"] + 75
        truth["central_freq"] = truth["central_freq"] + 0.2e9
        where = Sdc2Field(ra=0.0, dec=45.0, low=1.1e9, high=1.4e9, beam=30.0)
    catalogue = perturb(truth, rng, 1.5)
    score = score_sdc2(Table(catalogue), Table(truth), where)
    expected, n_match = brute_force(catalogue, truth, where)
    assert score.n_match == n_match > 10
    assert score.score == pytest.approx(expected, abs=1e-9)


def test_a_field_elsewhere_has_the_score_of_the_same_field_here():
    # turning the sky changes nothing, if the field turns with it
    catalogue, truth = (dict(t) for t in CASES["perturbed"])
    here = score_sdc2(Table(catalogue), Table(truth)).score
    for t in (catalogue, truth):
        t["ra"] = (t["ra"] + 180.3) % 360
    assert score_sdc2(Table(catalogue), Table(truth), Sdc2Field(ra=0.3)).score == pytest.approx(here, abs=1e-6)


def test_a_catalogue_without_a_column_is_refused():
    catalogue = table(SPEC)
    catalogue.remove_column("pa")
    with pytest.raises(InputError, match="needs pa, which the catalogue does not have"):
        score_sdc2(catalogue, table(SPEC))


def test_rows_with_nan_are_left_out():
    score = score_sdc2(table([*SPEC, changed(0, id=5, pa=np.nan)]), table(SPEC))
    assert (score.n_det, score.n_dropped, score.score) == (3, 1, pytest.approx(3.0))


def test_no_truth_in_the_band_makes_every_detection_false():
    score = score_sdc2(table(SPEC), table(SPEC), replace(Sdc2Field(), low=1.3e9, high=1.4e9))
    assert (score.score, score.n_truth, score.accuracy, score.properties) == (-3.0, 0, 0.0, {})
    assert np.isnan(score.completeness)
    assert np.isnan(score_sdc2(table(SPEC)[:0], table(SPEC)).reliability)


@st.composite
def fields(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = make_truth(rng, draw(st.integers(5, 60)))
    return rng, truth, perturb(truth, rng, draw(st.floats(0.0, 3.0)))


@settings(max_examples=40, deadline=None)
@given(fields())
def test_bounds_and_order(given_field):
    rng, truth, catalogue = given_field
    n = len(truth["id"])
    inside = int(((truth["central_freq"] > 0.95e9) & (truth["central_freq"] < 1.15e9)).sum())
    assert score_sdc2(Table(truth), Table(truth)).score == pytest.approx(inside - (n - inside), abs=1e-9)
    score = score_sdc2(Table(catalogue), Table(truth))
    assert -n <= score.score <= inside + 1e-9
    assert score.n_found <= score.n_match <= n
    assert score.score == pytest.approx(score.accuracies.sum() - score.n_false, abs=1e-9)
    shuffled = score_sdc2(Table(catalogue)[rng.permutation(n)], Table(truth)[rng.permutation(n)])
    assert shuffled.score == pytest.approx(score.score, abs=1e-9)
    assert (shuffled.n_match, shuffled.n_bad) == (score.n_match, score.n_bad)


@settings(max_examples=40, deadline=None)
@given(fields())
def test_repeating_a_catalogue_never_raises_its_score(given_field):
    _, truth, catalogue = given_field
    n = len(truth["id"])
    twice = {name: np.concatenate([v, v]) for name, v in catalogue.items()}
    twice["id"] = np.arange(2 * n)
    once = score_sdc2(Table(catalogue), Table(truth))
    both = score_sdc2(Table(twice), Table(truth))
    assert both.n_match == 2 * once.n_match
    assert both.score == pytest.approx(once.score - once.n_false, abs=1e-9)


def as_pairs(pieces):
    return [(int(i), int(j)) for rows in pieces for i, j in zip(*rows, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_nearby_pairs_are_all_of_them(seed, n, m, blank):
    rng = np.random.default_rng(seed)
    a, b, reach = (rng.integers(0, 20, (2, k)).astype(float) for k in (n, m, m))
    reach[1] /= 10 ** rng.integers(0, 3)
    if blank and n:
        a[:, 0] = np.nan
    expected = {
        (i, j)
        for i in range(n) for j in range(m)
        if abs(a[0, i] - b[0, j]) <= reach[0, j] and abs(a[1, i] - b[1, j]) <= reach[1, j]
    }  # fmt: skip
    found = as_pairs(nearby_pairs(tuple(a), tuple(b), tuple(reach)))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_pairs_come_in_chunks(monkeypatch):
    monkeypatch.setattr("hisf.evaluate.pairs.CHUNK", 7)
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0, 1, (2, 30)), rng.uniform(0, 1, (2, 20))
    reach = np.full((2, 20), 0.3)
    pieces = list(nearby_pairs(tuple(a), tuple(b), tuple(reach)))
    assert len(pieces) > 10
    near = (np.abs(a[:, :, None] - b[:, None]) <= 0.3).all(axis=0)
    assert sorted(as_pairs(pieces)) == [(int(i), int(j)) for i, j in np.argwhere(near)]
