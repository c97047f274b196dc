"""Densities of positive and negative objects in parameter space and the reliability they give (spec sofia2 §3.9)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hisf.kernels.threads import shared

__all__ = ["COFACTORS", "covariance", "density", "find_scale", "inverse", "reliability_of"]

FloatArray = NDArray[np.float64]

# beyond this exponent exp() is exactly 0 in float64, so leaving it out changes no bit of a sum
_UNDERFLOW = 746.0

# spec sofia2 §3.9: (upper limit of M in units of the tolerance, growth of the scale)
_STEPS = ((10.0, 0.04), (30.0, 0.10), (50.0, 0.20))
_LAST_STEP = 0.02

COFACTORS = 3  # parameters up to which a matrix is inverted as SoFiA does it


def _checked_points(points: ArrayLike) -> FloatArray:
    array = np.ascontiguousarray(points, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"points must have shape (n, d), found {array.shape}")
    return array


def covariance(points: ArrayLike) -> FloatArray:
    """Covariance of points, normalised by their number.

    Parameters
    ----------
    points : array of float64, shape (n, d)
        One row per (negative) object, one column per parameter. NaN propagates. Not modified.

    Returns
    -------
    ndarray of float64, shape (d, d)
        Sum of the products of the deviations from the mean, divided by n (not n - 1).

    Raises
    ------
    ValueError
        If there are no points, or they are not a 2-D array.

    Notes
    -----
    Sums run in the order of the points and every product is rounded, which decides the result for a singular matrix
    (see `inverse`). Memory: d² values per point. Source: spec sofia2 §3.9 and trap 26.
    """
    array = _checked_points(points)
    if len(array) == 0:
        raise ValueError("the covariance of no points is not defined")
    deviation = array - array.mean(axis=0)
    return np.add.reduce(deviation[:, :, None] * deviation[:, None, :], axis=0) / len(array)


def inverse(matrix: ArrayLike) -> FloatArray:
    """Inverse of a covariance.

    Parameters
    ----------
    matrix : array of float64, shape (d, d)
        Symmetric. Not modified.

    Returns
    -------
    ndarray of float64, shape (d, d)
        Up to three parameters the cofactors over the determinant, which for three is the rule of Sarrus; above, by
        elimination.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is singular.

    Notes
    -----
    With two negative detections and three parameters all cofactors and the determinant are rounding errors, and their
    quotients are of the size of an inverse; SoFiA's reliabilities for such a case are reproduced to 1e-13 by this
    order of operations alone (measured on two sources; elimination gives numbers 1e16 times as large). Source: that
    measurement; the spec (sofia2 §3.9) says only that such numbers are meaningless.
    """
    c = np.asarray(matrix, dtype=np.float64)
    size = len(c)
    if size not in (2, COFACTORS):
        eliminated: FloatArray = np.linalg.inv(c).astype(np.float64, copy=False)
        return eliminated
    c = c.tolist()  # floats of Python: no product and sum become one operation
    if size == 2:
        cofactors = np.array([[c[1][1], -c[0][1]], [-c[1][0], c[0][0]]])
        determinant = c[0][0] * c[1][1] - c[0][1] * c[1][0]
    else:
        others = ((1, 2), (2, 0), (0, 1))  # cyclic: the sign is in the order
        cofactors = np.array(
            [[c[k][m] * c[n][o] - c[k][o] * c[n][m] for k, n in others] for m, o in others], dtype=np.float64
        )
        determinant = (
            c[0][0] * c[1][1] * c[2][2]
            + c[0][1] * c[1][2] * c[2][0]
            + c[0][2] * c[1][0] * c[2][1]
            - c[0][2] * c[1][1] * c[2][0]
            - c[0][1] * c[1][0] * c[2][2]
            - c[0][0] * c[1][2] * c[2][1]
        )
    if determinant == 0:
        raise np.linalg.LinAlgError("the determinant is 0")
    return cofactors / determinant


@shared()
def _density(
    first: int, last: int, at: FloatArray, points: FloatArray, inverse: FloatArray, result: FloatArray
) -> None:
    n, d = points.shape
    for i in range(first, last):  # every sum runs in the order of the points, whatever the number of threads
        delta = np.empty(d)
        total = 0.0
        for j in range(n):
            half = 0.0
            for a in range(d):
                delta[a] = at[i, a] - points[j, a]
                half += 0.5 * inverse[a, a] * delta[a] * delta[a]
                for b in range(a):
                    half += 0.5 * (inverse[a, b] + inverse[b, a]) * delta[a] * delta[b]
            if not half > _UNDERFLOW:  # NaN passes on
                total += np.exp(-half)
        result[i] = total


def density(at: ArrayLike, points: ArrayLike, inverse_covariance: ArrayLike) -> FloatArray:
    """Sum of Gaussian kernels of amplitude 1 over points.

    Parameters
    ----------
    at : array of float64, shape (m, d)
        Where to evaluate; a position that is itself among the points counts itself with 1.
    points : array of float64, shape (n, d)
        Centres of the kernels.
    inverse_covariance : array of float64, shape (d, d)
        Inverse of the kernel's covariance C, scale included.

    Returns
    -------
    ndarray of float64, shape (m,)
        Sum over v of ``exp(-1/2 (u - v)^T C^-1 (u - v))`` for each u. NaN in a coordinate gives NaN.

    Raises
    ------
    ValueError
        If the number of parameters differs between the arguments.

    Notes
    -----
    No argument is modified. Parallel over `at`; the result does not depend on the number of threads. Memory: the
    result. Time: m times n. Source: spec sofia2 §3.9.
    """
    u, v = _checked_points(at), _checked_points(points)
    inverse = np.ascontiguousarray(inverse_covariance, dtype=np.float64)
    d = v.shape[1]
    if u.shape[1] != d or inverse.shape != (d, d):
        raise ValueError(f"numbers of parameters differ: at {u.shape}, points {v.shape}, covariance {inverse.shape}")
    result = np.empty(len(u))
    _density(len(u), u, v, inverse, result)
    return result


def reliability_of(positive_density: ArrayLike, negative_density: ArrayLike) -> FloatArray:
    """Reliability from the densities of positive and negative objects.

    Parameters
    ----------
    positive_density, negative_density : array of float64, shape (m,)
        Densities P and N at the objects. NaN gives 0. Not modified.

    Returns
    -------
    ndarray of float64, shape (m,)
        (P - N)/P where P > N, else 0; 0 too where P is infinite.

    Notes
    -----
    Memory: the result. Source: spec sofia2 §3.9.
    """
    positive = np.asarray(positive_density, dtype=np.float64)
    negative = np.asarray(negative_density, dtype=np.float64)
    result = np.zeros(np.broadcast_shapes(positive.shape, negative.shape))
    with np.errstate(invalid="ignore"):  # a covariance of rounding errors may give infinite densities
        np.divide(positive - negative, positive, out=result, where=positive > negative)
    return np.nan_to_num(result, copy=False, nan=0.0)


def _growth(median: float, tolerance: float) -> float:
    """How far the scale moves on after `median` was found; a NaN counts as large."""
    return next((step for limit, step in _STEPS if median < limit * tolerance), _LAST_STEP)


def find_scale(
    points_pos: ArrayLike,
    points_neg: ArrayLike,
    covariance: ArrayLike,
    start: float = 0.1,
    tolerance: float = 0.05,
    iterations: int = 30,
) -> tuple[float, bool, list[float]]:
    """Find the scale of the kernel at which negative objects see as many positive as negative ones.

    With the covariance multiplied by s², ``S = (P - N)/sqrt(P + N)`` is taken at every negative object and M is the
    absolute value of its median (the mean of the middle two for an even number). The search ends at the first s with
    M <= `tolerance` =: t. Otherwise s grows by 0.04 if M < 10 t, by 0.10 if M < 30 t, by 0.20 if M < 50 t, by 0.02
    above.

    Parameters
    ----------
    points_pos, points_neg : array of float64, shape (n, d)
        Positive and negative objects. Not modified.
    covariance : array of float64, shape (d, d)
        Covariance of the negative objects, not scaled.
    start : float
        First scale.
    tolerance : float
        Largest M that counts as converged.
    iterations : int
        Largest number of scales that are evaluated.

    Returns
    -------
    scale : float
        The last scale that was evaluated; of no use if not converged.
    converged : bool
        Whether M fell to the tolerance.
    medians : list of float
        M at each scale evaluated.

    Raises
    ------
    ValueError
        If there are no negative objects or `iterations` is below 1.
    numpy.linalg.LinAlgError
        If the covariance is singular.

    Notes
    -----
    Memory: a few values per negative object. Time: iterations × negatives × all objects. Source: spec sofia2 §3.9
    (automatic kernel).
    """
    positive, negative = _checked_points(points_pos), _checked_points(points_neg)
    matrix = np.asarray(covariance, dtype=np.float64)
    if len(negative) == 0:
        raise ValueError("an automatic kernel needs negative objects, found none")
    if iterations < 1:
        raise ValueError(f"at least one iteration is needed, found {iterations}")
    scale = start
    medians: list[float] = []
    while True:
        shape = inverse(matrix * (scale * scale))
        p = density(negative, positive, shape)
        n = density(negative, negative, shape)
        medians.append(float(abs(np.median((p - n) / np.sqrt(p + n)))))
        converged = medians[-1] <= tolerance
        if converged or len(medians) >= iterations:
            return float(scale), converged, medians
        scale += _growth(medians[-1], tolerance)
