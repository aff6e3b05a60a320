"""The Newton search of :mod:`metablin.meta.counts.glmm.newton` for one arm and one random effect.

Each step makes one pass through the quadrature: the trial point and its perturbed copies, which
give gradient and Hessian, are rows of the same arrays. A test holds it to the general search.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.meta.counts.glmm import quadrature_single
from metablin.meta.counts.glmm.quadrature import DIFF_STEP, Counts, rule

__all__ = ["Pass", "SingleArm"]

FloatArray = NDArray[np.float64]
#: Multiples of the step added to (m, lam): first the point itself, then the differences of second
#: order, then those that raise them to fourth order.
_SHIFTS = np.array([
    [0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [2, 0], [-2, 0], [0, 2], [0, -2],
], dtype=np.float64) * DIFF_STEP  # fmt: skip


class Pass:
    """Log likelihood, gradient and information in (beta, sd) at one point.

    Attributes
    ----------
    value : float
    grad : ndarray, shape (p + 1,)
    info : ndarray, shape (p + 1, p + 1)
    mode : ndarray, shape (k,)
    """

    __slots__ = ("grad", "info", "mode", "value")

    def __init__(self, value: float, grad: FloatArray, info: FloatArray, mode: FloatArray) -> None:
        self.value, self.grad, self.info, self.mode = value, grad, info, mode


class SingleArm:
    """One-arm counts with design `x` (k, p), offset (k,) and a quadrature rule."""

    def __init__(self, counts: Counts, x: FloatArray, offset: FloatArray, points: int) -> None:
        self.x, self.offset, self.poisson = x, offset, counts.poisson
        nodes, self.log_w = rule(points, 1)
        self.nodes = nodes[:, 0]
        blocks = len(_SHIFTS)
        self.y, self.n = np.tile(counts.y[:, 0], blocks), np.tile(counts.n[:, 0], blocks)

    def guess(self, theta: FloatArray) -> FloatArray:
        """Return modes of the normal approximation to the counts."""
        k = len(self.offset)
        y, n = self.y[:k] + 0.5, self.n[:k] + 1
        if self.poisson:
            eta, v = np.log(y), 1 / y
        else:
            eta, v = np.log(y / (n - y)), 1 / y + 1 / (n - y)
        gap = eta - self.offset - self.x @ theta[:-1]
        return np.asarray(theta[-1] * gap / (v + theta[-1] ** 2))

    def at(self, theta: FloatArray, start: FloatArray, fine: bool) -> Pass:
        """Evaluate at `theta`, searching the modes from `start`; `fine` is of fourth order."""
        k = len(self.offset)
        shifts = _SHIFTS if fine else _SHIFTS[:5]
        rows = len(shifts) * k
        m = (self.offset + self.x @ theta[:-1] + shifts[:, :1]).ravel()
        lam = np.repeat(theta[-1] + shifts[:, 1], k)
        y, n = self.y[:rows], self.n[:rows]
        u = np.tile(start, len(shifts))
        u = quadrature_single.mode(m, lam, y, n, self.poisson, u)
        value, by_m, by_sd = quadrature_single.row_sums(
            m, lam, y, n, self.poisson, u, self.nodes, self.log_w
        )
        g = np.stack([by_m, by_sd]).reshape(2, len(shifts), k)
        if fine:
            d_m = (8 * (g[:, 1] - g[:, 2]) - (g[:, 5] - g[:, 6])) / (12 * DIFF_STEP)
            d_sd = (8 * (g[:, 3] - g[:, 4]) - (g[:, 7] - g[:, 8])) / (12 * DIFF_STEP)
        else:
            d_m = (g[:, 1] - g[:, 2]) / (2 * DIFF_STEP)
            d_sd = (g[:, 3] - g[:, 4]) / (2 * DIFF_STEP)
        p = len(theta) - 1
        info = np.empty((p + 1, p + 1))
        info[:p, :p] = -(self.x.T * d_m[0]) @ self.x
        info[:p, p] = info[p, :p] = -(self.x.T @ ((d_m[1] + d_sd[0]) / 2))
        info[p, p] = -d_sd[1].sum()
        grad = np.append(self.x.T @ g[0, 0], g[1, 0].sum())
        return Pass(float(value[:k].sum()), grad, info, u[:k])
