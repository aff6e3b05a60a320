"""Pooling with random effects that allow for outlying studies."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import choice, one
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.moderators import Design, Regression
from metablin.meta.core.options import Options
from metablin.meta.core.parts import NAN, Heterogeneity
from metablin.meta.outliers.climb import Peak, highest, log_likelihood
from metablin.meta.outliers.families import LEAST_DF, Family, Mixture, Student, log_density
from metablin.meta.outliers.profile import deviance, limits
from metablin.numerics.gls import gls, gls_at
from metablin.numerics.inference import chi2_tail, two_sided
from metablin.numerics.newton import hessian

__all__ = ["family_of", "fit_mixture", "fit_outlier_regression", "fit_student"]

FloatArray = NDArray[np.float64]

FLAT = 1e-9
"""Information, as a share of the largest, that is none: a parameter at the edge of its range."""

NONE = 1e-12
"""A tau2 that is this share of the least variance is zero but for rounding."""

LIKELY = 0.5
"""Probability from which a study is named as an outlier."""


def fit_student(e: EffectSizes, options: Options) -> MetaFit:
    """Pool with random effects from Student's t distribution (see :func:`metablin.pool`).

    Its heavy tails leave outlying studies little weight. Everything is by maximum likelihood, the
    density of an estimate by quadrature to rounding; interval and test of the effect are those of
    the profile likelihood. ``tau2`` is the squared scale, not the variance (which is infinite with
    two degrees of freedom or fewer); ``extra`` has ``effects_df``, ``log_likelihood``, ``aic``,
    ``bic`` and the likelihood-ratio test against normal effects (``lr_normal``, ``lr_normal_p``:
    half the tail of chi-square, as infinity is the end of the range of the degrees of freedom;
    :func:`metablin.outlier_test` draws the distribution instead).

    Options: ``df``, degrees of freedom from 0.1, estimated when not given.

    Raises
    ------
    DataError
        For fewer than three studies, or degrees of freedom below 0.1.

    References
    ----------
    Lee KJ, Thompson SG (2008). Flexible parametric models for random-effects distributions. Stat
    Med 27:418-434. doi:10.1002/sim.2897
    Baker R, Jackson D (2008). A new approach to outliers in meta-analysis. Health Care Manag Sci
    11:121-131. doi:10.1007/s10729-007-9041-8

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.2, 0.15, 0.3, 2.2], [0.03, 0.04, 0.02, 0.05, 0.1])
    >>> fit = mb.pool(e, model="student-t", df=3)
    >>> round(mb.pool(e, tau2="ML").estimate, 3), round(fit.estimate, 3)
    (0.555, 0.244)
    """
    return _fit(e, options, family_of(options))


def fit_mixture(e: EffectSizes, options: Options) -> MetaFit:
    """Pool with random effects from two normals of one mean (see :func:`metablin.pool`).

    Most studies have the smaller variance, ``tau2``; outliers the larger. Everything is by maximum
    likelihood, climbed from each study as the outlier and from sets of the farthest; interval and
    test of the effect are those of the profile likelihood. ``extra`` has ``tau2_outliers``,
    ``outlier_share``, ``outlier_probability`` (of each study, given its estimate),
    ``log_likelihood``, ``aic``, ``bic`` and ``lr_normal``, the likelihood-ratio statistic against
    one normal. It has no chi-square distribution: :func:`metablin.outlier_test` draws it.

    Raises
    ------
    DataError
        For fewer than three studies.

    References
    ----------
    Beath KJ (2014). A finite mixture method for outlier detection and robustness in meta-analysis.
    Res Synth Methods 5:285-293. doi:10.1002/jrsm.1114

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.2, 0.15, 0.3, 2.2], [0.03, 0.04, 0.02, 0.05, 0.1])
    >>> fit = mb.pool(e, model="mixture")
    >>> round(fit.estimate, 3), [round(p, 2) for p in fit.extra["outlier_probability"]]
    (0.174, [0.03, 0.03, 0.02, 0.04, 1.0])
    """
    return _fit(e, options, family_of(options))


def family_of(options: Options) -> Family:
    """Return the distribution of the random effects that a model means."""
    if options.model == "mixture":
        options.only()
        return Mixture()
    df = options.only("df").get("df")
    return Student(None if df is None else one("df", df, minimum=LEAST_DF))


def fit_outlier_regression(e: EffectSizes, options: Options, design: Design) -> MetaFit:
    """Fit a meta-regression with these random effects; each interval is that of its profile.

    The test of all moderators is the likelihood-ratio test against the fit without them.
    """
    family, x = family_of(options), design.matrix
    peak = _peak(e, options, family, x)
    pooled = make_fit(
        e, options, estimate=NAN, std_error=NAN, heterogeneity=_heterogeneity(e, peak, x),
        tau2_method="ML", weights=_weights(e, family, peak, x), predict=False,
        notes=_notes(e, family, peak, x), extra=_extra(e, family, peak, x),
    )  # fmt: skip
    cov = _covariance(family, e.yi, e.vi, x, peak)
    error = np.sqrt(np.diag(cov))
    ends, roots = [], []
    for j, at in enumerate(peak.beta):
        fall = deviance(family, e.yi, e.vi, x, peak, j)
        ends.append(limits(fall, float(at), float(error[j]), options.level))
        roots.append(math.copysign(math.sqrt(max(fall(0.0), 0.0)), at))
    statistic = np.array(roots)
    tested = design.tested
    without = highest(family, e.yi, e.vi, np.delete(x, tested, axis=1)).value
    qm = max(2 * (peak.value - without), 0.0)
    regression = Regression(
        terms=design.terms, beta=peak.beta, std_error=error, statistic=statistic,
        p_value=np.asarray(two_sided(statistic, math.inf)), conf_low=np.array([a for a, _ in ends]),
        conf_high=np.array([b for _, b in ends]), cov=cov, df=math.inf, level=options.level,
        design=design, qm=qm, qm_df=len(tested), qm_df2=NAN,
        qm_p=float(chi2_tail(qm, len(tested))), r2=NAN,
    )  # fmt: skip
    return dataclasses.replace(pooled, regression=regression)


def _fit(e: EffectSizes, options: Options, family: Family) -> MetaFit:
    x = np.ones((e.k, 1))
    peak = _peak(e, options, family, x)
    middle = float(peak.beta[0])
    se = math.sqrt(float(_covariance(family, e.yi, e.vi, x, peak)[0, 0]))
    fall = deviance(family, e.yi, e.vi, x, peak, 0)
    root = math.copysign(math.sqrt(max(fall(0.0), 0.0)), middle)
    half = _reach(e, family, peak, se, options.level)
    pooled = make_fit(
        e, options, estimate=middle, std_error=se,
        confidence=limits(fall, middle, se, options.level),
        prediction=(middle - half, middle + half), heterogeneity=_heterogeneity(e, peak, x),
        tau2_method="ML", weights=_weights(e, family, peak, x), notes=_notes(e, family, peak, x),
        extra=_extra(e, family, peak, x),
    )  # fmt: skip
    return dataclasses.replace(pooled, statistic=root, p_value=float(two_sided(root, math.inf)))


def _peak(e: EffectSizes, options: Options, family: Family, x: FloatArray) -> Peak:
    # REML, the default of other models, has no meaning here: tau2_method says what was done
    choice("tau2", options.tau2, ["ML", "REML"])
    if e.k < max(3, x.shape[1] + 1):
        raise DataError(f"model {options.model!r} needs more studies", value=f"k = {e.k}",
                        allowed=f"at least {max(3, x.shape[1] + 1)}")  # fmt: skip
    peak = highest(family, e.yi, e.vi, x)
    shape = np.array(peak.shape)
    if isinstance(family, Mixture) and abs(shape[0]) > abs(shape[1]):
        shape = np.array([shape[1], shape[0], math.pi / 2 - shape[2]])
    if shape[0] ** 2 < NONE * e.vi.min():
        shape[0] = 0.0
    return dataclasses.replace(peak, shape=shape)


def _covariance(
    family: Family, y: FloatArray, v: FloatArray, x: FloatArray, peak: Peak
) -> FloatArray:
    """Return the covariance of the coefficients from the observed information."""
    if peak.is_normal:
        return np.asarray(gls_at(y, v, peak.normal_tau2, x).cov)
    basis, upper = np.linalg.qr(x)
    p = x.shape[1]
    spread = math.sqrt(peak.normal_tau2 + float(np.median(v)))
    scale = np.r_[np.full(p, spread), family.scale(spread)]
    theta = np.r_[upper @ peak.beta, peak.shape]
    info = -hessian(lambda t: log_likelihood(family, y, v, basis, t), theta, scale)
    info *= np.outer(scale, scale)
    cross = info[:p, p:]
    inner = info[:p, :p] - cross @ np.linalg.pinv(info[p:, p:], rcond=FLAT) @ cross.T
    root = np.linalg.solve(upper, np.diag(scale[:p]))
    return np.asarray(root @ np.linalg.inv(inner) @ root.T)


def _parts(
    e: EffectSizes, family: Family, peak: Peak, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the probability of every scale given each estimate, (k, n), and variances (n,)."""
    resid = (e.yi - x @ peak.beta)[None]
    log_q, t2 = family.components(peak.shape[:, None], resid, e.vi)
    density, terms = log_density(resid, e.vi, log_q, t2)
    share = terms[0] - 0.5 * math.log(2 * math.pi) - density[0][:, None]
    return np.exp(share), t2[0]


