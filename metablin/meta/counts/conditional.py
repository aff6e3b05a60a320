"""Conditional logistic models: the treated events given the events of both arms.

Conditioning on the total removes the baseline of each study, so that nothing is assumed about it:
the treated events of a 2x2 table then follow the non-central hypergeometric distribution of Fisher,
those of a pair of rates a binomial, with the log ratio of the study as their only parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, needs_measure
from metablin.meta.core.parts import Heterogeneity
from metablin.numerics.inference import chi2_tail

__all__ = ["Conditional", "fit_conditional", "marginal", "maximise"]

FloatArray = NDArray[np.float64]
Likelihood = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]

NODES = 40
"""Points of the adaptive Gauss-Hermite rule; against direct integration the log-likelihood is then
good to about ten digits in tables with zero cells."""

STARTS = (0.2, 1.0)
"""Values of tau from which the likelihood is climbed."""

NO_SPREAD = 1e-5
"""The likelihood is even in tau; a maximum this near to zero is zero."""

MODE_STEPS = 200
MODE_STEP = 2.0
"""Longest step towards the mode of a study's integrand, in units of tau."""

MODE_TOLERANCE = 1e-8
"""The rule needs the mode only roughly: it moves the nodes, not the integral."""

SCORE_TOLERANCE = 1e-6
"""Largest score, in units of the standard error, at which the maximum counts as reached."""


@dataclass(frozen=True, slots=True)
class Conditional:
    """Maximum of the conditional likelihood.

    Attributes
    ----------
    mu, std_error, tau : float
        Mean log ratio, its standard error from the observed information about (mu, tau), and
        the standard deviation between studies.
    log_likelihood, log_likelihood_common : float
        At the maximum, and at the maximum with tau = 0; constants included.
    """

    mu: float
    std_error: float
    tau: float
    log_likelihood: float
    log_likelihood_common: float


def fit_conditional(e: EffectSizes, options: Options) -> MetaFit:
    """Pool odds ratios or rate ratios given the events of both arms (see :func:`metablin.pool`).

    The log ratios of the studies are normal with mean mu and variance tau2; maximum likelihood.
    Studies without events (odds ratios: or without non-events) carry no information.

    Options: ``approximate`` (False), for odds ratios of rare events: a binomial in place of the
    non-central hypergeometric distribution, with the odds of the margins as an offset.

    Raises
    ------
    DataError
        For another measure, or when the ratio is zero or infinite in all studies.

    References
    ----------
    Stijnen T, Hamza TH, Ozdemir P (2010). Random effects meta-analysis of event outcome in the
    framework of the generalized linear mixed model with applications in sparse data.
    doi:10.1002/sim.4040

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.two_by_two([2, 0, 5, 1], [45, 31, 60, 25], [6, 2, 9, 4], [40, 30, 58, 27])
    >>> round(mb.pool(e, model="conditional").estimate, 3)
    0.333
    """
    needs_measure(e, "conditional", ("or", "irr"))
    approximate = options.only("approximate").get("approximate", False)
    if not isinstance(approximate, bool):
        raise DataError("not a yes or no", column="approximate", value=approximate,
                        allowed="True | False")  # fmt: skip
    if e.measure == "irr" and approximate:
        raise DataError("rates given their total are binomial, and need no approximation",
                        column="approximate", value=True, allowed="False")  # fmt: skip
    likelihood, used = _likelihood(e, approximate)
    k = int(used.sum())
    best = maximise(likelihood)
    lrt = max(2 * (best.log_likelihood - best.log_likelihood_common), 0.0)
    notes = ["the counts enter as they were observed, without correction"]
    out = [name for name, use in zip(e.studies, used, strict=True) if not use]
    if out:
        notes.append("no information, hence left out: " + ", ".join(out))
    return make_fit(
        e,
        options,
        estimate=best.mu,
        std_error=best.std_error,
        df=float(k - 1) if options.ci == "t" and k > 1 else math.inf,
        heterogeneity=Heterogeneity(best.tau**2),
        tau2_method="ML",
        notes=tuple(notes),
        extra={
            "loglik": best.log_likelihood,
            "aic": 4 - 2 * best.log_likelihood,
            "tau2_lrt": lrt,
            "tau2_lrt_p": float(chi2_tail(lrt, 1)) / (2 if lrt > 0 else 1),
            "approximate": approximate,
        },
    )


def _likelihood(e: EffectSizes, approximate: bool) -> tuple[Likelihood, NDArray[np.bool_]]:
    """Return the likelihood of the informative studies, and which these are."""
    a, c = e.counts["events_treatment"], e.counts["events_control"]
    m = a + c
    if e.measure == "irr":
        t1, t2 = e.counts["person_time_treatment"], e.counts["person_time_control"]
        low, high, used = np.zeros_like(m), m, m > 0
        _finite(a, low, high, used)
        return binomial(a[used], m[used], np.log(t1[used] / t2[used])), used
    n1, n2 = e.counts["n_treatment"], e.counts["n_control"]
    low, high = np.maximum(0, m - n2), np.minimum(m, n1)
    used = high > low
    _finite(a, low, high, used)
    a, m, n1, n2 = a[used], m[used], n1[used], n2[used]
    if not approximate:
        return hypergeometric(a, m, n1, n2), used
    with np.errstate(divide="ignore"):
        offset = np.log(n1) - np.log(n2)
    return binomial(a, m, offset), used


def _finite(a: FloatArray, low: FloatArray, high: FloatArray, used: NDArray[np.bool_]) -> None:
    a, low, high = a[used], low[used], high[used]
    if not used.any() or (a == low).all() or (a == high).all():
        raise DataError(
            "the conditional ratio is 0 or infinite: every informative study has as few events on "
            "treatment as its total allows, or as many",
            column="events_treatment",
        )


