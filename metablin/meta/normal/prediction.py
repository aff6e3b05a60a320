"""Prediction intervals of random-effects models beyond the plain ones, and Kenward and Roger."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, optimize, special

from metablin.numerics.chi2_sums import chi2_sum_cdf, q_weights
from metablin.numerics.gls import gls, gls_at
from metablin.numerics.inference import critical

__all__ = ["kenward_roger", "nagashima", "prediction_limits", "sidik_jonkman_variance"]

FloatArray = NDArray[np.float64]
Limits = tuple[float, float]

GRID = 80
"""Values of tau2, evenly spread on the logarithmic scale, at which its confidence distribution is
computed; between them it is interpolated."""

SMALLEST, LARGEST = 1e-5, 1e-6
"""The grid starts at this share of the typical variance, and ends where no more than this is left
of the confidence distribution."""

NODES = 120
"""Points of the rules over the confidence distribution and over t."""

ROOT = 1e-10


def prediction_limits(
    kind: str, y: FloatArray, v: FloatArray, tau2: float, level: float
) -> tuple[Limits, tuple[str, ...]]:
    """Return the prediction interval of a `kind` on the analysis scale, and notes.

    Parameters
    ----------
    kind : {"hts", "kenward-roger", "sidik-jonkman", "nagashima"}
    y, v : ndarray, shape (k,)
    tau2 : float
        Estimate; Nagashima's interval does not use it.
    level : float

    References
    ----------
    Higgins JPT, Thompson SG, Spiegelhalter DJ (2009), eq. 12.
    doi:10.1111/j.1467-985X.2008.00552.x
    Partlett C, Riley RD (2017). Random effects meta-analysis: coverage performance of 95%
    confidence and prediction intervals following REML estimation. doi:10.1002/sim.7140
    """
    k = len(y)
    if k < 3:
        return (math.nan, math.nan), (f"the prediction interval {kind!r} needs 3 studies",)
    if kind == "nagashima":
        return nagashima(y, v, level), ()
    fit = gls_at(y, v, tau2)
    middle, df = float(fit.beta[0]), float(k - 2)
    variance = float(fit.cov[0, 0])
    if kind == "sidik-jonkman":
        variance = sidik_jonkman_variance(y, v, tau2)
    elif kind == "kenward-roger":
        variance, free = kenward_roger(v, tau2)
        df = free - 1
        if not df > 0:
            return (math.nan, math.nan), (
                f"no prediction interval: {df:.2g} degrees of freedom by Kenward and Roger",
            )
    half = float(critical(level, df)) * math.sqrt(variance + tau2)
    return (middle - half, middle + half), ()


def kenward_roger(v: FloatArray, tau2: float) -> tuple[float, float]:
    """Return the variance of the mean and the degrees of freedom after Kenward and Roger.

    With the expected information of REML; the degrees of freedom take the adjusted variance, as the
    R packages meta and pimeta do.

    References
    ----------
    Kenward MG, Roger JH (1997). Small sample inference for fixed effects from restricted maximum
    likelihood. doi:10.2307/2533558
    Partlett C, Riley RD (2017). doi:10.1002/sim.7140

    Examples
    --------
    >>> variance, df = kenward_roger(np.array([0.04, 0.05, 0.03, 0.04]), 0.1)
    >>> round(variance, 6), round(df, 3)
    (0.035031, 2.964)
    """
    w = 1 / (v + tau2)
    s1, s2, s3 = (float((w**j).sum()) for j in (1, 2, 3))
    information = s2 / 2 - s3 / s1 + (s2 / s1) ** 2 / 2
    variance = (1 + 2 * (s3 / s1 - (s2 / s1) ** 2) / information) / s1
    return variance, 2 * information / (variance * s2) ** 2


def sidik_jonkman_variance(y: FloatArray, v: FloatArray, tau2: float) -> float:
    """Return the bias-corrected robust variance of the mean of Sidik and Jonkman.

    References
    ----------
    Sidik K, Jonkman JN (2006). Robust variance estimation for random effects meta-analysis.
    doi:10.1016/j.csda.2005.07.019

    Examples
    --------
    >>> y, v = np.array([0.1, 0.5, 0.9, 0.2]), np.array([0.04, 0.05, 0.03, 0.04])
    >>> round(sidik_jonkman_variance(y, v, 0.1), 5)
    0.0355
    """
    fit = gls_at(y, v, tau2)
    w = fit.w
    leverage = w / w.sum()  # its own share; the model's variance is 1 / w
    return float((w**2 * fit.resid**2 / (1 - leverage)).sum() / w.sum() ** 2)


def nagashima(y: FloatArray, v: FloatArray, level: float) -> Limits:
    """Return the prediction interval of Nagashima, Noma and Furukawa without its random numbers.

    They draw tau2 from its exact confidence distribution (of Q), the mean given tau2 after Hartung,
    and a new effect; the interval holds the middle of the draws. Here the same distribution is
    integrated, so that it is the limit of infinitely many draws.

    References
    ----------
    Nagashima K, Noma H, Furukawa TA (2019). Prediction intervals for random-effects meta-analysis:
    a confidence distribution approach. doi:10.1177/0962280218773520

    Examples
    --------
    >>> y, v = np.array([0.1, 0.5, 0.9, 0.2]), np.array([0.04, 0.05, 0.03, 0.04])
    >>> low, high = nagashima(y, v, 0.95)
    >>> round(low, 2), round(high, 2)
    (-0.9, 1.76)
    """
    tau2, mass = _confidence_nodes(y, v)
    df = len(y) - 1
    w = 1 / (v + tau2[:, None])
    middle = (w @ y) / w.sum(axis=1)
    spread = (w * (y - middle[:, None]) ** 2).sum(axis=1) / (df * w.sum(axis=1))
    nodes, rule = np.polynomial.legendre.leggauss(NODES)
    angle = nodes * math.pi / 2
    # t = sqrt(df) tan(angle), whose density in the angle is cos^(df - 1)
    density = rule * np.cos(angle) ** (df - 1)
    t, density = math.sqrt(df) * np.tan(angle), density / density.sum()
    centre = middle[:, None] - np.sqrt(spread)[:, None] * t

    def below(x: float) -> float:
        gap = x - centre
        tau = np.sqrt(tau2)[:, None]
        inside = np.where(tau > 0, gap / np.where(tau > 0, tau, 1.0), np.sign(gap) * math.inf)
        return float(mass @ (special.ndtr(inside) @ density))

    around = float(mass @ middle)
    reach = math.sqrt(float(mass @ (tau2 + spread)))
    tail = (1 - level) / 2
    return _quantile(below, tail, around, reach), _quantile(below, 1 - tail, around, reach)


def _quantile(below: Callable[[float], float], p: float, around: float, reach: float) -> float:
    while not below(around - reach) < p < below(around + reach):
        reach *= 2
    ends = around - reach, around + reach
    return float(optimize.brentq(lambda x: below(x) - p, *ends, xtol=ROOT * reach))


def _confidence_nodes(y: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return values of tau2 and their masses under its confidence distribution P(Q_tau2 >= q)."""
    q = float(gls(y, 1 / v).rss)
    typical = float(v.mean())

    def at(tau2: float) -> float:
        return 1 - chi2_sum_cdf(q, q_weights(v, tau2))

    none = at(0.0)
    top = typical
    while 1 - at(top) > LARGEST and top < 1e12 * typical:
        top *= 4
    grid = np.geomspace(SMALLEST * typical, top, GRID)
    heights = np.maximum.accumulate([at(t) for t in grid])
    keep = np.concatenate([[True], np.diff(heights) > 0])
    curve = interpolate.PchipInterpolator(special.logit(np.clip(heights[keep], 1e-15, 1 - 1e-15)),
                                          np.log(grid[keep]))  # fmt: skip
    nodes, rule = np.polynomial.legendre.leggauss(NODES)
    # u = none + (1 - none) s with s from 0 to 1, finer at the upper end, where tau2 runs off
    s = 1 - (1 - (nodes + 1) / 2) ** 3
    mass = (1 - none) * rule / 2 * 3 * (1 - (nodes + 1) / 2) ** 2
    u = none + (1 - none) * s
    inside = np.clip(u, heights[0], heights[-1])
    tau2 = np.exp(curve(special.logit(np.clip(inside, 1e-15, 1 - 1e-15))))
    return np.append(0.0, tau2), np.append(none, mass)