def _weights(e: EffectSizes, family: Family, peak: Peak, x: FloatArray) -> FloatArray:
    """Return the weights with which the estimate is the weighted mean of the studies."""
    share, t2 = _parts(e, family, peak, x)
    return np.asarray((share / (e.vi[:, None] + t2)).sum(-1))


def _reach(e: EffectSizes, family: Family, peak: Peak, se: float, level: float) -> float:
    """Return half the width of the prediction interval: a new effect about an uncertain mean."""
    resid = (e.yi - peak.beta[0])[None]
    log_q, t2 = family.components(peak.shape[:, None], resid, e.vi)
    q, total = np.exp(log_q[0]), np.sqrt(se**2 + t2[0])

    def beyond(half: float) -> float:
        # what a cut-off rule lacks lies in the widest scales
        inside = float(q @ (1 - 2 * special.ndtr(-half / total)))
        return 1 - inside - (1 - level)

    far = float(total.min())
    while beyond(far) > 0:
        far *= 2
        if not math.isfinite(far):
            return math.inf
    return float(optimize.brentq(beyond, 0.0, far, rtol=1e-12))


def _heterogeneity(e: EffectSizes, peak: Peak, x: FloatArray) -> Heterogeneity:
    q, df = float(gls(e.yi, 1 / e.vi, x).rss), e.k - x.shape[1]
    return Heterogeneity(tau2=float(peak.shape[0] ** 2), q=q, q_df=df, q_p=float(chi2_tail(q, df)))


