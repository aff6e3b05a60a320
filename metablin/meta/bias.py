"""Small-study effects: regression and rank tests of funnel asymmetry, and PET-PEESE."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from metablin._input import choice
from metablin._input import level as check_level
from metablin._records import Record, jsonable
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta._gls import gls
from metablin.meta._inference import critical, two_sided
from metablin.meta._refit import Spec, refit
from metablin.meta._summary import p_text
from metablin.meta.fit import MetaFit
from metablin.meta.inverse import tau2_of
from metablin.meta.models import CI_METHODS
from metablin.meta.trimfill import TrimFill, trim_and_fill

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PetPeese",
    "SmallStudyTest",
    "TrimFill",
    "begg",
    "egger",
    "harbord",
    "pet_peese",
    "peters",
    "trim_and_fill",
]

FloatArray = NDArray[np.float64]

PREDICTORS = ("std_error", "variance")
FORMS = ("mixed", "linear")

PEESE_ALPHA = 0.10
"""PEESE replaces PET when PET's effect differs from zero at this two-sided level, the one-sided 5%
of Stanley and Doucouliagos (2014)."""


@dataclass(frozen=True, slots=True, eq=False)
class SmallStudyTest(Record):
    """A test of funnel asymmetry.

    Attributes
    ----------
    method : str
        ``egger``, ``peters``, ``harbord``, ``begg``, ``pet`` or ``peese``.
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

    def to_frame(self) -> pd.DataFrame:
        """Return one row: the test and the extrapolated effect, all on the analysis scale."""
        names = ("method", "form", "predictor", "k", "estimate", "std_error", "statistic", "df")
        rest = ("p_value", "limit", "limit_std_error", "limit_low", "limit_high")
        row = {name: getattr(self, name) for name in (*names, *rest)}
        return pd.DataFrame([{**row, "conf_level": self.level}])

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON-ready Python types."""
        out: dict[str, Any] = jsonable(self.to_frame().to_dict(orient="records")[0])
        return out

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

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a funnel plot, with the regression line where the predictor allows it."""
        from metablin.plots.funnel import funnel_of_test

        return funnel_of_test(self, ax=ax)


@dataclass(frozen=True, slots=True, eq=False)
class PetPeese(Record):
    """The precision-effect test and the precision-effect estimate with standard error.

    Attributes
    ----------
    pet, peese : SmallStudyTest
        Regressions on the standard error and on the variance.
    chosen : str
        ``pet`` or ``peese``.
    estimate, std_error, p_value, conf_low, conf_high : float
        Effect of the chosen regression at a predictor of zero, on the analysis scale.
    """

    pet: SmallStudyTest
    peese: SmallStudyTest
    chosen: str

    @property
    def _test(self) -> SmallStudyTest:
        return self.pet if self.chosen == "pet" else self.peese

    @property
    def estimate(self) -> float:
        """Corrected effect on the analysis scale."""
        return self._test.limit

    @property
    def std_error(self) -> float:
        """Standard error of the corrected effect."""
        return self._test.limit_std_error

    @property
    def conf_low(self) -> float:
        """Lower limit."""
        return self._test.limit_low

    @property
    def conf_high(self) -> float:
        """Upper limit."""
        return self._test.limit_high

    @property
    def p_value(self) -> float:
        """Test that the corrected effect is zero."""
        return float(two_sided(self.estimate / self.std_error, self._test.df))

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each regression; ``chosen`` marks the one the rule picks."""
        frame = pd.concat([self.pet.to_frame(), self.peese.to_frame()], ignore_index=True)
        frame["chosen"] = frame["method"] == self.chosen
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        names = ("chosen", "estimate", "std_error", "p_value", "conf_low", "conf_high")
        out: dict[str, Any] = jsonable(
            {
                **{name: getattr(self, name) for name in names},
                "pet": self.pet.to_dict(),
                "peese": self.peese.to_dict(),
            }
        )
        return out

    def summary(self) -> str:
        """Return the result as text for people."""
        return (
            f"PET-PEESE picks {self.chosen.upper()}: {self.estimate:.4g} "
            f"[{100 * self.pet.level:g}% CI {self.conf_low:.4g} to {self.conf_high:.4g}], "
            f"p = {p_text(self.p_value)}\n{self.pet.summary()}\n{self.peese.summary()}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a funnel plot with the chosen regression."""
        return self._test.plot(ax=ax)


