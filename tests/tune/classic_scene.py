"""A par file of the classic chain for the cube of the tests of tuning, and what is varied in it."""

CLASSIC = """\
input.data = {cube}
output.directory = {out}
output.filename = a
scfind.enable = true
scfind.kernelsXY = 0, 3, 6
scfind.kernelsZ = 0, 7
scfind.threshold = 3.0
linker.radiusXY = 2
linker.minSizeXY = 2
linker.minSizeZ = 2
linker.radiusZ = 2
reliability.enable = true
reliability.threshold = 0.3
reliability.minSNR = 2
reliability.plot = false
dilation.enable = true
"""
VARIED = ("--vary", "scfind.threshold=3..4:0.5", "--vary", "linker.radiusZ=1..4", "--vary",
          "reliability.threshold=0.1..0.9")  # fmt: skip
