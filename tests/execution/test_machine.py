"""What the machine offers to the compiled kernels."""

import subprocess
import sys


def test_numba_starts_without_scipy_linalg_and_has_it_when_asked():
    """Kernels of plugins may use linear algebra."""
    code = (
        "import sys, numpy as np\n"
        "from hisf.execution.machine import set_threads\n"
        "set_threads(1)\n"
        "assert 'numba.np.arraymath' in sys.modules and 'scipy.linalg' not in sys.modules\n"
        "from numba import njit\n"
        "product, solved = njit(lambda a, b: (np.dot(a, b), np.linalg.solve(a, b)))(np.diag([2.0, 4.0]), np.eye(2))\n"
        "print(product[1, 1], solved[1, 1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4.0", "0.25"]
