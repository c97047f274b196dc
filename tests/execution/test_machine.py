"""What the machine offers to the compiled kernels."""

import subprocess
import sys

from hisf.execution import machine


def test_numba_starts_without_scipy_linalg_and_has_it_when_asked():
    """Kernels of plugins may use linear algebra."""
    code = (
        "import sys, numpy as np\n"
        "import hisf.kernels.clip\n"
        "assert 'numba.np.arraymath' in sys.modules and 'scipy.linalg' not in sys.modules\n"
        "from numba import njit\n"
        "product, solved = njit(lambda a, b: (np.dot(a, b), np.linalg.solve(a, b)))(np.diag([2.0, 4.0]), np.eye(2))\n"
        "print(product[1, 1], solved[1, 1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4.0", "0.25"]


def test_threads_are_those_wanted_but_no_more_than_processors(monkeypatch):
    monkeypatch.setattr(machine, "_threads", 0)
    monkeypatch.setattr(machine, "processors", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert machine.threads() == 6
    assert (machine.set_threads(2), machine.threads()) == (2, 2)
    assert (machine.set_threads(99), machine.threads()) == (6, 6)
    assert machine.set_threads(0) == machine.set_threads(-1) == 6
    for text, number in (("4", 4), ("3,2", 3), ("0", 6), ("many", 6), ("50", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert machine.set_threads(0) == number


def test_files_in_memory_are_not_used_memory_of_a_container(tmp_path, monkeypatch):
    """A control group counts them, and gives their room to whoever needs it."""
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    assert machine._container_limit() == float("inf")
    (tmp_path / "memory.max").write_text("2000\n")
    (tmp_path / "memory.current").write_text("1500\n")
    assert machine._container_limit() == 500
    (tmp_path / "memory.stat").write_text("anon 200\nactive_file 300\ninactive_file 900\n")
    assert machine._container_limit() == 1400
    (tmp_path / "memory.max").write_text("max\n")
    assert machine._container_limit() == float("inf")
