"""The folder of cubelets, written by whole runs, against numpy on the whole cube (spec sofia2 §3.12, §4.9)."""

import logging
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from hisf.data.box import Box
from hisf.errors import FileAccessError
from hisf.settings import load_settings
from hisf.stages.products import spectra
from hisf.stages.products.contract import Result
from hisf.stages.products.cubelets import Cubelets
from hisf.stages.products.spectra import aperture_sums, channel_sums
from hisf.stages.products.writing import write_folder
from hisf.testing import GaussianSource, as_cube, make_cube, run_pipeline, write_fits

# the first two at the same place on the sky, one behind the other; the last at a corner
SOURCES = (
    GaussianSource(0.02, 6, 12, 13), GaussianSource(0.02, 17, 13, 14),
    GaussianSource(0.015, 15, 27, 30), GaussianSource(0.02, 15, 3, 33),
)  # fmt: skip
SHAPE = (30, 34, 36)
REGION = (2, 34, 1, 33, 1, 28)  # x, y, z, inclusive
FIND = [
    "pipeline.finder=threshold", "threshold.threshold=4", "linker.minSizeZ=3", "linker.minSizeXY=3",
    f"input.region={','.join(map(str, REGION))}", "dilation.enable=true", "dilation.threshold=-1",
    "dilation.iterationsXY=2", "dilation.iterationsZ=1",
]  # fmt: skip
CUBELETS = [
    "output.writeCubelets=true", "output.writeMask=true", "output.marginCubeletsXY=4", "output.marginCubeletsZ=3",
]  # fmt: skip
IMAGES = ("cube", "mask", "mom0", "mom1", "mom2", "chan", "snr")
BEAM_AREA = np.pi * 4.0 * 3.2 / (4.0 * np.log(2.0))  # of make_cube


