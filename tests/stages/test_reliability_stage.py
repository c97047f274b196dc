"""Reliability from negative detections, on the worked example of spec sofia2 §3.9."""

from dataclasses import replace

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.data.source import Source, SourceList
from hisf.errors import HisfError
from hisf.kernels.reliability import covariance
from hisf.settings import load_settings
from hisf.stages.reliability.density import NegativeDensity
from hisf.testing import as_cube, make_header

SHAPE = (10, 10, 10)
NEGATIVE = [(-5, -3), (-4.5, -4), (-6, -2.5), (-4, -3.5)]
POSITIVE = [(5, 4), (12, 10), (4.2, 3)]
EXAMPLE = ["reliability.parameters=peak,sum", "reliability.scaleKernel=0.4", "reliability.minSNR=0"]


def source(label, values):
    """An object of two voxels, side by side along x."""
    values = np.array(values, float)
    at, deviation = 20 * label, values - values.mean()
    moments = {f"m{k}": float((deviation**k).sum()) for k in (2, 3, 4)}
    box = Box(at // 100, at // 100 + 1, at // 10 % 10, at // 10 % 10 + 1, 0, 2)
    return Source(
        label, np.array([at, at + 1]), box, n_pix=2, f_sum=values.sum(), f_min=values.min(), f_max=values.max(),
        mean=values.mean(), linked=2, linker_label=label, fill=1.0, **moments,
    )  # fmt: skip


def judge(pairs=(*NEGATIVE, *POSITIVE), arguments=(), header=None):
    return judged(pairs, arguments, header)[0]


def judged(pairs=(*NEGATIVE, *POSITIVE), arguments=(), header=None):
    with_labels = SourceList(SHAPE, [source(n, pair) for n, pair in enumerate(pairs, 1)])
    cube = as_cube(np.zeros(SHAPE, np.float32), make_header(SHAPE) if header is None else header)
    stage = NegativeDensity(load_settings([*EXAMPLE, *arguments]), cube)
    return stage.judge(with_labels), stage


def test_worked_example():
    """R = 0.9782285, 1.0, 0.9983158 (spec sofia2 §3.9)."""
    found = judge()
    assert [s.rel for s in found] == pytest.approx([0.9782285, 1.0, 0.9983158], abs=5e-8)  # digits given there
    assert [s.label for s in found] == [1, 2, 3]
    assert [s.linker_label for s in found] == [5, 6, 7]


def test_density_by_its_formula():
    """With all voxels of the example in another order and K, P, N and R written out."""
    rng = np.random.default_rng(2)
    negative = [tuple(-v) for v in rng.uniform(3, 6, (30, 2))]
    positive = [tuple(v) for v in rng.uniform(3, 7, (20, 2))]
    found = judge((*negative, *positive), ["reliability.threshold=0"])

    def places(pairs):
        pairs = np.abs(np.array(pairs))
        return np.log10(np.stack([pairs.max(1), pairs.sum(1)], 1))

    u, v = places(positive), places(negative)
    spread = (v - v.mean(0)).T @ (v - v.mean(0)) / len(v) * 0.4**2
    inverse = np.linalg.inv(spread)

    def total(at, points):
        d = at - points
        return np.exp(-0.5 * np.einsum("ij,jk,ik->i", d, inverse, d)).sum()

    expected = []
    for at in u:
        p, n = total(at, u), total(at, v)
        expected.append((p - n) / p if p > n else 0.0)
    assert 0 < np.median(expected) < 1
    # the inverse of a well-conditioned 2 × 2 matrix and sums of 30 terms
    assert [s.rel for s in found] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("threshold", "kept"), [(0.9782, 3), (0.9783, 2), (1.0, 1)])
def test_threshold_is_inclusive(threshold, kept):
    assert len(judge(arguments=[f"reliability.threshold={threshold}"])) == kept


def test_survivors_are_numbered_anew_in_the_order_of_the_linker():
    found = judge(arguments=["reliability.threshold=0.99"])
    assert [(s.label, s.linker_label) for s in found] == [(1, 6), (2, 7)]


# sum/√n of the positive objects: 6.364, 15.556, 5.091; the beam has 14.5036 pixels, root 3.80835 (spec §3.9)
@pytest.mark.parametrize(
    ("min_snr", "kept"), [(1.336, [5, 6, 7]), (1.338, [5, 6]), (1.670, [5, 6]), (1.672, [6]), (4.08, [6])]
)
def test_smallest_signal_to_noise(min_snr, kept):
    assert [s.linker_label for s in judge(arguments=[f"reliability.minSNR={min_snr}"])] == kept


@pytest.mark.parametrize(("min_snr", "kept"), [(3.999, True), (4, False), (4.001, False)])
def test_signal_to_noise_limit_is_strict_and_without_a_beam_in_voxels(min_snr, kept):
    """Of a sum of 8 in 4 voxels: 4 exactly (spec sofia2 §3.9: sum/√n > f_min)."""
    exact = replace(source(9, (5, 3)), n_pix=4, linked=4)
    sources = SourceList(SHAPE, [*(source(n, pair) for n, pair in enumerate((*NEGATIVE, *POSITIVE), 1)), exact])
    cube = as_cube(np.zeros(SHAPE, np.float32), make_header(SHAPE, beam=False))
    settings = load_settings([*EXAMPLE, f"reliability.minSNR={min_snr}", "reliability.threshold=0"])
    found = NegativeDensity(settings, cube).judge(sources)
    assert (9 in [s.linker_label for s in found]) == kept


