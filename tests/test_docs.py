"""What the documentation says is there, is there; its examples and the example cube do what it says of them."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from hisf import hookspecs
from hisf.api import ArrayVoxels, Box, Tile, Workspace
from hisf.cli import COMMANDS
from hisf.data.columns import OWN
from hisf.evaluate.crossmatch import cross_match
from hisf.evaluate.reading import read_catalogue
from hisf.settings import PARAMETERS, load_settings
from hisf.stages.products.contract import Product
from hisf.stages.products.plugin import hisf_register_products
from hisf.testing import GaussianSource, as_cube, check_finder, make_cube, run_pipeline, write_fits

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PARFILES = sorted((ROOT / "parfiles").glob("*.par"))
CUBE = ROOT / "examples" / "sdc2_like.fits"


def block(page: str, containing: str) -> str:
    """Return the Python block of a page that has these words in it."""
    return next(code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if containing in code)


def module(code: str) -> ModuleType:
    made = ModuleType("example")
    exec(compile(code, "example", "exec"), made.__dict__)
    return made


def headed(page: str, name: str) -> bool:
    return f"`{name}`" in page or f"`{name}(" in page


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("hisf_")])
def test_every_hook_is_described(hook: str) -> None:
    assert headed(PLUGINS, hook)


@pytest.mark.parametrize("product", hisf_register_products(), ids=lambda product: product.name)
def test_every_product_is_described(product: type[Product]) -> None:
    assert f"`{product.suffix}`" in (ROOT / "docs" / "products.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", [column.name for column in OWN])
def test_every_column_of_our_own_is_described(column: str) -> None:
    assert f"`{column}`" in (ROOT / "docs" / "galaxies.md").read_text(encoding="utf-8")


def test_no_other_hook_is_described() -> None:
    assert set(re.findall(r"hisf_(?:register|open|start|advance|finish)_\w+", PLUGINS)) <= set(vars(hookspecs))


def test_arguments_of_hooks_are_as_described() -> None:
    for name, arguments in re.findall(r"`(hisf_\w+)\(([\w, ]*)\)`", PLUGINS):
        code = getattr(hookspecs, name).__code__
        assert list(code.co_varnames[: code.co_argcount]) == arguments.split(", "), name


@pytest.mark.parametrize("folder", sorted(p.parent.name for p in (ROOT / "hisf").glob("*/__init__.py")))
def test_every_room_is_on_the_map(folder: str) -> None:
    assert f"`hisf/{folder}/" in ARCHITECTURE


@pytest.mark.parametrize("folder", sorted(p.parent.name for p in (ROOT / "hisf" / "stages").glob("*/__init__.py")))
def test_every_stage_is_on_the_map(folder: str) -> None:
    assert f"`hisf/stages/{folder}/`" in ARCHITECTURE


def test_every_place_on_the_map_is_there() -> None:
    for place in re.findall(r"^\| `([\w/.]+)`", ARCHITECTURE, re.MULTILINE):
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_mentioned(command: str) -> None:
    assert f"hisf {command}" in README + PLUGINS + ARCHITECTURE


PAGES = [
    "README.md",
    *(
        f"docs/{name}.md"
        for name in ("architecture", "compare", "galaxies", "hisf-sofia", "plugins", "products", "report")
    ),
]


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    for place in re.findall(r"`((?:docs|examples|parfiles|plugins)/[\w./-]+)`", page):
        assert (ROOT / place).exists() or place.startswith("examples/output"), place


@pytest.mark.parametrize("parfile", PARFILES, ids=lambda path: path.name)
def test_par_files_leave_nothing_to_complain_about(parfile: Path) -> None:
    command = [sys.executable, "-m", "hisf", "check", str(parfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "note:" not in done.stdout
    assert "none of them wrong" in done.stdout
    assert not done.stderr


def test_the_plugin_of_the_readme_is_the_one_in_plugins() -> None:
    assert block(README, "class Matched") == (ROOT / "plugins/hisf-plugin-matched/hisf_plugin_matched.py").read_text()


def test_the_plugin_of_the_readme_works() -> None:
    example = module(block(README, "class Matched"))
    (finder_class,) = example.hisf_register_finders()
    check_finder(finder_class)
    array, header = make_cube()  # one source, centred on voxel 20, 16, 18
    finder = finder_class(
        load_settings(["matched.width=5"], (*PARAMETERS, *finder_class.parameters)), as_cube(array, header)
    )
    finder.look(ArrayVoxels(array), Workspace(1 << 30), lambda n: None)
    box = Box.whole(array.shape)
    score = finder.find(Tile(box, box, array))
    assert np.unravel_index(score.argmax(), score.shape)[0] == pytest.approx(20, abs=1)
    assert score[20, 16, 18] > 0.5 > np.median(score)


def test_the_run_from_python_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples" / "output").mkdir(parents=True)
    (tmp_path / "examples" / CUBE.name).symlink_to(CUBE)
    (tmp_path / "parfiles").symlink_to(ROOT / "parfiles")
    monkeypatch.chdir(tmp_path)
    assert len(module(block(README, "catalogue = run(")).table) == 9


def test_the_column_of_the_page_on_plugins_works(tmp_path: Path) -> None:
    example = module(block(PLUGINS, "class Concentration"))
    catalogue = run_pipeline(write_fits(tmp_path / "cube.fits", *make_cube()), tmp_path, plugins=[example])
    assert catalogue.names[-1] == "concentration"
    assert 0.1 < catalogue["concentration"][0] < 1.0


def test_the_file_of_the_page_on_plugins_works(tmp_path: Path) -> None:
    example = module(block(PLUGINS, "class JsonCatalogue"))
    path = write_fits(tmp_path / "cube.fits", *make_cube())
    run_pipeline(path, tmp_path, ["json.enable=true"], plugins=[example])
    assert '"z": ' in (tmp_path / "cube_cat.json").read_text()


def test_the_parameters_of_the_page_on_plugins_can_be_declared() -> None:
    module(block(PLUGINS, "mine.width"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The products of the first run."""
    folder = tmp_path_factory.mktemp("first-run")
    run_pipeline(
        CUBE, folder, [str(ROOT / "parfiles" / "sdc2.par"), f"input.data={CUBE}", f"output.directory={folder}"]
    )
    return folder


