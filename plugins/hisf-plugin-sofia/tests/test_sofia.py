"""With hisf-sofia in place of SoFiA, which takes the same arguments."""

import sys

import hisf_plugin_sofia as plugin
import numpy as np
import pytest
from astropy.io import fits

from hisf.api import InputError
from hisf.testing import GaussianSource, check_finder, make_cube, run_pipeline, write_fits

CUBE = make_cube()  # one source


@pytest.fixture
def program(tmp_path):
    """A program with the command line of SoFiA."""
    path = tmp_path / "program"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m hisf.cli.sofia "$@"\n')
    path.chmod(0o755)
    return path


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"sofia.binary={path}"


def test_its_mask_is_that_of_sofia(program, tmp_path):
    path = write_fits(tmp_path / "cube.fits", *CUBE)
    masks = []
    for finder in ("scfind", "sofia"):
        (tmp_path / finder).mkdir()
        given = [f"pipeline.finder={finder}", f"sofia.binary={program}", "output.writeMask=true"]
        assert len(run_pipeline(path, tmp_path / finder, given, plugins=[plugin])) == 1
        masks.append(fits.getdata(tmp_path / finder / "cube_mask.fits"))
    np.testing.assert_array_equal(*masks)


def test_its_parameter_file_is_used(program, tmp_path):
    (tmp_path / "my.par").write_text("scfind.threshold = 1000\n")
    path = write_fits(tmp_path / "cube.fits", *CUBE)
    given = ["pipeline.finder=sofia", f"sofia.binary={program}", f"sofia.parfile={tmp_path / 'my.par'}"]
    with pytest.raises(Exception, match="no voxel was detected"):
        run_pipeline(path, tmp_path, given, plugins=[plugin])


def test_it_keeps_the_promises_of_a_finder(tmp_path):
    """With a program that takes everything above a level, so that it need not be quick."""
    code = (
        "import sys; from astropy.io import fits; import numpy as np;"
        "path = next(a for a in sys.argv if a.startswith('input.data='))[11:];"
        "fits.writeto(path.replace('.fits', '_mask.fits'), (np.nan_to_num(fits.getdata(path)) > 5e-3).astype('i4'))"
    )
    mask = check_finder(plugin.Sofia, [script(tmp_path / "quick", f'{sys.executable} -c "{code}" "$@"')], cube=CUBE)
    assert mask[20, 16, 18] and mask.sum() < 1000


def test_nothing_found_is_an_empty_mask(tmp_path):
    cube = make_cube((8, 9, 10), sources=[GaussianSource(0.02, 4, 4, 4)])
    assert not check_finder(plugin.Sofia, [script(tmp_path / "finds-nothing", "exit 8")], cube=cube).any()


def test_what_sofia_complains_of_is_passed_on(tmp_path):
    given = script(tmp_path / "fails", 'echo "ERROR: No luck today." >&2; exit 3')
    with pytest.raises(InputError, match=r"fails ended with exit code 3: ERROR: No luck today\.$"):
        check_finder(plugin.Sofia, [given], cube=CUBE)


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"sofia\.binary = /no/sofia cannot be run: No such file"):
        check_finder(plugin.Sofia, ["sofia.binary=/no/sofia"], cube=CUBE)
