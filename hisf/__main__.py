"""``python -m hisf``."""

from hisf.cli import program

program()
