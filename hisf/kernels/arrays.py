"""How arrays are handed to compiled functions."""

from typing import Any

from numpy.typing import NDArray


def frozen(values: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view of what a compiled function only reads.

    Arrays that may be written and those that may not are two types, and a function is compiled for each.
    """
    view = values.view()
    view.flags.writeable = False
    return view
