"""What to try next: the tree-structured Parzen estimator of hyperopt (Bergstra et al. 2011), from the record alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hisf.tune.space import Dimension


def propose(
    dimensions: Sequence[Dimension], tried: Sequence[tuple[Mapping[str, str], float | None]], number: int, seed: int
) -> dict[str, str]:
    """Return the values of the next trial.

    A function of its arguments and nothing else, so that a resumed tuning goes on as if it had not been interrupted.

    Parameters
    ----------
    dimensions : sequence of Dimension
    tried : sequence of (values, objective)
        What was tried; the objective is to be large, and None for a trial that failed.
    number : int
        Of the trial.
    seed : int
        Of the tuning.

    Returns
    -------
    dict of str to str
        Texts by the names of the parameters.
    """
    from hyperopt import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK, Trials, tpe
    from hyperopt.base import Domain

    domain = Domain(_never, _space(dimensions), pass_expr_memo_ctrl=False)
    trials = Trials()
    documents = []
    for tid, (values, objective) in enumerate(tried):
        places = {d.name: d.coordinate(values[d.name]) for d in dimensions}
        if any(place is None for place in places.values()):
            continue  # a setting of the user that is none of the choices
        misc = {
            "tid": tid, "cmd": domain.cmd, "workdir": None,
            "idxs": {name: [tid] for name in places}, "vals": {name: [place] for name, place in places.items()},
        }  # fmt: skip
        good = {"status": STATUS_OK, "loss": -objective} if objective is not None else {"status": STATUS_FAIL}
        document = trials.new_trial_docs([tid], [None], [good], [misc])[0]
        document["state"] = JOB_STATE_DONE
        documents.append(document)
    trials.insert_trial_docs(documents)
    trials.refresh()
    draw = int(np.random.default_rng([seed, number]).integers(2**31 - 1))
    made: Any = tpe.suggest([len(tried)], domain, trials, draw, verbose=False)
    values = made[0]["misc"]["vals"]
    return {d.name: d.text(float(values[d.name][0])) for d in dimensions}


def _space(dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """Return the search space in hyperopt's terms; what has steps is searched by index."""
    from hyperopt import hp

    space = {}
    for d in dimensions:
        if d.choices:
            space[d.name] = hp.choice(d.name, list(range(len(d.choices))))
        elif d.step:
            space[d.name] = hp.quniform(d.name, -0.499, d.last + 0.499, 1)
        else:
            space[d.name] = hp.uniform(d.name, d.low, d.high)
    return space


def _never(values: Any) -> float:
    """Stand for the objective, which hyperopt is not asked to call."""
    raise AssertionError
