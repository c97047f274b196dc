"""The page of a report in a browser: it looks as it should, says nothing on the console, sorts and filters."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from hisf.testing import GaussianSource, make_cube, write_fits

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((place for name in NAMES if (place := shutil.which(name))), None)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
SCHEMES = {"light": (), "dark": ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")}
BACKGROUNDS = {"light": (255, 255, 255), "dark": (18, 22, 27)}
WIDTHS = {"wide": 1300, "narrow": 390}
PATIENCE = 180  # seconds

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser to look at the page with; install one of {', '.join(NAMES)}"
)

# what a reader would do, in the place of the reader; the answer goes to the frame around the page
STEPS = """
addEventListener("load", () => setTimeout(() => {
  const $ = (selector) => [...document.querySelectorAll(selector)];
  const column = (name) => $("#table th").findIndex((head) => head.dataset.name === name);
  const shown = () => $("#table tbody tr").filter((row) => !row.hidden).map((row) => row.dataset.id);
  const type = (name, value) => {
    const field = document.getElementById("filter").elements[name];
    if (field.type === "checkbox") field.checked = value; else field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const answer = { first: shown(), count: [document.getElementById("count").value] };
  const press = (name) => $("#table th")[column(name)].querySelector("button").click();
  press("f_sum");
  answer.rising = shown();
  answer.sorted = $("#table th[aria-sort]").map((head) => [head.dataset.name, head.getAttribute("aria-sort")]);
  answer.cards = $("#cards article").map((card) => card.dataset.id);
  press("f_sum");
  answer.falling = shown();
  press("name");
  answer.byname = shown();
  type("column", "x");
  type("low", "20");
  type("high", "40,5");
  answer.ranged = shown();
  answer.visible = $("#cards article").filter((card) => !card.hidden).map((card) => card.dataset.id);
  answer.dimmed = $(".point.off").length;
  answer.count.push(document.getElementById("count").value);
  type("words", "no such name");
  answer.none = shown();
  document.querySelector("#filter button[type=reset]").click();
  const hidden = () => getComputedStyle($("#table th.more")[0]).display;
  const before = hidden();
  setTimeout(() => {
    answer.reset = shown().length;
    type("all", true);
    answer.columns = [before, hidden()];
    answer.width = innerWidth;
    answer.overflow = document.documentElement.scrollWidth - innerWidth;
    answer.focusable = $("a, button, input, select, summary, [tabindex]").filter((e) => e.tabIndex >= 0).length;
    parent.postMessage(JSON.stringify(answer), "*");
  });
}));
"""
# a frame of the width of a device: the window of a browser without a screen is not as narrow
FRAME = """<!DOCTYPE html><meta charset="utf-8"><title></title><link rel="icon" href="data:,">
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>
<iframe src="steps.html" width="{width}" height="900" frameborder="0"></iframe>"""


def look(page, profile, *options):
    """Open a page; return what the browser wrote, and what stood on its console."""
    command = [BROWSER, *QUIET, "--enable-logging=stderr", f"--user-data-dir={profile}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, search_cube):
    folder = tmp_path_factory.mktemp("browser")
    peaks = (0.02, 0.05, 0.03, 0.012, 0.04)
    sources = [GaussianSource(peak, 12 + 3 * n, 16, 12 + 20 * n) for n, peak in enumerate(peaks)]
    cube = write_fits(folder / "cube.fits", *make_cube((40, 32, 110), sources=sources))
    assert search_cube(cube, folder, "pipeline.finder=threshold", "threshold.threshold=6") == 0
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_follows_the_device_and_is_silent(folder, tmp_path, scheme, width):
    shot = tmp_path / "page.png"
    size = f"--window-size={WIDTHS[width]},1200"
    _, console = look(folder / "cube_report.html", tmp_path / "p", *SCHEMES[scheme], size, f"--screenshot={shot}")
    assert console == []
    with Image.open(shot) as picture:
        pixels = np.array(picture.convert("RGB"))
    assert pixels.shape[1] == WIDTHS[width]
    assert tuple(pixels[200, 2]) == BACKGROUNDS[scheme]
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # there is something on it


@pytest.mark.parametrize("width", WIDTHS)
def test_sorting_and_filtering(folder, tmp_path, width):
    catalogue = Table.read(folder / "cube_cat.xml")
    assert len(catalogue) == 5
    digest = base64.b64encode(hashlib.sha256(STEPS.encode()).digest()).decode()
    text = (folder / "cube_report.html").read_text()
    text = text.replace(
        "script-src ", f"script-src 'sha256-{digest}' ", 1
    )  # the page's own policy lets in nothing else
    (tmp_path / "steps.html").write_text(text.replace("</body>", f"<script>{STEPS}</script></body>"))
    page = tmp_path / "frame.html"
    page.write_text(FRAME.format(width=WIDTHS[width]))
    dom, console = look(page, tmp_path / "p", "--window-size=1400,1000", "--virtual-time-budget=4000", "--dump-dom")
    assert console == []
    answer = json.loads(re.search(r"<title>(.*?)</title>", dom)[1])

    def ids(rows):
        return [str(label) for label in rows["id"]]

    by_flux = ids(catalogue[np.argsort(catalogue["f_sum"])])
    inside = (catalogue["x"] >= 20) & (catalogue["x"] <= 40.5)
    assert 0 < inside.sum() < 5
    assert answer["first"] == ids(catalogue)
    assert answer["rising"] == answer["cards"] == by_flux and answer["falling"] == by_flux[::-1]
    assert answer["sorted"] == [["f_sum", "ascending"]]
    assert answer["byname"] == ids(catalogue[np.argsort(catalogue["name"])])
    assert sorted(answer["ranged"]) == sorted(answer["visible"]) == sorted(ids(catalogue[inside]))
    assert answer["dimmed"] == 2 * (~inside).sum()
    assert answer["count"] == ["5 of 5 sources", f"{inside.sum()} of 5 sources"]
    assert answer["none"] == [] and answer["reset"] == 5
    assert answer["columns"] == ["none", "table-cell"]
    assert answer["width"] == WIDTHS[width]
    assert answer["overflow"] <= 0  # nothing sticks out of the page
    assert answer["focusable"] > 50


def test_no_other_script_runs(folder, tmp_path):
    text = (folder / "cube_report.html").read_text()
    page = tmp_path / "more.html"
    page.write_text(text.replace("</body>", '<script>document.title = "run"</script></body>'))
    dom, console = look(page, tmp_path / "p", "--dump-dom")
    assert "<title>run" not in dom
    assert any("Content Security Policy" in line for line in console)
