"""Rubin's rules: estimates of several imputed or reconstructed data sets become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rubin", "rubin_vectors"]

FloatArray = NDArray[np.float64]


def rubin(
    estimates: FloatArray, variances: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Combine estimates over m draws (first axis).

    Parameters
    ----------
    estimates, variances : ndarray, shape (m, ...)

    Returns
    -------
    estimate, variance, share : ndarray, shape (...)
        Mean; total variance, within plus (1 + 1/m) times between; the share of the second part.

    References
    ----------
    Rubin DB (1987). Multiple Imputation for Nonresponse in Surveys, eqs 3.1.2-3.1.5.
    doi:10.1002/9780470316696

    Examples
    --------
    >>> rubin(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    (array(2.), array(4.), array(0.75))
    """
    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    m = y.shape[0]
    within = v.mean(axis=0)
    between = y.var(axis=0, ddof=1) if m > 1 else np.zeros_like(within)
    extra = (1.0 + 1.0 / m) * between
    total = within + extra
    share = np.divide(extra, total, out=np.zeros_like(np.asarray(total)), where=total > 0)
    return np.asarray(y.mean(axis=0)), np.asarray(total), np.asarray(share)


def rubin_vectors(
    estimates: FloatArray, covariances: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Combine vectors over m draws, as :func:`rubin` does numbers.

    Parameters
    ----------
    estimates : ndarray, shape (m, q)
    covariances : ndarray, shape (m, q, q)

    Returns
    -------
    estimate, covariance, between : ndarray
        Mean, total covariance, and the part (1 + 1/m) B of it.

    Examples
    --------
    >>> y, v, b = rubin_vectors(np.array([[1.0], [3.0]]), np.ones((2, 1, 1)))
    >>> y.tolist(), v.tolist(), b.tolist()
    ([2.0], [[4.0]], [[3.0]])
    """
    m = len(estimates)
    middle = estimates.mean(0)
    gap = estimates - middle
    between = gap.T @ gap / (m - 1) * (1 + 1 / m) if m > 1 else np.zeros_like(covariances[0])
    return middle, covariances.mean(0) + between, between
