"""``python -m hisf``."""

from hisf.cli import main

main()
