"""Likelihood of a line through pairs of effects that are both estimated with error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from metablin.errors import ConvergenceError

__all__ = ["Line", "fit_line", "loglik", "slope_interval"]

FloatArray = NDArray[np.float64]

STEP = 1e-4
"""Relative step of the second differences; the likelihood is smooth and the terms are O(1)."""

_sum, _any = np.add.reduce, np.logical_or.reduce
"""The methods of arrays take as long again to get to these, with a dozen studies."""

FURTHEST = 60
"""Doublings of the search for an end of the slope's interval before it is called open."""


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted line: ``y = alpha + beta theta_x + N(0, tau2)``; ``cov`` is of alpha and beta."""

    alpha: float
    beta: float
    tau2: float
    cov: FloatArray
    loglik: float


def loglik(
    alpha: float, beta: float, tau2: float, x: FloatArray, vx: FloatArray, y: FloatArray,
    vy: FloatArray, cxy: FloatArray,
) -> float:  # fmt: skip
    """Return the log likelihood with the true x effects integrated out over a flat prior.

    ``y_i - alpha - beta x_i ~ N(0, vy_i + tau2 + beta^2 vx_i - 2 beta cxy_i)``
    (Daniels and Hughes 1997, eqs 1 and 2, after integration).
    """
    v = vy + tau2 + beta**2 * vx - 2 * beta * cxy
    return _normal(v, y - alpha - beta * x)


def _normal(v: FloatArray, e: FloatArray) -> float:
    """Return the log likelihood of normal deviations with their variances."""
    if _any(v <= 0):
        return -np.inf
    return float(-0.5 * _sum(np.log(2 * np.pi * v) + e**2 / v))


def _profile(
    beta: float, data: tuple[FloatArray, ...], tolerance: float = 1e-10
) -> tuple[float, float, float]:
    """Return the highest log likelihood at a slope, with its intercept and tau2."""
    x, vx, y, vy, cxy = data
    more, less, line = beta**2 * vx, 2 * beta * cxy, beta * x
    base = vy + more - less
    r = y - line

    def at(tau2: float) -> tuple[float, float]:
        w = 1 / (base + tau2)
        a = float(_sum(w * r) / _sum(w))
        return _normal(vy + tau2 + more - less, y - a - line), a

    top = 4 * (float(np.var(r)) + float(base.max()))
    found = optimize.minimize_scalar(
        lambda root: -at(root**2)[0], bounds=(0.0, top**0.5), method="bounded",
        options={"xatol": tolerance},
    )  # fmt: skip
    tau2 = float(found.x) ** 2
    value, a = at(tau2)
    zero, a0 = at(0.0)
    return (zero, a0, 0.0) if zero >= value - 1e-12 else (value, a, tau2)


def fit_line(
    x: FloatArray, vx: FloatArray, y: FloatArray, vy: FloatArray, cxy: FloatArray,
    tolerance: float = 1e-10,
) -> Line:  # fmt: skip
    """Maximise the likelihood: a grid of slopes and tau2, then a bounded search around the best.

    Raises
    ------
    ConvergenceError
        When the likelihood rises to the end of the grid.
    """
    data = (x, vx, y, vy, cxy)
    w = 1 / vy
    centre = x - (w * x).sum() / w.sum()
    slope = float((w * centre * y).sum() / (w * centre**2).sum())
    scale = max(abs(slope), float(np.sqrt((1 / w).mean() / (centre**2).mean())))
    grid = np.sort(np.append(slope + scale * np.linspace(-8, 8, 33), 0.0))
    i = int(np.argmax(_scan(grid, data)))
    if i in (0, len(grid) - 1):
        raise ConvergenceError("the slope of the surrogacy line runs to infinity")
    found = optimize.minimize_scalar(
        lambda b: -_profile(b, data, tolerance)[0], bounds=(grid[i - 1], grid[i + 1]),
        method="bounded", options={"xatol": max(tolerance, 1e-9) * scale},
    )  # fmt: skip
    beta = float(found.x)
    value, alpha, tau2 = _profile(beta, data, tolerance)
    return Line(alpha, beta, tau2, _covariance(alpha, beta, tau2, data), value)


def _scan(betas: FloatArray, data: tuple[FloatArray, ...]) -> FloatArray:
    """Return the log likelihood at every slope, the best over a grid of tau2, shape (m,)."""
    x, vx, y, vy, cxy = data
    b = betas[:, None, None]
    r = y - b * x
    base = vy + b**2 * vx - 2 * b * cxy
    tau2 = (np.linspace(0, 1, 25) ** 2)[None, :, None] * (4 * r.var(axis=-1, keepdims=True))
    w = 1 / (base + tau2)
    a = (w * r).sum(axis=-1, keepdims=True) / w.sum(axis=-1, keepdims=True)
    value = 0.5 * (np.log(w) - w * (r - a) ** 2).sum(axis=-1)
    return np.asarray(value.max(axis=1))


def _covariance(alpha: float, beta: float, tau2: float, data: tuple[FloatArray, ...]) -> FloatArray:
    """Return the inverse observed information of alpha and beta (tau2 included off its edge)."""
    centre = np.array([alpha, beta] + ([tau2] if tau2 > 0 else []))
    steps = STEP * np.maximum(np.abs(centre), 0.05)
    if tau2 > 0:
        steps[2] = STEP * tau2

    def value(theta: FloatArray) -> float:
        return loglik(theta[0], theta[1], theta[2] if len(theta) > 2 else 0.0, *data)

    size = len(centre)
    information = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            di, dj = np.eye(size)[i] * steps[i], np.eye(size)[j] * steps[j]
            second = (
                value(centre + di + dj) - value(centre + di - dj)
                - value(centre - di + dj) + value(centre - di - dj)
            )  # fmt: skip
            information[i, j] = -second / (4 * steps[i] * steps[j])
    cov = np.asarray(np.linalg.inv(information)[:2, :2], dtype=np.float64)
    if not (np.diag(cov) > 0).all():
        raise ConvergenceError("the likelihood of the surrogacy line is flat at its maximum")
    return cov


def slope_interval(line: Line, data: tuple[FloatArray, ...], level: float) -> tuple[float, float]:
    """Return the profile likelihood interval of the slope; an open end is infinite."""
    drop = float(stats.chi2.ppf(level, 1)) / 2

    def short(b: float) -> float:
        return _profile(b, data)[0] - (line.loglik - drop)

    step = max(float(line.cov[1, 1] ** 0.5), 1e-6)
    ends = []
    for sign in (-1.0, 1.0):
        near, far = line.beta, line.beta + sign * step
        for _ in range(FURTHEST):
            if short(far) < 0:
                break
            near, far = far, line.beta + 2 * (far - line.beta)
        ends.append(sign * np.inf if short(far) >= 0 else float(optimize.brentq(short, near, far)))
    return ends[0], ends[1]
