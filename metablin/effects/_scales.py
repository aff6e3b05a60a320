"""Back-transforms from the analysis scale to the reader's scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["back_transform", "freeman_tukey", "from_freeman_tukey"]

FloatArray = NDArray[np.float64]


def back_transform(transform: str) -> Callable[[FloatArray], FloatArray]:
    """Return the function that undoes `transform`; Freeman-Tukey needs n, see below.

    Values outside the image of the transform (an arcsine below 0 or above pi/2, a negative
    square root) go to the nearest end of the reader's scale.

    Examples
    --------
    >>> float(back_transform("logit")(np.array(0.0)))
    0.5
    """
    return _BACK[transform]


def _identity(x: FloatArray) -> FloatArray:
    return x


def _inverse_log(x: FloatArray) -> FloatArray:
    # A limit beyond the largest double is infinite, which is what it says.
    with np.errstate(over="ignore"):
        return np.exp(x)


def _inverse_arcsine(x: FloatArray) -> FloatArray:
    return np.asarray(np.sin(np.clip(x, 0.0, np.pi / 2)) ** 2)


def _inverse_sqrt(x: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(x, 0.0) ** 2)


_BACK: dict[str, Callable[[FloatArray], FloatArray]] = {
    "logit": special.expit,
    "log": _inverse_log,
    "raw": _identity,
    "none": _identity,
    "arcsine": _inverse_arcsine,
    "sqrt": _inverse_sqrt,
    "fisher-z": np.tanh,
}


def freeman_tukey(events: FloatArray, n: FloatArray) -> FloatArray:
    """Return the Freeman-Tukey double arcsine of `events` out of `n` (half the original scale).

    References
    ----------
    Freeman MF, Tukey JW (1950). Transformations related to the angular and the square root.
    doi:10.1214/aoms/1177729756. The factor 1/2 follows Viechtbauer (2010),
    doi:10.18637/jss.v036.i03.

    Examples
    --------
    >>> freeman_tukey(np.array([0.0, 5.0]), np.array([10.0, 10.0])).round(6)
    array([0.153139, 0.785398])
    """
    low = np.arcsin(np.sqrt(events / (n + 1)))
    high = np.arcsin(np.sqrt((events + 1) / (n + 1)))
    return np.asarray((low + high) / 2)


def from_freeman_tukey(x: FloatArray, n: float | FloatArray) -> FloatArray:
    """Return the proportion whose Freeman-Tukey double arcsine at sample size `n` is `x`.

    Parameters
    ----------
    x : ndarray
        Angle in radians on the half scale of :func:`freeman_tukey`.
    n : float or ndarray
        Sample size; for a pooled value the harmonic mean of the studies' sizes.

    Notes
    -----
    The pooled back-transform depends on the sample size put in, and may leave the range of the
    studies when sizes differ a lot (Schwarzer and others 2019, doi:10.1002/jrsm.1348).

    References
    ----------
    Miller JJ (1978). The inverse of the Freeman-Tukey double arcsine transformation, eq. on
    p. 138. doi:10.1080/00031305.1978.10479283

    Examples
    --------
    >>> n = np.array([10.0])
    >>> from_freeman_tukey(freeman_tukey(np.array([3.0]), n), n).round(12)
    array([0.3])
    """
    x = np.asarray(x, dtype=np.float64)
    size = np.broadcast_to(np.asarray(n, dtype=np.float64), x.shape)
    lowest = freeman_tukey(np.zeros_like(size), size)
    highest = freeman_tukey(size, size)
    inside = (x > lowest) & (x < highest)
    t = np.where(inside | np.isnan(x), x, np.pi / 4)
    sine = np.sin(2 * t)
    root = 1 - (sine + (sine - 1 / sine) / size) ** 2
    p = (1 - np.sign(np.cos(2 * t)) * np.sqrt(np.maximum(root, 0.0))) / 2
    # No value stays no value.
    return np.asarray(np.where(inside | np.isnan(x), p, (x >= highest) * 1.0))
