"""Step-function selection models with several steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import choice, numeric
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError, DataError
from metablin.meta.checks.selection import ALTERNATIVES
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.text import p_phrase
from metablin.numerics.gls import gls_at
from metablin.numerics.inference import chi2_tail, critical, two_sided
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["StepSelection", "selection_steps"]

FloatArray = NDArray[np.float64]

START_DELTAS = (1.0, 0.3)
"""Relative probabilities from which the search starts."""

RUNAWAY = 12.0
"""A log relative probability beyond this has left every value a real literature could have."""

SLOPE = 1e-5
"""Step of the central differences, in standard units, for the curvature."""

FLAT = 1e-4
"""Largest score, in standard errors, at which the maximum counts as reached."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepSelection(Record):
    """A step-function selection model.

    Attributes
    ----------
    effects : EffectSizes
    alternative : str
        ``greater``, ``less`` or ``two-sided``.
    steps : ndarray, shape (m,)
        P-values at which the probability of publication changes.
    counts : ndarray, shape (m + 1,)
        Studies between the steps.
    estimate, std_error, p_value, conf_low, conf_high : float
        Corrected mean effect on the analysis scale.
    tau2 : float
        Corrected between-study variance.
    delta, delta_std_error : ndarray, shape (m,)
        Probability of being seen beyond each step, relative to below the first.
    log_likelihood, lrt, lrt_p : float
        At the maximum, and the likelihood-ratio test that all delta are 1 (m degrees of freedom).
    unadjusted, unadjusted_tau2 : float
        Maximum likelihood without selection.
    level : float
    """

    effects: EffectSizes
    alternative: str
    steps: FloatArray
    counts: FloatArray
    estimate: float
    std_error: float
    p_value: float
    conf_low: float
    conf_high: float
    tau2: float
    delta: FloatArray
    delta_std_error: FloatArray
    log_likelihood: float
    lrt: float
    lrt_p: float
    unadjusted: float
    unadjusted_tau2: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each interval of p-values: from, to, studies, delta and its error."""
        ends = np.append(self.steps, 1.0)
        return pd.DataFrame(
            {
                "p_from": np.append(0.0, self.steps),
                "p_to": ends,
                "studies": self.counts,
                "delta": np.append(1.0, self.delta),
                "std_error": np.append(math.nan, self.delta_std_error),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON-ready Python types."""
        skip = ("effects", "steps", "counts", "delta", "delta_std_error")
        return json_dict(
            {**{n: getattr(self, n) for n in self.__slots__ if n not in skip},
             "intervals": self.to_frame()}
        )  # fmt: skip

    def summary(self) -> str:
        """Return the model as text for people."""
        return (
            f"Selection ({self.alternative}) at p = {', '.join(f'{s:g}' for s in self.steps)}: "
            f"LRT = {self.lrt:.3f}, {p_phrase(self.lrt_p)}\n"
            f"Effect {self.estimate:.4g} [{100 * self.level:g}% CI {self.conf_low:.4g} to "
            f"{self.conf_high:.4g}], {p_phrase(self.p_value)}; tau2 = {self.tau2:.4g}; without "
            f"selection {self.unadjusted:.4g}, tau2 = {self.unadjusted_tau2:.4g}\n"
            + self.to_frame().to_string(index=False, float_format="{:.3g}".format)
        )


def selection_steps(
    e: EffectSizes | MetaFit,
    steps: Sequence[float] = (0.025, 0.5),
    alternative: str = "greater",
    level: float = 0.95,
) -> StepSelection:
    """Fit a random-effects model whose chance of publication has several steps in the p-value.

    :func:`metablin.selection_model` is the model of one step.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least one study in every interval between the steps.
    steps : sequence of float
        Rising p-values between 0 and 1.
    alternative : {"greater", "less", "two-sided"}
        Which p-value is meant.
    level : float

    Returns
    -------
    StepSelection

    Raises
    ------
    DataError
        For steps that do not rise, or an interval without a study.
    ConvergenceError
        When the likelihood has no maximum in reach.

    References
    ----------
    Vevea JL, Hedges LV (1995). A general linear model for estimating effect size in the presence
    of publication bias. doi:10.1007/BF02294384

    Examples
    --------
    >>> import metablin as mb
    >>> y, v = [0.5, 0.7, 0.3, 0.9, 0.1, 0.8, -0.1], [0.04, 0.09, 0.02, 0.16, 0.03, 0.12, 0.05]
    >>> m = mb.selection_steps(mb.generic(y, v))
    >>> m.counts.tolist(), bool(m.estimate < m.unadjusted)
    ([5.0, 1.0, 1.0], True)
    """
    e = effects_of(e)
    alternative, level = choice("alternative", alternative, ALTERNATIVES), check_level(level)
    cuts = numeric("steps", steps, above=0.0, maximum=1.0)
    if not len(cuts) or (np.diff(cuts) <= 0).any() or cuts[-1] >= 1:
        raise DataError("not rising p-values below 1", column="steps", value=cuts.tolist())
    y, se = e.yi, np.sqrt(e.vi)
    at = np.searchsorted(cuts, _p_values(y / se, alternative), side="left")
    counts = np.bincount(at, minlength=len(cuts) + 1).astype(np.float64)
    if not counts.all():
        i = int(np.argmin(counts))
        ends = [0.0, *cuts.tolist(), 1.0]
        raise DataError("no study has a p-value in this interval", column="steps",
                        value=f"{ends[i]:g} to {ends[i + 1]:g}",
                        allowed="steps with a study between each two")  # fmt: skip
    plain_tau2 = float(estimate_tau2("ML", y, e.vi))
    mean = float(gls_at(y, e.vi, plain_tau2).beta[0])
    problem = _Problem(y, e.vi, cuts, at, alternative)
    theta = _maximum(problem, mean, plain_tau2)
    covariance = _covariance(problem, theta)
    ll = problem.value(theta)[0]
    lrt = max(0.0, 2 * (ll - problem.value(np.append([mean, plain_tau2], np.zeros(len(cuts))))[0]))
    error = math.sqrt(covariance[0, 0])
    half, delta = float(critical(level, math.inf)) * error, np.exp(theta[2:])
    return StepSelection(
        e, alternative, cuts, counts, float(theta[0]), error,
        float(two_sided(theta[0] / error, math.inf)), theta[0] - half, theta[0] + half,
        float(theta[1]), delta, delta * np.sqrt(np.diagonal(covariance)[2:]), ll, lrt,
        float(chi2_tail(lrt, len(cuts))), mean, plain_tau2, level,
    )  # fmt: skip


