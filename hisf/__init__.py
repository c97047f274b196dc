"""hisf: an HI source finder for radio data cubes, with every stage a plugin."""

__version__ = "0.1.0"
