"""The next trial: towards a known optimum, from the record alone."""

import math

import numpy as np
import pytest

from hisf.settings import load_settings
from hisf.tune.propose import propose
from hisf.tune.space import dimensions_of

RANGES = ["cnn.threshold=0..1", "linker.radiusXY=1..20", "linker.method=sofia2|cylinder", "scfind.threshold=3..5:0.25"]
START = {"cnn.threshold": "0.9", "linker.radiusXY": "1", "linker.method": "sofia2", "scfind.threshold": "5"}


@pytest.fixture(scope="module")
def dimensions():
    return dimensions_of(RANGES, load_settings([]))


def analytic(values):
    """0 at its only optimum: 0.3, 13, cylinder, 3.5."""
    return -(
        10 * (float(values["cnn.threshold"]) - 0.3) ** 2
        + (int(values["linker.radiusXY"]) - 13) ** 2 / 20
        + (values["linker.method"] != "cylinder")
        + (float(values["scfind.threshold"]) - 3.5) ** 2
    )


def tuned(dimensions, trials, seed, objective=analytic):
    tried = [(START, objective(START))]
    for number in range(1, trials + 1):
        values = propose(dimensions, tried, number, seed)
        tried.append((values, objective(values)))
    return tried


def test_the_optimum_of_an_analytic_objective_is_approached(dimensions):
    found = [max(score for _, score in tuned(dimensions, 60, seed)) for seed in (1, 2, 3)]
    rng = np.random.default_rng(1)
    blind = []
    for _ in range(200):  # the best of 60 random draws each time
        draws = [
            {"cnn.threshold": rng.uniform(), "linker.radiusXY": rng.integers(1, 21),
             "linker.method": rng.choice(["sofia2", "cylinder"]), "scfind.threshold": rng.uniform(3, 5)}
            for _ in range(60)
        ]  # fmt: skip
        blind.append(max(map(analytic, draws)))
    assert np.mean(found) > np.median(blind)
    assert min(found) > -0.3  # a quarter step in one parameter and 0.1 in another


def test_values_are_those_that_may_be_tried(dimensions):
    tried = tuned(dimensions, 40, 5)
    for values, _ in tried[1:]:
        assert 0.0 <= float(values["cnn.threshold"]) <= 1.0
        assert values["linker.radiusXY"] in map(str, range(1, 21))
        assert math.isclose((float(values["scfind.threshold"]) - 3.0) % 0.25, 0.0)
    assert {values["linker.method"] for values, _ in tried} == {"sofia2", "cylinder"}
    assert {values["linker.radiusXY"] for values, _ in tuned(dimensions, 60, 6, lambda values: 0.0)} >= {"1", "20"}


def test_a_proposal_depends_on_what_was_tried_and_on_the_seed(dimensions):
    tried = tuned(dimensions, 30, 1)
    assert propose(dimensions, tried, 31, 1) == propose(dimensions, list(tried), 31, 1)
    assert propose(dimensions, tried, 31, 1) != propose(dimensions, tried, 31, 2)
    assert propose(dimensions, tried, 31, 1) != propose(dimensions, tried, 32, 1)  # side by side, from the same trials


def test_failed_trials_are_avoided(dimensions):
    def half(values):
        return None if float(values["cnn.threshold"]) > 0.5 else 0.0

    late = [float(values["cnn.threshold"]) for values, _ in tuned(dimensions, 60, 1, half)[30:]]
    assert np.mean([value > 0.5 for value in late]) < 0.35


def test_a_start_that_is_no_choice_is_left_out(dimensions):
    start = START | {"linker.method": "mine"}
    assert propose(dimensions, [(start, 1.0)], 1, 1)["linker.method"] in ("sofia2", "cylinder")