def _p_values(z: FloatArray, alternative: str) -> FloatArray:
    if alternative == "two-sided":
        return np.asarray(2 * special.ndtr(-np.abs(z)))
    return np.asarray(special.ndtr(-z if alternative == "greater" else z))


class _Problem:
    """The log-likelihood of (mu, tau2, log delta) and its gradient.

    A study is seen with density delta_j phi((y - mu)/s)/s / A, where j is the interval of its
    p-value, s2 = v + tau2, and A sums delta_j times the probability of each interval.
    """

    def __init__(
        self, y: FloatArray, v: FloatArray, cuts: FloatArray, at: NDArray[np.intp], side: str
    ) -> None:
        self.y, self.v, self.at = y, v, at
        se = np.sqrt(v)
        tails = cuts / 2 if side == "two-sided" else cuts
        edge = -special.ndtri(tails)[:, None] * se  # (m, k): p is below the cut beyond this
        # P(p below a cut) is a sum of Phi(sign (limit - mu) / s), sign -1 for the upper tail
        upper, lower = (edge, -1.0), (-edge, 1.0)
        self.limits = {"greater": [upper], "less": [lower], "two-sided": [upper, lower]}[side]
        self.counts = np.bincount(at, minlength=len(cuts) + 1)[1:]

    def value(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return the log-likelihood and its gradient."""
        mu, tau2, delta = float(theta[0]), float(theta[1]), np.append(1.0, np.exp(theta[2:]))
        s2 = self.v + tau2
        s, r = np.sqrt(s2), self.y - mu
        below, by_mu, by_tau2 = (np.zeros((len(delta) + 1, len(s))) for _ in range(3))
        below[-1] = 1.0
        for edge, sign in self.limits:
            u = (edge - mu) / s
            phi = sign * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
            below[1:-1] += special.ndtr(sign * u)
            by_mu[1:-1] -= phi / s
            by_tau2[1:-1] -= phi * u / (2 * s2)
        share, d_mu, d_tau2 = (np.diff(x, axis=0) for x in (below, by_mu, by_tau2))
        a = delta @ share
        ll = -(np.log(2 * math.pi * s2) / 2 + r**2 / (2 * s2) + np.log(a)).sum()
        ll += float(self.counts @ theta[2:])
        gradient = np.concatenate([
            [(r / s2 - delta @ d_mu / a).sum()],
            [(r**2 / (2 * s2**2) - 0.5 / s2 - delta @ d_tau2 / a).sum()],
            self.counts - (delta[1:, None] * share[1:] / a).sum(axis=1),
        ])  # fmt: skip
        return float(ll), gradient


def _maximum(problem: _Problem, mean: float, tau2: float) -> FloatArray:
    m, scale = len(problem.counts), float(np.mean(problem.v)) + tau2
    found = [
        optimize.minimize(
            lambda x: tuple(-part for part in problem.value(x)),
            np.concatenate([[mean], [t], np.full(m, math.log(d))]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(None, None), (0, None), *[(-RUNAWAY, RUNAWAY)] * m],
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000},
        )
        for d in START_DELTAS
        for t in (tau2 + 0.1 * scale, 0.02 * scale)
    ]
    x = np.asarray(min(found, key=lambda r: float(r.fun)).x, dtype=np.float64)
    if (np.abs(x[2:]) > RUNAWAY - 1).any():
        raise ConvergenceError(
            "a relative probability of publication runs off to zero or infinity; too few studies "
            "stand between two steps"
        )
    for _ in range(4):  # L-BFGS-B stops a little early
        free = _free(x)
        x[free] -= np.linalg.solve(_curvature(problem, x, free), problem.value(x)[1][free])
        x[1] = max(x[1], 0.0)
    free = _free(x)
    slope = problem.value(x)[1][free]
    if not float(slope @ np.linalg.solve(-_curvature(problem, x, free), slope)) <= FLAT**2:
        raise ConvergenceError("the likelihood of the selection model was not maximised")
    return x


def _free(x: FloatArray) -> NDArray[np.bool_]:
    free = np.ones(len(x), dtype=bool)
    free[1] = x[1] > 0
    return free


def _curvature(problem: _Problem, x: FloatArray, free: NDArray[np.bool_]) -> FloatArray:
    """Return the Hessian of the free parameters from central differences of the gradient."""
    rows = []
    for i in np.flatnonzero(free):
        h = np.zeros_like(x)
        h[i] = min(SLOPE, x[1] / 2) if i == 1 else SLOPE
        gap = problem.value(x + h)[1] - problem.value(x - h)[1]
        rows.append(gap[free] / (2 * h[i]))
    matrix = np.array(rows)
    return np.asarray((matrix + matrix.T) / 2)


def _covariance(problem: _Problem, x: FloatArray) -> FloatArray:
    free = _free(x)
    out = np.full((len(x), len(x)), math.nan)
    out[np.ix_(free, free)] = np.linalg.inv(-_curvature(problem, x, free))
    return out