class Run:
    """A run and what it should have written."""

    def __init__(self, folder, settings=(), *, find=FIND, shape=SHAPE, **options):
        array, header = make_cube(shape, **{"sources": SOURCES, **options})
        self.folder = folder
        path = write_fits(folder / "cube.fits", array, header)
        self.source = fits.getheader(path)
        self.catalogue = run_pipeline(path, folder, [*find, *CUBELETS, *settings])
        x0, x1, y0, y1, z0, z1 = REGION
        self.corner = (z0, y0, x0) if "input.region" in "".join(find) else (0, 0, 0)
        self.data = array[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1] if any(self.corner) else array
        self.mask = fits.getdata(folder / "cube_mask.fits")

    def box(self, label, along=3, across=4):
        """The box of a source with its margin, as slices of the region."""
        places = [(n.min(), n.max() + 1) for n in np.nonzero(np.atleast_3d(self.mask == label))]
        margins = (along, across, across)
        return tuple(
            slice(max(0, low - m), min(size, high + m))
            for (low, high), m, size in zip(places, margins, self.data.shape, strict=True)
        )

    def image(self, label, name):
        with fits.open(self.folder / "cube_cubelets" / f"cube_{label}_{name}.fits", memmap=False) as file:
            file.verify("exception")
            return file[0].data, file[0].header

    def text(self, label, name="spec"):
        return (self.folder / "cube_cubelets" / f"cube_{label}_{name}.txt").read_text()

    def spectrum(self, label, name="spec"):
        return np.loadtxt(self.text(label, name).splitlines(), ndmin=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = Run(tmp_path_factory.mktemp("run"), ["scaleNoise.enable=true", "output.writeMoments=true"])
    assert len(made.catalogue) == 4
    return made


def each(run):
    return run.catalogue["id"].tolist()


def world(header, x, y, z):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(header).wcs_pix2world(np.column_stack([x, y, z]), 0)


# --- files and headers ----------------------------------------------------------------------------------------------


def test_every_source_has_its_files(run):
    endings = [*(f"{name}.fits" for name in IMAGES), "spec.txt", "spec_aperture.txt"]
    names = {f"cube_{label}_{ending}" for label in range(1, 5) for ending in endings}
    assert {p.name for p in (run.folder / "cube_cubelets").iterdir()} == names
    assert not [p for p in run.folder.iterdir() if p.name.startswith(".")]


def test_small_cube_is_a_piece_of_the_cube(run):
    """Of the original one, although noise-scaled data were searched."""
    for label in each(run):
        data, header = run.image(label, "cube")
        np.testing.assert_array_equal(data, run.data[run.box(label)])
        assert data.dtype == np.dtype(">f4")
        assert header["BUNIT"] == "Jy/beam"


def test_small_mask_is_one_for_the_source_alone(run):
    others = 0
    for label in each(run):
        data, header = run.image(label, "mask")
        piece = run.mask[run.box(label)]
        np.testing.assert_array_equal(data, piece == label)
        others += np.count_nonzero((piece != label) & (piece > 0))
        assert (header["BITPIX"], header["BUNIT"].strip()) == (8, "")
        assert "BMAJ" not in header
    assert others > 0


def test_pixels_lie_where_they_lie_in_the_cube(run):
    rng = np.random.default_rng(3)
    for label in each(run):
        data, header = run.image(label, "cube")
        zyx = np.array([rng.uniform(0, size, 20) for size in data.shape])
        start = np.array([s.start for s in run.box(label)]) + run.corner
        here, there = world(header, *zyx[::-1]), world(run.source, *(zyx + start[:, None])[::-1])
        # 12 digits of the frequency; positions to a ten-thousandth of a pixel
        np.testing.assert_allclose(here[:, 2], there[:, 2], rtol=1e-12)
        np.testing.assert_allclose(here[:, :2], there[:, :2], atol=1e-4 * 10.0 / 3600.0)


def test_only_reference_pixels_differ(run):
    same = {"CTYPE", "CRVAL", "CDELT", "CUNIT"}
    for label in each(run):
        start = [s.start + c for s, c in zip(run.box(label), run.corner, strict=True)][::-1]
        for name in IMAGES:
            data, header = run.image(label, name)
            for n in range(1, data.ndim + 1):
                assert all(header[f"{key}{n}"] == run.source[f"{key}{n}"] for key in same)
                assert header[f"CRPIX{n}"] == run.source[f"CRPIX{n}"] - start[n - 1]
            assert not [key for key in header if data.ndim == 2 and key.endswith("3")]
            assert header["OBJECT"] == run.catalogue["name"][label - 1]
            assert header["RESTFRQ"] == run.source["RESTFRQ"]
            assert "output.marginCubeletsZ = 3" in list(header["HISTORY"])
            assert ("BMAJ" in header) == (name != "mask")


# --- maps -----------------------------------------------------------------------------------------------------------


def expected_maps(run, label, threshold=0.0, width=1.8e4, coordinate=None):
    """Moments in double precision from all voxels at once."""
    box = run.box(label)
    data, inside = run.data[box].astype(float), run.mask[box] == label
    w = (1.41e9 + (np.arange(len(run.data)) + run.corner[0]) * 1.8e4) if coordinate is None else coordinate
    w = w[box[0], None, None]
    flux, count = np.where(inside, data, 0).sum(0), inside.sum(0)
    bright = np.where(inside & (data > threshold), data, 0)
    with np.errstate(invalid="ignore"):
        mean = (bright * w).sum(0) / bright.sum(0)
        scatter = (bright * (w - mean) ** 2).sum(0) / bright.sum(0)
    return flux * width, mean, np.where(scatter > 0, np.sqrt(scatter), np.nan), count


def check_maps(run, label, threshold=0.0):
    """To float32: sums of up to 27 terms; frequencies, which are 128 Hz apart, and their sums; what follows."""
    flux, mean, scatter, count = expected_maps(run, label, threshold)
    np.testing.assert_allclose(run.image(label, "mom0")[0], flux, rtol=2e-5, atol=2e-6 * abs(flux).max())
    np.testing.assert_array_equal(run.image(label, "chan")[0], count)
    found = run.image(label, "mom1")[0]
    assert np.array_equal(np.isnan(found), np.isnan(mean))
    np.testing.assert_allclose(found, mean, rtol=1e-6)
    several = np.nan_to_num(scatter) > 1e3
    np.testing.assert_allclose(run.image(label, "mom2")[0][several], scatter[several], rtol=2e-2)
    return flux, count


def test_maps_are_sums_over_the_mask(run):
    for label in each(run):
        flux, count = check_maps(run, label)
        rms = run.catalogue["rms"][label - 1]
        snr = run.image(label, "snr")[0]
        assert np.array_equal(np.isnan(snr), count == 0)
        inside = count > 0
        ratio = flux[inside] / 1.8e4 / (rms * np.sqrt(count[inside]))
        np.testing.assert_allclose(snr[inside], ratio, rtol=1e-5, atol=1e-4)


def test_maps_of_a_lonely_source_are_those_of_the_field(run):
    """To the last bit: the same sums in the same order."""
    (label,) = run.mask[:, 27 - 1, 30 - 2][run.mask[:, 27 - 1, 30 - 2] > 0][:1]
    box = run.box(label)
    for name in ("mom0", "mom1", "mom2", "chan"):
        field = fits.getdata(run.folder / f"cube_{name}.fits")[box[1:]]
        mine, on = run.image(label, name)[0], (run.mask[box] == label).any(0)
        np.testing.assert_array_equal(mine[on], field[on])


def test_units_of_maps(run):
    units = [run.image(1, name)[1]["BUNIT"].strip() for name in ("mom0", "mom1", "mom2", "chan", "snr")]
    assert units == ["Jy/beam*Hz", "Hz", "Hz", "", ""]


def test_threshold_of_moments_is_in_units_of_the_local_noise(tmp_path):
    run = Run(tmp_path, ["output.thresholdMom12=3"])
    for label in each(run):
        check_maps(run, label, 3.0 * run.catalogue["rms"][label - 1])


# --- spectra --------------------------------------------------------------------------------------------------------


def headings(text):
    lines = text.splitlines()
    (row,) = [n for n, line in enumerate(lines) if "chan" in line and "f_sum" in line and "n_pix" in line]
    return lines[row - 1][1:].split(), lines[row][1:].split(), lines[row + 1][1:].split()


def test_spectrum_is_the_sum_of_the_mask_channel_by_channel(run):
    for label in each(run):
        box = run.box(label)
        chan, freq, f_sum, n_pix = run.spectrum(label).T
        inside = run.mask[box] == label
        assert chan.tolist() == list(range(box[0].start, box[0].stop))
        np.testing.assert_allclose(freq, 1.41e9 + (chan + run.corner[0]) * 1.8e4, atol=51)  # eight digits
        expected = np.where(inside, run.data[box], 0).sum((1, 2), dtype=float)
        np.testing.assert_allclose(f_sum, expected, rtol=1e-7, atol=1e-9)
        assert n_pix.tolist() == inside.sum((1, 2)).tolist()
        assert f_sum.sum() == pytest.approx(run.catalogue["f_sum"][label - 1], rel=1e-6)
        assert n_pix.sum() == run.catalogue["n_pix"][label - 1]


def test_aperture_spectrum_has_the_same_pixels_in_all_channels(run):
    for label in each(run):
        outline = (run.mask == label).any(0)
        chan, _, f_sum, n_pix = run.spectrum(label, "spec_aperture").T
        assert chan.tolist() == list(range(len(run.data)))
        expected = run.data[:, outline].sum(1, dtype=float)
        np.testing.assert_allclose(f_sum, expected, rtol=1e-7, atol=1e-9)
        assert set(n_pix) == {outline.sum()}


@pytest.mark.parametrize("name", ["spec", "spec_aperture"])
def test_column_headings_of_spectra(run, name):
    assert headings(run.text(1, name)) == (
        ["1", "2", "3", "4"], ["chan", "freq", "f_sum", "n_pix"], ["-", "Hz", "Jy/beam", "-"],
    )  # fmt: skip
    rows = [line for line in run.text(1, name).splitlines() if line and not line.startswith("#")]
    assert {len(line) for line in rows} == {10 + 18 + 18 + 10}


def test_flux_of_the_spectrum_is_that_of_the_catalogue_in_jansky(tmp_path):
    """With the offset of the region in its channels, and a margin of two channels around the aperture."""
    run = Run(tmp_path, ["parameter.physical=true", "parameter.offset=true", "output.marginAperSpec=2"])
    for label in each(run):
        box, bare = run.box(label), run.box(label, 2)
        chan, _, f_sum, _ = run.spectrum(label).T
        assert chan[0] == box[0].start + run.corner[0]
        assert headings(run.text(label))[2] == ["-", "Hz", "Jy", "-"]
        assert f_sum.sum() * 1.8e4 == pytest.approx(run.catalogue["f_sum"][label - 1], rel=1e-6)
        chan, freq, f_sum, _ = run.spectrum(label, "spec_aperture").T
        assert chan.tolist() == list(range(bare[0].start + 1, bare[0].stop + 1))
        np.testing.assert_allclose(freq, 1.41e9 + chan * 1.8e4, atol=51)
        piece = run.data[bare][:, (run.mask[bare] == label).any(0)]
        np.testing.assert_allclose(f_sum, piece.sum(1, dtype=float) / BEAM_AREA, rtol=1e-6, atol=1e-9)


def test_blank_voxels_are_left_out_of_spectra():
    data = np.ones((2, 3, 4), np.float32)
    data[1, 0, 0] = np.nan
    inside = np.zeros((3, 4), bool)
    inside[0] = True
    total, count = channel_sums(data, inside)
    assert (total.tolist(), count.tolist()) == ([4.0, 3.0], [4, 3])


class Watched:
    """Voxels that remember what was read."""

    def __init__(self, array):
        self.array, self.boxes, self.shape, self.dtype = array, [], array.shape, array.dtype

    def read(self, box):
        self.boxes.append(box)
        return self.array[box.slices]


def test_aperture_of_a_deep_cube_is_read_in_pieces(monkeypatch):
    voxels = Watched(np.random.default_rng(1).normal(size=(50, 8, 9)))
    box, outline = Box(0, 50, 2, 6, 3, 8), np.ones((4, 5), bool)
    whole = aperture_sums(voxels, box, outline)
    monkeypatch.setattr(spectra, "BLOCK_BYTES", 8 * 20 * 7)
    pieces = aperture_sums(voxels, box, outline)
    assert [b.shape[0] for b in voxels.boxes] == [50, 7, 7, 7, 7, 7, 7, 7, 1]
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_read_but_what_surrounds_sources(run, tmp_path):
    """The run again on voxels that watch, from the products of the first one."""
    settings = load_settings([*FIND, *CUBELETS, f"input.data={tmp_path / 'cube.fits'}", "output.marginAperSpec=0"])
    voxels = Watched(run.data)
    result = Result(settings, as_cube(run.data, run.source), measured=voxels, **sources_of(run))
    Cubelets().write(result, tmp_path)
    wanted = {tuple((s.start, s.stop) for s in run.box(label, *m)) for label in each(run) for m in ((3, 4), (0, 0))}
    assert {((b.z0, b.z1), (b.y0, b.y1), (b.x0, b.x1)) for b in voxels.boxes} == wanted
    found = np.array([fits.getdata(tmp_path / f"cube_{label}_mom0.fits").sum() for label in each(run)])
    assert found == pytest.approx(run.catalogue["f_sum"] * 1.8e4, rel=1e-5)


def sources_of(run):
    from hisf.data.source import Source, SourceList

    sources = []
    for label in each(run):
        numbers = dict.fromkeys(("f_sum", "f_min", "f_max", "mean", "m2", "m3", "m4", "fill"), 0.0)
        z, y, x = run.box(label, 0, 0)
        box, voxels = Box(z.start, z.stop, y.start, y.stop, x.start, x.stop), np.flatnonzero(run.mask == label)
        sources.append(Source(label, voxels, box, len(voxels), linked=len(voxels), linker_label=label, **numbers))
    return {"sources": SourceList(run.data.shape, sources), "catalogue": run.catalogue}


# --- other cubes ----------------------------------------------------------------------------------------------------


def test_cube_in_km_s_of_double_precision(tmp_path):
    """Moment 1 is in m/s under the header's km/s, as in SoFiA and in the field's maps (spec sofia2 trap 20)."""
    cards = {"CTYPE3": "VELO-HEL", "CUNIT3": "km/s", "CRVAL3": 2000.0, "CDELT3": -4.1}
    run = Run(tmp_path, ctype3="VELO", cards=cards, dtype=np.float64)
    coordinate = 1995.9e3 - 4.1e3 * np.arange(len(run.data))
    for label in each(run):
        flux, mean, scatter, _ = expected_maps(run, label, width=4.1, coordinate=coordinate)
        np.testing.assert_allclose(run.image(label, "mom0")[0], flux, rtol=2e-5, atol=1e-6 * abs(flux).max())
        np.testing.assert_allclose(run.image(label, "mom1")[0], mean, rtol=1e-6)
        several = np.nan_to_num(scatter) > 1e2
        np.testing.assert_allclose(run.image(label, "mom2")[0][several], scatter[several], rtol=1e-3)
        assert run.image(label, "cube")[0].dtype == np.dtype(">f8")
        assert headings(run.text(label))[1:] == (["chan", "v_app", "f_sum", "n_pix"], ["-", "km/s", "Jy/beam", "-"])


def test_cube_without_world_coordinates(tmp_path):
    run = Run(tmp_path, cards={"CTYPE1": None})
    assert headings(run.text(1))[1:] == (["chan", "f_sum", "n_pix"], ["-", "Jy/beam", "-"])
    chan, f_sum, _ = run.spectrum(1).T
    assert f_sum.sum() == pytest.approx(run.catalogue["f_sum"][0], rel=1e-6)
    mean = run.image(1, "mom1")[0]
    assert chan[0] < np.nanmin(mean) < np.nanmax(mean) < chan[-1]
    assert [run.image(1, f"mom{n}")[1]["BUNIT"] for n in (0, 1, 2)] == ["Jy/beam", "pix", "pix"]


def test_an_image_has_no_spectral_products(tmp_path):
    find = [
        "pipeline.finder=threshold", "threshold.threshold=6", "linker.minSizeZ=1", "linker.minSizeXY=3",
        "output.writePV=true",
    ]  # fmt: skip
    three = dict.fromkeys(("CTYPE3", "CRPIX3", "CRVAL3", "CDELT3", "CUNIT3"))
    array, header = make_cube((1, 34, 36), sources=[GaussianSource(0.03, 0, 12, 13)], cards=three)
    path = write_fits(tmp_path / "cube.fits", array[0], header)
    catalogue = run_pipeline(path, tmp_path, [*find, *CUBELETS])
    assert len(catalogue) == 1
    names = {p.name.removeprefix("cube_1_") for p in (tmp_path / "cube_cubelets").iterdir()}
    assert names == {"cube.fits", "mask.fits", "mom0.fits", "snr.fits", "spec.txt", "spec_aperture.txt"}
    mom0, mask = (fits.getdata(tmp_path / "cube_cubelets" / f"cube_1_{n}.fits") for n in ("mom0", "mask"))
    assert mom0.sum() == pytest.approx(catalogue["f_sum"][0], rel=1e-6)
    assert mask.ndim == 2 and mask.sum() == catalogue["n_pix"][0]


def test_negative_sources_are_not_turned_over(tmp_path):
    """Spec sofia2 §4.9."""
    run = Run(tmp_path, ["linker.keepNegative=true"], sources=[GaussianSource(-0.02, 14, 14, 14)])
    (label,) = each(run)
    flux = expected_maps(run, label)[0]
    assert flux.min() < 0
    np.testing.assert_allclose(run.image(label, "mom0")[0], flux, rtol=2e-5, atol=2e-6 * abs(flux).max())
    assert run.spectrum(label)[:, 2].sum() == pytest.approx(run.catalogue["f_sum"][0], rel=1e-6)


def test_without_parametrisation_there_is_no_noise_to_compare_with(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        run = Run(tmp_path, ["parameter.enable=false", "output.thresholdMom12=3", "output.writePV=true"])
    assert caplog.text.count("Without parameter.enable there are no signal-to-noise maps") == 1
    assert not list((tmp_path / "cube_cubelets").glob("*_snr.fits"))
    assert not list((tmp_path / "cube_cubelets").glob("*_pv*.fits"))
    check_maps(run, 1)


def test_no_folder_unless_asked(tmp_path):
    Run(tmp_path, ["output.writeCubelets=false"])
    assert {p.name for p in tmp_path.iterdir()} == {"cube.fits", "cube_cat.txt", "cube_cat.xml", "cube_mask.fits"}


# --- the folder -----------------------------------------------------------------------------------------------------


def test_products_of_an_earlier_run_go_and_other_files_stay(tmp_path):
    """SoFiA 2.4 leaves those of sources that are not found any more (spec sofia2 §4.9)."""
    folder = tmp_path / "cube_cubelets"
    folder.mkdir()
    stale = ["cube_1_cube.fits", "cube_77_spec.txt", "cube_77_pv_min_mask.fits", "cube_77_spec_aperture.txt"]
    kept = ["notes.txt", "cube_77_notes.txt", "cubes_77_cube.fits", "cube_77_cube.png"]
    for name in [*stale, *kept]:
        (folder / name).write_text("old")
    run = Run(tmp_path)
    names = {p.name for p in folder.iterdir()}
    assert not {name for name in names if "_77_" in name} - set(kept)
    assert all((folder / name).read_text() == "old" for name in kept)
    assert run.image(1, "cube")[0].size > 0
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {"cube_cubelets"}


def test_a_folder_that_is_linked_stays_linked(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cube_cubelets").symlink_to(tmp_path / "elsewhere")
    Run(tmp_path)
    assert (tmp_path / "cube_cubelets").is_symlink()
    assert (tmp_path / "elsewhere" / "cube_1_cube.fits").exists()


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("odd")])
def test_a_folder_that_fails_leaves_the_old_one(tmp_path, error):
    import re

    folder = tmp_path / "x_cubelets"
    folder.mkdir()
    (folder / "x_1_cube.fits").write_text("old")

    def fail(place):
        (place / "x_1_cube.fits").write_text("half")
        raise error

    with pytest.raises(FileAccessError if isinstance(error, OSError) else ValueError):
        write_folder(folder, fail, re.compile(".*"))
    assert (folder / "x_1_cube.fits").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x_cubelets"]


def test_existing_folder_is_an_error_where_nothing_may_be_replaced(tmp_path):
    (tmp_path / "cube_cubelets").mkdir()
    with pytest.raises(FileAccessError, match=r"cube_cubelets exists and output\.overwrite is false"):
        Run(tmp_path, ["output.overwrite=false"])


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "cube_cubelets").write_text("mine")
    with pytest.raises(FileAccessError, match="is a file, where a folder"):
        Run(tmp_path)
    assert (tmp_path / "cube_cubelets").read_text() == "mine"


