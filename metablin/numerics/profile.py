"""Profile-likelihood limits of the first parameter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin.numerics.inference import critical
from metablin.numerics.newton import maximise

__all__ = ["profile_limits"]

FloatArray = NDArray[np.float64]

EDGE = 9.0
"""|logit| beyond which the limit is 0 or 1."""

FIRST_STEP = 0.5
CLOSE = 1e-10
"""Of a logit; the profile may be so flat there that its height says little."""


def profile_limits(
    f: Callable[[FloatArray], FloatArray],
    theta: FloatArray,
    top: float,
    scale: FloatArray,
    level: float,
) -> tuple[float, float]:
    """Return limits of a fraction, held on the logit scale as ``theta[0]``.

    Where the profile log-likelihood is half a chi-squared quantile below its top.

    Parameters
    ----------
    f : callable
        Log-likelihood, (p, b) -> (b,).
    theta : ndarray, shape (p,)
        Its maximum.
    top : float
        Its value there.
    scale : ndarray, shape (p,)
    level : float

    References
    ----------
    Venzon DJ, Moolgavkar SH (1988). A method for computing profile-likelihood-based confidence
    intervals. Appl Stat 37:87-94. doi:10.2307/2347496
    """
    drop = 0.5 * float(critical(level)) ** 2
    return tuple(_limit(f, theta, top - drop, scale, side) for side in (-1.0, 1.0))  # type: ignore[return-value]


def _limit(
    f: Callable[[FloatArray], FloatArray],
    theta: FloatArray,
    target: float,
    scale: FloatArray,
    side: float,
) -> float:
    rest = theta[1:]

    def profile(first: float, start: FloatArray) -> tuple[float, FloatArray]:
        def inner(x: FloatArray) -> FloatArray:
            return np.asarray(f(np.vstack([np.full((1, x.shape[1]), first), x])))

        best = maximise(inner, start, scale[1:], with_hessian=False)
        return best.value - target, best.theta

    inside = float(np.clip(theta[0], -EDGE, EDGE))
    step, outside, gap = FIRST_STEP, inside, 1.0
    while gap > 0.0:
        inside, outside = outside, outside + side * step
        if abs(outside) > EDGE:
            return 0.0 if side < 0 else 1.0
        gap, rest = profile(outside, rest)
        step *= 1.6
    return _between(profile, inside, outside, rest)


def _between(
    profile: Callable[[float, FloatArray], tuple[float, FloatArray]],
    inside: float,
    outside: float,
    rest: FloatArray,
) -> float:
    """Find where the profile crosses its target, each search from where the last one ended."""

    def gap(first: float) -> float:
        nonlocal rest
        value, rest = profile(first, rest)
        return value

    return float(special.expit(optimize.brentq(gap, inside, outside, xtol=CLOSE)))
