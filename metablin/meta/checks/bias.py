"""Small-study effects: regression and rank tests of funnel asymmetry."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from metablin._input import choice
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.checks.asymmetry import (
    SmallStudyTest,
    linear_test,
    regression_test,
    straight_line,
)
from metablin.meta.checks.refit import Spec, refit
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.options import CI_METHODS
from metablin.meta.normal.inverse import tau2_of
from metablin.numerics.gls import gls

__all__ = ["SmallStudyTest", "begg", "egger", "harbord", "peters"]

FloatArray = NDArray[np.float64]

PREDICTORS = ("std_error", "variance")
FORMS = ("mixed", "linear")


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
    e = effects_of(e)
    form = choice("form", form, FORMS)
    values = np.sqrt(e.vi) if choice("predictor", predictor, PREDICTORS) == "std_error" else e.vi
    ci, level = choice("ci", ci, CI_METHODS), check_level(level)
    if form == "linear":
        return linear_test("egger", predictor, e, e.yi, 1 / e.vi, values, level)
    name, known = tau2_of(tau2)
    spec = Spec(None if known is not None else name, known, ci, level)
    x = straight_line(e, values, predictor)
    fit = refit(e.yi, e.vi, np.ones((1, e.k), dtype=bool), spec, x, e.studies)
    return regression_test(
        "egger", form, predictor, e, fit.beta[0], fit.cov[0], float(fit.df[0]), level
    )


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
    e = effects_of(e)
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
    return linear_test("peters", "1/n", e, e.yi, w, 1 / n, check_level(level))


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
    e = effects_of(e)
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
    test = linear_test("harbord", "1/sqrt(V)", e, score, variance, values, check_level(level))
    return test.without_limit()


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
    e = effects_of(e)
    straight_line(e, e.vi, "variance")
    mean = gls(e.yi, 1 / e.vi)
    deviates = mean.resid / np.sqrt(e.vi - mean.cov[0, 0])
    ties = len(np.unique(deviates)) < e.k or len(np.unique(e.vi)) < e.k
    found = stats.kendalltau(deviates, e.vi, method="asymptotic" if ties else "exact")
    nan = math.nan
    return SmallStudyTest(
        "begg", "rank", "variance", e, float(found.statistic), nan, nan, nan,
        float(found.pvalue), nan, nan, nan, nan, 0.95,
    )  # fmt: skip


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