def egger(
    e: EffectSizes | MetaFit,
    form: str = "mixed",
    predictor: str = "std_error",
    tau2: str | float = "REML",
    ci: str = "z",
    level: float = 0.95,
) -> SmallStudyTest:
    """Test funnel asymmetry by regressing the effects on their standard errors.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.
    form : {"mixed", "linear"}
        Mixed-effects meta-regression, or Egger's weighted linear regression with multiplicative
        dispersion (its slope is the intercept of the original regression of y/se on 1/se).
    predictor : {"std_error", "variance"}
    tau2 : str or float
        Estimator in the mixed form.
    ci : {"z", "t", "hksj", "hksj-adhoc"}
        Reference distribution in the mixed form; the linear form uses t with k - 2 degrees of
        freedom.
    level : float
        Level of the interval of the extrapolated effect.

    Returns
    -------
    SmallStudyTest

    Raises
    ------
    DataError
        For fewer than three studies or standard errors that are all equal.

    References
    ----------
    Egger M, Davey Smith G, Schneider M, Minder C (1997). Bias in meta-analysis detected by a
    simple, graphical test. doi:10.1136/bmj.315.7109.629
    Sterne JAC, Egger M (2005). Regression methods to detect publication and other bias in
    meta-analysis, in: Publication Bias in Meta-Analysis. doi:10.1002/0470870168.ch6

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12])
    >>> t = egger(e, form="linear")
    >>> round(t.statistic, 3), t.df
    (7.269, 2.0)
    """
    e = _effects(e)
    form = choice("form", form, FORMS)
    values = np.sqrt(e.vi) if choice("predictor", predictor, PREDICTORS) == "std_error" else e.vi
    ci, level = choice("ci", ci, CI_METHODS), check_level(level)
    if form == "linear":
        return _linear("egger", predictor, e, e.yi, 1 / e.vi, values, level)
    name, known = tau2_of(tau2)
    spec = Spec(None if known is not None else name, known, ci, level)
    x = _line(e, values, predictor)
    fit = refit(e.yi, e.vi, np.ones((1, e.k), dtype=bool), spec, x, e.studies)
    return _test("egger", form, predictor, e, fit.beta[0], fit.cov[0], float(fit.df[0]), level)


def peters(e: EffectSizes | MetaFit, level: float = 0.95) -> SmallStudyTest:
    """Test funnel asymmetry by regressing on the inverse of the sample size.

    For tables with few events the standard error depends on the effect; the sample size does not.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        Odds, risk or hazard ratios or differences from 2x2 tables, or proportions; at least three
        studies.
    level : float

    Returns
    -------
    SmallStudyTest
        Linear form, with weights 1 / (1/events + 1/(n - events)) from the totals of both arms.

    Raises
    ------
    DataError
        Without counts, or for a study in which nobody or everybody had the event.

    References
    ----------
    Peters JL, Sutton AJ, Jones DR, Abrams KR, Rushton L (2006). Comparison of two methods to
    detect publication bias in meta-analysis. doi:10.1001/jama.295.6.676

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.proportions([5, 9, 30, 61], [20, 30, 80, 200])
    >>> peters(e).df
    2.0
    """
    e = _effects(e)
    events, n = _totals(e)
    edge = (events == 0) | (events == n)
    if edge.any():
        i = int(np.flatnonzero(edge)[0])
        raise DataError(
            "nobody or everybody had the event, so Peters' weight is zero",
            study=e.studies[i],
            value=f"{events[i]:g} of {n[i]:g}",
        )
    w = 1 / (1 / events + 1 / (n - events))
    return _linear("peters", "1/n", e, e.yi, w, 1 / n, check_level(level))


def harbord(e: EffectSizes | MetaFit, level: float = 0.95) -> SmallStudyTest:
    """Test funnel asymmetry of odds ratios with the efficient score and its variance.

    Regresses Z/V on 1/sqrt(V) with weights V, where Z is the efficient score and V its variance
    under no effect; no continuity correction is needed.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        From 2x2 tables; at least three studies.
    level : float

    Returns
    -------
    SmallStudyTest

    Raises
    ------
    DataError
        Without 2x2 counts, or for a study in which nobody or everybody had the event.

    References
    ----------
    Harbord RM, Egger M, Sterne JAC (2006). A modified test for small-study effects in
    meta-analyses of controlled trials with binary endpoints. doi:10.1002/sim.2380

    Examples
    --------
    >>> from metablin.effects import two_by_two
    >>> e = two_by_two([4, 6, 3, 62], [123, 306, 231, 13598], [11, 29, 11, 248],
    ...                [139, 303, 220, 12867])
    >>> harbord(e).df
    2.0
    """
    e = _effects(e)
    if "events_treatment" not in e.counts:
        raise DataError("Harbord's test needs 2x2 tables", column="measure", value=e.measure)
    a, n1, n2 = (e.counts[c] for c in ("events_treatment", "n_treatment", "n_control"))
    events, n = _totals(e)
    variance = n1 * n2 * events * (n - events) / (n**2 * (n - 1))
    if (variance <= 0).any():
        i = int(np.flatnonzero(variance <= 0)[0])
        raise DataError(
            "nobody or everybody had the event, so the score has no variance",
            study=e.studies[i],
            value=f"{events[i]:g} of {n[i]:g}",
        )
    score = (a - n1 * events / n) / variance
    values = 1 / np.sqrt(variance)
    test = _linear("harbord", "1/sqrt(V)", e, score, variance, values, check_level(level))
    return _without_limit(test)


