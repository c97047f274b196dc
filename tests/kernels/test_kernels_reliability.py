import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels import reliability
from hisf.kernels.reliability import covariance, density, find_scale, inverse, reliability_of


def plain_density(at, points, inverse):
    """O(n²) loops over the formula of spec sofia2 §3.9."""
    result = []
    for u in at:
        total = 0.0
        for v in points:
            d = [a - b for a, b in zip(u, v, strict=True)]
            total += math.exp(-0.5 * sum(d[a] * inverse[a][b] * d[b] for a in range(len(d)) for b in range(len(d))))
        result.append(total)
    return np.array(result)


def plain_search(positive, negative, matrix, start, tolerance, iterations):
    """The automatic kernel, one sentence of the spec after the other; also the steps that were taken."""
    scale, medians, steps = start, [], []
    for i in range(iterations):
        if i > 0:
            scale += steps[-1]
        inverse = np.linalg.inv(np.array(matrix) * scale**2).tolist()
        p, n = plain_density(negative, positive, inverse), plain_density(negative, negative, inverse)
        s = sorted((a - b) / math.sqrt(a + b) for a, b in zip(p, n, strict=True))
        m = abs(s[len(s) // 2] if len(s) % 2 else (s[len(s) // 2 - 1] + s[len(s) // 2]) / 2)
        medians.append(m)
        if m <= tolerance:
            return scale, True, medians, steps
        if m >= 50 * tolerance:
            steps.append(0.02)
        elif m >= 30 * tolerance:
            steps.append(0.20)
        elif m >= 10 * tolerance:
            steps.append(0.10)
        else:
            steps.append(0.04)
    return scale, False, medians, steps


# objects of two voxels, parameters peak and sum (spec sofia2 §3.9); negative objects with their sign turned
NEGATIVE = np.log10([[5, 8], [4.5, 8.5], [6, 8.5], [4, 7.5]])
POSITIVE = np.log10([[5, 9], [12, 22], [4.2, 7.2]])


def test_worked_example():
    matrix = covariance(NEGATIVE)
    # printed with seven decimals
    np.testing.assert_allclose(matrix, [[0.0041868, 0.0009968], [0.0009968, 0.0005051]], atol=5.1e-8, rtol=0)
    inverse = np.linalg.inv(matrix * 0.4**2)
    p, n = density(POSITIVE, POSITIVE, inverse), density(POSITIVE, NEGATIVE, inverse)
    np.testing.assert_allclose(p, [1, 1, 1], atol=1e-6, rtol=0)
    np.testing.assert_allclose(n, [0.0217716, 0, 0.0016842], atol=1e-6, rtol=0)
    np.testing.assert_allclose(reliability_of(p, n), [0.9782285, 1.0, 0.9983158], atol=1e-6, rtol=0)


def test_covariance_is_normalised_by_n():
    points = np.random.default_rng(1).normal(size=(37, 3)) * [1, 5, 0.1] + [3, -2, 100]
    np.testing.assert_allclose(covariance(points), np.cov(points.T, bias=True), rtol=1e-10)
    assert covariance([[0.0], [2.0]]).tolist() == [[1.0]]
    with pytest.raises(ValueError, match="no points"):
        covariance(np.empty((0, 2)))
    with pytest.raises(ValueError, match="shape"):
        covariance([1.0, 2.0])


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_density_equals_plain_loops(d):
    rng = np.random.default_rng(d)
    at, points = rng.normal(size=(23, d)), rng.normal(size=(31, d))
    inverse = np.linalg.inv(covariance(points) * 0.6**2)
    # only the order of the products differs
    np.testing.assert_allclose(density(at, points, inverse), plain_density(at, points, inverse), rtol=1e-12)


def test_density_counts_the_object_itself_with_one_and_underflows_to_nothing():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [60.0, 0.0]])
    found = density(points, points, np.eye(2))
    assert found.tolist() == [1 + math.exp(-0.5), 1 + math.exp(-0.5), 1.0]
    # the smallest number that exp() can give is still counted
    just = np.array([[math.sqrt(2 * 745.0)]])
    assert density(just, [[0.0]], [[1.0]])[0] == pytest.approx(5e-324, abs=5e-324)
    assert density(just, [[0.0]], [[1.0]])[0] > 0


