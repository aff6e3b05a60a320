"""Rubin's rules: estimates of several imputed or reconstructed data sets become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rubin"]

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
