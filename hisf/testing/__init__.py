"""What tests of hisf and of its plugins use: cubes with known truth, a run helper, checks of plugin contracts."""

from hisf.testing.appraisals import check_appraisal
from hisf.testing.contracts import check_finder
from hisf.testing.cubes import GaussianSource, as_cube, make_cube, make_header, write_fits, write_hdf5
from hisf.testing.runs import run_pipeline, run_steps

__all__ = [
    "GaussianSource",
    "as_cube",
    "check_appraisal",
    "check_finder",
    "make_cube",
    "make_header",
    "run_pipeline",
    "run_steps",
    "write_fits",
    "write_hdf5",
]
