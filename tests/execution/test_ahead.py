"""Imports in the background."""

import sys

from hisf.execution.ahead import import_ahead


def test_modules_are_there_afterwards(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_ahead(["there_is_no_such_module", "slow_to_import"]).join()
    assert sys.modules["slow_to_import"].answer == 42
    del sys.modules["slow_to_import"]
