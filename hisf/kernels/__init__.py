"""Compiled numerics on bare arrays, free of any knowledge of the pipeline; each has a plain twin in the tests."""

import sys


def _load_functions_of_numba() -> None:
    """Import what every compiled kernel needs, without scipy.linalg, which numba imports to see that it is there.

    Functions of linear algebra import it themselves when they are compiled; no kernel of a run has any, and it would
    be a fifth of the time until the first kernel runs.
    """
    looked_for = "scipy.linalg.cython_blas"
    if looked_for in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[looked_for] = None  # type: ignore[assignment]
    try:
        from numba.np import arraymath
    finally:
        del sys.modules[looked_for]
    arraymath._HAVE_BLAS = True


_load_functions_of_numba()
