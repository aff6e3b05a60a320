"""Tests and intervals from an estimate, its standard error and a reference distribution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.numerics.gls import gls
from metablin.numerics.tau2 import solve_q

__all__ = [
    "chi2_tail",
    "critical",
    "f_tail",
    "hksj_factor",
    "i2_h2",
    "joint_test",
    "q_profile",
    "two_sided",
    "wald",
]

FloatArray = NDArray[np.float64]


def critical(level: float | FloatArray, df: FloatArray | float = math.inf) -> FloatArray:
    """Return the two-sided critical value: normal where `df` is infinite, else Student's t.

    Examples
    --------
    >>> critical(0.95, np.array([np.inf, 2.0])).round(6).tolist()
    [1.959964, 4.302653]
    """
    if df is math.inf:
        return np.asarray(special.ndtri((1 + level) / 2))
    df = np.asarray(df, dtype=np.float64)
    finite = np.where(np.isfinite(df) & (df > 0), df, 1.0)
    # By way of the beta distribution of t^2 / (df + t^2): before scipy 1.17 `stdtrit` is right to
    # eleven digits only.
    inside = special.betaincinv(0.5, finite / 2, level)
    outside = special.betaincinv(finite / 2, 0.5, 1 - level)
    t = np.sqrt(finite * inside / outside)
    return np.asarray(np.where(np.isfinite(df), t, special.ndtri((1 + level) / 2)))


def two_sided(statistic: FloatArray | float, df: FloatArray | float = math.inf) -> FloatArray:
    """Return the two-sided p-value of a z (`df` infinite) or t statistic.

    Examples
    --------
    >>> float(two_sided(-1.959964, np.inf).round(6))
    0.05
    """
    s = -np.abs(np.asarray(statistic, dtype=np.float64))
    df = np.asarray(df, dtype=np.float64)
    finite = np.where(np.isfinite(df) & (df > 0), df, 1.0)
    return np.asarray(2 * np.where(np.isfinite(df), special.stdtr(finite, s), special.ndtr(s)))


def wald(
    beta: FloatArray, cov: FloatArray, df: FloatArray | float, level: float
) -> dict[str, FloatArray]:
    """Return standard errors, tests and limits of coefficients, by the names of a result's columns.

    Examples
    --------
    >>> found = wald(np.array([0.5]), np.array([[0.04]]), np.inf, 0.95)
    >>> {name: float(value[0].round(3)) for name, value in found.items()}
    {'std_error': 0.2, 'statistic': 2.5, 'p_value': 0.012, 'conf_low': 0.108, 'conf_high': 0.892}
    """
    std_error = np.sqrt(np.diagonal(cov))
    half = critical(level, df) * std_error
    statistic = beta / std_error
    return {
        "std_error": std_error,
        "statistic": statistic,
        "p_value": np.atleast_1d(two_sided(statistic, df)),
        "conf_low": beta - half,
        "conf_high": beta + half,
    }


def joint_test(estimate: FloatArray, cov: FloatArray, df: float = math.inf) -> tuple[float, float]:
    """Return Wald's test that m estimates are zero: statistic and p-value.

    Chi-square with m degrees of freedom where `df` is infinite, else F with m and `df`.

    Examples
    --------
    >>> statistic, p = joint_test(np.array([0.5, 0.3]), np.diag([0.04, 0.09]), df=12)
    >>> round(statistic, 3), round(p, 4)
    (3.625, 0.0587)
    """
    m = len(estimate)
    q = float(estimate @ np.linalg.solve(cov, estimate))
    if math.isinf(df):
        return q, float(chi2_tail(q, m))
    return q / m, float(f_tail(q / m, m, df))


def chi2_tail(q: FloatArray | float, df: FloatArray | float) -> FloatArray:
    """Return P(chi2_df > q), and 1 where there are no degrees of freedom."""
    df = np.asarray(df, dtype=np.float64)
    tail = special.chdtrc(np.where(df > 0, df, 1.0), np.maximum(q, 0.0))
    return np.asarray(np.where(df > 0, tail, 1.0))


def f_tail(f: FloatArray | float, df1: float, df2: float) -> FloatArray:
    """Return P(F > f) with `df1` and `df2` degrees of freedom.

    Examples
    --------
    >>> float(f_tail(4.0, 1, 1e9).round(4))
    0.0455
    """
    return np.asarray(special.fdtrc(df1, df2, np.maximum(f, 0.0)))


def hksj_factor(rss: FloatArray, df: FloatArray | float, ad_hoc: bool = False) -> FloatArray:
    """Return the factor on the variance after Hartung and Knapp; at least 1 in the ad-hoc form.

    Parameters
    ----------
    rss : ndarray
        Weighted residual sum of squares at the estimated tau2.
    df : float
        Studies less coefficients.
    ad_hoc : bool
        Never narrower than the Wald interval.

    References
    ----------
    Hartung J, Knapp G (2001), eq. 6. doi:10.1002/sim.791
    Sidik K, Jonkman JN (2002). doi:10.1002/sim.1262
    Knapp G, Hartung J (2003), the ad-hoc form. doi:10.1002/sim.1482
    """
    factor = rss / df
    return np.asarray(np.maximum(factor, 1.0) if ad_hoc else factor)


def i2_h2(
    v: FloatArray, tau2: FloatArray | float, x: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return I2 (0 to 1) and H2 from tau2 and the typical sampling variance.

    References
    ----------
    Higgins JPT, Thompson SG (2002), eq. 9. doi:10.1002/sim.1186
    """
    p = 1 if x is None else x.shape[-1]
    df = np.isfinite(v).sum(-1) - p
    typical = df / gls(np.zeros_like(v), 1 / v, x).trace_p()
    return np.asarray(tau2 / (typical + tau2)), np.asarray(tau2 / typical + 1)


def q_profile(
    y: FloatArray, v: FloatArray, level: float, x: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the Q-profile interval of tau2.

    A limit below zero is given as zero; when both are, no tau2 fits the data at this level and
    both limits are zero.

    References
    ----------
    Viechtbauer W (2007). Confidence intervals for the amount of heterogeneity in meta-analysis.
    doi:10.1002/sim.2514

    Examples
    --------
    >>> y, v = np.array([0.1, 0.5, 0.9]), np.array([0.04, 0.05, 0.03])
    >>> low, high = q_profile(y, v, 0.95)
    >>> float(low.round(4)), float(high.round(4))
    (0.0085, 6.2847)
    """
    p = 1 if x is None else x.shape[-1]
    df = np.isfinite(v).sum(-1) - p
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    target = special.chdtri(np.maximum(df, 1), tails.reshape(2, *[1] * (y.ndim - 1)))
    low, high = solve_q(y, v, target, x)
    return np.asarray(low), np.asarray(high)
