"""What tests of funnel asymmetry share: their result, and the regression behind it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.text import p_text
from metablin.numerics.gls import gls
from metablin.numerics.inference import critical, two_sided
from metablin.records import Row

__all__ = ["SmallStudyTest", "linear_test", "regression_test", "straight_line"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SmallStudyTest(Row):
    """A test of funnel asymmetry.

    Attributes
    ----------
    method : str
        ``egger``, ``peters``, ``harbord``, ``begg``, ``pet``, ``peese``, ``macaskill``,
        ``deeks``, ``thompson`` or ``pustejovsky``.
    form : str
        ``mixed`` (additive tau2), ``linear`` (multiplicative dispersion) or ``rank``.
    predictor : str
        What the effects are regressed on.
    effects : EffectSizes
        The studies.
    estimate, std_error : float
        Slope on the predictor (Kendall's tau for Begg, without standard error).
    statistic, df, p_value : float
        Test that it is zero; ``df`` is infinite for a normal reference, NaN for Begg.
    limit, limit_std_error, limit_low, limit_high : float
        Effect extrapolated to a predictor of zero, an infinitely large study, on the analysis
        scale; NaN for Begg and Harbord.
    level : float
        Confidence level of the limit's interval.
    """

    method: str
    form: str
    predictor: str
    effects: EffectSizes
    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    limit: float
    limit_std_error: float
    limit_low: float
    limit_high: float
    level: float

    @property
    def k(self) -> int:
        """Number of studies."""
        return self.effects.k

    def named(self, method: str) -> SmallStudyTest:
        """Return the same test under the name of a method it belongs to."""
        return dataclasses.replace(self, method=method)

    def without_limit(self) -> SmallStudyTest:
        """Return the test without an effect at a predictor of zero, which means nothing there."""
        nan = math.nan
        return dataclasses.replace(
            self, limit=nan, limit_std_error=nan, limit_low=nan, limit_high=nan
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row: the test and the extrapolated effect, all on the analysis scale."""
        names = ("method", "form", "predictor", "k", "estimate", "std_error", "statistic", "df")
        rest = ("p_value", "limit", "limit_std_error", "limit_low", "limit_high")
        row = {name: getattr(self, name) for name in (*names, *rest)}
        return pd.DataFrame([{**row, "conf_level": self.level}])

    def summary(self) -> str:
        """Return the test as text for people."""
        if self.method == "begg":
            return f"Begg: Kendall's tau = {self.estimate:.3f}, p = {p_text(self.p_value)}"
        reference = "z" if math.isinf(self.df) else f"t({self.df:g})"
        text = (
            f"{self.method.capitalize()} ({self.form}, on {self.predictor}): slope "
            f"{self.estimate:.4g}, {reference} = {self.statistic:.3f}, p = {p_text(self.p_value)}"
        )
        if math.isnan(self.limit):
            return text
        return (
            f"{text}\nEffect at a predictor of zero: {self.limit:.4g} "
            f"[{100 * self.level:g}% CI {self.limit_low:.4g} to {self.limit_high:.4g}]"
        )


def straight_line(e: EffectSizes, values: FloatArray, name: str) -> FloatArray:
    """Return the design of a straight line after checking that one can be fitted."""
    if e.k < 3:
        raise DataError(
            "too few studies for a test of asymmetry", value=f"k = {e.k}", allowed="at least 3"
        )
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise DataError("all studies have the same value, so nothing can depend on it", column=name)
    return np.column_stack([np.ones(e.k), values])


def linear_test(
    method: str,
    predictor: str,
    e: EffectSizes,
    y: FloatArray,
    w: FloatArray,
    values: FloatArray,
    level: float,
) -> SmallStudyTest:
    """Return the weighted linear regression of y, with the dispersion estimated."""
    fit = gls(y, w, straight_line(e, values, predictor))
    df = e.k - 2
    cov = fit.cov * (float(fit.rss) / df)
    return regression_test(method, "linear", predictor, e, fit.beta, cov, float(df), level)


def regression_test(
    method: str,
    form: str,
    predictor: str,
    e: EffectSizes,
    beta: FloatArray,
    cov: FloatArray,
    df: float,
    level: float,
) -> SmallStudyTest:
    """Return the test that a regression's slope is zero, from its coefficients (2,)."""
    limit, slope = float(beta[0]), float(beta[1])
    limit_se, slope_se = float(np.sqrt(cov[0, 0])), float(np.sqrt(cov[1, 1]))
    half = float(critical(level, df)) * limit_se
    statistic = slope / slope_se if slope_se > 0 else math.copysign(math.inf, slope)
    p = float(two_sided(statistic, df))
    return SmallStudyTest(
        method, form, predictor, e, slope, slope_se, statistic, df, p,
        limit, limit_se, limit - half, limit + half, level,
    )  # fmt: skip