def test_the_first_run_is_as_the_readme_shows_it(folder: Path) -> None:
    shown = re.findall(r"^ +SDC2 J[\d.-]+ +\d+ +([\d.]+) +([\d.]+) +([\d.]+) ", README, re.MULTILINE)
    found = Table.read(folder / "sdc2_like_cat.xml")
    assert len(shown) == len(found)
    for axis, places in zip("xyz", np.array(shown, float).T, strict=True):
        # masks of machines that compute in bfloat16 and of others differ by a voxel here and there
        np.testing.assert_allclose(places, found[axis], atol=0.7 if axis != "z" else 2.5)


def test_the_first_run_finds_what_the_readme_says(folder: Path) -> None:
    found, truth = (read_catalogue(p) for p in (folder / "sdc2_like_cat.xml", ROOT / "examples/sdc2_like_truth.txt"))
    match = cross_match(found, truth)
    assert len(truth) == 15 and len(match.detections) == len(found)  # no source is false
    flux = Table.read(ROOT / "examples" / "sdc2_like_truth.txt", format="ascii")["line_flux_integral"]
    hit = np.isin(np.arange(15), match.truths)
    assert hit[flux > 50].all() and 0 < hit[flux < 50].mean() < 0.5


def test_the_example_cube_can_be_made_again(tmp_path: Path) -> None:
    recipe = re.search(r"hisf simulate examples/sdc2_like.fits (.*)", (ROOT / "Makefile").read_text())
    assert recipe
    command = [sys.executable, "-m", "hisf", "simulate", str(tmp_path / "sdc2_like.fits"), *recipe[1].split()]
    subprocess.run(command, check=True, capture_output=True)
    cubes = [fits.getdata(folder / "sdc2_like.fits") for folder in (tmp_path, ROOT / "examples")]
    # the same to the rounding of another processor or library
    assert np.allclose(*cubes, rtol=1e-4, atol=1e-9)
    truths = [Table.read(folder / "sdc2_like_truth.txt", format="ascii") for folder in (tmp_path, ROOT / "examples")]
    for name in ("ra", "dec", "line_flux_integral", "central_freq", "w20"):
        assert np.allclose(truths[0][name], truths[1][name], rtol=1e-6)


def test_the_comparison_from_python_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [GaussianSource(0.02, 20, 16, 18), GaussianSource(0.005, 8, 8, 8)]
    cube = write_fits(tmp_path / "cube.fits", *make_cube(sources=sources))
    for name, threshold in (("classic", 12), ("network", 4)):  # names of the page; the threshold makes the difference
        (tmp_path / name).mkdir()
        run_pipeline(cube, tmp_path / name, [f"scfind.threshold={threshold}", "output.writeMask=true"])
    monkeypatch.chdir(tmp_path)
    made = module(block((ROOT / "docs" / "compare.md").read_text(encoding="utf-8"), "compare_outputs"))
    assert len(made.result.rows_a) == 1
    (added,) = made.added
    assert added["class"] == "only B" and abs(added["z_b"] - 8) < 1
