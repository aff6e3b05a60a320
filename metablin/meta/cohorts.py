"""One rule for pooling few studies: single arms, and contrasts between two arms."""

from __future__ import annotations

import dataclasses
import math

from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.bayes.priors import half_cauchy
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.nothing import exact_pool, nothing_happened
from metablin.meta.core.options import needs_effects, needs_measure
from metablin.meta.core.parts import Analysis
from metablin.meta.pooling import pool

__all__ = ["TAU_SCALE", "pool_cohorts", "pool_contrasts"]

TAU_SCALE = 0.5
"""Scale of the half-Cauchy prior of tau, on the log or logit scale: half of its mass lies below."""

RELATIVE = ("log", "logit")
"""Transforms on whose scale the prior speaks of ratios."""

NOTHING = 1e-6
"""A tau2 below this is none: the likelihood of the mixed model is flat there."""

DIFFER = 0.1
"""The usual level of the test of heterogeneity, which has little power."""


def pool_cohorts(e: EffectSizes, level: float = 0.95) -> MetaFit:
    """Pool proportions or rates of single-arm cohorts by the rule for few studies.

    One cohort keeps its own interval. From two on it is the normal model on the logit scale with a
    half-Cauchy prior of scale 0.5 on tau: of ten intervals the narrowest that holds the truth 93
    times in 100 or more in every simulated pool of two to ten studies with the sizes, proportions
    and differences of this project's evidence (``benchmarks/simulation/few_studies.py``; lowest
    93.4%, 14% narrower than Hartung and Knapp's).

    Where a cohort has an empty cell its logit rests on an added half. Two or more such cohorts are
    pooled by the binomial-normal model with a t interval (Stijnen et al. 2010), which takes the
    counts as they are. When that model finds no variance between cohorts although Cochran's Q says
    that they differ, it gives no prediction interval: it would be the confidence interval again.
    Rates follow the same rule on the log scale, with the Poisson-normal model.

    Where no patient, or every patient, has the event, nothing shows a difference between cohorts,
    and the likelihood of any number of them is highest at 0 or 1 without one. They are then one
    cohort: 0 of n with the exact interval of Clopper and Pearson (of Garwood for rates), the same
    however the patients are divided. (A half added to each cohort's cells would add up: 0 of 11
    would be 4.2% in one cohort, 7.7% in two, 13.4% in four.)

    Parameters
    ----------
    e : EffectSizes
        From :func:`metablin.proportions` with the logit transform, or :func:`metablin.rates` with
        the log.
    level : float
        Confidence level.

    Returns
    -------
    MetaFit
        ``model`` says which rule applied: ``random`` (one cohort), ``bayes``, ``glmm`` or
        ``exact``. The last has no standard error, test, tau2 or prediction interval, and its note
        says so; on the logit scale its estimate is infinite.

    Raises
    ------
    DataError
        When the effects are neither proportions nor rates.

    References
    ----------
    Clopper CJ, Pearson ES (1934). Biometrika 26:404-413. doi:10.1093/biomet/26.4.404
    Polson NG, Scott JG (2012). On the half-Cauchy prior for a global scale parameter. Bayesian
    Anal 7:887-902. doi:10.1214/12-BA730
    Rover C et al. (2021). Res Synth Methods 12:448-474. doi:10.1002/jrsm.1475
    Stijnen T, Hamza TH, Ozdemir P (2010). Stat Med 29:3046-3067. doi:10.1002/sim.4040

    See Also
    --------
    metablin.pool_contrasts : the same rule for hazard ratios and other contrasts.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool_cohorts(mb.proportions([16, 14, 20], [45, 34, 41]))
    >>> fit.model, round(fit.estimate, 3)
    ('bayes', 0.418)
    >>> mb.pool_cohorts(mb.proportions([0, 3, 13], [45, 189, 267])).model
    'glmm'
    >>> none = mb.pool_cohorts(mb.proportions([0, 0], [5, 6]))
    >>> none.estimate, round(none.conf_high, 4)
    (0.0, 0.2849)
    """
    needs_measure(e, "pool_cohorts", ("proportion", "rate"))
    if nothing_happened(e):
        return exact_pool(e, check_level(level))
    events = e.counts["events"]
    empty = events == (0 if e.measure == "rate" else e.counts["n"])
    if e.k > 1 and (empty | (events == 0)).any():
        return _seen(pool(e, model="glmm", ci="t", level=level))
    return _few(e, level)


def pool_contrasts(e: EffectSizes, level: float = 0.95) -> MetaFit:
    """Pool contrasts between two arms, such as hazard ratios, by the rule for few studies.

    One comparison keeps its own interval. From two on it is the normal model with a half-Cauchy
    prior of scale 0.5 on tau, for the reasons and with the limits of :func:`pool_cohorts`.

    Parameters
    ----------
    e : EffectSizes
        Ratios on the log scale: from :func:`metablin.hazard_ratios`, :func:`metablin.two_by_two`
        and their kin.
    level : float
        Confidence level.

    Returns
    -------
    MetaFit
        ``model`` is ``random`` for one comparison, else ``bayes``: the estimate is the posterior
        median, the limits hold the middle of the posterior. With two comparisons the posterior has
        no variance (the prior's tail is too heavy), so ``std_error`` is infinite; its limits are
        finite.

    Raises
    ------
    DataError
        When the effects are not on a log or logit scale, where no prior of tau holds for all.

    References
    ----------
    Polson NG, Scott JG (2012). Bayesian Anal 7:887-902. doi:10.1214/12-BA730
    Rover C et al. (2021). Res Synth Methods 12:448-474. doi:10.1002/jrsm.1475

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.hazard_ratios([0.62, 0.65, 0.35], [0.39, 0.32, 0.17], [0.98, 1.30, 0.70])
    >>> fit = mb.pool_contrasts(e)
    >>> round(fit.estimate, 2), round(fit.conf_low, 2), round(fit.conf_high, 2)
    (0.54, 0.28, 0.99)
    """
    needs_effects(e)
    if e.transform not in RELATIVE:
        raise DataError("no prior of tau holds on this scale", column="transform",
                        value=e.transform, allowed=" | ".join(RELATIVE))  # fmt: skip
    return _few(e, level)


def _few(e: EffectSizes, level: float) -> MetaFit:
    if e.k < 2:
        return pool(e, level=level)
    return pool(e, model="bayes", level=level, prior=half_cauchy(TAU_SCALE))


def _seen(fit: MetaFit) -> MetaFit:
    """Return a mixed-model fit without a prediction where it does not see what Q sees."""
    if fit.tau2 > NOTHING or not fit.q_p < DIFFER:
        return fit
    a, nan = fit.analysis, math.nan
    return dataclasses.replace(
        fit,
        pred_low=nan,
        pred_high=nan,
        analysis=Analysis(a.estimate, a.std_error, a.conf_low, a.conf_high, nan, nan),
        notes=(
            *fit.notes,
            "no prediction interval: the model finds no variance between cohorts, Cochran's Q does",
        ),
    )