def test_density_uses_both_halves_of_the_matrix():
    # not symmetric on purpose: exp(-1/2 * 0.5) for u - v = (1, 1)
    found = density([[1.0, 1.0]], [[0.0, 0.0]], [[1.0, -1.5], [0.0, 1.0]])
    assert found[0] == pytest.approx(math.exp(-0.25), rel=1e-14)


def test_density_does_not_depend_on_threads(monkeypatch):
    rng = np.random.default_rng(2)
    at, points = rng.normal(size=(501, 3)), rng.normal(size=(300, 3))
    results = []
    for n in (1, 2, 5):
        monkeypatch.setattr("hisf.kernels.threads.threads", lambda n=n: n)
        results.append(density(at, points, np.eye(3)).tobytes())
    assert len(set(results)) == 1


def test_density_of_nothing_and_of_nan():
    assert density([[0.0]], np.empty((0, 1)), [[1.0]]).tolist() == [0.0]
    assert density(np.empty((0, 1)), [[0.0]], [[1.0]]).shape == (0,)
    assert np.isnan(density([[np.nan], [0.0]], [[0.0]], [[1.0]])).tolist() == [True, False]


@pytest.mark.parametrize(("d_at", "d_points", "d_matrix"), [(1, 2, 2), (2, 1, 2), (2, 2, 3)])
def test_density_refuses_different_parameters(d_at, d_points, d_matrix):
    with pytest.raises(ValueError, match="parameters differ"):
        density(np.zeros((2, d_at)), np.zeros((2, d_points)), np.eye(d_matrix))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=8))
def test_reliability_is_a_share(pairs):
    p, n = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    found = reliability_of(p, n)
    expected = [(a - b) / a if a > b else 0.0 for a, b in pairs]
    assert found.tolist() == expected
    assert np.all((found >= 0) & (found <= 1))


def test_reliability_at_equal_zero_and_nan_densities():
    assert reliability_of([0, 2, 4, np.nan], [0, 2, 1, 1]).tolist() == [0, 0, 0.75, 0]


def test_steps_seen_in_sofia():
    # spec sofia2 §3.9: M of the first steps, tolerance 0.05
    scale, seen = 0.1, [0.1]
    for median in (1.000, 0.976, 0.819, 0.659, 0.494, 0.428, 0.388):
        scale += reliability._growth(median, 0.05)
        seen.append(scale)
    np.testing.assert_allclose(seen[:7], [0.1, 0.2, 0.3, 0.4, 0.5, 0.54, 0.58], rtol=1e-14)


@pytest.mark.parametrize(
    ("median", "step"),
    [(0.49, 0.04), (0.5, 0.10), (1.49, 0.10), (1.5, 0.20), (2.49, 0.20), (2.5, 0.02), (9.0, 0.02), (np.nan, 0.02)],
)
def test_limits_of_the_steps(median, step):
    assert reliability._growth(median, 0.05) == step


def test_automatic_kernel_equals_the_plain_search():
    rng = np.random.default_rng(5)
    negative = rng.normal(size=(41, 2))
    positive = np.concatenate((rng.normal(size=(40, 2)), rng.normal(size=(6, 2)) + 3))
    few = negative[:40]  # an even number: the mean of the middle two
    taken, ends = set(), set()
    for neg, tolerance, iterations in [
        (negative, 0.05, 30),
        (negative, 0.03, 12),
        (few, 0.025, 12),
        (few, 0.01, 4),
        (few, 0.2, 30),
        (few, 2.0, 30),
        (few, 0.05, 1),
    ]:
        matrix = covariance(neg)
        scale, converged, medians, steps = plain_search(positive, neg, matrix.tolist(), 0.1, tolerance, iterations)
        found = find_scale(positive, neg, matrix, 0.1, tolerance, iterations)
        assert found[0] == pytest.approx(scale, rel=1e-14)
        assert found[1] is converged
        np.testing.assert_allclose(found[2], medians, rtol=1e-9)
        taken |= set(steps)
        ends.add(converged)
    assert taken == {0.02, 0.04, 0.10, 0.20}
    assert ends == {True, False}


