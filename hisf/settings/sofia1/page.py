"""The page of documentation about parameter files of SoFiA 1."""

from collections.abc import Iterable

from hisf.settings.sofia1.table import SWITCHES, OldParameter

_HEAD = """\
# Parameter files of SoFiA 1

<!-- Made by hisf.settings.sofia1.as_sofia1_page from hisf/settings/sofia1/table.py; do not edit. -->

    hisf run old.par

runs a parameter file of SoFiA 1 (1.3.2): one with keys that begin with `steps.`, `SCfind.`, `merge.`, `import.`,
`writeCat.` or `parameters.`. What the file does not say has SoFiA 1's default. Every run and `hisf check old.par` say
what has no exact counterpart, and `NAME_run.json` says from which line and which key of the file a setting comes.

* On the command line parameters have the names of hisf: `hisf run old.par input.data=cube.fits`.
* The file may hold parameters of hisf that SoFiA 1 does not have, such as `pipeline.finder`, too.
* A value of the wrong type is an error. Lists are read as literals and never run as Python.
* Of a key that is written twice the first counts, and `pipeline.pedantic = true` stops the run, as in SoFiA 1.
* Linker and dilation are those of SoFiA 1 (`linker.method = cylinder`, `dilation.method = sofia1`).

What else differs from SoFiA 1: a voxel has to be above the threshold, not at it; the sky is smoothed by SoFiA 2's
series of boxcars in place of a Gaussian; sources are numbered as in SoFiA 2; masks grow on the searched cube; the
covariance of the reliability is divided by n in place of n - 1; and the catalogue has the columns of SoFiA 2.

| SoFiA 1 | Default | hisf | What happens where there is no exact counterpart |
| --- | --- | --- | --- |
"""


def as_sofia1_page(parameters: Iterable[OldParameter]) -> str:
    """Return the page, with a row for every parameter of SoFiA 1."""
    return _HEAD + "".join(_row(old) for old in parameters)


def _row(old: OldParameter) -> str:
    targets = ", ".join(f"`{target}`" for target in old.targets)
    loss = f"{old.loss[0].upper()}{old.loss[1:]}." if old.loss else ""
    if not targets and not loss and old.section in SWITCHES:
        loss = f"Belongs to `{SWITCHES[old.section]}`; no effect of its own."
    default = f"`{old.default}`" if old.default else ""
    return f"| `{old.name}` | {default} | {targets} | {loss} |\n"
