"""Kaplan-Meier estimates and what is read off them; arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.numerics.inference import critical

__all__ = [
    "Steps",
    "limits",
    "median",
    "median_interval",
    "product_limit",
    "ratio",
    "rmst",
    "steps",
    "survival_at",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HALF = 0.5 + 1e-9  # a product that should be one half may miss it by rounding

Steps = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return a / b with 0 / 0 = 0 (a time at which nobody is at risk has no event)."""
    return np.divide(a, b, out=np.zeros_like(a), where=a > 0)


def product_limit(d: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return S after each time and Greenwood's standard error of log S, infinite once S is 0.

    Parameters
    ----------
    d, n : ndarray, shape (m,)
        Events at, and patients at risk just before, each time in increasing order.

    References
    ----------
    Kaplan EL, Meier P (1958). Nonparametric estimation from incomplete observations. J Am Stat
    Assoc 53:457-481. doi:10.1080/01621459.1958.10501452

    Examples
    --------
    >>> s, error = product_limit(np.array([1.0, 0.0, 1.0]), np.array([4.0, 3.0, 2.0]))
    >>> s.tolist(), (error**2).round(4).tolist()
    ([0.75, 0.75, 0.375], [0.0833, 0.0833, 0.5833])
    """
    survival: FloatArray = np.cumprod(1.0 - ratio(d, n)).astype(np.float64)
    alive = n - d
    # Fractional weights can leave rounding where everyone has died.
    done = alive <= 1e-12 * n
    survival[np.maximum.accumulate(done & (d > 0))] = 0.0
    with np.errstate(divide="ignore"):
        terms = ratio(d, n * np.where(done, 0.0, alive))
    spread: FloatArray = np.sqrt(np.cumsum(terms)).astype(np.float64)
    return survival, spread


def limits(
    survival: FloatArray, se_log: FloatArray, conf_type: str, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return pointwise limits of S, shape (m,) each; NaN where S is 0.

    `conf_type` is ``plain``, ``log`` or ``log-log`` (Kalbfleisch and Prentice 2002, eq. 1.18).
    """
    z = float(critical(level))
    inside = (survival > 0) & (survival < 1)
    s = np.where(inside, survival, 0.5)
    se = np.where(inside, se_log, 0.0)
    if conf_type == "plain":
        low, high = np.maximum(s - z * s * se, 0.0), np.minimum(s + z * s * se, 1.0)
    elif conf_type == "log":
        low, high = s * np.exp(-z * se), np.minimum(s * np.exp(z * se), 1.0)
    else:
        hazard = -np.log(s)
        factor = np.exp(z * se / hazard)
        low, high = np.exp(-hazard * factor), np.exp(-hazard / factor)
    edge = np.where(survival == 0, np.nan, 1.0)
    return np.where(inside, low, edge), np.where(inside, high, edge)


def steps(time: FloatArray, event: IntArray) -> Steps:
    """Distinct event times, S after each, events d and numbers at risk n, each of shape (j,).

    Examples
    --------
    >>> t, s, d, n = steps(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1, 1, 0, 1]))
    >>> s.round(3).tolist(), n.tolist()
    ([0.75, 0.5, 0.0], [4.0, 3.0, 1.0])
    """
    died = np.sort(time[event == 1])
    if died.size == 0:
        empty = np.empty(0)
        return empty, empty, empty, empty
    fresh = np.concatenate([[True], died[1:] > died[:-1]])
    first = np.flatnonzero(fresh)
    d = np.diff(np.append(first, died.size)).astype(np.float64)
    t = died[first]
    n = (time.size - np.searchsorted(np.sort(time), t, side="left")).astype(np.float64)
    return t, product_limit(d, n)[0], d, n


def survival_at(curve: Steps, at: FloatArray) -> FloatArray:
    """S at the given times, right-continuous."""
    t, s = curve[0], curve[1]
    return np.asarray(np.concatenate([[1.0], s])[np.searchsorted(t, at, side="right")])


def median(curve: Steps) -> float:
    """First time at which S is at most one half; NaN when it is not reached."""
    t, s = curve[0], curve[1]
    below = np.flatnonzero(s <= HALF)
    return float(t[below[0]]) if below.size else float("nan")


def median_interval(curve: Steps, level: float = 0.95) -> tuple[float, float]:
    """Interval of the median by inverting log(-log) limits; NaN for a limit not reached.

    References
    ----------
    Brookmeyer R, Crowley J (1982). Biometrics 38:29-41. doi:10.2307/2530286
    """
    t = curve[0]
    _, s, d, n = curve
    sides = limits(s, product_limit(d, n)[1], "log-log", level)
    # Where S is 0 both limits are below one half, whatever they are.
    first = [np.flatnonzero((side <= HALF) | (s <= 0.0)) for side in sides]
    return (
        float(t[first[0][0]]) if first[0].size else float("nan"),
        float(t[first[1][0]]) if first[1].size else float("nan"),
    )


def rmst(curve: Steps, tau: float) -> float:
    """Area under S up to `tau`."""
    t, s = curve[0], curve[1]
    keep = t < tau
    edges = np.concatenate([[0.0], t[keep], [tau]])
    return float(np.concatenate([[1.0], s[keep]]) @ np.diff(edges))