def test_automatic_kernel_returns_the_last_evaluated_scale():
    rng = np.random.default_rng(5)
    negative, positive = rng.normal(size=(30, 2)), rng.normal(size=(30, 2))
    matrix = covariance(negative)
    scale, converged, medians = find_scale(positive, negative, matrix)
    assert converged
    assert len(medians) > 1
    assert medians[-1] <= 0.05 < min(medians[:-1])
    inverse = np.linalg.inv(matrix * scale**2)
    p, n = density(negative, positive, inverse), density(negative, negative, inverse)
    assert abs(np.median((p - n) / np.sqrt(p + n))) == pytest.approx(medians[-1], rel=1e-9)
    assert find_scale(positive, negative, matrix, iterations=len(medians) - 1)[1] is False


def test_automatic_kernel_refuses():
    with pytest.raises(ValueError, match="negative objects"):
        find_scale([[0.0]], np.empty((0, 1)), [[1.0]])
    with pytest.raises(ValueError, match="iteration"):
        find_scale([[0.0]], [[0.0]], [[1.0]], iterations=0)
    with pytest.raises(np.linalg.LinAlgError):
        find_scale([[0.0, 0.0]], [[0.0, 0.0]], np.zeros((2, 2)))


def test_inverse_of_rounding_errors_is_that_of_sofia():
    """Two negative detections, three parameters: all cofactors are rounding errors.

    The two of parity case plain_full, by their peak, sum and mean, with sums in the order of SoFiA's fill. With this
    matrix, and with none that differs in an element, both reliabilities below 1 of that case come out to 1e-13.
    """
    points = [
        ["0x1.e3bb992d18206p-2", "0x1.0f2d379ed9754p+1", "-0x1.2d356063522d3p-5"],
        ["0x1.7861c25afabecp-1", "0x1.def5b0b26c682p+0", "0x1.d2e7fcd0b56cbp-2"],
    ]
    matrix = covariance([[float.fromhex(value) for value in point] for point in points]) * (0.5 * 0.5)
    assert np.linalg.matrix_rank(matrix) == 1
    assert inverse(matrix).tolist() == [[-128, 0, 128], [0, 256, 128], [128, 128, 0]]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_inverse_of_a_regular_matrix(size):
    rng = np.random.default_rng(size)
    for _ in range(20):
        matrix = covariance(rng.standard_normal((30, size)) * [1.0, 10.0, 0.1, 3.0][:size])
        np.testing.assert_allclose(inverse(matrix) @ matrix, np.eye(size), atol=1e-12 * np.linalg.cond(matrix))


@pytest.mark.parametrize("size", [2, 3])
def test_inverse_of_a_singular_matrix(size):
    with pytest.raises(np.linalg.LinAlgError):
        inverse(np.ones((size, size)))


def test_covariance_adds_in_the_order_of_the_points():
    rng = np.random.default_rng(5)
    points = rng.standard_normal((40, 3)) * 10.0 ** rng.integers(-6, 6, (40, 1))
    mean = [0.0] * 3
    for point in points.tolist():
        mean = [m + p for m, p in zip(mean, point, strict=True)]
    mean = [m / len(points) for m in mean]
    total = [[0.0] * 3 for _ in range(3)]
    for point in points.tolist():
        d = [p - m for p, m in zip(point, mean, strict=True)]
        total = [[total[i][j] + d[i] * d[j] for j in range(3)] for i in range(3)]
    assert covariance(points).tolist() == [[t / len(points) for t in row] for row in total]


def test_infinite_densities_are_not_reliable():
    """Of an inverse that is not positive: exp(−q/2) has no limit."""
    found = reliability_of([np.inf, np.inf, 1.0, np.nan], [np.inf, 1.0, 0.5, 1.0])
    assert found.tolist() == [0.0, 0.0, 0.5, 0.0]
