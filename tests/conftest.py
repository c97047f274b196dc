"""Fixtures of the whole suite."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Hear SIGINT also where a shell started the tests in the background, whose processes ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared reference data: HISF_SHARED, or the folder beside the checkout; skips where it is absent."""
    place = Path(os.environ.get("HISF_SHARED", ROOT.parent / "shared"))
    if not (place / "parity").is_dir():
        pytest.skip("the shared reference data are not here (set HISF_SHARED to their folder)")
    return place
