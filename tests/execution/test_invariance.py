"""One tile or a thousand: the same catalogue."""

import hashlib
from functools import partial

import numpy as np
import pytest
import torch
from astropy.io import fits

from hisf.nn import segment
from hisf.nn.slim import SlimUNet
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

TILE = (12, 10, 11)  # z, y, x; faces, edges and corners of these tiles have a source on them
SHAPE = (36, 30, 33)
CLASSIC = [
    "linker.minSizeXY=2",
    "linker.minSizeZ=2",
    "output.writeMask=true",
    "scfind.kernelsZ=0,3",
    "scfind.kernelsXY=0,4",
]
TILES = ["0,0,0", "11,10,12", "1,1,1", "33,30,1", "1,30,36", "33,1,36", "7,5,3", "1000,1000,1000", "32,29,35"]


def sources():
    """A source in the middle of a face, an edge and a corner of tiles, and one that reaches over several of them."""
    z, y, x = TILE
    yield GaussianSource(0.02, z, 1.5 * y, 1.5 * x, 1.0, 1.0)  # face in z
    yield GaussianSource(0.02, 0.5 * z, y, 0.5 * x, 1.0, 1.0)  # in y
    yield GaussianSource(0.02, 2.5 * z, 2.5 * y, 2 * x, 1.0, 1.0)  # in x
    yield GaussianSource(0.02, z, y, 2.6 * x, 1.0, 1.0)  # edges
    yield GaussianSource(0.02, 2 * z, 0.4 * y, x, 1.0, 1.0)
    yield GaussianSource(0.02, 0.4 * z, 2 * y, 2 * x, 1.0, 1.0)
    yield GaussianSource(0.02, 2 * z, 2 * y, x, 1.2, 1.2)  # corner
    yield GaussianSource(0.02, 2.6 * z, 0.5 * y, 0.5 * x, 6.0, 1.0)  # long in frequency


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    array, header = make_cube(SHAPE, sources=sources(), seed=4)
    array[20, 14:17, 3:6] = np.nan
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", array, header)


def classic(cube, place, *arguments):
    place.mkdir()
    catalogue = run_pipeline(cube, place, [*CLASSIC, "output.filename=x", *arguments])
    return catalogue, fits.getdata(place / "x_mask.fits")


def assert_same(one, other, tolerance=0.0):
    assert [c.name for c in one.columns] == [c.name for c in other.columns]
    assert len(one) == len(other)
    for column in one.columns:
        a, b = one[column.name], other[column.name]
        if column.kind == "text":
            assert list(a) == list(b)
        else:
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True, err_msg=column.name)


@pytest.mark.parametrize("finder", ["scfind", "threshold", "scfind+threshold"])
def test_classic_catalogue_and_mask_do_not_depend_on_tiles(cube, tmp_path, finder):
    expected, mask = classic(cube, tmp_path / "whole", f"pipeline.finder={finder}", "pipeline.memory=4GB")
    assert len(expected) == 8
    for n, tile in enumerate(TILES if finder == "scfind" else TILES[1:2] + TILES[3:]):
        found, other = classic(cube, tmp_path / str(n), f"pipeline.finder={finder}", f"pipeline.tile={tile}")
        assert_same(found, expected)
        assert np.array_equal(other, mask)


@pytest.mark.parametrize(
    "more",
    [
        ["scaleNoise.enable=true", "scaleNoise.mode=local", "scaleNoise.windowXY=9", "scaleNoise.windowZ=7"],
        ["scaleNoise.enable=true", "scaleNoise.mode=spectral"],
        ["contsub.enable=true"],
        ["reliability.enable=true", "reliability.threshold=0", "scfind.threshold=3.5", "dilation.enable=true"],
    ],
    ids=["local noise", "spectral noise", "continuum", "reliability and dilation"],
)
def test_whole_classic_pipeline_does_not_depend_on_tiles(cube, tmp_path, more):
    expected, mask = classic(cube, tmp_path / "whole", *more, "pipeline.memory=4GB")
    for n, tile in enumerate(["11,10,12", "1,1,1", "7,5,3"]):
        found, other = classic(cube, tmp_path / str(n), *more, f"pipeline.tile={tile}")
        assert_same(found, expected)
        assert np.array_equal(other, mask)


def test_little_memory_changes_nothing(cube, tmp_path):
    expected, mask = classic(cube, tmp_path / "whole", "pipeline.memory=4GB")
    found, other = classic(cube, tmp_path / "little", "pipeline.memory=1kB")
    assert_same(found, expected)
    assert np.array_equal(other, mask)


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(cube, tmp_path, workers):
    expected, mask = classic(cube, tmp_path / "whole", "pipeline.finder=threshold")
    found, other = classic(
        cube, tmp_path / "parts", "pipeline.finder=threshold", f"pipeline.workers={workers}", "pipeline.tile=7,5,3"
    )
    assert_same(found, expected)
    assert np.array_equal(other, mask)


@pytest.fixture
def small_patches(monkeypatch):
    """Patches of 32 × 16 × 16 averaged voxels, so that a small cube has many."""
    monkeypatch.setattr(segment, "PATCH", (32, 16, 16))
    monkeypatch.setattr(segment, "MARGIN", (32, 8, 8))


NETWORK = ["pipeline.finder=cnn", "cnn.confidence=0", "cnn.threshold=0.3", "linker.minSizeXY=1", "linker.minSizeZ=1"]


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """A cube with galaxies on the corners, edges and faces of patches."""
    places = [(32, 16, 16), (64, 16, 40), (40, 32, 16), (32, 40, 32), (64, 32, 32), (80, 8, 8), (48, 24, 48)]
    blobs = [GaussianSource(0.012, z, y, x, 4.0, 1.5) for z, y, x in places]
    array, header = make_cube((96, 48, 56), sources=blobs, seed=8)
    return write_fits(tmp_path_factory.mktemp("galaxies") / "galaxies.fits", array, header)


class Remembering:
    """The network, which does not compute again what it has computed from the same bits.

    A patch that sees anything else in a tile than in the whole cube is computed, and what comes out is compared.
    """

    def __init__(self):
        self.known, self._forward = {}, SlimUNet.forward

    def __get__(self, network, kind=None):
        return partial(self, network)

    def __call__(self, network, x, region):
        words = x.contiguous().view(torch.uint8).numpy().tobytes()
        key = (hashlib.sha256(words).digest(), x.shape, x.dtype, str(region))
        if key not in self.known:
            self.known[key] = self._forward(network, x, region)
        return self.known[key].clone()


def test_network_catalogue_does_not_depend_on_tiles(galaxies, tmp_path, small_patches, monkeypatch):
    def search(name, *more):
        return run_pipeline(galaxies, tmp_path, [*NETWORK, f"output.filename={name}", *more])

    expected = search("whole", "pipeline.memory=8GB")
    assert len(expected) >= 7
    assert_same(search("anew", "pipeline.tile=17,48,96"), expected, 1e-5)
    network = Remembering()
    monkeypatch.setattr(SlimUNet, "forward", network)
    for n, tile in enumerate(["1,1,1", "16,16,32", "56,16,32", "16,48,33", "999,999,999", "40,1,96"]):
        assert_same(search(f"t{n}", f"pipeline.tile={tile}"), expected, 1e-5)
