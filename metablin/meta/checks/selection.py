"""A three-parameter selection model: studies with large p-values are seen less (or more) often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import choice, one
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.text import p_text
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, critical, two_sided
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["SelectionModel", "selection_model"]

FloatArray = NDArray[np.float64]

ALTERNATIVES = ("greater", "less", "two-sided")

STARTS = (0.2, 1.0)
TAU2_STARTS = (0.02, 0.1)
"""Relative probabilities of publication, and tau2 in units of the total variance (the second on top
of the one without selection), from which the search starts: the likelihood can have two maxima,
one that explains the spread by selection and one by heterogeneity."""

RUNAWAY = 12.0
"""A log relative probability beyond this has left every value a real literature could have."""

GRADIENT_TOLERANCE = 1e-9
"""Largest derivative of the log-likelihood per study, effects in standard units, at the maximum."""

MAX_STEPS = 200
"""Some twenty Newton steps are usual; a likelihood that is nearly flat in delta takes more."""

SHORTEST = 1e-10
"""Share of a Newton step below which a climb is given up."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SelectionModel(Record):
    """A step-function selection model with one step.

    Attributes
    ----------
    effects : EffectSizes
        The studies.
    alternative : str
        Direction of the p-values: ``greater``, ``less`` or ``two-sided``.
    step : float
        P-value at which the probability of publication changes.
    estimate, std_error, statistic, p_value, conf_low, conf_high : float
        Corrected mean effect on the analysis scale, normal reference.
    tau2, tau2_std_error : float
        Corrected between-study variance; the standard error is NaN at tau2 = 0.
    delta, delta_std_error : float
        Probability that a study with p above the step is seen, relative to one with p below it.
    log_likelihood : float
        At the maximum.
    lrt, lrt_p : float
        Likelihood-ratio test of delta = 1 with 1 degree of freedom.
    unadjusted, unadjusted_tau2 : float
        Maximum likelihood without selection, on the analysis scale.
    k_below, k_above : int
        Studies with p at most, and above, the step.
    level : float
        Confidence level.
    """

    effects: EffectSizes
    alternative: str
    step: float
    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    tau2: float
    tau2_std_error: float
    delta: float
    delta_std_error: float
    log_likelihood: float
    lrt: float
    lrt_p: float
    unadjusted: float
    unadjusted_tau2: float
    k_below: int
    k_above: int
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row each for the mean effect, tau2 and delta, on the analysis scale."""
        z = float(critical(self.level, math.inf))
        rows = []
        for term, value, se in (
            ("effect", self.estimate, self.std_error),
            ("tau2", self.tau2, self.tau2_std_error),
            ("delta", self.delta, self.delta_std_error),
        ):
            low, high = value - z * se, value + z * se
            if term != "effect":
                low = max(low, 0.0) if not math.isnan(low) else low
            rows.append((term, value, se, low, high, self.level))
        columns = ["term", "estimate", "std_error", "conf_low", "conf_high", "conf_level"]
        return pd.DataFrame(rows, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON-ready Python types; ``reader`` holds the reader's scale."""
        names = [n for n in self.__slots__ if n != "effects"]
        reader = self.effects.back([self.estimate, self.conf_low, self.conf_high])
        return json_dict(
            {
                **{name: getattr(self, name) for name in names},
                "reader": dict(
                    zip(("estimate", "conf_low", "conf_high"), map(float, reader), strict=True)
                ),
            }
        )

    def summary(self) -> str:
        """Return the model as text for people."""
        return (
            f"Selection at p = {self.step:g} ({self.alternative}; {self.k_below} below, "
            f"{self.k_above} above): delta = {self.delta:.3g} (SE {self.delta_std_error:.3g}), "
            f"LRT = {self.lrt:.3f}, p = {p_text(self.lrt_p)}\n"
            f"Effect {self.estimate:.4g} [{100 * self.level:g}% CI {self.conf_low:.4g} to "
            f"{self.conf_high:.4g}], p = {p_text(self.p_value)}; tau2 = {self.tau2:.4g}; "
            f"without selection {self.unadjusted:.4g}, tau2 = {self.unadjusted_tau2:.4g}"
        )


