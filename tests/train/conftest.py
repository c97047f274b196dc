"""Small material for the tests of training."""

from contextlib import contextmanager

import pytest
import torch

from hisf.train.mocks import make_mocks
from hisf.train.noise import make_volume


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def mocks():
    return make_mocks(None, 40, 7)


@pytest.fixture(scope="session")
def volume():
    return make_volume(None, (160, 64, 64), 3, 0)


class Silent:
    """A display that only counts."""

    def __init__(self):
        self.done = {}

    @contextmanager
    def stage(self, name, total):
        self.done[name] = 0

        def advance(n):
            self.done[name] += n

        yield advance
        assert self.done[name] == total

    def state(self, name, state): ...


@pytest.fixture
def display():
    return Silent()
