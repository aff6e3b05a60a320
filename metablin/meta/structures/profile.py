"""Profile-likelihood limits of variances and correlations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from metablin.errors import DataError
from metablin.meta.structures.components import Component
from metablin.meta.structures.correlation import CORRELATED
from metablin.meta.structures.likelihood import Likelihood, climb

__all__ = ["profile_limits"]

FloatArray = NDArray[np.float64]

FARTHEST = 1e4
"""Standard deviations, in units of that of the estimates, beyond which a limit is infinite."""
CLOSE = 1e-11
"""Of a parameter, where the root is found."""


def profile_limits(
    y: FloatArray,
    v: FloatArray,
    design: FloatArray,
    components: Sequence[Component],
    theta: FloatArray,
    method: str,
    level: float,
) -> pd.DataFrame:
    """Return the limits of every variance and correlation.

    Parameters
    ----------
    y, v, design
        Of the fit.
    components : sequence of Component
    theta : ndarray
        Where the likelihood is highest.
    method : str
    level : float

    Raises
    ------
    DataError
        For an unstructured term: its variances are no parameters of the search.

    References
    ----------
    Hardy RJ, Thompson SG (1996). A likelihood approach to meta-analysis with random effects. Stat
    Med 15:619-629, doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A.
    """
    if any(c.structure == "UN" for c in components):
        raise DataError("an unstructured covariance has no profile of one variance", column="fit",
                        allowed="HCS, CS or another structure")  # fmt: skip
    basis = np.linalg.qr(design)[0]
    model = Likelihood(y, v, basis, [c.term for c in components], method == "REML")
    spread = float(np.std(y)) + math.sqrt(float((v if v.ndim == 1 else np.diag(v)).mean()))
    scale = model.start(spread)[1]
    cut = float(special.chdtri(1, 1 - level))
    top = model.at(theta, score=False).value
    rows = []
    for c, part in zip(components, model.parts, strict=True):
        for j in range(part.start, part.stop):
            last = j == part.stop - 1 and c.structure in CORRELATED
            fall = _fall(model, theta, scale, j, top, cut)
            if last:
                low, high = _angles(fall, theta[j])
                bounds = c.term.structure.bounds
                estimate, low, high = (_rho(a, bounds) for a in (theta[j], low, high))
            else:
                low, high = (x**2 for x in _spreads(fall, abs(theta[j]), spread))
                estimate = theta[j] ** 2
            level_name = "" if last or c.one_variance else c.levels[j - part.start]
            rows.append({
                "term": c.name, "level": level_name,
                "parameter": "correlation" if last else "variance", "estimate": float(estimate),
                "conf_low": low, "conf_high": high, "conf_level": level,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _fall(
    model: Likelihood, theta: FloatArray, scale: FloatArray, j: int, top: float, cut: float
) -> Callable[[float], float]:
    """Return twice the fall of the profile likelihood below its top, less what it may fall."""

    def fall(value: float) -> float:
        start = theta.copy()
        # a zero is flat for the search: begin beside it
        start[np.abs(start) < 1e-3 * scale] = 1e-3 * scale[np.abs(start) < 1e-3 * scale]
        start[j] = value
        best = climb(model, start, scale, fixed=j)[0] if len(theta) > 1 else start
        return 2 * (top - model.at(best, score=False).value) - cut

    return fall


def _spreads(fall: Callable[[float], float], at: float, spread: float) -> tuple[float, float]:
    """Return limits of a standard deviation."""
    low = 0.0
    if at > 0 and fall(0.0) > 0:
        low = float(optimize.brentq(fall, 0.0, at, xtol=CLOSE * spread, rtol=CLOSE))
    far = at + spread
    while fall(far) < 0:
        far *= 2
        if far > FARTHEST * spread:
            return low, math.inf
    return low, float(optimize.brentq(fall, at, far, xtol=CLOSE * spread, rtol=CLOSE))


def _angles(fall: Callable[[float], float], at: float) -> tuple[float, float]:
    """Return limits of the angle of a correlation, within a quarter turn to both sides of zero."""
    angle = math.asin(math.sin(at))
    ends = []
    for edge in (-math.pi / 2, math.pi / 2):
        inside = abs(angle - edge) < CLOSE or fall(edge) <= 0
        ends.append(edge if inside else float(optimize.brentq(fall, *sorted((angle, edge)),
                                                              xtol=CLOSE, rtol=CLOSE)))  # fmt: skip
    return ends[0], ends[1]


def _rho(angle: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return (low + high) / 2 + (high - low) / 2 * math.sin(angle)
