"""From counts and a design to estimates, intervals and tests of a count model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin.errors import ConvergenceError, DataError
from metablin.meta.counts.glmm.newton import ZERO_SD, Problem, Solution, loglik, maximise
from metablin.meta.counts.glmm.quadrature import Counts, constants, saturated
from metablin.numerics.inference import chi2_tail, critical, wald

__all__ = [
    "Result", "Settings", "Spec", "one_sample", "run", "two_arms",
]  # fmt: skip

FloatArray = NDArray[np.float64]
#: Gains in log likelihood below this do not move tau2 off its boundary.
MIN_GAIN = 1e-9
#: Quadrature points tried in turn (per random effect) until the next rung changes the log
#: likelihood at the estimate by less than the tolerance; 7 or 15 do for most data, sparse tables
#: with a large tau2 need more.
LADDER = {1: (15, 45, 100), 2: (7, 13, 21)}
LADDER_TOL = {1: 1e-9, 2: 1e-6}
#: A profile that has not fallen this far (in Wald standard errors) counts as unbounded.
FAR = 40.0
MIN_STEP = 0.01


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for."""

    test: str
    interval: str
    level: float
    points: int | None
    random: bool


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """A model before its moderators: counts, offset, and how the arms are coded.

    Attributes
    ----------
    counts : Counts
        With all random effects in ``z``; the last one has variance tau2.
    offset : ndarray, shape (k, J)
        Log exposure, or zero.
    group : ndarray, shape (J,)
        What multiplies the moderators in each arm.
    intercepts : bool
        Fixed study intercepts.
    baseline : bool
        A common intercept for the baseline (random study effects).
    """

    counts: Counts
    offset: FloatArray
    group: FloatArray
    intercepts: bool
    baseline: bool


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything a :class:`metablin.meta.counts.glmm.fit.GLMMFit` holds beyond labels."""

    inference: dict[str, Any]
    tau2: float
    tau2_limits: tuple[float, float]
    sigma2: float
    loglik: float
    parameters: int
    q: float
    q_p: float
    tau2_lrt: float
    tau2_lrt_p: float
    boundary: bool
    steps: int
    points: int


def one_sample(counts: Counts, offset: FloatArray | None = None) -> Spec:
    """Return the model of one arm per study."""
    offset = np.zeros_like(counts.y) if offset is None else offset
    return Spec(counts, offset, np.ones(1), False, False)


def two_arms(counts: Counts, model: str, offset: FloatArray | None = None) -> Spec:
    """Return the model of two arms with fixed (UM.FS) or random (UM.RS) study effects."""
    offset = np.zeros_like(counts.y) if offset is None else offset
    if model == "UM.FS":
        return Spec(counts, offset, np.array([1.0, 0.0]), True, False)
    z = np.concatenate([np.ones_like(counts.z), counts.z], axis=2)
    counts = Counts(counts.y, counts.n, z, counts.poisson)
    return Spec(counts, offset, np.array([1.0, 0.0]), False, True)


def run(spec: Spec, x: FloatArray, settings: Settings) -> Result:
    """Fit with and without tau2 and derive tests and intervals."""
    k, p = x.shape
    problem = _problem(spec, x, settings)
    size = problem.p + problem.q
    free = np.ones(size, dtype=bool)
    free[-1] = False
    problem, null, best, boundary = _refine(problem, free, settings)
    # a variance at its boundary is not a free parameter of the information
    free[problem.p :] = best.theta[problem.p :] != 0
    cov = np.zeros((size, size))
    cov[np.ix_(free, free)] = np.linalg.inv(best.information[np.ix_(free, free)])
    df = float(k - p) if settings.test == "t" else math.inf
    if df == 0:
        raise DataError("no degrees of freedom for test='t'", value=f"{k} studies")
    beta, cov = best.theta[:p].copy(), cov[:p, :p].copy()
    inference: dict[str, Any] = {"beta": beta, "cov": cov, "df": df}
    inference |= wald(beta, cov, df, settings.level)
    tau2_limits = (math.nan, math.nan)
    if settings.interval == "profile":
        cut = float(critical(settings.level, df)) ** 2
        # away from the maximum tau2 may leave its boundary, so it is free unless fixed by request
        moves = np.ones(size, dtype=bool)
        moves[-1] = settings.random
        std_error = inference["std_error"]
        ends = [_profile(problem, best, moves, j, std_error[j], cut) for j in range(p)]
        inference |= {"conf_low": np.array([e[0] for e in ends]),
                      "conf_high": np.array([e[1] for e in ends])}  # fmt: skip
        if settings.random:
            chi2 = float(special.chdtri(1, 1 - settings.level))
            tau2_limits = _profile_tau2(problem, best, null, chi2)
    gain = max(2 * (best.loglik - null.loglik), 0.0)
    q = 2 * (saturated(spec.counts) - null.loglik) if not spec.baseline else math.nan
    q = max(q, 0.0) if q == q else q
    return Result(
        inference=inference, tau2=float(best.theta[-1] ** 2), tau2_limits=tau2_limits,
        sigma2=float(best.theta[-2] ** 2) if spec.baseline else math.nan,
        loglik=best.loglik + constants(spec.counts),
        parameters=problem.p + (k if spec.intercepts else 0) + problem.q - (not settings.random),
        q=q, q_p=float(chi2_tail(q, k - p)) if q == q else math.nan, tau2_lrt=gain,
        tau2_lrt_p=1.0 if gain == 0 else 0.5 * float(special.chdtrc(1, gain)),
        boundary=boundary, steps=best.steps, points=problem.points,
    )  # fmt: skip


def _refine(
    problem: Problem, free: NDArray[np.bool_], settings: Settings
) -> tuple[Problem, Solution, Solution, bool]:
    """Fit without and with tau2, climbing the ladder of points until the next rung agrees.

    Returns the problem at its last number of points, both fits, and whether tau2 is zero.
    """
    null = _fit_null(problem, free, None)
    best, boundary = _fit_random(problem, null, None) if settings.random else (null, True)
    rungs = LADDER[problem.q][1:] if settings.points is None else ()
    for points in rungs:
        finer = dataclasses.replace(problem, points=points)
        # without any random effect there is nothing to integrate
        if problem.q == 1 and boundary:
            break
        if abs(loglik(finer, best) - best.loglik) < LADDER_TOL[problem.q]:
            break
        problem = finer
        if problem.q == 2:
            null = _fit_null(problem, free, null)
        if settings.random:
            best, boundary = _fit_random(problem, null, None if boundary else best)
        else:
            best = null
    return problem, null, best, boundary


def _problem(spec: Spec, x: FloatArray, settings: Settings) -> Problem:
    full = spec.group[None, :, None] * x[:, None, :]
    if spec.baseline:
        full = np.concatenate([full, np.ones((*full.shape[:2], 1))], axis=2)
    points = LADDER[spec.counts.z.shape[2]][0] if settings.points is None else settings.points
    return Problem(spec.counts, full, spec.offset, spec.intercepts, points)


def _crude(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Return smoothed linear predictors of all arms and their variances, each (k, J)."""
    y, n = problem.counts.y + 0.5, problem.counts.n + 1
    if problem.counts.poisson:
        return np.log(y) - problem.offset, 1 / y
    return np.log(y / (n - y)), 1 / y + 1 / (n - y)


