"""One rule for pooling single-arm proportions and rates, whatever the number of cohorts."""

from __future__ import annotations

from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.nothing import exact_pool, nothing_happened
from metablin.meta.core.options import needs_measure
from metablin.meta.pooling import pool

__all__ = ["pool_cohorts"]

# With fewer cohorts the likelihood says next to nothing about how much they differ.
MIN_FOR_LIKELIHOOD = 3


def pool_cohorts(e: EffectSizes, level: float = 0.95) -> MetaFit:
    """Pool proportions or rates of single-arm cohorts by the model their number can carry.

    One cohort keeps its own interval. Two cannot show how much cohorts differ: they get the
    Bayesian model, whose half-normal prior (scale 0.5 on the logit scale) says what is usual
    (Rover et al. 2021). From three on it is the binomial-normal model with a t interval
    (Stijnen et al. 2010). Rates follow the same rule, with the log scale and the Poisson-normal
    model.

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
    needs_measure(e, "pool_cohorts", ("proportion", "rate"))
    if nothing_happened(e):
        return exact_pool(e, check_level(level))
    if e.k == 1:
        return pool(e, level=level)
    if e.k < MIN_FOR_LIKELIHOOD:
        return pool(e, model="bayes", level=level)
    return pool(e, model="glmm", ci="t", level=level)
