"""Estimators of the between-study variance tau2, for one or many meta-analyses at once.

Shapes as in :mod:`metablin.numerics.gls`; an absent study has infinite variance.

References
----------
Viechtbauer W (2005). Bias and efficiency of meta-analytic variance estimators in the
random-effects model. doi:10.3102/10769986030003261
Viechtbauer W (2010). Conducting meta-analyses in R with the metafor package.
doi:10.18637/jss.v036.i03 (the conventions kept here where packages differ).
Sidik K, Jonkman JN (2007). A comparison of heterogeneity variance estimators in combining results
of studies. doi:10.1002/sim.2688 (SJ from Hedges' estimate).
Viechtbauer W (2021). Median-unbiased estimators for the amount of heterogeneity in meta-analysis.
European Congress of Methodology (PMM).
DerSimonian R, Kacker R (2007). Random-effects model for meta-analysis of clinical trials: an
update. doi:10.1016/j.cct.2006.04.004 (two-step estimators DL2 and CA2).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.errors import ConvergenceError
from metablin.numerics.gls import Fit, gls, gls_at

__all__ = [
    "SJ_FLOOR",
    "STEP_TOLERANCE",
    "TAU2_METHODS",
    "climb",
    "estimate_tau2",
    "log_likelihood",
    "solve_q",
]

FloatArray = NDArray[np.float64]
Estimator = Callable[[FloatArray, FloatArray, FloatArray | None], FloatArray]

STEP_TOLERANCE = 1e-13
"""Iterations stop when tau2 moves by less than this times tau2 plus the typical variance; with
quadratic convergence the value is then good to rounding."""

MAX_STEPS = 200
"""Newton needs about ten steps; a set still moving after this many goes to bisection."""

SHRINK = 1 / 4
"""Smallest share of tau2 a step may leave, so that a maximum on the way to zero is not missed."""

NEAR_ZERO = 0.01
"""Below this share of the smallest variance a step may go to zero at once: no maximum worth telling
from zero lies in between."""

SJ_FLOOR = 0.01
"""Start of Sidik and Jonkman (2007) where the estimate of Hedges is below it."""

MAX_BISECTIONS = 100
"""Halvings that take any bracket below the step tolerance."""


def estimate_tau2(
    method: str, y: FloatArray, v: FloatArray, x: FloatArray | None = None
) -> FloatArray:
    """Return tau2, truncated at zero, shape (...).

    Parameters
    ----------
    method : {"DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM", "PMM", "SJ-HE", "DL2", "CA2"}
        DerSimonian-Laird, Hedges, Hunter-Schmidt, Sidik-Jonkman (start value: the variance of
        the effects with divisor k), maximum likelihood, restricted maximum likelihood,
        empirical Bayes, Paule-Mandel, the median-unbiased Paule-Mandel, Sidik-Jonkman from the
        estimate of Hedges (at least 0.01), and two-step moment estimators from DerSimonian-Laird
        and from Cochran's ANOVA (Hedges).
    y, v : ndarray, shape (..., k)
        Effects and sampling variances; an absent study has variance infinity and effect 0.
    x : ndarray, shape (k, p) or (..., k, p), optional
        Design; the intercept alone when not given.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> y, v = np.array([0.1, 0.5, 0.9]), np.array([0.04, 0.05, 0.03])
    >>> float(estimate_tau2("DL", y, v).round(6))
    0.140833
    """
    return np.maximum(_ESTIMATORS[method](y, v, x), 0.0)


def _present(v: FloatArray) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return which studies are there, and the residual degrees of freedom before p is taken."""
    there = np.isfinite(v)
    return there, there.sum(-1).astype(np.float64)


def _columns(x: FloatArray | None) -> int:
    return 1 if x is None else int(x.shape[-1])


def _scale(v: FloatArray) -> FloatArray:
    there, k = _present(v)
    return np.asarray(np.where(there, v, 0.0).sum(-1) / np.maximum(k, 1))