def _pooled(problem: Problem) -> Solution:
    """Return the fit of one constant without tau2: all counts thrown together."""
    c, unit = problem.counts, float(problem.x[0, 0, 0])
    y, n = float(c.y.sum()), float(c.n.sum())
    rate = float(np.exp(problem.offset).sum())
    value = math.log(y / rate) if c.poisson else math.log(y / (n - y))
    eta = problem.offset + value
    cumulant = np.exp(eta) if c.poisson else np.logaddexp(0.0, eta)
    weight = y if c.poisson else y * (n - y) / n
    info = np.diag([unit**2 * weight, 0.0])
    total = float((c.y * eta - c.n * cumulant).sum())
    k = len(c.y)
    return Solution(np.array([value / unit, 0.0]), np.zeros(k), total, info, np.zeros((k, 1)), 1)


def _fit_null(problem: Problem, free: NDArray[np.bool_], start: Solution | None) -> Solution:
    """Fit without tau2, from `start` or a weighted least squares start."""
    if start is not None:
        theta = start.theta.copy()
        theta[-2] = max(abs(theta[-2]), 0.1)
        return _settled(problem, theta, free, start.alpha)
    if problem.counts.single and problem.p == 1 and np.ptp(problem.x) == 0:
        return _pooled(problem)
    eta, v = _crude(problem)
    alpha = eta.mean(axis=1) if problem.intercepts else np.zeros(len(eta))
    x = problem.x.reshape(-1, problem.p) / np.sqrt(v.reshape(-1, 1))
    beta = np.linalg.lstsq(x, ((eta - alpha[:, None]) / np.sqrt(v)).ravel(), rcond=None)[0]
    theta = np.concatenate([beta, np.zeros(problem.q)])
    if problem.q == 2:
        theta[-2] = max(float(np.std(eta.mean(axis=1))), 0.1)
    return _settled(problem, theta, free, alpha)


def _settled(
    problem: Problem, theta: FloatArray, free: NDArray[np.bool_], alpha: FloatArray
) -> Solution:
    """Maximise, and put a baseline variance that vanishes at exactly zero."""
    found = maximise(problem, theta, free, alpha)
    if problem.q == 1 or abs(found.theta[-2]) >= ZERO_SD:
        return found
    theta, free = found.theta.copy(), free.copy()
    theta[-2], free[-2] = 0.0, False
    return maximise(problem, theta, free, found.alpha)