def _extra(e: EffectSizes, family: Family, peak: Peak, x: FloatArray) -> Mapping[str, Any]:
    parameters = x.shape[1] + family.size
    out: dict[str, Any] = {}
    if isinstance(family, Mixture):
        share, t2 = _parts(e, family, peak, x)
        out["tau2_outliers"] = float(t2[1])
        out["outlier_share"] = float(math.sin(peak.shape[2]) ** 2)
        out["outlier_probability"] = [float(p) for p in share[:, 1]]
    out |= {
        "log_likelihood": peak.value,
        "aic": 2 * parameters - 2 * peak.value,
        "bic": parameters * math.log(e.k) - 2 * peak.value,
    }
    if isinstance(family, Student):
        inverse = float(family.inverse_df(peak.shape[:, None])[0])
        out["effects_df"] = 1 / inverse if inverse > 0 else math.inf
        if family.df is not None:
            return out
    out["lr_normal"] = max(2 * (peak.value - peak.normal_value), 0.0)
    if isinstance(family, Student):
        out["lr_normal_p"] = 1.0 if peak.is_normal else float(chi2_tail(out["lr_normal"], 1)) / 2
    return out


def _notes(e: EffectSizes, family: Family, peak: Peak, x: FloatArray) -> tuple[str, ...]:
    if peak.is_normal:
        return ("the likelihood is highest for normal random effects, without outliers",)
    if isinstance(family, Student):
        df = 1 / float(family.inverse_df(peak.shape[:, None])[0])
        given = "" if family.df is None else " (given)"
        return (f"random effects from t with {df:.3g} degrees of freedom{given}; tau2 is its "
                "squared scale",)  # fmt: skip
    probability = _parts(e, family, peak, x)[0][:, 1]
    named = [f"{s} ({p:.2f})" for s, p in zip(e.studies, probability, strict=True) if p > LIKELY]
    share, wide = math.sin(peak.shape[2]) ** 2, peak.shape[1] ** 2
    found = "no likely outlier"
    if named:
        found = "outliers, with their probability: " + ", ".join(named)
    if share > LIKELY:
        found = "the wider normal has most of the studies, so that these are no outliers"
    return (f"{found}; {share:.0%} of studies have tau2 = {wide:.3g}",)
