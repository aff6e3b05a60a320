"""The interval of Henmi and Copas: common-effect weights, an error that allows for heterogeneity.

Small studies, which suffer most from publication bias, keep the little weight that they have under
a common effect; the interval covers under random effects all the same.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options
from metablin.meta.core.parts import Heterogeneity
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, i2_h2, q_profile
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["Pivot", "fit_henmi_copas", "pivot_of"]

FloatArray = NDArray[np.float64]

REACH = 9.0
"""Standard normal values beyond this have no probability that doubles can add."""

NODES = 400
"""Points of the Gauss-Legendre rule; the smooth integrand is then good to about 12 digits."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pivot:
    """What the distribution of the pivot needs: Q given the standardised error r of the mean.

    Attributes
    ----------
    k : int
    w1, w2 : float
        Sum of the weights 1/v, and sum of their squares over it.
    spread : float
        Variance of the standardised mean, 1 + tau2 w2.
    mean, mean_r2, variance, variance_r2 : float
        E(Q | r) = mean + mean_r2 r^2 and Var(Q | r) = variance + variance_r2 r^2.
    """

    k: int
    w1: float
    w2: float
    spread: float
    mean: float
    mean_r2: float
    variance: float
    variance_r2: float

    def tail(self, t: float) -> float:
        """Return the probability that the pivot is beyond -t or t."""
        if t <= 0:
            return 1.0
        from_r = min(t / math.sqrt(self.spread), REACH)
        nodes, rule = _rule()
        half = (REACH - from_r) / 2
        r = from_r + half * (nodes + 1)
        # tau2 from DerSimonian and Laird is then too small to bring the pivot below t
        bound = (self.k - 1) + (self.w1 - self.w2) / self.w2 * (r**2 * self.spread / t**2 - 1)
        mean = self.mean + self.mean_r2 * r**2
        variance = self.variance + self.variance_r2 * r**2
        below = special.gammainc(mean**2 / variance, np.maximum(bound, 0.0) * mean / variance)
        density = np.exp(-(r**2) / 2) / math.sqrt(2 * math.pi)
        return float(2 * half * (rule * below * density).sum())


@functools.cache
def _rule() -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(NODES)


def pivot_of(v: FloatArray, tau2: float) -> Pivot:
    """Return the moments of Q given the error of the mean, at `tau2`.

    Q is a quadratic form in normal deviations; given their weighted mean they are still normal.
    """
    w = 1 / v
    w1 = float(w.sum())
    a = w / math.sqrt(w1)
    sigma = v + tau2
    spread = float(a**2 @ sigma)
    shift = sigma * a / math.sqrt(spread)  # of the deviations, per unit of r
    form = np.diag(w) - np.outer(a, a)
    cov = np.diag(sigma) - np.outer(shift, shift)
    fc = form @ cov
    return Pivot(
        len(v),
        w1,
        float((w**2).sum()) / w1,
        spread,
        float(np.trace(fc)),
        float(shift @ form @ shift),
        2 * float(np.trace(fc @ fc)),
        4 * float(shift @ fc @ form @ shift),
    )


def fit_henmi_copas(e: EffectSizes, options: Options) -> MetaFit:
    """Pool with common-effect weights and the interval of Henmi and Copas (see `pool`).

    tau2 is that of DerSimonian and Laird. The p-value comes from the same distribution as the
    interval.

    Raises
    ------
    DataError
        For fewer than two studies.

    References
    ----------
    Henmi M, Copas JB (2010). Confidence intervals for random effects meta-analysis and robustness
    to publication bias. doi:10.1002/sim.4029

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    >>> fit = mb.pool(e, model="henmi-copas")
    >>> round(fit.estimate, 3), round(fit.conf_low, 3), round(fit.conf_high, 3)
    (0.46, -0.07, 0.989)
    """
    options.only()
    if e.k < 2:
        raise DataError("the interval of Henmi and Copas needs two studies", value=f"k = {e.k}")
    tau2 = float(estimate_tau2("DL", e.yi, e.vi))
    fit = gls(e.yi, 1 / e.vi)
    pivot = pivot_of(e.vi, tau2)
    estimate, q = float(fit.beta[0]), float(fit.rss)
    std_error = math.sqrt(pivot.spread / pivot.w1)
    alpha = 1 - options.level
    high = 1.0
    while pivot.tail(high) > alpha:
        high *= 2
    critical = float(optimize.brentq(lambda t: pivot.tail(t) - alpha, 0.0, high, xtol=1e-13))
    low_tau2, high_tau2 = (float(limit) for limit in q_profile(e.yi, e.vi, options.level))
    i2, h2 = (float(value) for value in i2_h2(e.vi, tau2))
    pooled = make_fit(
        e,
        options,
        estimate=estimate,
        std_error=std_error,
        confidence=(estimate - critical * std_error, estimate + critical * std_error),
        heterogeneity=Heterogeneity(
            tau2, low_tau2, high_tau2, i2, h2, q, e.k - 1, float(chi2_tail(q, e.k - 1))
        ),
        tau2_method="DL",
        weights=fit.w,
        predict=False,
        extra={"critical": critical},
    )
    return dataclasses.replace(pooled, p_value=pivot.tail(abs(estimate) / std_error))