def begg(e: EffectSizes | MetaFit) -> SmallStudyTest:
    """Test the rank correlation of the standardised effects and their variances.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.

    Returns
    -------
    SmallStudyTest
        Kendall's tau-b with an exact p-value, or, with ties, the normal one with variance
        corrected for ties.

    Raises
    ------
    DataError
        For fewer than three studies or variances that are all equal.

    References
    ----------
    Begg CB, Mazumdar M (1994). Operating characteristics of a rank correlation test for
    publication bias. doi:10.2307/2533446

    Examples
    --------
    >>> import metablin as mb
    >>> t = begg(mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]))
    >>> round(t.estimate, 3), round(t.p_value, 3)
    (1.0, 0.083)
    """
    e = _effects(e)
    _line(e, e.vi, "variance")
    mean = gls(e.yi, 1 / e.vi)
    deviates = mean.resid / np.sqrt(e.vi - mean.cov[0, 0])
    ties = len(np.unique(deviates)) < e.k or len(np.unique(e.vi)) < e.k
    found = stats.kendalltau(deviates, e.vi, method="asymptotic" if ties else "exact")
    nan = math.nan
    return SmallStudyTest(
        "begg", "rank", "variance", e, float(found.statistic), nan, nan, nan,
        float(found.pvalue), nan, nan, nan, nan, 0.95,
    )  # fmt: skip


def pet_peese(
    e: EffectSizes | MetaFit, alpha: float = PEESE_ALPHA, level: float = 0.95
) -> PetPeese:
    """Correct the pooled effect for small-study effects by PET-PEESE.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.
    alpha : float
        PEESE is taken when PET's effect differs from zero at this two-sided level.
    level : float

    Returns
    -------
    PetPeese

    References
    ----------
    Stanley TD, Doucouliagos H (2014). Meta-regression approximations to reduce publication
    selection bias, section 4. doi:10.1002/jrsm.1095

    Examples
    --------
    >>> import metablin as mb
    >>> r = pet_peese(mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]))
    >>> r.chosen, round(r.estimate, 3)
    ('peese', 0.025)
    """
    e, level = _effects(e), check_level(level)
    w = 1 / e.vi
    pet = _linear("pet", "std_error", e, e.yi, w, np.sqrt(e.vi), level)
    peese = _linear("peese", "variance", e, e.yi, w, e.vi, level)
    p = float(two_sided(pet.limit / pet.limit_std_error, pet.df))
    return PetPeese(pet, peese, "peese" if p < alpha else "pet")


def _effects(e: EffectSizes | MetaFit) -> EffectSizes:
    return e.effects if isinstance(e, MetaFit) else e


def _totals(e: EffectSizes) -> tuple[FloatArray, FloatArray]:
    """Return events and patients of all arms of each study."""
    for columns in (("events", "n"), ("events_treatment", "n_treatment")):
        if set(columns) <= set(e.counts):
            events, n = (e.counts[c] for c in columns)
            if columns[0] == "events":
                return events, n
            return events + e.counts["events_control"], n + e.counts["n_control"]
    raise DataError(
        "the test needs events and patients",
        column="measure",
        value=e.measure,
        allowed="proportions or 2x2 tables",
    )


def _line(e: EffectSizes, values: FloatArray, name: str) -> FloatArray:
    """Return the design of a straight line after checking that one can be fitted."""
    if e.k < 3:
        raise DataError(
            "too few studies for a test of asymmetry", value=f"k = {e.k}", allowed="at least 3"
        )
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise DataError("all studies have the same value, so nothing can depend on it", column=name)
    return np.column_stack([np.ones(e.k), values])


def _linear(
    method: str,
    predictor: str,
    e: EffectSizes,
    y: FloatArray,
    w: FloatArray,
    values: FloatArray,
    level: float,
) -> SmallStudyTest:
    """Return the weighted linear regression of y, with the dispersion estimated."""
    fit = gls(y, w, _line(e, values, predictor))
    df = e.k - 2
    cov = fit.cov * (float(fit.rss) / df)
    return _test(method, "linear", predictor, e, fit.beta, cov, float(df), level)


def _test(
    method: str,
    form: str,
    predictor: str,
    e: EffectSizes,
    beta: FloatArray,
    cov: FloatArray,
    df: float,
    level: float,
) -> SmallStudyTest:
    limit, slope = float(beta[0]), float(beta[1])
    limit_se, slope_se = float(np.sqrt(cov[0, 0])), float(np.sqrt(cov[1, 1]))
    half = float(critical(level, df)) * limit_se
    statistic = slope / slope_se if slope_se > 0 else math.copysign(math.inf, slope)
    p = float(two_sided(statistic, df))
    return SmallStudyTest(
        method, form, predictor, e, slope, slope_se, statistic, df, p,
        limit, limit_se, limit - half, limit + half, level,
    )  # fmt: skip


def _without_limit(test: SmallStudyTest) -> SmallStudyTest:
    nan = math.nan
    return dataclasses.replace(test, limit=nan, limit_std_error=nan, limit_low=nan, limit_high=nan)