# --- SoFiA's own maps of the field ----------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "cube"),
    [("obs_ngc2903", "data/cubes/NGC2903_WSRT.fits"), ("wsrt_default", "parity/cubes/wsrt_ngc4036.fits")],
)
def test_maps_of_cubelets_have_the_bits_of_sofia(shared, tmp_path, case, cube):
    """Where a source has the line of sight to itself, its maps are those of SoFiA's whole field; so is its flux."""
    goldens = shared / "parity" / "goldens" / case
    given = [str(goldens / "case.par"), f"input.data={shared / cube}", f"output.directory={tmp_path}"]
    settings = ["output.filename=g", "pipeline.finder=scfind", "output.writeCubelets=true"]
    catalogue = run_pipeline(shared / cube, tmp_path, [*given, *settings])
    theirs = Table.read(goldens / "g_cat.xml")
    mask = fits.getdata(goldens / "g_mask.fits.gz")
    lines_of_sight = sum((mask == label).any(0).astype(int) for label in range(1, mask.max() + 1))
    assert len(catalogue) == len(theirs) == mask.max()
    compared = 0
    for label in range(1, mask.max() + 1):
        base = tmp_path / "g_cubelets" / f"g_{label}"
        z, y, x = (slice(max(0, n.min() - 10), n.max() + 11) for n in np.nonzero(mask == label))
        alone = (mask == label).any(0)[y, x] & (lines_of_sight[y, x] == 1)
        assert np.array_equal(fits.getdata(f"{base}_mask.fits"), mask[z, y, x] == label)
        for name in ("mom0", "mom1", "mom2", "chan"):
            field = fits.getdata(goldens / f"g_{name}.fits.gz")[y, x]
            np.testing.assert_array_equal(fits.getdata(f"{base}_{name}.fits")[alone], field[alone], err_msg=name)
        compared += np.count_nonzero(alone)
        spectrum = np.loadtxt(f"{base}_spec.txt")
        scale = catalogue["f_sum"][label - 1] / spectrum[:, 2].sum()  # the channel width, where fluxes are physical
        assert spectrum[:, 2].sum() * scale == pytest.approx(float(theirs["f_sum"][label - 1]), rel=1e-6)
        assert scale == pytest.approx(1.0) or scale == pytest.approx(abs(fits.getheader(shared / cube)["CDELT3"]))
    assert compared > 20


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("obs_eso121_4d", "ESO121-G6_ATCA"), ("obs_ngc6946", "NGC6946_WSRT"), ("obs_ngc2903", "NGC2903_WSRT"),
        ("obs_wallaby9", "WALLABY_Eridanus_9_ASKAP"), ("obs_wallaby20", "WALLABY_Eridanus_20_ASKAP"),
    ],
)  # fmt: skip
def test_cubelets_of_observed_cubes(shared, tmp_path, case, name):
    """NCP and SIN, 3 and 4 axes, m/s, km/s and Hz, integers with a scale, blank corners."""
    cube, goldens = shared / "data/cubes" / f"{name}.fits", shared / "parity" / "goldens" / case
    given = [str(goldens / "case.par"), f"input.data={cube}", f"output.directory={tmp_path}", "output.filename=g"]
    settings = ["pipeline.finder=scfind", "output.writeCubelets=true", "output.writePV=true"]
    catalogue = run_pipeline(cube, tmp_path, [*given, *settings])
    theirs, source = Table.read(goldens / "g_cat.xml"), fits.getheader(cube)
    factor = (catalogue["f_sum"] / [sum_of_spectrum(tmp_path, label) for label in catalogue["id"]])[0]
    for label in catalogue["id"]:
        assert sum_of_spectrum(tmp_path, label) * factor == pytest.approx(theirs["f_sum"][label - 1], rel=1e-6)
        for file in (tmp_path / "g_cubelets").glob(f"g_{label}_*.fits"):
            with fits.open(file) as hdus:
                hdus.verify("exception")
        header = fits.getheader(tmp_path / "g_cubelets" / f"g_{label}_cube.fits")
        start = [max(0, catalogue[f"{axis}_min"][label - 1] - 10) for axis in "xyz"]
        here, there = pixel_to_world(header, [3, 5, 7]), pixel_to_world(source, np.add(start, [3, 5, 7]))
        np.testing.assert_allclose(here, there, rtol=1e-12)


def sum_of_spectrum(folder, label):
    text = (folder / "g_cubelets" / f"g_{label}_spec.txt").read_text()
    return np.loadtxt(text.splitlines())[:, 2].sum()


def pixel_to_world(header, place):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(header)
        return wcs.wcs_pix2world([[*place, *[0] * (wcs.naxis - 3)]], 0)[0, :3]
