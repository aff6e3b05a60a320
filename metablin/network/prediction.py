"""Prediction intervals of a network that carry the uncertainty of tau2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.network.gls import rows_of
from metablin.network.records import Network
from metablin.numerics.gls import gls_at
from metablin.numerics.tau2 import solve_q

__all__ = ["below", "mixture", "propagated"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

QUANTILES = 200
"""Points of the confidence distribution of tau2; ten times as many move a limit by 0.05 % of the
interval with three degrees of freedom, by less with more."""

HALVINGS = 60
"""Bisections from a bracket of a few widths: limits to the last digit of a double."""

BRACKET = 1e3
"""Where limits are looked for, in widths of the widest component."""


def propagated(
    network: Network, level: float, df: float, pairs: tuple[IntArray, IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Return limits for the effect in a new setting, tau2 not put in as if it were known.

    ``Q(tau2)`` has a chi-squared distribution with the degrees of freedom of the network, which
    gives tau2 a confidence distribution (that of the Q-profile interval). For each of its quantiles
    the effect and its variance are those at that tau2, and the new effect has the distribution
    ``d + sqrt(var + tau2) T`` with T normal or t as in the confidence interval; the limits are
    quantiles of the mixture of all. Nagashima and others do this for one comparison with the
    distribution of DerSimonian and Laird's Q; where they draw, this takes quantiles.

    Parameters
    ----------
    network : Network
        In one piece, with more contrasts than effects.
    level : float
        Confidence level.
    df : float
        Degrees of freedom of T; infinite for the normal distribution.
    pairs : two arrays of int, shape (p,)
        Positions of the treatments compared.

    Returns
    -------
    two ndarrays, shape (p,)
        Lower and upper limits on the analysis scale.

    References
    ----------
    Nagashima K, Noma H, Furukawa TA (2019). Prediction interval for random-effects meta-analysis:
    a confidence distribution approach. doi:10.1177/0962280218773520
    Viechtbauer W (2007). Confidence intervals for the amount of heterogeneity in meta-analysis.
    doi:10.1002/sim.2514

    Examples
    --------
    >>> from metablin.network import network
    >>> n = network({"study": list("ABCD"), "treat1": ["x"] * 4, "treat2": ["y"] * 4,
    ...              "yi": [0.1, 0.5, 0.9, 0.2], "vi": [0.04, 0.05, 0.03, 0.04]}, "generic")
    >>> low, high = propagated(n, 0.95, np.inf, (np.array([0]), np.array([1])))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([-0.81], [1.67])
    """
    center, width = mixture(network, pairs)
    return _mixture_limits(center, width, level, df)


def mixture(network: Network, pairs: tuple[IntArray, IntArray]) -> tuple[FloatArray, FloatArray]:
    """Return effects and widths at the quantiles of tau2's confidence distribution, shape (q, p).

    A width is the standard deviation of the estimate and of a new setting together.
    """
    rows = rows_of(network)
    size = len(network.treatments)
    x = rows.x[:, 1:]
    free = len(rows.y) - (size - 1)
    at = (np.arange(QUANTILES) + 0.5) / QUANTILES
    y = np.broadcast_to(rows.y, (QUANTILES, len(rows.y)))
    design = np.broadcast_to(x, (QUANTILES, *x.shape))
    tau2 = solve_q(y, np.broadcast_to(rows.v, y.shape), special.chdtri(free, at), design)
    fit = gls_at(y, rows.v, tau2, design)
    d, cov = np.zeros((QUANTILES, size)), np.zeros((QUANTILES, size, size))
    d[:, 1:], cov[:, 1:, 1:] = fit.beta, fit.cov
    i, j = pairs
    variance = cov[:, i, i] + cov[:, j, j] - 2 * cov[:, i, j]
    return d[:, i] - d[:, j], np.sqrt(variance + tau2[:, None])


def below(at: FloatArray, center: FloatArray, width: FloatArray, df: float) -> FloatArray:
    """Return the share of a mixture below values, shape (p,)."""
    z = (at - center) / width
    part = special.ndtr(z) if np.isinf(df) else special.stdtr(df, z)
    return np.asarray(part.mean(0))


def _mixture_limits(
    center: FloatArray, width: FloatArray, level: float, df: float
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of a mixture of normal or t distributions, shape (q, p) -> (p,)."""
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        low = center.min(0) - BRACKET * width.max(0)
        high = center.max(0) + BRACKET * width.max(0)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            short = below(middle, center, width, df) < tail
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        ends.append((low + high) / 2)
    return ends[0], ends[1]
