"""One catalogue from jobs on parts of a cube."""

import sys

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from hisf.cli import main
from hisf.data.box import Box
from hisf.data.source import Source
from hisf.merging import Member, choose
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

SHAPE = (40, 30, 60)
FINDER = [
    "pipeline.finder=threshold",
    "threshold.mode=absolute",
    "threshold.threshold=0.006",
    "linker.minSizeXY=2",
    "linker.minSizeZ=2",
    "linker.radiusXY=2",
    "linker.radiusZ=2",
    "dilation.enable=true",
    "output.writeMask=true",
]
THREE = ["0,24,0,29,0,39", "14,44,0,29,0,39", "34,59,0,29,0,39"]  # x0,x1,y0,y1,z0,z1; 11 pixels of overlap
TWO = ["0,29,0,29,0,39", "30,59,0,29,0,39"]  # none
FOUR = ["0,29,0,29,0,19", "30,59,0,29,0,19", "0,29,0,29,20,39", "30,59,0,29,20,39"]


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    """Sources well inside, on the faces of the parts, on their common edge, and at the edges of the cube."""
    blobs = [
        GaussianSource(0.03, 8, 8, 8, 1.5, 1.5),
        GaussianSource(0.03, 30, 20, 24, 1.5, 1.5),
        GaussianSource(0.03, 10, 22, 29.5, 1.5, 1.5),
        GaussianSource(0.03, 19.5, 8, 29.5, 2.5, 1.5),
        GaussianSource(0.03, 30, 7, 34, 1.5, 1.5),
        GaussianSource(0.03, 19.5, 22, 44, 1.5, 1.5),
        GaussianSource(0.03, 1, 8, 58, 1.5, 1.5),
    ]
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", *make_cube(SHAPE, sources=blobs, seed=3))


def jobs(cube, place, regions, *arguments):
    """Run a job on every region; returns the files to be merged."""
    for n, region in enumerate(regions):
        more = [f"input.region={region}", "output.writeSources=true", f"output.filename=job{n}"]
        run_pipeline(cube, place, [*FINDER, *arguments, *more])
    return [place / f"job{n}_sources.h5" for n in range(len(regions))]


