"""``hisf-sofia``: the command line of SoFiA 2, for programs that call ``sofia`` (spec sofia2 §1.3, §5).

Arguments are taken in order: what contains an equals sign is a setting, anything else is a parameter file. Without a
finder by name, those run that SoFiA would run, never the network.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from hisf import __version__
from hisf.cli import guarded, leave_after
from hisf.errors import InputError

if TYPE_CHECKING:
    from hisf.settings import Settings

CLASSIC = ("scfind", "threshold")
HELP = """\
Usage: hisf-sofia PARFILE [PARFILE ...] [KEY=VALUE ...]

Find HI sources as SoFiA 2 does. Parameter files and settings are those of SoFiA 2.5 and 2.7, taken in order; later ones
override. Progress goes to standard output, warnings and errors to standard error. Exit codes are SoFiA's:

  0  success                      5  a file cannot be read or written
  1  any other failure            6  too many sources
  3  out of memory                7  a wrong setting or input
  4  an empty list or an index    8  no source found
     out of range

  -h, --help     Show this message and exit.
  -v, --version  Show the version and exit.

  pipeline.finder=cnn searches with hisf's network instead. `hisf --help` has what SoFiA does not.
"""


def main() -> NoReturn:
    """Run SoFiA's command line with the arguments of the process, whatever the name it was called by."""
    arguments = sys.argv[1:]
    code = guarded(lambda: _run(arguments))
    if code:
        print(f"Exit code {code}.", file=sys.stderr)  # noqa: T201 - beside the sentence, as with SoFiA
    sys.exit(code)


def program() -> NoReturn:
    """Do what the command ``hisf-sofia`` does."""
    leave_after(main)


def _run(arguments: list[str]) -> None:
    import click

    if not arguments:
        raise InputError("A parameter file or a setting is needed: hisf-sofia PARFILE [KEY=VALUE ...].")
    if {"-h", "--help"}.intersection(arguments):
        click.echo(HELP, nl=False)
    elif {"-v", "--version"}.intersection(arguments):
        click.echo(f"hisf {__version__}, in place of SoFiA 2")
    else:
        from hisf.cli.run import search
        from hisf.cli.settings import load

        settings, manager = load(arguments)
        search(with_sofias_finders(settings), manager, native=True)


def with_sofias_finders(settings: Settings) -> Settings:
    """Return settings that name the finders which SoFiA would run, unless they name some themselves.

    Raises
    ------
    InputError
        All finders are switched off, and there is no mask either.
    """
    from hisf.settings import DEFAULT

    if settings["pipeline.finder"]:
        return settings
    finders = [name for name in CLASSIC if settings[f"{name}.enable"]]
    if not finders and not settings["input.mask"]:
        raise InputError(
            "Nothing to search with: scfind.enable and threshold.enable are false, and input.mask is not set."
        )
    return settings.replace("pipeline.finder", "+".join(finders), DEFAULT)


if __name__ == "__main__":
    main()
