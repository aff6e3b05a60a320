"""One rule for pooling single-arm proportions, whatever the number of cohorts."""

from __future__ import annotations

import math

from scipy import special

from metablin._input import level as check_level
from metablin.effects import EffectSizes, exact_intervals
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, needs_measure
from metablin.meta.pooling import pool

__all__ = ["pool_cohorts"]

# With fewer cohorts the likelihood says next to nothing about how much they differ.
MIN_FOR_LIKELIHOOD = 3


def pool_cohorts(e: EffectSizes, level: float = 0.95) -> MetaFit:
    """Pool the proportions of single-arm cohorts by the model their number can carry.

    One cohort keeps its own interval. Two cannot show how much cohorts differ: they get the
    Bayesian model, whose half-normal prior (scale 0.5 on the logit scale) says what is usual
    (Rover et al. 2021). From three on it is the binomial-normal model with a t interval
    (Stijnen et al. 2010).

    Where no patient, or every patient, has the event, nothing shows a difference between cohorts,
    and the likelihood of any number of them is highest at 0 or 1 without one. They are then one
    cohort: 0 of n with the exact interval of Clopper and Pearson, the same however the patients
    are divided. (A half added to each cohort's cells would add up: 0 of 11 would be 4.2% in one
    cohort, 7.7% in two, 13.4% in four.)

    Parameters
    ----------
    e : EffectSizes
        From :func:`metablin.proportions` with the logit transform.
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
        When the effects are not proportions.

    References
    ----------
    Clopper CJ, Pearson ES (1934). Biometrika 26:404-413. doi:10.1093/biomet/26.4.404
    Rover C et al. (2021). Res Synth Methods 12:448-474. doi:10.1002/jrsm.1475
    Stijnen T, Hamza TH, Ozdemir P (2010). Stat Med 29:3046-3067. doi:10.1002/sim.4040

    Examples
    --------
    >>> import metablin as mb
    >>> mb.pool_cohorts(mb.proportions([16, 14], [45, 34])).model
    'bayes'
    >>> mb.pool_cohorts(mb.proportions([16, 14, 20], [45, 34, 41])).model
    'glmm'
    >>> none = mb.pool_cohorts(mb.proportions([0, 0], [5, 6]))
    >>> none.estimate, round(none.conf_high, 4)
    (0.0, 0.2849)
    """
    needs_measure(e, "pool_cohorts", ("proportion",))
    events, n = e.counts["events"].sum(), e.counts["n"].sum()
    if events in (0, n):
        return _as_one(e, check_level(level))
    if e.k == 1:
        return pool(e, level=level)
    if e.k < MIN_FOR_LIKELIHOOD:
        return pool(e, model="bayes", level=level)
    return pool(e, model="glmm", ci="t", level=level)


def _as_one(e: EffectSizes, level: float) -> MetaFit:
    """Return 0 of n, or n of n, with its exact interval."""
    events, n = e.counts["events"].sum(), e.counts["n"].sum()
    one = exact_intervals([events], [n], level=level).iloc[0]
    low, high = (float(special.logit(one[name])) for name in ("conf_low", "conf_high"))
    who = "no patient" if events == 0 else "every patient"
    return make_fit(
        e,
        Options("exact", "clopper-pearson", level=level),
        estimate=-math.inf if events == 0 else math.inf,
        std_error=math.nan,
        confidence=(low, high),
        weights=e.counts["n"],
        notes=(
            f"{who} had the event: {events:g} of {n:g} as one cohort, exact interval; there is no "
            "standard error, test, tau2 or prediction interval",
        ),
    )
