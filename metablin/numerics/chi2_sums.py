"""Sums of weighted chi-squares: the exact distribution of Cochran's Q."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.errors import ConvergenceError

__all__ = ["chi2_sum_cdf", "q_weights"]

FloatArray = NDArray[np.float64]

LOST = 1e-10
"""Probability that the terms left out of the series may hold together."""

MOST_TERMS = 20_000
"""Terms for weights that differ by a factor of about a thousand."""

BLOCK = 64


def chi2_sum_cdf(x: float, weights: FloatArray) -> float:
    """Return P(sum of weights * chi2_1 <= x) for positive weights.

    Parameters
    ----------
    x : float
        At least 0.
    weights : ndarray, shape (m,)
        Positive.

    Returns
    -------
    float

    References
    ----------
    Ruben H (1962). Probability content of regions under spherical normal distributions, IV. The
    distribution of homogeneous and non-homogeneous quadratic functions of normal variables. Ann
    Math Stat 33, 542-570.
    Farebrother RW (1984). Algorithm AS 204: the distribution of a positive linear combination of
    chi-squared random variables. Appl Stat 33, 332-339.

    Examples
    --------
    >>> round(chi2_sum_cdf(5.0, np.array([1.0, 1.0, 1.0])), 6)
    0.828203
    >>> round(chi2_sum_cdf(5.0, np.array([0.5, 1.0, 2.0])), 6)
    0.773568
    """
    smallest = float(weights.min())
    share = 1 - smallest / weights
    first = float(np.exp(np.log(smallest / weights).sum() / 2))
    m = len(weights)
    a, g = np.zeros(MOST_TERMS), np.zeros(MOST_TERMS + 1)
    a[0], power, left, total = first, np.ones(m), 1 - first, 0.0
    done = 0
    for j in range(1, MOST_TERMS):
        power = power * share
        g[j] = power.sum()
        a[j] = float(g[j:0:-1] @ a[:j]) / (2 * j)
        left -= a[j]
        if j % BLOCK == 0 or left < LOST:
            df = m + 2 * np.arange(done, j + 1)
            below = special.gammainc(df / 2, x / (2 * smallest))
            total += float(a[done : j + 1] @ below)
            done = j + 1
            if left < LOST or below[-1] * left < LOST:
                return min(total, 1.0)
    raise ConvergenceError("the weights of a sum of chi-squares differ too much to add it up")


def q_weights(v: FloatArray, tau2: float) -> FloatArray:
    """Return the weights, shape (k - 1,), of Q as a sum of chi-squares when tau2 is the truth.

    Examples
    --------
    >>> q_weights(np.array([0.1, 0.2, 0.4]), 0.0).round(12).tolist()
    [1.0, 1.0]
    """
    w = 1 / v
    root = np.sqrt(v + tau2)
    form = root[:, None] * (np.diag(w) - np.outer(w, w) / w.sum()) * root
    return np.asarray(np.linalg.eigvalsh(form)[1:])
