"""Cure versions of a family: a share of patients never has the event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.survival.parametric.families import Family, Function, Start

__all__ = ["with_cure"]

FloatArray = NDArray[np.float64]


def with_cure(base: Family, kind: str) -> Family:
    r"""Return the cure version of a family; its first parameter is the cure fraction (logit).

    Mixture: :math:`S(t) = \pi + (1 - \pi) S_0(t)`. Non-mixture (promotion time):
    :math:`S(t) = \pi^{F_0(t)}`.

    Parameters
    ----------
    base : Family
        Distribution of the uncured, or of the promotion time.
    kind : {"mixture", "non-mixture"}

    References
    ----------
    Berkson J, Gage RP (1952). Survival curve for cancer patients following treatment.
    J Am Stat Assoc 47:501-515. doi:10.1080/01621459.1952.10501187

    Chen MH, Ibrahim JG, Sinha D (1999). A new Bayesian model for survival data with a surviving
    fraction. J Am Stat Assoc 94:909-919. doi:10.1080/01621459.1999.10474196

    Lambert PC (2007). Modeling of the cure fraction in survival studies. Stata J 7:351-375.
    doi:10.1177/1536867X0700700304
    """
    log_survival, log_density = (_mixture if kind == "mixture" else _non_mixture)(base)

    def start(s: Start) -> FloatArray:
        # The uncured die faster than everyone together.
        early = Start(s.log_mean - 0.5 * s.log_sd, 0.7 * s.log_sd, 2.0 * s.rate)
        rows = base.start(early)
        return np.array([[logit, *row] for row in rows for logit in (-1.4, 0.0)])

    def scale(s: Start) -> FloatArray:
        return np.asarray(np.r_[1.0, base.scale(s)])

    return Family(
        name=f"{base.name}-{kind}-cure",
        parameters=("cure", *base.parameters),
        links=("logit", *base.links),
        log_survival=log_survival,
        log_density=log_density,
        start=start,
        scale=scale,
        cure=kind,
    )


def _mixture(base: Family) -> tuple[Function, Function]:
    def log_survival(theta: FloatArray, t: FloatArray) -> FloatArray:
        log_cured, log_uncured = special.log_expit(theta[0]), special.log_expit(-theta[0])
        return np.asarray(np.logaddexp(log_cured, log_uncured + base.log_survival(theta[1:], t)))

    def log_density(theta: FloatArray, t: FloatArray) -> FloatArray:
        return np.asarray(special.log_expit(-theta[0]) + base.log_density(theta[1:], t))

    return log_survival, log_density


def _non_mixture(base: Family) -> tuple[Function, Function]:
    def log_survival(theta: FloatArray, t: FloatArray) -> FloatArray:
        log_s0 = base.log_survival(theta[1:], t)
        return np.asarray(special.log_expit(theta[0]) * -np.expm1(log_s0))

    def log_density(theta: FloatArray, t: FloatArray) -> FloatArray:
        log_hazard = np.log(-special.log_expit(theta[0])) + base.log_density(theta[1:], t)
        return np.asarray(log_hazard + log_survival(theta, t))

    return log_survival, log_density