def test_reliability_is_for_sources_of_more_voxels_than_the_limit():
    """Strict: n > minPixels (spec sofia2 trap 7)."""
    assert len(judge(arguments=["reliability.minPixels=1"])) == 3
    assert len(judge(arguments=["reliability.minPixels=2"])) == 0


def test_sources_of_zero_flux_are_ignored():
    assert [s.rel for s in judge((*NEGATIVE, (3, -3), *POSITIVE))] == [s.rel for s in judge()]


@pytest.mark.parametrize(("pairs", "missing"), [(POSITIVE, "negative"), (NEGATIVE, "positive")])
def test_one_sign_only(pairs, missing):
    with pytest.raises(HisfError, match=f"no {missing}") as info:
        judge(pairs)
    assert info.value.exit_code == 1


def test_dependent_parameters():
    """Objects of one size have no spread in pix: the covariance has no inverse, code 1."""
    with pytest.raises(HisfError, match=r"reliability\.parameters") as info:
        judge(arguments=["reliability.parameters=peak,pix"])
    assert info.value.exit_code == 1


@pytest.mark.parametrize(
    ("word", "of_a_negative"),
    [
        ("peak", np.log10(5)), ("sum", np.log10(8)), ("mean", np.log10(4)), ("chan", 1.0), ("pix", np.log10(2)),
        ("fill", 0.0), ("std", np.sqrt(2.0)), ("skew", 0.0), ("kurt", -2.0),
    ],
)  # fmt: skip
def test_coordinates(word, of_a_negative):
    """Of (−5, −3): with the sign of the flux turned (spec sofia2 §3.9)."""
    cube = as_cube(np.zeros(SHAPE, np.float32), make_header(SHAPE))
    judge_ = NegativeDensity(load_settings([f"reliability.parameters={word}"]), cube)
    assert judge_._points([source(1, (-5, -3))])[0, 0] == pytest.approx(of_a_negative, abs=1e-15)


def test_skewness_is_not_turned_for_negative_objects():
    cube = as_cube(np.zeros(SHAPE, np.float32), make_header(SHAPE))
    judge_ = NegativeDensity(load_settings(["reliability.parameters=skew"]), cube)
    skewed = replace(source(1, (-5, -3)), m2=2.0, m3=-1.0, linked=4)
    assert judge_._points([skewed])[0, 0] == skewed.skew < 0


def test_few_negatives_are_warned_of(caplog):
    judge()
    assert "4 negative" in caplog.text


@pytest.mark.parametrize("scale", ["0", "-1"])
def test_kernel_scale_that_is_no_size_becomes_the_default(scale, caplog):
    """SoFiA 2.5: 0.4 with a warning (spec sofia2 §1.4)."""
    found = judge(arguments=[f"reliability.scaleKernel={scale}"])
    assert [s.rel for s in found] == [s.rel for s in judge()]
    assert "scaleKernel" in caplog.text


def test_automatic_scale_that_does_not_converge_falls_back(caplog):
    found = judge(arguments=["reliability.autoKernel=true", "reliability.iterations=1", "reliability.tolerance=1e-9"])
    assert [s.rel for s in found] == [s.rel for s in judge()]
    assert "did not converge" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "compatibility", "as_sofia"),
    [
        ("peak,sum,std", "sofia2", True),
        ("peak,sum,std", "improved", False),
        ("peak,sum,mean,std", "sofia2", False),  # SoFiA's way with four is not known
        ("peak,sum", "sofia2", True),  # two negative detections of two parameters: of rank one as well
    ],
)
def test_covariance_of_too_few_negatives(parameters, compatibility, as_sofia, caplog):
    """Two negative detections: SoFiA inverts rounding errors, with improved the matrix is made regular."""
    words = [f"reliability.parameters={parameters}", f"pipeline.compatibility={compatibility}"]
    negative = [(-5, -3.3), (-4.6, -4.1)]
    _, stage = judged((*negative, *POSITIVE), [*words, "reliability.threshold=0"])
    points = stage._points([source(n, pair) for n, pair in enumerate(negative, 1)])
    assert (stage.evidence.kernel.tolist() == (covariance(points) * (0.4 * 0.4)).tolist()) == as_sofia
    assert (np.linalg.matrix_rank(stage.evidence.kernel) < len(points[0])) == as_sofia
    assert "too few negative detections" in caplog.text


def test_dependent_parameters_are_made_regular():
    """Sum, mean and pix: SoFiA's numbers for them are rounding errors of every source (spec sofia2 §3.9)."""
    grown = [replace(source(n, pair), n_pix=1 + n, linked=1 + n) for n, pair in enumerate((*NEGATIVE, *POSITIVE), 1)]
    cube = as_cube(np.zeros(SHAPE, np.float32), make_header(SHAPE))
    stage = NegativeDensity(load_settings([*EXAMPLE, "reliability.parameters=sum,mean,pix"]), cube)
    stage.judge(SourceList(SHAPE, grown))
    assert np.linalg.matrix_rank(stage.evidence.kernel) == 3


def test_determinant_of_zero():
    """One negative object has no spread; two of equal flux give a determinant of exactly 0: code 1, as SoFiA."""
    with pytest.raises(HisfError, match="no inverse") as info:
        judge(((-4, -4), (-8, -8), *POSITIVE), ["reliability.parameters=peak,sum"])
    assert info.value.exit_code == 1