def selection_model(
    e: EffectSizes | MetaFit,
    step: float = 0.025,
    alternative: str = "greater",
    level: float = 0.95,
) -> SelectionModel:
    """Fit a random-effects model in which the chance of being published depends on the p-value.

    A study with p above `step` is seen with probability delta relative to one below it.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies, at least one on each side of the step.
    step : float
        P-value at which the probability changes.
    alternative : {"greater", "less", "two-sided"}
        Which p-value is meant: one-sided for a positive or a negative effect, or two-sided. A
        log hazard ratio below zero favours treatment, so there ``less`` is the usual choice.
    level : float

    Returns
    -------
    SelectionModel

    Raises
    ------
    DataError
        For fewer than three studies, or when no study is on one side of the step.
    ConvergenceError
        When the likelihood keeps rising as delta runs off to zero or infinity.

    Notes
    -----
    The likelihood can have two maxima. The higher of those reached from four starts is returned;
    programs that start once may return the lower one.

    References
    ----------
    Hedges LV (1992). Modeling publication selection effects in meta-analysis.
    doi:10.1214/ss/1177011364
    Vevea JL, Hedges LV (1995). A general linear model for estimating effect size in the presence
    of publication bias, eqs 6 to 9. doi:10.1007/BF02294384
    McShane BB, Bockenholt U, Hansen KT (2016), the three-parameter form.
    doi:10.1177/1745691616662243

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.5, 0.7, 0.3, 0.9, 0.2, 0.8], [0.04, 0.09, 0.02, 0.16, 0.03, 0.12])
    >>> m = selection_model(e)
    >>> bool(m.estimate < m.unadjusted), m.k_below
    (True, 5)
    """
    e = effects_of(e)
    alternative, level = choice("alternative", alternative, ALTERNATIVES), check_level(level)
    below = _p_values(e, alternative) <= _check_step(step)
    _check_sides(e, below, step)
    tau2 = float(estimate_tau2("ML", e.yi, e.vi))
    mean = gls(e.yi, 1 / (e.vi + tau2))
    scale = math.sqrt(float(np.mean(e.vi)) + tau2)
    problem = _Problem(e.yi / scale, e.vi / scale**2, below, step, alternative)
    theta = _maximum(problem, float(mean.beta[0]) / scale, tau2 / scale**2)
    covariance = _covariance(problem, theta)
    ll = problem.value(theta)[0] - e.k * math.log(scale)
    plain = problem.value(np.array([mean.beta[0] / scale, tau2 / scale**2, 1.0]))[0]
    lrt = max(0.0, 2 * (ll + e.k * math.log(scale) - plain))
    estimate, se = float(theta[0]) * scale, math.sqrt(covariance[0, 0]) * scale
    half = float(critical(level, math.inf)) * se
    return SelectionModel(
        effects=e,
        alternative=alternative,
        step=step,
        estimate=estimate,
        std_error=se,
        statistic=estimate / se,
        p_value=float(two_sided(estimate / se, math.inf)),
        conf_low=estimate - half,
        conf_high=estimate + half,
        tau2=float(theta[1]) * scale**2,
        tau2_std_error=math.sqrt(covariance[1, 1]) * scale**2,
        delta=float(theta[2]),
        delta_std_error=math.sqrt(covariance[2, 2]),
        log_likelihood=ll,
        lrt=lrt,
        lrt_p=float(chi2_tail(lrt, 1)),
        unadjusted=float(mean.beta[0]),
        unadjusted_tau2=tau2,
        k_below=int(below.sum()),
        k_above=int((~below).sum()),
        level=level,
    )


