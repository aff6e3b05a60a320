"""Kaplan-Meier estimates and what is read off them; arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = [
    "Steps",
    "greenwood",
    "log_hazard_ratio",
    "median",
    "median_interval",
    "rmst",
    "steps",
    "survival_at",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_ITERATIONS = 50
HALF = 0.5 + 1e-9  # a product that should be one half may miss it by rounding

Steps = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


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
    return t, np.asarray(np.cumprod(1.0 - d / n), dtype=np.float64), d, n


def survival_at(curve: Steps, at: FloatArray) -> FloatArray:
    """S at the given times, right-continuous."""
    t, s = curve[0], curve[1]
    return np.asarray(np.concatenate([[1.0], s])[np.searchsorted(t, at, side="right")])


def greenwood(curve: Steps) -> FloatArray:
    """Sum of d / (n (n - d)) up to each event time; infinite once nobody is left."""
    _, _, d, n = curve
    left = n - d
    with np.errstate(divide="ignore"):
        return np.asarray(np.cumsum(np.where(left > 0, d / (n * left), np.inf)))


def median(curve: Steps) -> float:
    """First time at which S is at most one half; NaN when it is not reached."""
    t, s = curve[0], curve[1]
    below = np.flatnonzero(s <= HALF)
    return float(t[below[0]]) if below.size else float("nan")


def log_log_limits(curve: Steps, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Pointwise limits of S on the log(-log) scale (Kalbfleisch and Prentice 2002, eq. 1.18)."""
    s, v = curve[1], greenwood(curve)
    z = float(ndtri(0.5 + level / 2))
    inside = (s > 0) & (s < 1)
    low, high = s.copy(), s.copy()
    half = z * np.sqrt(v[inside]) / np.abs(np.log(s[inside]))
    low[inside] = s[inside] ** np.exp(half)
    high[inside] = s[inside] ** np.exp(-half)
    return low, high


def median_interval(curve: Steps, level: float = 0.95) -> tuple[float, float]:
    """Interval of the median by inverting log(-log) limits; NaN for a limit not reached.

    References
    ----------
    Brookmeyer R, Crowley J (1982). Biometrics 38:29-41. doi:10.2307/2530286
    """
    t = curve[0]
    low, high = log_log_limits(curve, level)
    first = [np.flatnonzero(limit <= HALF) for limit in (low, high)]
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


def log_hazard_ratio(time: FloatArray, event: IntArray, group: IntArray) -> float:
    """Cox log hazard ratio of group 1 over group 0, Efron's correction for ties.

    References
    ----------
    Efron B (1977). J Am Stat Assoc 72:557-565. doi:10.1080/01621459.1977.10480613
    """
    died = event == 1
    t = np.unique(time[died])
    sorted_all, sorted_one = np.sort(time), np.sort(time[group == 1])
    n = time.size - np.searchsorted(sorted_all, t)
    n1 = sorted_one.size - np.searchsorted(sorted_one, t)
    e, e1 = np.sort(time[died]), np.sort(time[died & (group == 1)])
    d = np.searchsorted(e, t, side="right") - np.searchsorted(e, t)
    d1 = np.searchsorted(e1, t, side="right") - np.searchsorted(e1, t)
    i = np.repeat(np.arange(t.size), d)
    part = (np.arange(i.size) - np.repeat(np.cumsum(d) - d, d)) / d[i]
    a1 = n1[i] - part * d1[i]
    a0 = (n - n1)[i] - part * (d - d1)[i]
    beta = 0.0
    for _ in range(MAX_ITERATIONS):
        p = a1 * np.exp(beta) / (a1 * np.exp(beta) + a0)
        information = float((p * (1.0 - p)).sum())
        if information <= 0.0:
            return float("nan")
        move = float(np.clip((e1.size - p.sum()) / information, -1.0, 1.0))
        beta += move
        if abs(move) < 1e-10:
            return beta
    return float("nan")
