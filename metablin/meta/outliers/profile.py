"""Profile-likelihood intervals and tests of coefficients under robust random effects."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin.meta.outliers.climb import Peak, highest
from metablin.meta.outliers.families import Family

__all__ = ["deviance", "limits"]

FloatArray = NDArray[np.float64]

CLOSE = 1e-8
"""Of a standard error, where a limit is found."""

FARTHEST = 1e4
"""Standard errors from the estimate beyond which a limit is infinite."""


def deviance(
    family: Family, y: FloatArray, v: FloatArray, x: FloatArray, peak: Peak, j: int
) -> Callable[[float], float]:
    """Return twice the fall of the log-likelihood when coefficient `j` is held at a value.

    The other parameters are sought anew at every value, from several starts: where another peak
    takes over, the profile follows it.
    """
    rest = np.delete(x, j, axis=1)
    others = np.delete(peak.beta, j)

    @functools.cache  # a bracket's ends are asked for again by what narrows it
    def fall(value: float) -> float:
        found = highest(family, y - x[:, j] * value, v, rest, near=peak, start=others)
        return 2 * (peak.value - found.value)

    return fall


def limits(
    fall: Callable[[float], float], at: float, std_error: float, level: float
) -> tuple[float, float]:
    """Return where the fall reaches the quantile of chi-square with one degree of freedom."""
    cut = float(special.chdtri(1, 1 - level))
    ends = []
    for side in (-1.0, 1.0):
        inside, reach = at, math.sqrt(cut) * std_error
        while fall(at + side * reach) < cut:
            inside, reach = at + side * reach, 1.5 * reach
            if reach > FARTHEST * std_error:
                ends.append(side * math.inf)
                break
        else:
            found = optimize.brentq(lambda b: fall(b) - cut, inside, at + side * reach,
                                    xtol=CLOSE * std_error)  # fmt: skip
            ends.append(float(found))
    return ends[0], ends[1]
