"""Which finder found what: as evidence in the catalogue where several ran."""

import numpy as np
import pytest

from hisf.api import Finder, hookimpl
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

TWO = (GaussianSource(0.03, 10.0, 10.0, 10.0), GaussianSource(0.03, 28.0, 30.0, 36.0))


def half(name, low, high):
    """A finder that looks at channels from ``low`` to ``high`` only."""

    class Half(Finder):
        def find(self, tile):
            z = np.arange(tile.box.z0, tile.box.z1)[:, None, None]
            return (tile.data > 6e-3) & (z >= low) & (z < high)

    Half.name = name
    return Half


class Plugin:
    @hookimpl
    def hisf_register_finders(self):
        return [half("lower", 0, 20), half("upper", 20, 40), half("both", 0, 40)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    array, header = make_cube((40, 48, 48), sources=TWO)
    folder = tmp_path_factory.mktemp("cube")
    mask = np.zeros(array.shape, np.int16)
    mask[26:31, 28:33, 34:39] = 3
    write_fits(folder / "mask.fits", mask, header)
    return write_fits(folder / "cube.fits", array, header)


def found_by(path, folder, finders, *arguments):
    given = [f"pipeline.finder={finders}", *arguments]
    catalogue = run_pipeline(path, folder, given, plugins=[Plugin()])
    assert len(catalogue) == 2
    return catalogue


def test_agreement(path, tmp_path):
    """Labels count from the highest channel down."""
    catalogue = found_by(path, tmp_path, "upper+both+lower")
    assert catalogue["finders"].tolist() == ["upper+both", "both+lower"]
    assert catalogue.names[-1] == "finders"
    assert found_by(path, tmp_path, "both+lower")["finders"].tolist() == ["both", "both+lower"]
    assert '"both+lower"' in (tmp_path / "cube_cat.txt").read_text()


def test_it_stays_without_parametrisation_and_after_dilation(path, tmp_path):
    catalogue = found_by(path, tmp_path, "both+lower", "parameter.enable=false", "dilation.enable=true")
    assert catalogue["finders"].tolist() == ["both", "both+lower"]


def test_one_finder_says_nothing_nor_does_a_mask_beside_it(path, tmp_path):
    mask = f"input.mask={path.with_name('mask.fits')}"
    assert "finders" not in found_by(path, tmp_path, "both")
    assert "finders" not in found_by(path, tmp_path, "both", mask)
    assert found_by(path, tmp_path, "both+lower", mask)["finders"].tolist() == ["both+mask", "both+lower"]
