"""Images, cubes and cubelets in HDF5 (output.dataFormat)."""

import h5py
import numpy as np
import pytest
from astropy.io import fits

from hisf.errors import FileAccessError
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

WRITTEN = ("Moments", "Mask", "Mask2d", "RawMask", "Filtered", "Cubelets", "PV", "Noise")
ALL = [*(f"output.write{word}=true" for word in WRITTEN), "scaleNoise.enable=true", "scaleNoise.mode=local"]
SHAPE = (24, 30, 28)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same run in either format: two folders."""
    made = []
    for word in ("fits", "hdf5"):
        folder = tmp_path_factory.mktemp(word)
        path = write_fits(folder / "cube.fits", *make_cube(SHAPE))
        run_pipeline(path, folder, [*ALL, f"output.dataFormat={word}", "output.filename=x"])
        made.append(folder)
    return made


def test_every_image_has_its_twin(folders):
    """Same values, types and cards; only the data set has no padding and no scaling."""
    one, other = folders
    images = sorted(path.relative_to(one) for path in one.rglob("x_*.fits"))
    assert len(images) == 9 + 11
    assert {path.relative_to(other) for path in other.rglob("x_*.h5")} == {path.with_suffix(".h5") for path in images}
    assert not list(other.rglob("x_*.fits"))
    for image in images:
        with fits.open(one / image) as hdus, h5py.File(other / image.with_suffix(".h5")) as file:
            data, header, group = hdus[0].data, hdus[0].header, file["0"]
            assert group["DATA"].dtype == data.dtype.newbyteorder("="), image
            assert np.array_equal(group["DATA"][()], data, equal_nan=data.dtype.kind == "f"), image
            assert set(group.attrs) == set(header)
            for key in set(header) - {"HISTORY", "DATE"}:
                assert group.attrs[key] == header[key], (image, key)
            settings = [line for line in group.attrs["HISTORY"] if "=" in line]
            assert len(settings) > 100 and "output.dataFormat = hdf5" in settings


def test_a_cube_of_our_own_can_be_searched(folders, tmp_path):
    """The filtered cube and the mask are inputs of the next run."""
    _, folder = folders
    again = run_pipeline(
        folder / "x_filtered.h5", tmp_path, [f"input.mask={folder / 'x_mask.h5'}", "scfind.enable=false"]
    )
    first = fits.getdata(folders[0] / "x_mask.fits")
    assert len(again) == 1
    assert again["n_pix"][0] == (first > 0).sum()
    assert "ra" in again


def test_existing_files_are_looked_for_under_their_names(folders, tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE))
    (tmp_path / "cube_mask.h5").write_text("precious")
    settings = ["output.writeMask=true", "output.overwrite=false", "output.dataFormat=hdf5"]
    with pytest.raises(FileAccessError, match=r"cube_mask\.h5 exists"):
        run_pipeline(path, tmp_path, settings)


def test_an_image_of_two_axes(tmp_path):
    no_axis = {f"{key}3": None for key in ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT")}
    array, header = make_cube((1, 30, 28), sources=[GaussianSource(0.02, 0, 15, 14)], cards=no_axis)
    path = write_fits(tmp_path / "image.fits", array[0], header)
    settings = ["output.writeMask=true", "output.writeMoments=true", "output.dataFormat=hdf5", "linker.minSizeZ=1"]
    run_pipeline(
        path, tmp_path, ["pipeline.finder=threshold", "threshold.threshold=3", "linker.minSizeXY=1", *settings]
    )
    for name in ("mask", "mom0"):
        with h5py.File(tmp_path / f"image_{name}.h5") as file:
            assert file["0/DATA"].shape == (30, 28)
            assert np.any(file["0/DATA"][()])
