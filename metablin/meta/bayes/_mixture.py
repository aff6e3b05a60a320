"""Mixtures of normals: tails, quantiles, intervals and their summary."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

__all__ = ["central", "mass_above", "mixture_row", "shortest"]

FloatArray = NDArray[np.float64]
#: Last step of a search for a quantile, as a share of the narrowest component's standard deviation;
#: what is left then is its square.
SETTLED = 1e-9


def mass_above(x: float, p: FloatArray, m: FloatArray, s: FloatArray) -> float:
    """Return the mass above `x` of a mixture of normals."""
    return float(p @ special.ndtr((m - x) / s))


Finder = Callable[[Callable[[float], float], Callable[[float], float], float], tuple[float, float]]


def central(
    quantile: Callable[[float], float], density: Callable[[float], float], level: float
) -> tuple[float, float]:
    """Return the interval with equal tails."""
    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def shortest(
    quantile: Callable[[float], float], density: Callable[[float], float], level: float
) -> tuple[float, float]:
    """Return the shortest interval: equal density at its ends, or an end at the boundary."""

    def gap(lower: float) -> float:
        return density(quantile(lower)) - density(quantile(lower + level))

    tiny = 1e-12
    if gap(tiny) >= 0:
        return quantile(0.0), quantile(level)
    lower = float(optimize.brentq(gap, tiny, 1 - level - tiny, xtol=1e-14))
    return quantile(lower), quantile(lower + level)


def _crossing(
    short: Callable[[float], float], x: float, sd: float, near: float, low: float, high: float
) -> float:
    """Return where a falling function that is about a line of slope -1 / sd near x is zero.

    By secants, to a last step of `near`; one that leaves what still can hold the zero is replaced
    by halving that.
    """
    left = short(x)
    step = left * sd
    while abs(step) > near:
        low, high = (x, high) if left > 0 else (low, x)
        there = x + step if low < x + step < high else (low + high) / 2
        if there in (low, high):
            return there
        before, left = left, short(there)
        step = (there - x) * left / (before - left) if before != left else left * sd
        x = there
    return x + step


def mixture_row(
    term: str,
    p: FloatArray,
    m: FloatArray,
    s: FloatArray,
    level: float,
    find: Finder,
    tail: float,
    mode: bool = True,
) -> dict[str, Any]:
    """Return the summary of a mixture of normals with masses p, means m and deviations s.

    The mode takes as long as the rest; without it, it is NaN.
    """
    mean = float(p @ m)
    variance = float(p @ (s**2 + (m - mean) ** 2)) if tail > 3 else math.inf
    middle, near = int(np.searchsorted(np.cumsum(p), 0.5)), SETTLED * float(s.min())

    def density(x: float) -> float:
        return float(p @ (np.exp(-0.5 * ((x - m) / s) ** 2) / s)) / math.sqrt(2 * math.pi)

    def quantile(q: float) -> float:
        # Each side by its own tail, whose digits one less the other would not have.
        side, share = (-1.0, q) if q <= 0.5 else (1.0, 1.0 - q)
        # the ends of the search hold every component's own quantile
        deviate = float(special.ndtri(max(share, 1e-300 if side < 0 else 1e-16)))
        ends = m - side * deviate * s
        low, high = float(ends.min()), float(ends.max())
        if high - low < 1e-14 * (1 + abs(high)):
            return high
        room = np.empty_like(m)

        def short(x: float) -> float:
            np.subtract(m, x, out=room) if side > 0 else np.subtract(x, m, out=room)
            np.divide(room, s, out=room)
            mass = min(max(float(p @ special.ndtr(room, out=room)), 1e-300), 1 - 1e-16)
            return side * (float(special.ndtri(mass)) - deviate)

        return _crossing(short, float(ends[middle]), float(s[middle]), near, low, high)

    median, top = quantile(0.5), math.nan
    if mode:
        spread = quantile(0.75) - quantile(0.25)
        found = optimize.minimize_scalar(
            lambda x: -density(x),
            bounds=(median - spread, median + spread),
            method="bounded",
            options={"xatol": 1e-10 * spread},
        )
        top = float(found.x)
    low, high = find(quantile, density, level)
    return {
        "term": term, "mean": mean if tail > 2 else math.nan, "sd": math.sqrt(variance),
        "median": median, "mode": top, "conf_low": low, "conf_high": high,
    }  # fmt: skip
