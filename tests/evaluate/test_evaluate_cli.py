"""``hisf score`` in this process: tables, JSON, figures, sentences for what is wrong."""

import json

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from official_catalogues import COLUMNS, make_catalogues, make_truth, perturb

from hisf.cli.score import command
from hisf.errors import FileAccessError, InputError
from hisf.evaluate.figures import draw_figures
from hisf.evaluate.reading import read_catalogue
from hisf.evaluate.scorecard import compare, field_of, official_field
from hisf.evaluate.sdc2 import Sdc2Field


def write(path, table, **more):
    columns = {**{name: table[name] for name in COLUMNS}, **more}
    lines = [" ".join(columns)] + [" ".join(repr(float(v)) for v in row) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def files(tmp_path):
    """A catalogue with confidences and a truth with S/N, within the official field."""
    rng = np.random.default_rng(2)
    truth = {name: v[5:] for name, v in make_truth(rng, 85).items()}
    catalogue = perturb(truth, rng, 0.7)
    return (
        write(tmp_path / "cat.txt", catalogue, confidence=rng.random(80).round(1), snr=rng.uniform(3, 50, 80)),
        write(tmp_path / "truth.txt", truth, snr=truth["line_flux_integral"] / 5),
    )


def score(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False, standalone_mode=False)
    return result.output


def scored(*arguments):
    return json.loads(score(*arguments, "--json", "-"))


def test_tables(files):
    out = score(*files)
    for words in ("the official SDC2 field", "SDC2 score", "Matched by position and frequency", "flux [Jy Hz]", "S/N",
                  "position angle", "average precision"):  # fmt: skip
        assert words in out
    assert "note:" not in out
    assert max(map(len, out.splitlines())) <= 160


def test_json_has_what_the_tables_have(files, tmp_path):
    result = scored(*files)
    assert result["field"]["official"]
    assert result["sdc2"]["n_det"] == 80
    assert f"SDC2 score {result['sdc2']['score']:.4f}" in score(*files)
    match = result["cross_match"]
    for kind, n in (("completeness", match["n_match"]), ("reliability", match["n_match"])):
        for name in ("flux", "snr"):
            assert sum(b["n_hit"] for b in match[f"{kind}_bins"][name]) == n
    assert match["curve"]["reliability"][-1] == match["reliability"]
    assert match["curve"]["completeness"][-1] == match["completeness"]
    assert result["masks"] is None
    score(*files, "--json", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == result


def test_golden_through_files(tmp_path):
    catalogue, truth = make_catalogues()["perturbed"]
    paths = write(tmp_path / "cat.txt", catalogue), write(tmp_path / "truth.txt", truth)
    assert scored(*paths, "--sdc2")["sdc2"]["score"] == pytest.approx(221.8729887310792, abs=1e-6)
    # three truth sources at or beyond the ends of the band: not the official field by itself
    assert not scored(*paths)["field"]["official"]


def test_an_empty_catalogue_scores_zero(files, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text(" ".join(COLUMNS) + "\n")
    result = scored(empty, files[1])
    assert (result["sdc2"]["score"], result["sdc2"]["n_det"], result["sdc2"]["reliability"]) == (0.0, 0, None)
    assert result["cross_match"]["completeness"] == 0.0
    assert result["cross_match"]["reliability"] is None
    out = score(empty, files[1], "--figures", tmp_path / "figures")
    assert "SDC2 score 0.0000" in out
    assert "reliability undefined" in out


def test_field_follows_the_truth_and_the_options(files):
    field = scored(*files, "--field-centre", "181,-29", "--band", "1e9,1.1e9", "--beam", "30")["field"]
    assert (field["ra"], field["dec"], field["low"], field["high"], field["beam"]) == (181, -29, 1e9, 1.1e9, 30)
    assert not field["official"]
    assert scored(*files, "--band", "1e9,inf")["field"]["high"] is None
    truth = read_catalogue(files[1])
    assert official_field(truth)
    truth["ra"] = np.mod(truth["ra"] + 180 * truth["ra"].unit, 360 * truth["ra"].unit)
    assert not official_field(truth)
    where = field_of(truth)
    assert min(where.ra, 360 - where.ra) < 0.1
    assert (where.dec, where.low, where.high) == (pytest.approx(-30, abs=0.1), 0.0, np.inf)


def test_missing_columns_are_said(files, tmp_path):
    text = files[1].read_text().splitlines()
    cut = tmp_path / "cut.txt"
    cut.write_text("\n".join(" ".join(line.split()[:9]) for line in text) + "\n")
    out = score(files[0], cut)
    assert "note: No completeness against snr: the truth has no snr." in out
    assert "No reliability" not in out


@pytest.mark.shared
def test_catalogues_of_sofia(shared, tmp_path):
    folder = shared / "parity" / "goldens"
    full = folder / "obs_wallaby9" / "g_cat.xml"
    result = scored(full, full, "--beam", "30")
    assert result["sdc2"] is None
    assert (result["cross_match"]["completeness"], result["cross_match"]["reliability"]) == (1.0, 1.0)
    assert {e["name"] for e in result["cross_match"]["errors"]} == {"position", "frequency", "flux", "w20"}
    assert any("No SDC2 score: the catalogue has no hi_size, pa, i." in note for note in result["notes"])
    with pytest.raises(InputError, match="needs hi_size, pa, i"):
        score(full, full, "--sdc2")
    assert score(full, folder / "obs_wallaby9" / "g_cat.txt", "--no-sdc2").count("1.0000 (6 of 6)") == 2


def test_masks_are_ranked_by_the_catalogue(files, tmp_path):
    labels = np.zeros((4, 8, 30), np.int32)
    for k in range(5):
        labels[:, 1:5, 6 * k : 6 * k + 4] = 40 + k
    predicted = np.where(labels == 44, 0, labels)
    predicted[:, 6:, :3] = 45
    for name, array in (("mask", predicted), ("truth-mask", labels)):
        fits.writeto(tmp_path / f"{name}.fits", array)
    options = ("--mask", tmp_path / "mask.fits", "--truth-mask", tmp_path / "truth-mask.fits")
    result = scored(*files, *options)["masks"]
    assert (result["n_predicted"], result["n_match"], result["n_found"], result["n_truth"]) == (5, 4, 4, 5)
    assert result["curve"] is None  # 41 is no id of the catalogue
    assert "Masks matched by overlap (intersection over union ≥ 0.35): 4" in score(*files, *options)
    renamed = tmp_path / "renamed.txt"
    lines = files[0].read_text().splitlines()
    renamed.write_text(
        "\n".join([lines[0], *(f"{n} {line.split(' ', 1)[1]}" for n, line in enumerate(lines[1:]))]) + "\n"
    )
    curve = scored(renamed, files[1], *options)["masks"]["curve"]
    assert curve["completeness"][-1] == 0.8
    assert curve["reliability"][-1] == 0.8
    assert "Ranked by confidence, matched by mask overlap" in score(renamed, files[1], *options)


def test_figures(files, tmp_path):
    folder = tmp_path / "new" / "figures"
    out = score(*files, "--figures", folder)
    names = {f"score_{kind}.{suffix}" for kind in ("flux", "snr", "curve", "errors") for suffix in ("png", "pdf")}
    assert {p.name for p in folder.iterdir()} == names
    assert all(name in out for name in names)
    assert (folder / "score_flux.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "score_flux.pdf").read_bytes().startswith(b"%PDF")


def test_figures_are_the_same_twice(files, tmp_path):
    card = compare(*map(read_catalogue, files))
    for path, again in zip(draw_figures(card, tmp_path / "a"), draw_figures(card, tmp_path / "b"), strict=True):
        assert path.read_bytes() == again.read_bytes(), path.name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mask", "m.fits"], "go together"),
        (["--sdc2", "--beam", "30"], "does not go with"),
        (["--band", "2e9,1e9"], "is not a range of frequencies"),
        (["--beam", "-3"], "is not the width of a beam"),
        (["--field-centre", "10,100"], "is not a right ascension"),
    ],
)
def test_options_that_make_no_sense(options, words, files):
    with pytest.raises(InputError, match=words):
        score(*files, *options)


@pytest.mark.parametrize("value", ["1", "1,2,3", "a,b", "nan,1"])
def test_pairs_that_are_none(value, files):
    result = CliRunner().invoke(command, [*map(str, files), "--band", value])
    assert result.exit_code == 2
    assert "Invalid value for '--band'" in result.output


def test_files_that_cannot_be_had(files, tmp_path):
    with pytest.raises(FileAccessError, match="cannot be read"):
        score(tmp_path / "none.txt", files[1])
    empty = tmp_path / "empty.txt"
    empty.write_text(" ".join(COLUMNS) + "\n")
    with pytest.raises(InputError, match="has no rows"):
        score(files[0], empty)
    with pytest.raises(FileAccessError, match="cannot be written"):
        score(*files, "--json", tmp_path / "none" / "out.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileAccessError, match="figures cannot be written"):
        score(*files, "--figures", tmp_path / "file")


def test_the_defaults_are_the_official_ones():
    where = Sdc2Field()
    assert (where.ra, where.dec, where.low, where.high, where.beam) == (180.0, -30.0, 0.95e9, 1.15e9, 7.0)
    assert (where.rest, where.hubble, where.matter, where.dark_energy) == (1.420405752e9, 67.0, 0.32, 0.68)


def test_repeated_ids_are_pointed_out(files, tmp_path):
    lines = files[0].read_text().splitlines()
    twice = tmp_path / "twice.txt"
    twice.write_text("\n".join([*lines, lines[1]]) + "\n")
    assert "1 rows repeat the id of another" in score(twice, files[1])
