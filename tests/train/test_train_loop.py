"""The training loop: resuming, stopping, checkpoints."""

import numpy as np
import pytest
import torch
from torch import nn

from hisf.errors import InputError
from hisf.train.loop import Schedule, fit


def network():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def batch(step):
    rng = np.random.default_rng(step)
    x = torch.from_numpy(rng.standard_normal((32, 3)).astype(np.float32))
    return x, x.sum(1, keepdim=True)


def loss(net, data):
    return {"square": (net(data[0]) - data[1]).square().mean()}


def score(net):
    with torch.inference_mode():
        return -float(loss(net, batch(10**6))["square"])


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [4, 7])
def test_a_training_that_was_killed_ends_as_it_would_have(tmp_path, killed_at):
    schedule = Schedule(12, every=3, warmup=2)
    whole, history = fit(network(), schedule, batch, loss, score, tmp_path / "a.safetensors")

    def dying(net, data):
        if not hasattr(dying, "count"):
            dying.count = 0
        dying.count += 1
        if dying.count > killed_at:
            raise Killed
        return loss(net, data)

    place = tmp_path / "b.safetensors"
    with pytest.raises(Killed):
        fit(network(), schedule, batch, dying, score, place)
    assert place.exists()
    again, second = fit(network(), schedule, batch, loss, score, place)
    assert second == history
    for name, tensor in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_it_learns_and_keeps_the_best(tmp_path):
    net, history = fit(network(), Schedule(300, every=50, warmup=5), batch, loss, score, tmp_path / "c.safetensors")
    assert score(net) == pytest.approx(history[-1].best)
    assert history[-1].best == max(s.score for s in history)
    assert history[-1].best > 0.2 * score(network().eval())  # the square error is down to a fifth


def test_early_stopping(tmp_path):
    scores = iter([1.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    net, history = fit(
        network(), Schedule(60, every=10, patience=2), batch, loss, lambda net: next(scores), tmp_path / "d.safetensors"
    )
    assert [s.score for s in history] == [1.0, 5.0, 4.0, 3.0]
    assert history[-1].best == 5.0
    assert not net.training


def test_the_rate_warms_up_and_falls():
    schedule = Schedule(1000, rate=1.0, warmup=100)
    rates = [schedule.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.0101)
    assert int(np.argmax(rates)) == 99
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_checkpoints_of_others_are_refused(tmp_path):
    place = tmp_path / "e.safetensors"
    fit(network(), Schedule(3, every=3), batch, loss, score, place)
    with pytest.raises(InputError, match="another training"):
        fit(network(), Schedule(4, every=3), batch, loss, score, place)
    other = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    with pytest.raises(InputError, match="not a checkpoint of this training"):
        fit(other, Schedule(3, every=3), batch, loss, score, place)
    place.write_bytes(b"no checkpoint at all")
    with pytest.raises(InputError, match="not a checkpoint of this training"):
        fit(network(), Schedule(3, every=3), batch, loss, score, place)
