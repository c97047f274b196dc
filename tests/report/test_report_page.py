"""The page of a report: what it says is what the run left behind, and nothing in it does what it should not."""

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from astropy.table import Table

from hisf.report.finished import open_run
from hisf.report.page import PIXELS_OF_MANY, as_page
from hisf.report.picture import data_url, shrink
from hisf.testing import GaussianSource, make_cube, write_fits

EPOCH = "1700000000"
PER_SOURCE = 40_000  # bytes: 500 sources make 20 MB
SOURCES = [GaussianSource(0.02, 20.0, 16.0, 18.0), GaussianSource(0.015, 30.0, 25.0, 8.0, sigma_z=1.5)]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """Collects the table, the tags and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.heads, self.rows, self.words, self._row, self._cell = [], [], {}, [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "th" and "data-name" in attributes:
            self.heads.append(attributes["data-name"])
        if tag == "tr":
            self._row = self.rows.setdefault(attributes["data-id"], []) if "data-id" in attributes else None
        if tag == "td" and self._row is not None:
            self._cell = attributes.get("data-v")
            self._row.append(self._cell if self._cell is not None else "")

    def handle_endtag(self, tag):
        if tag == "tr":
            self._row = None

    def handle_data(self, data):
        self.words.append(data)
        if self._row and self._cell is None:
            self._row[-1] += data.strip()

    def count(self, tag, **attributes):
        return sum(t == tag and attributes.items() <= a.items() for t, a in self.tags)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, search_cube):
    folder = tmp_path_factory.mktemp("page")
    cube = write_fits(folder / "cube.fits", *make_cube(sources=SOURCES))
    assert search_cube(cube, folder, "parameter.physical=true", "linker.minSizeZ=4") == 0
    return folder


def test_the_table_is_the_catalogue(folder):
    """Every column of every source, to the last digit."""
    page = Page((folder / "cube_report.html").read_text())
    catalogue = Table.read(folder / "cube_cat.xml")
    assert page.heads == catalogue.colnames and len(page.rows) == len(catalogue) == 2
    for row in catalogue:
        for name, text in zip(page.heads, page.rows[str(row["id"])], strict=True):
            if name == "name":
                assert text == row[name]
            else:
                np.testing.assert_equal(float(text), float(row[name]), err_msg=name)


def test_counts_settings_and_timings_are_those_of_the_record(folder):
    run = open_run(folder)
    text = (folder / "cube_report.html").read_text()
    page = Page(text)
    assert page.count("article") == page.count("a", **{"class": "point"}) / 2 == run.record["sources"] == 2
    assert page.count("svg", **{"class": "panel"}) == 2 + 4 * 2
    words = " ".join(" ".join(page.words).split())
    for name, setting in run.record["settings"].items():
        assert name in words
        if setting["origin"] != "default":
            assert f"{name} {setting['value']} {setting['origin']}" in re.sub(r"\s+", " ", words)
    for timing in run.record["timings"]:
        assert f"{timing['seconds']:.3f}" in words


def test_the_page_needs_nothing_and_runs_nothing_else(folder):
    text = (folder / "cube_report.html").read_text()
    page = Page(text)
    (policy,) = (a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    for _, attributes in page.tags:
        assert not {"style", "onclick", "onload", "onerror", "srcset"} & set(attributes)
        for key in ("src", "href"):
            assert re.match(r"#|data:", attributes.get(key) or "#"), attributes
    assert "eval(" not in text and "innerHTML" not in text


def test_ids_are_unique_and_links_lead_somewhere(folder):
    page = Page((folder / "cube_report.html").read_text())
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for t, a in page.tags if t == "a"} <= set(ids)
    labelled = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert labelled <= set(ids)


def test_hostile_names_are_text(tmp_path, search_cube):
    cube = write_fits(tmp_path / "a<b>&'\".fits", *make_cube())
    assert search_cube(cube, tmp_path, f"parameter.prefix={HOSTILE}", "output.filename=<i>x") == 0
    text = (tmp_path / "<i>x_report.html").read_text()
    page = Page(text)
    assert page.count("script") == 1 and page.count("img") == 0 and page.count("i") == page.count("b") == 0
    assert HOSTILE in "".join(page.words) and "<i>x" in page.words
    assert "<script>alert" not in text


def test_a_run_that_finds_nothing_says_so(tmp_path, search_cube):
    cube = write_fits(tmp_path / "cube.fits", *make_cube(sources=[]))
    assert search_cube(cube, tmp_path, "scfind.threshold=20") == 8
    page = Page((tmp_path / "cube_report.html").read_text())
    assert "No source was found." in page.words and page.count("article") == 0
    assert any("No source found: no voxel was detected" in word for word in page.words)


def test_without_world_coordinates(tmp_path, search_cube):
    cards = {f"{key}{n}": None for key in ("CTYPE", "CRVAL", "CDELT", "CUNIT") for n in (1, 2, 3)}
    cube = write_fits(tmp_path / "cube.fits", *make_cube(cards=cards, beam=False))
    assert search_cube(cube, tmp_path, "parameter.enable=false") == 0
    page = Page((tmp_path / "cube_report.html").read_text())
    assert page.count("article") == 1
    assert {"x [pix]", "y [pix]", "Channel"} <= set(page.words)
    assert not any("nan" in str(a.get("d", "")) for _, a in page.tags)


def test_an_image_of_two_axes(tmp_path, search_cube):
    no_axis = {f"{key}3": None for key in ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT")}
    array, header = make_cube((1, 30, 28), sources=[GaussianSource(0.02, 0, 15, 14)], cards=no_axis)
    path = write_fits(tmp_path / "image.fits", array[0], header)
    settings = ["pipeline.finder=threshold", "threshold.threshold=5", "linker.minSizeXY=1", "linker.minSizeZ=1"]
    assert search_cube(path, tmp_path, *settings) == 0
    assert Page((tmp_path / "image_report.html").read_text()).count("article") == 1


@pytest.mark.parametrize("ctype3", ["VRAD", "VOPT", "FELO-HEL", "VELO-LSR"])
def test_axes_of_velocity(tmp_path, search_cube, ctype3):
    cube = write_fits(tmp_path / "cube.fits", *make_cube(ctype3=ctype3, frame="galactic"))
    assert search_cube(cube, tmp_path) == 0
    words = Page((tmp_path / "cube_report.html").read_text()).words
    assert any("velocity [km/s]" in word.lower() for word in words)
    assert any(word.startswith("Offset to +l") for word in words)


def test_the_same_run_gives_the_same_bytes(tmp_path, search_cube, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    cube = write_fits(tmp_path / "cube.fits", *make_cube(sources=SOURCES))
    pages = []
    for _ in range(2):
        assert search_cube(cube, tmp_path) == 0
        pages.append((tmp_path / "cube_report.html").read_bytes())
    assert pages[0] == pages[1]
    assert b"2023-11-14 22:13:20 UTC" in pages[0]


def test_five_hundred_sources_stay_below_20_mb(tmp_path, search_cube):
    """So does every source of a run of fifty, whose boxes are of the usual size."""
    sources = [GaussianSource(0.03, 10 + n % 7, 20 * (n // 10) + 15, 20 * (n % 10) + 15) for n in range(50)]
    cube = write_fits(tmp_path / "cube.fits", *make_cube((30, 110, 210), sources=sources))
    assert search_cube(cube, tmp_path, "pipeline.finder=threshold", "threshold.threshold=6") == 0
    assert len(open_run(tmp_path).labels) == 50
    assert (tmp_path / "cube_report.html").stat().st_size < 50 * PER_SOURCE


def test_a_large_image_is_averaged():
    noise = np.random.default_rng(1).standard_normal((1000, 700))
    assert len(data_url(shrink(noise, PIXELS_OF_MANY)[0], -3, 3, "magma")) < PER_SOURCE / 5
    image = np.arange(12.0).reshape(3, 4)
    image[0, 0] = np.nan
    small, n = shrink(image, 2)
    assert n == 2
    np.testing.assert_allclose(small, [[(1 + 4 + 5) / 3, 4.5], [8.5, 10.5]])
    assert shrink(image, 4)[0] is image


def test_blank_pixels_are_transparent_and_the_first_row_is_below():
    from io import BytesIO

    from PIL import Image

    url = data_url(np.array([[0.0, np.nan], [1.0, 0.5]]), 0.0, 1.0, "gray")
    picture = np.array(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))
    assert picture[1, 0].tolist() == [0, 0, 0, 255] and picture[0, 0].tolist() == [255, 255, 255, 255]
    assert picture[1, 1, 3] == 0


def test_the_command_writes_the_page_again(folder):
    before = (folder / "cube_report.html").read_text()
    (folder / "cube_report.html").unlink()
    command = [sys.executable, "-m", "hisf", "report", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(folder / "cube_report.html")
    assert (folder / "cube_report.html").read_text() == before == as_page(open_run(folder))
    assert not list(folder.glob(".*.part"))


@pytest.mark.parametrize(("more", "code"), [([], 5), (["--source", "1"], 7), (["--name", "x"], 5)])
def test_errors_are_one_sentence(tmp_path, more, code):
    command = [sys.executable, "-m", "hisf", "report", str(tmp_path / "gone"), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith("ERROR: ") and done.stderr.count("\n") == 1


def test_mask_and_votable_come_with_the_report(tmp_path, search_cube):
    cube = write_fits(tmp_path / "cube.fits", *make_cube())
    assert search_cube(cube, tmp_path, "output.writeMask=false", "output.writeCatXML=false") == 0
    assert (tmp_path / "cube_mask.fits").is_file() and (tmp_path / "cube_cat.xml").is_file()
    assert search_cube(cube, tmp_path, "output.overwrite=false") == 5