def binomial(a: FloatArray, m: FloatArray, offset: FloatArray) -> Likelihood:
    """Return the log-likelihood of `a` of `m` events, logit p = theta + offset, shapes (k,)."""
    constant = special.gammaln(m + 1) - special.gammaln(a + 1) - special.gammaln(m - a + 1)

    def value(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        eta = theta + offset
        p = special.expit(eta)
        return constant + a * eta - m * np.logaddexp(0, eta), a - m * p, -m * p * (1 - p)

    return value


def hypergeometric(a: FloatArray, m: FloatArray, n1: FloatArray, n2: FloatArray) -> Likelihood:
    """Return the log-likelihood of Fisher's non-central hypergeometric counts, shapes (k,)."""
    low, high = np.maximum(0, m - n2), np.minimum(m, n1)
    j = low[:, None] + np.arange((high - low).max() + 1.0)
    inside = j <= high[:, None]
    j = np.asarray(np.where(inside, j, high[:, None]), dtype=np.float64)
    n1, n2, m = n1[:, None], n2[:, None], m[:, None]
    weight = _log_binomial(n1, j) + _log_binomial(n2, m - j)
    here = _log_binomial(n1, a[:, None])[:, 0] + _log_binomial(n2, m - a[:, None])[:, 0]
    weight = np.where(inside, weight, -np.inf)

    def value(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        x = weight + theta[:, None] * j
        top = x.max(axis=1)
        p = np.exp(x - top[:, None])
        total = p.sum(axis=1)
        mean = (p * j).sum(axis=1) / total
        variance = (p * (j - mean[:, None]) ** 2).sum(axis=1) / total
        return here + a * theta - top - np.log(total), a - mean, -variance

    return value


def _log_binomial(n: FloatArray, j: FloatArray) -> FloatArray:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(j + 1) - special.gammaln(n - j + 1))


def marginal(likelihood: Likelihood, mu: float, tau: float) -> tuple[float, FloatArray, FloatArray]:
    """Return the log-likelihood at (mu, tau), its gradient and its Hessian.

    Each study is integrated over theta = mu + tau u by Gauss and Hermite's rule about the mode of
    its integrand; the derivatives are moments of the scores under the same rule.
    """
    mode, scale = _mode(likelihood, mu, tau)
    nodes, rule = np.polynomial.hermite.hermgauss(NODES)
    u = mode[:, None] + math.sqrt(2) * scale[:, None] * nodes
    parts = [likelihood(mu + tau * u[:, g]) for g in range(NODES)]
    height, d1, d2 = (np.stack([part[i] for part in parts], axis=1) for i in range(3))
    term = height - u**2 / 2 + nodes**2 + np.log(rule)
    top = term.max(axis=1)
    p = np.exp(term - top[:, None])
    total = p.sum(axis=1)
    p /= total[:, None]
    value = float((top + np.log(total * scale / math.sqrt(math.pi))).sum())
    s_mu, s_tau = (p * d1).sum(axis=1), (p * d1 * u).sum(axis=1)
    curve = p * (d2 + d1**2)
    h11 = curve.sum() - (s_mu**2).sum()
    h12 = (curve * u).sum() - (s_mu * s_tau).sum()
    h22 = (curve * u**2).sum() - (s_tau**2).sum()
    return value, np.array([s_mu.sum(), s_tau.sum()]), np.array([[h11, h12], [h12, h22]])


def _mode(likelihood: Likelihood, mu: float, tau: float) -> tuple[FloatArray, FloatArray]:
    """Return the mode of each study's integrand in u, and its scale there."""
    u = np.zeros_like(likelihood(np.array([mu]))[0])
    for _ in range(MODE_STEPS):
        _, d1, d2 = likelihood(mu + tau * u)
        bend = 1 - tau**2 * d2
        step = np.clip((tau * d1 - u) / bend, -MODE_STEP, MODE_STEP)
        u = u + step
        if np.abs(step).max() <= MODE_TOLERANCE:
            break
    return u, 1 / np.sqrt(1 - tau**2 * likelihood(mu + tau * u)[2])


def maximise(likelihood: Likelihood) -> Conditional:
    """Return the maximum of the likelihood over mu and tau.

    Raises
    ------
    ConvergenceError
        When no maximum is reached.
    """
    common = _climb(likelihood, np.zeros(1))
    found = [_climb(likelihood, np.array([common[0][0], tau])) for tau in STARTS]
    at, value, hessian = max(found, key=lambda one: one[1])
    if abs(at[1]) < NO_SPREAD or value <= common[1]:
        at, value, hessian = np.array([common[0][0], 0.0]), common[1], common[2]
    variance = float(np.linalg.inv(-hessian)[0, 0])
    return Conditional(float(at[0]), math.sqrt(variance), abs(float(at[1])), value, common[1])


def _climb(likelihood: Likelihood, start: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """Return where the likelihood is highest, its height and Hessian; one parameter is tau = 0."""
    n = len(start)

    def all_at(x: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        value, score, hessian = marginal(likelihood, float(x[0]), float(x[1]) if n == 2 else 0.0)
        return value, score[:n], hessian[:n, :n]

    r = optimize.minimize(
        lambda x: -all_at(x)[0],
        start,
        jac=lambda x: -all_at(x)[1],
        hess=lambda x: -all_at(x)[2],
        method="trust-exact",
        options={"gtol": 1e-9},
    )
    x = np.asarray(r.x, dtype=np.float64)
    value, score, hessian = all_at(x)
    if float(score @ np.linalg.solve(-hessian, score)) > SCORE_TOLERANCE**2:
        raise ConvergenceError("the conditional likelihood was not maximised")
    return x, value, hessian
