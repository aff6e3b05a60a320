"""The selection model of Copas: how sensitive a pool is to studies that were not published."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import level as check_level
from metablin._input import numeric, one
from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError
from metablin.meta.checks.asymmetry import straight_line
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.numerics.gls import gls_at
from metablin.numerics.inference import chi2_tail, critical
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["CopasSelection", "copas_selection"]

FloatArray = NDArray[np.float64]

MOST_CORRELATED = 0.9999
"""The likelihood has no derivative at a correlation of 1."""

STARTS = (0.5, -0.5, 0.0, 0.95, -0.95)
"""Correlations from which the likelihood is climbed: it often has a maximum on each side."""

DIFFERENCE = 1e-4
"""Step of the central differences of the curvature, in standard units."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CopasSelection(Record):
    """A sensitivity analysis by the selection model of Copas.

    Attributes
    ----------
    effects : EffectSizes
    table : DataFrame
        One row for every probability that the study with the largest standard error is published
        (``published``): ``estimate, std_error, conf_low, conf_high`` of the mean effect on the
        analysis scale, ``tau2, rho`` (correlation of a study's result and its chance to be
        published), ``log_likelihood`` (less the constant of the normal density), ``p_residual``
        (test that small-study effects are left) and ``unpublished`` (studies expected to be
        missing).
    published_largest : float
        Probability that the study with the smallest standard error is published.
    level : float
    """

    effects: EffectSizes
    table: pd.DataFrame
    published_largest: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as JSON-ready Python types."""
        return json_dict(
            {"published_largest": self.published_largest, "level": self.level,
             "table": self.table}
        )  # fmt: skip

    def summary(self) -> str:
        """Return the table as text for people."""
        return (
            "Copas: effect by the probability that the least precise study is published\n"
            + self.table.to_string(index=False, float_format="{:.4g}".format)
        )


def copas_selection(
    e: EffectSizes | MetaFit,
    published: Sequence[float] = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
    published_largest: float = 0.99,
    level: float = 0.95,
) -> CopasSelection:
    """Show how the pooled effect changes with selection after Copas.

    A study is published when a latent variable u = gamma0 + gamma1 / s + delta is positive, where
    the error delta correlates with the study's result. The two gamma cannot be estimated; they
    follow from the stated probabilities that the least and the most precise study are published.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies, not all of one precision.
    published : sequence of float
        Probabilities that the study with the largest standard error is published.
    published_largest : float
        The same for the study with the smallest standard error; at least those.
    level : float

    Returns
    -------
    CopasSelection

    Raises
    ------
    DataError
        For probabilities out of range, or studies of one precision.
    ConvergenceError
        When the likelihood has no maximum in reach.

    Notes
    -----
    The rows where ``p_residual`` is no longer small are the ones to read: there the model has
    explained the asymmetry of the funnel. Standard errors are those of the observed information;
    where ``rho`` is at the end of its range it is taken as known.

    References
    ----------
    Copas JB, Shi JQ (2001). A sensitivity analysis for publication bias in systematic reviews.
    doi:10.1177/096228020101000402

    Examples
    --------
    >>> import metablin as mb
    >>> y, v = [0.9, 0.5, 0.3, 0.1, 0.6, 0.2], [0.2, 0.1, 0.04, 0.01, 0.15, 0.02]
    >>> t = mb.copas_selection(mb.generic(y, v), [0.8, 0.3]).to_frame()
    >>> bool(t["estimate"][1] < t["estimate"][0])
    True
    """
    e = effects_of(e)
    straight_line(e, np.sqrt(e.vi), "std_error")
    level = check_level(level)
    top = one("published_largest", published_largest, above=0.0, maximum=1 - 1e-9)
    chances = numeric("published", published, above=0.0, maximum=top)
    rows = [_row(e, float(chance), top, level) for chance in chances]
    return CopasSelection(e, pd.DataFrame(rows), top, level)


def _row(e: EffectSizes, chance: float, top: float, level: float) -> dict[str, float]:
    y, s = e.yi, np.sqrt(e.vi)
    a, b = float(special.ndtri(top)), float(special.ndtri(chance))
    gamma1 = (a - b) / (1 / s.min() - 1 / s.max())
    u = b - gamma1 / s.max() + gamma1 / s
    scale = float(np.sqrt(np.mean(e.vi)))

    def height(x: FloatArray) -> float:
        return _log_likelihood(y - x[0] - (x[3] * s if len(x) > 3 else 0.0), s, u, x[1], x[2])

    tau2 = float(estimate_tau2("ML", y, e.vi))
    mean = float(gls_at(y, e.vi, tau2).beta[0])
    best = _best(height, mean, math.sqrt(tau2), scale)
    more = _best(height, mean, math.sqrt(tau2), scale, slope=True)
    error = _std_error(height, best, scale)
    half = float(critical(level, math.inf)) * error
    lrt = max(0.0, 2 * (height(more) - height(best)))
    seen = special.ndtr(u)
    return {
        "published": chance,
        "estimate": float(best[0]),
        "std_error": error,
        "conf_low": float(best[0]) - half,
        "conf_high": float(best[0]) + half,
        "tau2": float(best[2]) ** 2,
        "rho": float(best[1]),
        "log_likelihood": height(best),
        "p_residual": float(chi2_tail(lrt, 1)),
        "unpublished": float(((1 - seen) / seen).sum()),
    }


def _log_likelihood(r: FloatArray, s: FloatArray, u: FloatArray, rho: float, tau: float) -> float:
    """Return the log-likelihood of residuals `r`, less the constant of the normal density.

    A published study's variance is smaller than that of all studies of its size by the factor
    1 - rho^2 lambda (u + lambda), with lambda the inverse Mills ratio of u.
    """
    mills = np.exp(-(u**2) / 2) / (math.sqrt(2 * math.pi) * special.ndtr(u))
    sigma2 = s**2 / (1 - rho**2 * mills * (u + mills))
    total = sigma2 + tau**2
    r_tilde = rho * np.sqrt(sigma2 / total)
    v = (u + r_tilde * r / np.sqrt(total)) / np.sqrt(1 - r_tilde**2)
    terms = special.log_ndtr(v) - special.log_ndtr(u) - np.log(total) / 2 - r**2 / (2 * total)
    return float(terms.sum())


Height = Callable[[FloatArray], float]


def _best(height: Height, mean: float, tau: float, scale: float, slope: bool = False) -> FloatArray:
    """Return (mu, rho, tau) or (mu, rho, tau, slope) at the highest maximum found."""
    more = [0.0] if slope else []
    bounds = [
        (None, None),
        (-MOST_CORRELATED, MOST_CORRELATED),
        (0.0, None),
        *[(None, None)] * slope,
    ]
    unit = np.array([scale, 1.0, scale, 1.0][: 3 + slope])
    found = [
        optimize.minimize(
            lambda x: -height(x * unit),
            np.array([mean, rho, max(tau, 0.1 * scale), *more]) / unit,
            method="L-BFGS-B",
            bounds=[tuple(None if b is None else b / w for b in pair)
                    for pair, w in zip(bounds, unit, strict=True)],
            options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 1000},
        )
        for rho in STARTS
    ]  # fmt: skip
    top = min(found, key=lambda f: float(f.fun))
    if not np.isfinite(top.fun):
        raise ConvergenceError("the likelihood of the Copas model was not maximised")
    return np.asarray(top.x * unit)


def _std_error(height: Height, x: FloatArray, scale: float) -> float:
    """Return the standard error of mu from the curvature in the parameters within their range."""
    unit = DIFFERENCE * np.array([scale, 1.0, scale])
    free = [0]
    free += [1] if abs(x[1]) < MOST_CORRELATED - 2 * DIFFERENCE else []
    free += [2] if x[2] > 2 * unit[2] else []
    m = len(free)
    bend = np.empty((m, m))
    steps = [np.eye(3)[i] * unit[i] for i in free]
    for i in range(m):
        for j in range(m):
            up, down = steps[i], steps[j]
            gap = height(x + up + down) - height(x + up - down)
            gap -= height(x - up + down) - height(x - up - down)
            bend[i, j] = gap / (4 * unit[free[i]] * unit[free[j]])
    try:
        variance = float(np.linalg.inv(-bend)[0, 0])
    except np.linalg.LinAlgError:
        variance = -1.0
    if not variance > 0:
        raise ConvergenceError("the likelihood of the Copas model has no curvature at its maximum")
    return math.sqrt(variance)