def _dl(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    k = _present(v)[1]
    fit = gls(y, 1 / v, x)
    return np.asarray((fit.rss - (k - _columns(x))) / fit.trace_p())


def _hs(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    k = _present(v)[1]
    fit = gls(y, 1 / v, x)
    return np.asarray((fit.rss - k) / fit.w.sum(-1))


def _he(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    there, k = _present(v)
    fit = gls(y, there.astype(np.float64), x)
    spread = (np.where(there, v, 0.0) * (1 - fit.leverage())).sum(-1)
    return np.asarray((fit.rss - spread) / (k - _columns(x)))


def _sj(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    there, k = _present(v)
    start = gls(y, there.astype(np.float64), None).rss / k
    safe = np.where(start > 0, start, 1.0)
    fit = gls_at(y, v, safe, x)
    return np.asarray(np.where(start > 0, safe * fit.rss / (k - _columns(x)), 0.0))


def _sj_he(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    k = _present(v)[1]
    start = np.maximum(_he(y, v, x), SJ_FLOOR)
    return np.asarray(start * gls_at(y, v, start, x).rss / (k - _columns(x)))


def _second_step(first: Estimator) -> Estimator:
    """Return the moment estimator with weights 1/(v + tau2) at the tau2 of a `first` step."""

    def estimate(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
        tau2 = np.maximum(first(y, v, x), 0.0)
        fit = gls_at(y, v, tau2, x)
        k = _present(v)[1]
        return np.asarray(tau2 + (fit.rss - (k - _columns(x))) / fit.trace_p())

    return estimate


Triple = tuple[FloatArray, FloatArray, FloatArray]


def _score_reml(fit: Fit) -> Triple:
    """Twice the score, twice the expected and twice the observed information about tau2."""
    pp = fit.trace_pp()
    return fit.y_pp_y - fit.trace_p(), pp, 2 * fit.y_ppp_y - pp


def _score_ml(fit: Fit) -> Triple:
    w2 = np.asarray((fit.w**2).sum(-1))
    return fit.y_pp_y - fit.w.sum(-1), w2, 2 * fit.y_ppp_y - w2


def log_likelihood(fit: Fit, restricted: bool) -> FloatArray:
    """Return the (restricted) log-likelihood of a fit with weights 1/(v + tau2), less constants.

    References
    ----------
    Viechtbauer W (2005), eq. 10 and 14. doi:10.3102/10769986030003261
    """
    there = fit.w > 0
    value = (np.log(np.where(there, fit.w, 1.0)).sum(-1) - fit.rss) / 2
    if not restricted:
        return np.asarray(value)
    if fit.basis is None:
        return np.asarray(value + np.log(fit.cov[..., 0, 0]) / 2)
    return np.asarray(value + np.linalg.slogdet(fit.cov)[1] / 2)


Score = Callable[[Fit], Triple]


def _likelihood(
    score: Score, restricted: bool
) -> Callable[[FloatArray, FloatArray, FloatArray | None], FloatArray]:
    """Return a maximiser of the likelihood of tau2.

    Newton steps from the Hedges start, scoring steps where Newton would climb the wrong way, and
    bisection for what still moves. The likelihood may have two maxima, one of them at zero: steps
    towards zero are short, so as not to jump over the other, and the more likely one is returned.
    """

    def step(y: FloatArray, v: FloatArray, x: FloatArray | None, tau2: FloatArray) -> FloatArray:
        u, expected, observed = score(gls_at(y, v, tau2, x))
        if y.ndim == 1:
            return _one_step(float(u), float(expected), float(observed), float(tau2), v)
        return climb(u, expected, observed, tau2, v.min(-1))

    def solve(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
        tau2, done = _iterate(step, y, v, x, np.maximum(_he(y, v, x), 0.0))
        if not done.all():
            still = ~done
            rows = x if x is None or x.ndim == 2 else x[still]
            tau2[still] = _bisect_score(score, y[still], v[still], rows)
        return np.asarray(np.where(_zero_is_better(restricted, y, v, x, tau2), 0.0, tau2))

    return solve


def climb(
    u: FloatArray,
    expected: FloatArray,
    observed: FloatArray,
    tau2: FloatArray,
    smallest: FloatArray,
) -> FloatArray:
    """Take one step up the likelihood of tau2, all arrays of shape (m,).

    Parameters
    ----------
    u, expected, observed : ndarray
        Twice the score and the informations about tau2.
    tau2 : ndarray
    smallest : ndarray
        Smallest sampling variance of each set.
    """
    concave = observed > 0.1 * expected
    new = tau2 + u / np.where(concave, observed, expected)
    new = np.where(concave | (u > 0), new, np.minimum(new, tau2 / 2))
    return np.maximum(new, np.where(tau2 > NEAR_ZERO * smallest, tau2 * SHRINK, 0.0))


def _one_step(u: float, expected: float, observed: float, tau2: float, v: FloatArray) -> FloatArray:
    """Take the same step for one set, without the cost of arrays of one."""
    if observed > 0.1 * expected:
        new = tau2 + u / observed
    else:
        new = tau2 + u / expected
        new = new if u > 0 else min(new, tau2 / 2)
    return np.array(max(new, tau2 * SHRINK if tau2 > NEAR_ZERO * v.min() else 0.0))


Step = Callable[[FloatArray, FloatArray, FloatArray | None, FloatArray], FloatArray]


def _iterate(
    step: Step, y: FloatArray, v: FloatArray, x: FloatArray | None, tau2: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Repeat ``tau2 <- step(tau2)`` until it stands still; return it and which sets did.

    A set that stands still leaves the loop, so its value does not depend on its company.
    """
    tolerance = STEP_TOLERANCE * _scale(v)
    if y.ndim == 1:
        for _ in range(MAX_STEPS):
            new = step(y, v, x, tau2)
            if abs(new - tau2) <= STEP_TOLERANCE * new + tolerance:
                return new, np.array(True)
            tau2 = new
        return np.array(tau2), np.array(False)
    tau2 = tau2.copy()
    moving = np.arange(len(y))
    for _ in range(MAX_STEPS):
        old = tau2[moving]
        new = step(y, v, x, old)
        tau2[moving] = new
        more = np.abs(new - old) > STEP_TOLERANCE * new + tolerance[moving]
        if not more.all():
            moving, y, v = moving[more], y[more], v[more]
            x = x if x is None or x.ndim == 2 else x[more]
        if not moving.size:
            break
    done = np.ones(tau2.shape, dtype=np.bool_)
    done[moving] = False
    return tau2, done


def _zero_is_better(
    restricted: bool, y: FloatArray, v: FloatArray, x: FloatArray | None, tau2: FloatArray
) -> NDArray[np.bool_]:
    if not tau2.any():
        return np.zeros(tau2.shape, dtype=np.bool_)
    at_zero = log_likelihood(gls(y, 1 / v, x), restricted)
    end = log_likelihood(gls_at(y, v, tau2, x), restricted)
    return np.asarray(at_zero > end)


def _bisect_score(score: Score, y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    """Return a zero of the score by bisection, 0 where it only falls."""

    def value(t: FloatArray) -> FloatArray:
        return score(gls_at(y, v, t, x))[0]

    high = _scale(v)
    low = np.zeros_like(high)
    for _ in range(MAX_STEPS):
        rising = value(high) > 0
        if not rising.any():
            break
        high = np.where(rising, 2 * high, high)
    else:
        raise ConvergenceError("the likelihood of tau2 has no maximum in reach")
    for _ in range(MAX_BISECTIONS):
        middle = (low + high) / 2
        up = value(middle) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.asarray(np.where(low == 0, 0.0, (low + high) / 2))


def solve_q(
    y: FloatArray, v: FloatArray, target: FloatArray | float, x: FloatArray | None = None
) -> FloatArray:
    """Return the tau2 >= 0 at which Q(tau2) equals `target`, 0 where Q(0) is below it already.

    1/Q is close to linear in tau2, so Newton's method on it needs about five steps (DerSimonian
    and Kacker 2007, doi:10.1016/j.cct.2006.04.004, iterate on Q itself); a step that leaves the
    interval known to hold the root is replaced by bisection.

    Examples
    --------
    >>> y, v = np.array([0.1, 0.5, 0.9]), np.array([0.04, 0.05, 0.03])
    >>> t = solve_q(y, v, 2.0)
    >>> float(gls_at(y, v, t).rss.round(12))
    2.0
    """
    if y.ndim == 1:
        scale = float(_scale(v))
        roots = [_solve_one(y, v, float(t), x, scale) for t in np.ravel(target)]
        return np.reshape(roots, np.shape(target))
    tolerance = STEP_TOLERANCE * _scale(v)
    tau2 = np.zeros(np.broadcast_shapes(y.shape[:-1], np.shape(target)))
    low, high = tau2, np.full_like(tau2, np.inf)
    done = np.zeros(tau2.shape, dtype=np.bool_)
    for _ in range(MAX_STEPS):
        fit = gls_at(y, v, tau2, x)
        q = fit.rss
        gap = q - target
        low, high = np.where(gap >= 0, tau2, low), np.where(gap <= 0, tau2, high)
        slope = np.maximum(fit.y_pp_y, TINY)
        new = tau2 + q * gap / (target * slope)
        inside = (new >= low) & (new <= high)
        new = np.where(inside, new, np.where(np.isinf(high), 2 * low, (low + high) / 2))
        still = np.abs(new - tau2) <= STEP_TOLERANCE * new + tolerance
        tau2 = np.where(done, tau2, new)
        done = done | still
        if done.all():
            return np.asarray(tau2)
    raise ConvergenceError(NO_ROOT)


def _solve_one(
    y: FloatArray, v: FloatArray, target: float, x: FloatArray | None, scale: float
) -> float:
    """Solve Q(tau2) = target for one set: the steps of :func:`solve_q` on plain numbers."""
    tau2, low, high = 0.0, 0.0, math.inf
    for _ in range(MAX_STEPS):
        fit = gls_at(y, v, tau2, x)
        q = float(fit.rss)
        gap = q - target
        low, high = (tau2 if gap >= 0 else low), (tau2 if gap <= 0 else high)
        new = tau2 + q * gap / (target * max(float(fit.y_pp_y), TINY))
        if not low <= new <= high:
            new = 2 * low if math.isinf(high) else (low + high) / 2
        if abs(new - tau2) <= STEP_TOLERANCE * (new + scale):
            return new
        tau2 = new
    raise ConvergenceError(NO_ROOT)


NO_ROOT = "the equation Q(tau2) = target was not solved"
TINY = float(np.finfo(float).tiny)


def _pm(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    return solve_q(y, v, _present(v)[1] - _columns(x), x)


def _pmm(y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
    """Set Q to the median of its distribution in the place of its mean."""
    return solve_q(y, v, special.chdtri(_present(v)[1] - _columns(x), 0.5), x)


_ESTIMATORS: dict[str, Estimator] = {
    "DL": _dl,
    "HE": _he,
    "HS": _hs,
    "SJ": _sj,
    "ML": _likelihood(_score_ml, restricted=False),
    "REML": _likelihood(_score_reml, restricted=True),
    "EB": _pm,
    "PM": _pm,
    "PMM": _pmm,
    "SJ-HE": _sj_he,
    "DL2": _second_step(_dl),
    "CA2": _second_step(_he),
}

TAU2_METHODS = tuple(_ESTIMATORS)
