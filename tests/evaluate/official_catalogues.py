"""Catalogues for the official SDC2 scorer, and the program that keeps its answers in goldens.json.

The catalogues are made here, by the same code for the scorer and for the tests. To make the goldens again, in an
environment of its own with ska-sdc 2.0.0, pandas < 2.2, numpy < 2 and setuptools < 80 (not that of hisf):

    python tests/evaluate/official_catalogues.py FOLDER_OF_SHARED_DATA
"""

import argparse
import importlib.util
import json
import logging
import sys
from pathlib import Path

import numpy as np

SEED = 20261123
COLUMNS = ["id", "ra", "dec", "hi_size", "line_flux_integral", "central_freq", "pa", "i", "w20"]
GOLDENS = Path(__file__).with_name("goldens.json")
BASELINES = (101, 102, 103)


def make_truth(rng, n=300):
    """Return n sources like those of SDC2, a fifth of them close to another one, and three outside the band."""
    freq = rng.uniform(0.955e9, 1.145e9, n)
    ra, dec = 180 + rng.uniform(-0.6, 0.6, n), -30 + rng.uniform(-0.5, 0.5, n)
    near = np.arange(n - n // 5, n)
    partner = rng.integers(0, n - n // 5, len(near))
    ra[near] = ra[partner] + rng.uniform(-4, 4, len(near)) / 3600
    dec[near] = dec[partner] + rng.uniform(-4, 4, len(near)) / 3600
    freq[near] = freq[partner] + rng.uniform(-2e5, 2e5, len(near))
    freq[:3] = 0.95e9, 0.94e9, 1.15e9
    return {
        "id": np.arange(n) * 3 + 7,
        "ra": ra,
        "dec": dec,
        "hi_size": rng.uniform(3, 40, n),
        "line_flux_integral": 10 ** rng.uniform(0.3, 2.5, n),
        "central_freq": freq,
        "pa": rng.uniform(0, 360, n),
        "i": rng.uniform(0, 90, n),
        "w20": rng.uniform(30, 500, n),
    }


def perturb(table, rng, scale=1.0):
    """Return a copy with errors like those of a source finder."""
    n = len(table["id"])
    out = {name: np.array(values) for name, values in table.items()}
    out["ra"] = out["ra"] + scale * rng.normal(0, 2.5, n) / 3600
    out["dec"] = out["dec"] + scale * rng.normal(0, 2, n) / 3600
    out["central_freq"] = out["central_freq"] + scale * rng.normal(0, 1e5, n)
    for name in ("hi_size", "line_flux_integral", "w20"):
        out[name] = out[name] * np.exp(scale * rng.normal(0, 0.35, n))
    out["pa"] = out["pa"] + scale * rng.normal(0, 40, n)
    out["i"] = out["i"] + scale * rng.normal(0, 15, n)
    return out


def rows(table, chosen):
    return {name: values[chosen] for name, values in table.items()}


def stack(*tables):
    """Return the tables below each other, with new running ids."""
    out = {name: np.concatenate([t[name] for t in tables]) for name in COLUMNS}
    return {**out, "id": np.arange(len(out["id"]))}


def moved(table, **by):
    return {name: values + by.get(name, 0) for name, values in table.items()}


def make_catalogues():
    """Return name -> (catalogue, truth), each a dict of columns; the same on every call."""
    rng = np.random.default_rng(SEED)
    truth = make_truth(rng)
    n = len(truth["id"])
    cases = {"perfect": truth, "empty": rows(truth, np.zeros(n, bool))}
    cases["duplicates"] = stack(perturb(truth, rng, 0.3), rows(perturb(truth, rng, 0.3), slice(0, 150)), truth)
    third = np.arange(n) % 3
    cases["out_of_band"] = {
        **truth,
        "central_freq": np.choose(
            third, [truth["central_freq"], truth["central_freq"] + 0.25e9, np.where(np.arange(n) % 2, 0.95e9, 1.15e9)]
        ),
    }
    # multi-dimensional errors on either side of 5
    cases["near_the_limit"] = {**truth, "line_flux_integral": truth["line_flux_integral"] * rng.uniform(5.8, 6.2, n)}
    cases["just_at_the_limit"] = {
        **truth, "line_flux_integral": truth["line_flux_integral"] * np.where(third, 6 - 1e-9, 6 + 1e-9),
    }  # fmt: skip
    cases["perturbed"] = perturb(truth, rng)
    cases["very_perturbed"] = perturb(truth, rng, 3.0)
    narrow = perturb(truth, rng, 0.5)
    cases["narrow"] = {**narrow, "w20": np.array([0.0, 1e-6, 1.0, 10.0, 30.0])[np.arange(n) % 5]}
    turns = np.array([-355, 355, 180, -180, 10, 370, 720.5, 9.999])
    cases["angles"] = {**truth, "pa": truth["pa"] + turns[rng.integers(0, 8, n)]}
    cases["broad"] = {**perturb(truth, rng, 0.2), "w20": truth["w20"] * rng.choice([1.5, 5.9, 900.0], n)}
    cases["false_only"] = moved(truth, dec=0.1 * np.ones(n), ra=3.0 * np.ones(n))
    cases["with_false"] = stack(perturb(truth, rng, 0.6), moved(rows(truth, slice(0, 120)), dec=0.02))
    cases["repeated_ids"] = {**perturb(truth, rng, 0.4), "id": np.arange(n) // 2}
    cases["far_from_the_limits"] = {**perturb(truth, rng, 0.1), "hi_size": truth["hi_size"] * rng.uniform(0.01, 8, n)}
    out = {name: (catalogue, truth) for name, catalogue in cases.items()}
    # properties of the truth that are zero
    odd = {**truth, "hi_size": truth["hi_size"] * (third > 0), "i": truth["i"] * (third > 1)}
    out["zero_sizes"] = (odd, odd)
    faint = {**truth, "line_flux_integral": truth["line_flux_integral"] * (third > 0)}
    out["zero_fluxes"] = (perturb(faint, rng, 0.2), faint)
    return out


def checksum(table):
    """Return a number that changes when a catalogue does."""
    scale = {"central_freq": 1e-6}
    return float(sum((k + 1) * scale.get(n, 1) * np.sum(np.asarray(table[n], float)) for k, n in enumerate(COLUMNS)))


def baseline(shared, seed):
    """Return a real submission and its truth: SoFiA 2 on an SDC2-like cube, from the shared data."""
    path = shared / "bin" / "sdc2_cube.py"
    spec = importlib.util.spec_from_file_location("sdc2_cube", path)
    cube = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cube)
    data = str(shared / "data" / "sdc2")
    options = argparse.Namespace(data=data, freq0=1090e6, ra0=180.0, dec0=-30.0, density=2.0)
    found, _ = cube.pick_rows(options, cube.Atlas(data), np.random.default_rng(seed), (1000, 480, 480))
    truth = {name: np.array([row[name] for row in found]) for name in COLUMNS}
    text = (shared / "data" / "sdc2" / "baseline" / f"val_{seed}_sofia_sdc2.txt").read_text().splitlines()
    assert text[0].split() == COLUMNS
    values = np.array([[float(v) for v in line.split()] for line in text[1:]])
    return dict(zip(COLUMNS, values.T, strict=True)), truth


def official_answer(catalogue, truth):
    """Return what the official scorer says."""
    import pandas as pd
    from ska_sdc.sdc2.sdc2_scorer import Sdc2Scorer

    logging.disable(logging.CRITICAL)
    frames = [
        pd.DataFrame({name: np.asarray(t[name], int if name == "id" else float) for name in COLUMNS})
        for t in (catalogue, truth)
    ]
    score = Sdc2Scorer(*frames).run(train=False, detail=True)
    answer = {name: int(getattr(score, name)) for name in ("n_det", "n_match", "n_bad", "n_false")}
    answer.update(score=float(score.value), accuracy=float(score.acc_pc) / 100, properties={})
    if score.n_match:
        answer["properties"] = {name: float(v) / 100 for name, v in score.column_acc_pc.items()}
    return {**answer, "checksums": [checksum(catalogue), checksum(truth)]}


def main(shared):
    """Write goldens.json."""
    from importlib.metadata import version

    cases = make_catalogues()
    cases.update({f"baseline_{seed}": baseline(Path(shared), seed) for seed in BASELINES})
    goldens = {
        "scorer": f"ska-sdc {version('ska-sdc')}",
        "with": {name: version(name) for name in ("numpy", "pandas", "astropy", "scikit-learn")},
        "seed": SEED,
        "answers": {name: official_answer(*case) for name, case in cases.items()},
    }
    GOLDENS.write_text(json.dumps(goldens, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
