"""One rule for pooling single-arm proportions, whatever the number of cohorts."""

from __future__ import annotations

from metablin.effects import EffectSizes
from metablin.meta.fit import MetaFit
from metablin.meta.models import needs_measure
from metablin.meta.pooling import pool

__all__ = ["pool_cohorts"]

# With fewer cohorts the likelihood says next to nothing about how much they differ.
MIN_FOR_LIKELIHOOD = 3


def pool_cohorts(e: EffectSizes, level: float = 0.95) -> MetaFit:
    """Pool the proportions of single-arm cohorts by the model their number can carry.

    One cohort keeps its own interval. Two cannot show how much cohorts differ: they get the
    Bayesian model, whose half-normal prior (scale 0.5 on the logit scale) says what is usual
    (Rover et al. 2021). From three on it is the binomial-normal model with a t interval
    (Stijnen et al. 2010). Where no patient, or every patient, has the event that likelihood has
    no maximum, and the common effect with 1/2 added to each cell is given.

    Parameters
    ----------
    e : EffectSizes
        From :func:`metablin.proportions` with the logit transform.
    level : float
        Confidence level.

    Returns
    -------
    MetaFit
        ``model`` says which rule applied.

    Raises
    ------
    DataError
        When the effects are not proportions.

    References
    ----------
    Rover C et al. (2021). Res Synth Methods 12:448-474. doi:10.1002/jrsm.1475
    Stijnen T, Hamza TH, Ozdemir P (2010). Stat Med 29:3046-3067. doi:10.1002/sim.4040

    Examples
    --------
    >>> import metablin as mb
    >>> mb.pool_cohorts(mb.proportions([16, 14], [45, 34])).model
    'bayes'
    >>> mb.pool_cohorts(mb.proportions([16, 14, 20], [45, 34, 41])).model
    'glmm'
    """
    needs_measure(e, "pool_cohorts", ("proportion",))
    events, n = e.counts["events"].sum(), e.counts["n"].sum()
    if e.k == 1:
        return pool(e, level=level)
    if events in (0, n):
        return pool(e, model="common", ci="z", level=level)
    if e.k < MIN_FOR_LIKELIHOOD:
        return pool(e, model="bayes", level=level)
    return pool(e, model="glmm", ci="t", level=level)
