"""Limit meta-analysis: the effect of studies of unlimited precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.checks.asymmetry import straight_line
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.text import p_phrase
from metablin.meta.normal.inverse import tau2_of
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, critical, two_sided
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["LimitMeta", "limit_meta"]

FloatArray = NDArray[np.float64]

SAME = 1e-12
"""Relative spread of standard errors below which a line through them has no digits."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LimitMeta(Record):
    """A limit meta-analysis.

    Attributes
    ----------
    effects : EffectSizes
    estimate, std_error, p_value, conf_low, conf_high : float
        Effect in a study of unlimited precision, beta0 = beta + tau alpha, on the analysis scale.
    alpha, beta : float
        Bias and effect of the model y = beta + sqrt(v + tau2) (alpha + error).
    limits : ndarray, shape (k,)
        Effects shrunk to unlimited precision.
    tau2 : float
    q, q_small, q_residual : float
        Cochran's Q, the part that small-study effects explain (1 degree of freedom) and the rest.
    q_small_p, q_residual_p : float
    g2 : float
        Heterogeneity that is left once small-study effects are allowed for, 0 to 1.
    level : float
    """

    effects: EffectSizes
    estimate: float
    std_error: float
    p_value: float
    conf_low: float
    conf_high: float
    alpha: float
    beta: float
    limits: FloatArray
    tau2: float
    q: float
    q_small: float
    q_residual: float
    q_small_p: float
    q_residual_p: float
    g2: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a study: its effect, and its effect in the limit."""
        e = self.effects
        return pd.DataFrame({"study": list(e.studies), "yi": e.yi, "limit": self.limits})

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as JSON-ready Python types; ``reader`` holds the reader's scale."""
        names = [n for n in self.__slots__ if n not in ("effects", "limits")]
        keys = ("estimate", "conf_low", "conf_high")
        reader = self.effects.back([getattr(self, key) for key in keys])
        return json_dict(
            {**{n: getattr(self, n) for n in names}, "studies": self.to_frame(),
             "reader": dict(zip(keys, map(float, reader), strict=True))}
        )  # fmt: skip

    def summary(self) -> str:
        """Return the analysis as text for people."""
        return (
            f"Limit meta-analysis: {self.estimate:.4g} [{100 * self.level:g}% CI "
            f"{self.conf_low:.4g} to {self.conf_high:.4g}], {p_phrase(self.p_value)}\n"
            f"Small-study effects: Q = {self.q_small:.3f}, {p_phrase(self.q_small_p)}; left over: "
            f"Q = {self.q_residual:.3f}, {p_phrase(self.q_residual_p)}; G2 = {100 * self.g2:.1f}%"
        )


def limit_meta(
    e: EffectSizes | MetaFit, tau2: str | float = "REML", level: float = 0.95
) -> LimitMeta:
    """Correct a pooled effect for small-study effects by limit meta-analysis.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies, not all of one precision.
    tau2 : str or float
        Estimator of the between-study variance.
    level : float

    Returns
    -------
    LimitMeta

    Raises
    ------
    DataError
        For fewer than three studies or standard errors that are all equal.

    References
    ----------
    Rucker G, Schwarzer G, Carpenter JR, Binder H, Schumacher M (2011). Treatment-effect estimates
    adjusted for small-study effects via a limit meta-analysis. doi:10.1093/biostatistics/kxq046

    Examples
    --------
    >>> import metablin as mb
    >>> m = mb.limit_meta(mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]))
    >>> round(m.estimate, 3), round(m.g2, 3)
    (-0.021, 0.99)
    """
    e = effects_of(e)
    level = check_level(level)
    straight_line(e, np.sqrt(e.vi), "std_error")
    name, known = tau2_of(tau2)
    spread = float(estimate_tau2(name, e.yi, e.vi)) if known is None else known
    root_w = 1 / np.sqrt(e.vi + spread)
    unit = float(((root_w - root_w.mean()) ** 2).sum())
    if not unit > SAME**2 * float((root_w**2).sum()):
        raise DataError("beside tau2 the standard errors do not differ", column="vi",
                        allowed="standard errors that differ")  # fmt: skip
    alpha, beta, _, _ = _radial(e.yi, np.sqrt(e.vi + spread))
    tau = math.sqrt(spread)
    # Var(beta) + tau2 Var(alpha) + 2 tau Cov, with errors of unit variance
    se = math.sqrt(float(((1 - tau * root_w) ** 2).mean()) / unit)
    estimate = beta + tau * alpha
    half = float(critical(level, math.inf)) * se
    limits = beta + tau * root_w * (e.yi - beta)
    q = float(gls(e.yi, 1 / e.vi).rss)
    residual = _radial(e.yi, np.sqrt(e.vi))[2]
    _, _, left, total = _radial(limits, np.sqrt(e.vi))
    if total == 0:
        raise DataError("all effects are equal", column="yi", allowed="effects that differ")
    return LimitMeta(
        e, estimate, se, float(two_sided(estimate / se, math.inf)), estimate - half,
        estimate + half, alpha, beta, limits, spread, q, q - residual, residual,
        float(chi2_tail(q - residual, 1)), float(chi2_tail(residual, e.k - 2)), left / total, level,
    )  # fmt: skip


def _radial(y: FloatArray, se: FloatArray) -> tuple[float, float, float, float]:
    """Return intercept, slope, residual and total sum of squares of y/se on 1/se."""
    x, z = 1 / se, y / se
    fit = gls(z, np.ones_like(z), np.column_stack([np.ones_like(x), x]))
    total = float(((z - z.mean()) ** 2).sum())
    return float(fit.beta[0]), float(fit.beta[1]), float(fit.rss), total
