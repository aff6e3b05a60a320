"""Maximum likelihood of grouped count models: Newton steps on the adaptive quadrature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.errors import ConvergenceError
from metablin.meta.counts.glmm.newton_single import SingleArm
from metablin.meta.counts.glmm.quadrature import Counts, Rows, curvature, marginal

__all__ = ["Problem", "Solution", "loglik", "maximise"]

FloatArray = NDArray[np.float64]
#: Newton's decrement (twice the gain still to be had) at which the search ends.
DECREMENT = 1e-15
MAX_STEPS = 200
MAX_HALVINGS = 60
#: A standard deviation below this after convergence is a boundary estimate of zero.
ZERO_SD = 1e-5
#: Linear predictors beyond this mean that an estimate runs off to infinity.
MAX_PREDICTOR = 25.0
MAX_SD = 25.0


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A count model: ``eta = offset + x beta (+ alpha_i) + z diag(lam) u``.

    Attributes
    ----------
    counts : Counts
        k rows of J arms with q random effects.
    x : ndarray, shape (k, J, p)
        Fixed-effect design.
    offset : ndarray, shape (k, J)
        Known part, log exposure for rates.
    intercepts : bool
        Whether every study has a fixed intercept alpha_i of its own.
    points : int
        Quadrature points per random effect.
    """

    counts: Counts
    x: FloatArray
    offset: FloatArray
    intercepts: bool
    points: int

    @property
    def p(self) -> int:
        """Return the number of coefficients."""
        return int(self.x.shape[2])

    @property
    def q(self) -> int:
        """Return the number of random effects."""
        return int(self.counts.z.shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Where the likelihood is largest.

    Attributes
    ----------
    theta : ndarray, shape (p + q,)
        Coefficients, then standard deviations of the random effects.
    alpha : ndarray, shape (k,)
        Study intercepts (zero when the model has none).
    loglik : float
        Without the constants of the counts.
    information : ndarray, shape (p + q, p + q)
        Observed information in theta, intercepts profiled out.
    mode : ndarray, shape (k, q)
        Modes of the standardised random effects.
    steps : int
        Newton steps taken.
    """

    theta: FloatArray
    alpha: FloatArray
    loglik: float
    information: FloatArray
    mode: FloatArray
    steps: int


def maximise(
    problem: Problem, theta: FloatArray, free: NDArray[np.bool_], alpha: FloatArray | None = None
) -> Solution:
    """Climb from `theta`, moving only its `free` entries.

    Parameters
    ----------
    problem : Problem
        The model.
    theta : ndarray, shape (p + q,)
        Start; entries that are not free keep their value.
    free : ndarray of bool, shape (p + q,)
        What may move.
    alpha : ndarray, shape (k,), optional
        Start of the study intercepts.

    Returns
    -------
    Solution

    Raises
    ------
    ConvergenceError
        When an estimate runs off to infinity (separation) or no step helps.
    """
    theta = theta.astype(np.float64).copy()
    alpha = np.zeros(len(problem.offset)) if alpha is None else alpha.copy()
    if problem.counts.single and theta[-1] != 0:
        return _maximise_single(problem, theta, free, alpha)
    rows = _rows(problem, theta, alpha, None)
    fine = False
    for step_count in range(1, MAX_STEPS + 1):
        value = float(rows.value.sum())
        step, step_alpha, decrement, info = _newton(problem, theta, alpha, rows, free, fine)
        if decrement < DECREMENT * (1 + abs(value)) and fine:
            # the last step is below the resolution of the likelihood but not of the estimates
            return Solution(theta + step, alpha + step_alpha, value, info, rows.mode, step_count)
        fine = decrement < 1e-6
        theta, alpha, rows = _search(
            problem, theta, alpha, rows, step, step_alpha, _slack(decrement, value)
        )
        _check_finite(problem, theta, alpha)
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} Newton steps")


def _maximise_single(
    problem: Problem, theta: FloatArray, free: NDArray[np.bool_], alpha: FloatArray
) -> Solution:
    """Do as :func:`maximise` does, for one arm and one random effect."""
    arm = SingleArm(problem.counts, problem.x[:, 0], problem.offset[:, 0], problem.points)
    here = arm.at(theta, arm.guess(theta), fine=False)
    fine = False
    for step_count in range(1, MAX_STEPS + 1):
        step = np.zeros(len(theta))
        step[free] = _ascent(here.info[np.ix_(free, free)], here.grad[free])
        decrement = float(here.grad @ step)
        if decrement < DECREMENT * (1 + abs(here.value)) and fine:
            return Solution(
                theta + step, alpha, here.value, here.info, here.mode[:, None], step_count
            )
        fine = decrement < 1e-6
        scale = _longest(problem, step, 0.0)
        slack = _slack(decrement, here.value)
        for _ in range(MAX_HALVINGS):
            new = arm.at(theta + scale * step, here.mode, fine)
            if new.value >= here.value - slack:
                break
            scale *= 0.5
        else:
            raise ConvergenceError("no step raises the likelihood")
        theta, here = theta + scale * step, new
        _check_finite(problem, theta, alpha)
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} Newton steps")


def _longest(problem: Problem, step: FloatArray, step_alpha: FloatArray | float) -> float:
    """Return the share of a step that moves no predictor by more than 4, no sd by more than 2."""
    shift = np.abs(problem.x @ step[: problem.p] + step_alpha).max()
    moved = float(np.abs(step[problem.p :]).max(initial=0.0))
    return min(1.0, 4.0 / max(float(shift), 1e-300), 2.0 / max(moved, 1e-300))


def _slack(decrement: float, value: float) -> float:
    """Return the fall to tolerate: near the top rounding hides the rise."""
    return 1e-11 * (1 + abs(value)) if decrement < 1e-8 * (1 + abs(value)) else 0.0


def loglik(problem: Problem, at: Solution) -> float:
    """Return the log likelihood of `problem` at a solution found with other points."""
    return float(_rows(problem, at.theta, at.alpha, at.mode).value.sum())


def _predictor(problem: Problem, theta: FloatArray, alpha: FloatArray) -> FloatArray:
    fixed = problem.offset + problem.x @ theta[: problem.p]
    return np.asarray(fixed + alpha[:, None]) if problem.intercepts else np.asarray(fixed)


def _rows(problem: Problem, theta: FloatArray, alpha: FloatArray, start: FloatArray | None) -> Rows:
    m = _predictor(problem, theta, alpha)
    lam = np.broadcast_to(theta[problem.p :], (len(m), problem.q))
    return marginal(m, lam, problem.counts, problem.points, start)


def _newton(
    problem: Problem,
    theta: FloatArray,
    alpha: FloatArray,
    rows: Rows,
    free: NDArray[np.bool_],
    fine: bool = False,
) -> tuple[FloatArray, FloatArray, float, FloatArray]:
    """Return the step in theta and alpha, Newton's decrement and the information in theta."""
    m = _predictor(problem, theta, alpha)
    lam = np.broadcast_to(theta[problem.p :], (len(m), problem.q))
    hess = -curvature(m, lam, problem.counts, problem.points, rows.mode, fine)
    k, j, p = problem.x.shape
    # t maps (beta, lam) to (m, lam) of one study
    t = np.zeros((k, j + problem.q, p + problem.q))
    t[:, :j, :p] = problem.x
    t[:, j + np.arange(problem.q), p + np.arange(problem.q)] = 1.0
    grad = np.einsum("kd,kde->e", rows.grad, t)
    per_study = np.swapaxes(t, 1, 2) @ hess @ t
    info = per_study.sum(0)
    grad_a = rows.grad[:, :j].sum(1)
    info_a = np.maximum(np.abs(hess[:, :j, :j].sum((1, 2))), 1e-10)
    cross = np.einsum("kjd,kde->ke", hess[:, :j], t)
    if problem.intercepts:
        info = info - (cross / info_a[:, None]).T @ cross
        grad = grad - (cross / info_a[:, None]).T @ grad_a
    step = np.zeros(p + problem.q)
    if free.any():
        step[free] = _ascent(info[np.ix_(free, free)], grad[free])
    decrement = float(grad @ step)
    step_a = np.zeros(k)
    if problem.intercepts:
        step_a = (grad_a - cross @ step) / info_a
        decrement += float((grad_a**2 / info_a).sum())
    return step, step_a, decrement, info


def _ascent(info: FloatArray, grad: FloatArray) -> FloatArray:
    """Solve for the step after making the information positive definite."""
    try:
        np.linalg.cholesky(info)
        return np.asarray(np.linalg.solve(info, grad))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(info)
    size = np.maximum(np.abs(values), 1e-10 * max(float(np.abs(values).max()), 1e-10))
    return np.asarray(vectors @ ((vectors.T @ grad) / size))


def _search(
    problem: Problem,
    theta: FloatArray,
    alpha: FloatArray,
    rows: Rows,
    step: FloatArray,
    step_alpha: FloatArray,
    slack: float,
) -> tuple[FloatArray, FloatArray, Rows]:
    """Shorten the step until the likelihood rises (near the top rounding may hide the rise)."""
    scale = _longest(problem, step, step_alpha[:, None])
    value = float(rows.value.sum())
    for _ in range(MAX_HALVINGS):
        new_theta, new_alpha = theta + scale * step, alpha + scale * step_alpha
        new = _rows(problem, new_theta, new_alpha, rows.mode)
        if float(new.value.sum()) >= value - slack:
            return new_theta, new_alpha, new
        scale *= 0.5
    raise ConvergenceError("no step raises the likelihood")


def _check_finite(problem: Problem, theta: FloatArray, alpha: FloatArray) -> None:
    predictor = _predictor(problem, theta, alpha) - problem.offset
    if problem.counts.poisson:
        predictor = predictor - np.median(predictor)
    if np.abs(predictor).max() > MAX_PREDICTOR:
        raise ConvergenceError(
            "an estimate runs off to infinity: some combination of moderators has no events or "
            "only events (separation)"
        )
    if np.abs(theta[problem.p :]).max(initial=0.0) > MAX_SD:
        raise ConvergenceError(
            "tau2 runs off to infinity: the studies have no events or only events"
        )