def _p_values(e: EffectSizes, alternative: str) -> FloatArray:
    z = e.yi / np.sqrt(e.vi)
    if alternative == "two-sided":
        return two_sided(z)
    return np.asarray(special.ndtr(-z if alternative == "greater" else z))


def _check_step(step: float) -> float:
    value = one("step", step)
    if not 0 < value < 1:
        raise DataError("not a p-value", column="step", value=value, allowed="between 0 and 1")
    return value


def _check_sides(e: EffectSizes, below: NDArray[np.bool_], step: float) -> None:
    if e.k < 3:
        raise DataError(
            "too few studies for a selection model", value=f"k = {e.k}", allowed="at least 3"
        )
    if below.all() or not below.any():
        side = "above" if below.all() else "at or below"
        raise DataError(
            f"no study has a p-value {side} the step, so selection cannot be estimated",
            column="step",
            value=step,
            allowed="a step with studies on both sides",
        )


class _Problem:
    """The log-likelihood of (mu, tau2, delta) with its first and second derivatives.

    With s2 = v + tau2, the density of a study that is seen is w(y) phi((y - mu)/s)/s / A, where
    w is 1 below the step and delta above it, A = delta + (1 - delta) B, and B is the probability
    that p falls below the step.
    """

    def __init__(
        self, y: FloatArray, v: FloatArray, below: NDArray[np.bool_], step: float, alternative: str
    ) -> None:
        self.y, self.v = y, v
        self.above = float((~below).sum())
        tail = step / 2 if alternative == "two-sided" else step
        cut = -special.ndtri(tail) * np.sqrt(v)
        # B is a sum of sign * Phi(sign * (cut - mu) / s) over the limits of the region below.
        upper, lower = (cut, -1.0), (-cut, 1.0)
        self.limits = {"greater": [upper], "less": [lower], "two-sided": [upper, lower]}[
            alternative
        ]

    def value(self, theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return the log-likelihood, its gradient (3,) and its Hessian (3, 3)."""
        mu, tau2, delta = (float(t) for t in theta)
        s2 = self.v + tau2
        r = self.y - mu
        b, b1, b2 = self._below(mu, s2)
        a = delta + (1 - delta) * b
        ll = self.above * math.log(delta) - np.sum(
            0.5 * np.log(2 * math.pi * s2) + r**2 / (2 * s2) + np.log(a)
        )
        a1 = np.stack([(1 - delta) * b1[0], (1 - delta) * b1[1], 1 - b])
        zero = np.zeros_like(b)
        a2 = np.stack([(1 - delta) * b2[0], (1 - delta) * b2[1], -b1[0],
                       (1 - delta) * b2[2], -b1[1], zero])  # fmt: skip
        gradient = np.array(
            [np.sum(r / s2), np.sum(r**2 / (2 * s2**2) - 0.5 / s2), self.above / delta]
        ) - (a1 / a).sum(-1)
        plain = np.array(
            [
                -np.sum(1 / s2),
                -np.sum(r / s2**2),
                0.0,
                np.sum(0.5 / s2**2 - r**2 / s2**3),
                0.0,
                -self.above / delta**2,
            ]
        )
        i, j = np.triu_indices(3)
        packed = plain - (a2 / a - a1[i] * a1[j] / a**2).sum(-1)
        hessian = np.zeros((3, 3))
        hessian[i, j] = packed
        hessian[j, i] = packed
        return float(ll), gradient, hessian

    def _below(
        self, mu: float, s2: FloatArray
    ) -> tuple[FloatArray, tuple[FloatArray, FloatArray], tuple[FloatArray, ...]]:
        """Return B, its derivatives by mu and tau2, and the second ones (mumu, mut, tt)."""
        s = np.sqrt(s2)
        b, bm, bt, bmm, bmt, btt = (np.zeros_like(s) for _ in range(6))
        for cut, sign in self.limits:
            u = (cut - mu) / s
            phi = sign * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
            b += special.ndtr(sign * u)
            bm -= phi / s
            bt -= phi * u / (2 * s2)
            bmm -= phi * u / s2
            bmt -= phi * (u**2 - 1) / (2 * s2 * s)
            btt -= phi * (u**3 - 3 * u) / (4 * s2**2)
        return b, (bm, bt), (bmm, bmt, btt)


def _maximum(problem: _Problem, mu: float, tau2: float) -> FloatArray:
    """Return (mu, tau2, delta) at the best of the maxima reached from several starts."""
    spreads = (TAU2_STARTS[0], TAU2_STARTS[1] + tau2)
    starts = [np.array([mu, t, math.log(d)]) for d in STARTS for t in spreads]
    found = [_climb(problem, start) for start in starts]
    best = max(found, key=lambda f: f[1])
    if abs(best[0][2]) > RUNAWAY:
        where = "zero" if best[0][2] < 0 else "infinity"
        raise ConvergenceError(
            f"the relative probability of publication runs off to {where}; "
            "too few studies stand on one side of the step"
        )
    if not best[2]:
        raise ConvergenceError("the selection model did not reach a maximum")
    return np.array([best[0][0], best[0][1], math.exp(best[0][2])])


def _climb(problem: _Problem, at: FloatArray) -> tuple[FloatArray, float, bool]:
    """Climb by Newton steps in (mu, tau2, log delta), tau2 held at zero where that is uphill.

    Negative curvature is turned round, so that every step goes up.
    """
    ll = -math.inf
    for _ in range(MAX_STEPS):
        ll, gradient, hessian = _on_log_scale(problem, at)
        free = np.array([True, at[1] > 0 or gradient[1] > 0, True])
        if np.abs(gradient[free]).max() <= GRADIENT_TOLERANCE * len(problem.y):
            return at, ll, True
        if abs(at[2]) > RUNAWAY:
            break
        values, vectors = np.linalg.eigh(-hessian[np.ix_(free, free)])
        curvature = np.maximum(np.abs(values), 1e-12 * np.abs(values).max())
        step = np.zeros(3)
        step[free] = vectors @ ((vectors.T @ gradient[free]) / curvature)
        new = _line_search(problem, at, step / max(1.0, np.abs(step).max()), ll)
        if new is None:
            break
        at = new
    return at, ll, False


def _on_log_scale(problem: _Problem, at: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the log-likelihood and its derivatives in (mu, tau2, log delta)."""
    delta = math.exp(at[2])
    ll, gradient, hessian = problem.value(np.array([at[0], at[1], delta]))
    scale = np.array([1.0, 1.0, delta])
    gradient = gradient * scale
    hessian = hessian * np.outer(scale, scale)
    hessian[2, 2] += gradient[2]
    return ll, gradient, hessian


def _line_search(
    problem: _Problem, at: FloatArray, step: FloatArray, ll: float
) -> FloatArray | None:
    length = 1.0
    while length > SHORTEST:
        new = at + length * step
        new[1] = max(new[1], 0.0)
        if problem.value(np.array([new[0], new[1], math.exp(new[2])]))[0] >= ll - _slack(ll):
            return new
        length /= 2
    return None


def _slack(ll: float) -> float:
    """Return what rounding may take from a log-likelihood."""
    return 1e-13 * (1 + abs(ll))


def _covariance(problem: _Problem, theta: FloatArray) -> FloatArray:
    """Return the inverse observed information; NaN for tau2 at its boundary."""
    information = -problem.value(theta)[2]
    free = np.array([True, theta[1] > 0, True])
    out = np.full((3, 3), np.nan)
    block = np.ix_(free, free)
    if np.linalg.eigvalsh(information[block])[0] <= 0:
        raise ConvergenceError("the selection model's information matrix is not positive definite")
    out[block] = np.linalg.inv(information[block])
    return out