def _dersimonian_laird(y: FloatArray, v: FloatArray) -> float:
    w = 1 / v
    if len(y) == 1:
        return 0.0
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    return (q - len(y) + 1) / float(w.sum() - (w * w).sum() / w.sum())


def _fit_random(problem: Problem, null: Solution, start: Solution | None) -> tuple[Solution, bool]:
    """Fit with tau2, from `start` or a moment start; return the fit and whether tau2 is zero."""
    eta, v = _crude(problem)
    code = problem.counts.z[:, :, -1]
    effect = eta[:, 0] if eta.shape[1] == 1 else eta[:, 0] - eta[:, 1]
    spread = _dersimonian_laird(effect, (v * (code != 0)).sum(axis=1))
    theta = null.theta.copy()
    theta[-1] = math.sqrt(min(max(spread, 0.05), 9.0))
    if eta.shape[1] == 1:
        root = np.sqrt(v[:, 0] + theta[-1] ** 2)
        x = problem.x[:, 0] / root[:, None]
        theta[:-1] = np.linalg.lstsq(x, effect / root, rcond=None)[0]
    alpha = null.alpha
    if start is not None:
        theta, alpha = start.theta, start.alpha
    if problem.q == 2:
        theta[-2] = max(abs(theta[-2]), 0.1)
    found = _settled(problem, theta, np.ones(len(theta), dtype=bool), alpha)
    if abs(found.theta[-1]) < ZERO_SD or found.loglik < null.loglik + MIN_GAIN:
        return null, True
    return found, False


def _drop(
    problem: Problem, best: Solution, free: NDArray[np.bool_], j: int
) -> Callable[[float], float]:
    """Return a function of one parameter: twice the fall of its profile from the top."""
    others = free.copy()
    others[j] = False
    state = {"theta": best.theta.copy(), "alpha": best.alpha}

    def fall(value: float) -> float:
        theta = state["theta"].copy()
        # exactly zero is a stationary point in a standard deviation: start away from it
        theta[problem.p :] = np.maximum(np.abs(theta[problem.p :]), 0.1)
        theta[j] = value
        fit = maximise(problem, theta, others, state["alpha"])
        state.update(theta=fit.theta, alpha=fit.alpha)
        return 2 * (best.loglik - fit.loglik)

    return fall


def _profile(
    problem: Problem,
    best: Solution,
    free: NDArray[np.bool_],
    j: int,
    std_error: float,
    cut: float,
) -> tuple[float, float]:
    """Return the profile-likelihood limits of coefficient `j`; infinite when it never falls.

    That happens with sparse data: a mean that runs away together with tau2 (to proportions below
    1e-11) can stay within the interval.
    """
    ends = []
    for sign in (-1.0, 1.0):
        fall = _drop(problem, best, free, j)

        def gap(reach: float, fall: Callable[[float], float] = fall, s: float = sign) -> float:
            return fall(float(best.theta[j]) + s * reach * std_error) - cut

        bracket = _bracket(gap, math.sqrt(cut) / 2)
        if bracket is None:
            ends.append(sign * math.inf)
            continue
        reach = float(optimize.brentq(gap, *bracket, xtol=1e-11))
        ends.append(float(best.theta[j]) + sign * reach * std_error)
    return ends[0], ends[1]


def _bracket(gap: Callable[[float], float], step: float) -> tuple[float, float] | None:
    """Walk outwards from zero until `gap` changes sign; None when it does not."""
    inner = 0.0
    while inner < FAR:
        try:
            if gap(inner + step) >= 0:
                return inner, inner + step
        except ConvergenceError:
            # the other parameters leave the finite range: come closer
            step /= 2
            if step < MIN_STEP:
                return None
            continue
        inner += step
        step *= 1.5
    return None


def _profile_tau2(
    problem: Problem, best: Solution, null: Solution, cut: float
) -> tuple[float, float]:
    """Return the profile-likelihood limits of tau2; zero and infinity where they are open."""
    last = len(best.theta) - 1
    free = np.ones(last + 1, dtype=bool)
    top = abs(float(best.theta[last]))
    fall = _drop(problem, best, free, last)
    low = 0.0
    if 2 * (best.loglik - null.loglik) > cut:
        low = float(optimize.brentq(lambda s: fall(s) - cut, 1e-4 * top, top, xtol=1e-10))
    fall = _drop(problem, best, free, last)
    high = 2 * top + 0.5
    try:
        while fall(high) < cut and high < 16:
            high *= 1.5
    except ConvergenceError:
        return low**2, math.inf
    if high >= 16:
        return low**2, math.inf
    high = float(optimize.brentq(lambda s: fall(s) - cut, top, high, xtol=1e-10))
    return low**2, high**2