def merged(monkeypatch, *arguments):
    """Call `hisf merge`; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["hisf", "merge", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code


def table(path):
    """Return the catalogue by the position of its sources, without what follows their order."""
    found = Table.read(path, format="votable")
    found.sort(["x", "y", "z"])
    found.remove_columns(["id", "name"])
    return found


def assert_same(one, other):
    assert one.colnames == other.colnames
    assert len(one) == len(other)
    for name in one.colnames:  # the statistics of the voxels went through another unit and back
        tolerance = 1e-9 if name in ("mean", "std", "skew", "kurt") else 0
        np.testing.assert_allclose(one[name], other[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("regions", [THREE, TWO, FOUR, [*TWO, *THREE]], ids=["overlap", "none", "four", "nested"])
def test_merged_is_what_one_run_finds(cube, tmp_path, monkeypatch, regions):
    run_pipeline(cube, tmp_path, [*FINDER, "output.filename=whole"])
    parts = jobs(cube, tmp_path, regions)
    assert merged(monkeypatch, *parts, "output.filename=all", "-q") == 0
    expected = table(tmp_path / "whole_cat.xml")
    assert len(expected) == 7
    assert_same(table(tmp_path / "all_cat.xml"), expected)
    one, other = (fits.getdata(tmp_path / f"{name}_mask.fits") for name in ("whole", "all"))
    assert np.array_equal(one > 0, other > 0)


def test_jobs_see_what_lies_on_their_faces_twice(cube, tmp_path):
    # else the test above would show nothing
    parts = jobs(cube, tmp_path, TWO)
    counts = []
    for part in parts:
        with h5py.File(part) as file:
            counts.append(len(file["sources/box"]))
    assert sum(counts) == 7 + 2


def test_appraisals_come_from_the_jobs(cube, tmp_path, monkeypatch):
    parts = jobs(cube, tmp_path, THREE, "appraise.method=forska", "dilation.enable=false")
    assert merged(monkeypatch, *parts, "output.filename=all", "-q") == 0
    columns = ["f_sum", "hi_size", "hi_w20", "err_hi_ra"]
    job = {row for n in range(3) for row in _values(tmp_path / f"job{n}_cat.xml", columns)}
    found = _values(tmp_path / "all_cat.xml", columns)
    assert len(found) == 7
    assert set(found) <= job


def _values(path, columns):
    return [tuple(row) for row in Table.read(path, format="votable")[columns].filled(-1)]


def test_nothing_in_any_part(cube, tmp_path, monkeypatch, capsys):
    parts = jobs(cube, tmp_path, TWO)
    for part in parts:
        with h5py.File(part, "r+") as file:
            for name in list(file["sources"]):
                data, attributes = file["sources"][name][:0], dict(file["sources"][name].attrs)
                del file["sources"][name]
                file["sources"][name] = data
                file["sources"][name].attrs.update(attributes)
            for which in ("voxels", "core"):
                for name in list(file[which]):
                    data = file[which][name][:0]
                    del file[which][name]
                    file[which][name] = data
    assert merged(monkeypatch, *parts, "output.filename=all") == 8
    assert "none of the parts has one" in capsys.readouterr().err


class TestRefused:
    def test_other_settings(self, cube, tmp_path, monkeypatch, capsys):
        parts = jobs(cube, tmp_path, TWO)
        jobs(cube, tmp_path, TWO[:1], "linker.radiusXY=3")
        assert merged(monkeypatch, *parts, "output.filename=all") == 7
        sentence = capsys.readouterr().err
        assert "job0_sources.h5" in sentence
        assert "linker.radiusXY is 3 in one and 2 in the other" in sentence
        assert not list(tmp_path.glob("all*"))

    def test_another_kind_of_file(self, cube, tmp_path, monkeypatch, capsys):
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["x"] = 1
        for path in (tmp_path / "other.h5", cube):
            assert merged(monkeypatch, path) == 7
            assert path.name in capsys.readouterr().err

    def test_no_file(self, tmp_path, monkeypatch, capsys):
        assert merged(monkeypatch, tmp_path / "none.h5") == 5
        assert "output.writeSources" in capsys.readouterr().err

    def test_settings_alone(self, monkeypatch, capsys):
        assert merged(monkeypatch, "output.filename=all") == 7
        assert "NAME_sources.h5" in capsys.readouterr().err

    def test_part_of_another_cube(self, cube, tmp_path, monkeypatch, capsys):
        parts = jobs(cube, tmp_path, TWO)
        small = write_fits(tmp_path / "small.fits", *make_cube((40, 30, 40)))
        assert merged(monkeypatch, *parts, f"input.data={small}", "output.filename=all") == 7
        sentence = capsys.readouterr().err
        assert "job1_sources.h5 is not a part of" in sentence
        assert "small.fits, or the cube has changed" in sentence


def member(part, depth, *voxels):
    n = len(voxels)
    source = Source(1, np.array(voxels), Box(0, 1, 0, 1, 0, 1), n, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, n, 1, 1.0)
    return Member(source, part, depth)


class TestChoice:
    def test_deepest_of_those_that_share_voxels(self):
        one, other, third = member(0, 2, 1, 2, 3), member(1, 5, 3, 4), member(1, 7, 9)
        whole, cut = choose([one, other, third])
        assert whole == [other.source, third.source]
        assert cut == []

    def test_first_of_equals(self):
        one, other = member(0, 2, 1, 2), member(1, 2, 1, 2)
        assert choose([one, other])[0] == [one.source]

    def test_all_members_of_the_part_must_be_whole(self):
        # part 1 broke in two what part 0 holds in one piece; one of the pieces touches its face
        one, left, right = member(0, 1, 1, 2, 3, 4), member(1, 9, 1, 2), member(1, -1, 4)
        assert choose([one, left, right]) == ([one.source], [])

    def test_no_part_has_the_whole(self):
        one, other = member(0, -1, 1, 2), member(1, -3, 2, 3)
        assert choose([one, other]) == ([], [one.source, other.source])

    def test_nothing(self):
        assert choose([]) == ([], [])
