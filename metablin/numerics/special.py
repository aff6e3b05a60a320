"""Tails of the gamma and normal distributions in logs, accurate where the plain ones vanish."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["log_gamma_lower", "log_gamma_upper", "stirling_error"]

FloatArray = NDArray[np.float64]

VANISHING = 1e-290
"""Below this the incomplete gamma functions have lost their digits."""

LARGE = 12.0
"""From here four terms of Stirling's series are exact to 1e-12."""


def stirling_error(a: FloatArray) -> FloatArray:
    """Return log Gamma(a) minus Stirling's approximation (a - 1/2) log a - a + log(2 pi)/2."""
    big = np.maximum(a, LARGE)
    series = (1.0 - (1.0 / 30.0 - (1.0 / 105.0 - 0.75 / (105.0 * big**2)) / big**2) / big**2) / (
        12.0 * big
    )
    small = np.minimum(a, LARGE)
    exact = special.gammaln(small) - (
        (small - 0.5) * np.log(small) - small + 0.5 * np.log(2.0 * np.pi)
    )
    return np.asarray(np.where(a >= LARGE, series, exact))


def log_gamma_upper(a: FloatArray, x: FloatArray) -> FloatArray:
    """Return log Q(a, x), the log upper regularised incomplete gamma function.

    Far in the tail, Lentz's continued fraction takes over.

    References
    ----------
    NIST Digital Library of Mathematical Functions, eq. 8.9.2. https://dlmf.nist.gov/8.9
    """
    q = special.gammaincc(a, x)
    tail = (q < VANISHING) & np.isfinite(x)
    out = np.log(np.where(q < VANISHING, 1.0, q))
    out = np.where(q < VANISHING, -np.inf, out)
    if np.any(tail):
        a, x = np.broadcast_arrays(a, x)
        a, x = a[tail], x[tail]
        out = np.array(out)
        out[tail] = a * np.log(x) - x - special.gammaln(a) + np.log(_fraction(a, x))
    return out


def _fraction(a: FloatArray, x: FloatArray) -> FloatArray:
    """Return e^x x^-a Gamma(a, x) by Lentz's method; converges fast for x above a + 1."""
    b = x + 1.0 - a
    c = np.full_like(x, 1e300)
    d = 1.0 / b
    h = d.copy()
    for i in range(1, 200):
        an = -i * (i - a)
        b = b + 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        delta = c * d
        h *= delta
        if np.all(np.abs(delta - 1.0) < 1e-15):
            break
    return h


def log_gamma_lower(a: FloatArray, log_x: FloatArray) -> FloatArray:
    """Return log P(a, x), the log lower regularised incomplete gamma function, of log x.

    Where x or P vanishes, the first terms of P's series take over; they need x only in logs.

    References
    ----------
    NIST Digital Library of Mathematical Functions, eq. 8.7.1. https://dlmf.nist.gov/8.7
    """
    x = np.exp(log_x)
    p = special.gammainc(a, x)
    gone = p < VANISHING
    out = np.log(np.where(gone, 1.0, p))
    if np.any(gone):
        leading = a * log_x - x - special.gammaln(a + 1.0)
        series = leading + np.log1p(x / (a + 1.0) * (1.0 + x / (a + 2.0)))
        out = np.where(gone, series, out)
    return out
