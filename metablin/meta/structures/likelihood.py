"""The likelihood of a model with structured random effects, block by block.

Estimates that share no group of any term and no sampling covariance are independent; the marginal
covariance M is block-diagonal, and blocks of one size are handled together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.errors import ConvergenceError
from metablin.meta.structures.correlation import Structure
from metablin.numerics.blocks import batches, components

__all__ = ["Likelihood", "Solution", "Term", "climb"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

DECREMENT = 1e-11
"""Newton's decrement, relative to the likelihood, below which the next step ends the search."""
MAX_STEPS = 200
STEP = 1e-4
"""Of a parameter's scale: central differences of the score are then exact to about 1e-8."""
FLAT = 1e-10
"""Curvature below this share of the largest counts as none."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Random effects of one term: group and level of every estimate, and their structure."""

    outer: IntArray
    inner: IntArray
    structure: Structure


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The model at given parameters: coefficients, likelihood, score, and y'Py."""

    beta: FloatArray
    cov: FloatArray
    value: float
    score: FloatArray
    q: float


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """All m blocks of n estimates: positions (m, n), V (m, n, n), and of each term its cells."""

    at: IntArray
    v: FloatArray
    same: list[FloatArray]
    cell: list[IntArray]


class Likelihood:
    """A (restricted) likelihood.

    Parameters
    ----------
    y : ndarray, shape (k,)
    v : ndarray, shape (k,) or (k, k)
        Sampling variances or covariances.
    x : ndarray, shape (k, p)
        Design; orthonormal columns give the restricted likelihood metafor's constant.
    terms : sequence of Term
    reml : bool
    """

    def __init__(
        self, y: FloatArray, v: FloatArray, x: FloatArray, terms: Sequence[Term], reml: bool
    ) -> None:
        self.y, self.x, self.terms, self.reml = y, x, list(terms), reml
        sizes = [t.structure.count for t in terms]
        ends = np.cumsum(sizes)
        self.parts = [slice(e - s, e) for e, s in zip(ends, sizes, strict=True)]
        self.batches = self._batches(v)

    def _batches(self, v: FloatArray) -> list[_Batch]:
        label = components(v, [t.outer for t in self.terms])
        out = []
        for at, own in batches(v, label):
            same, cell = [], []
            for t in self.terms:
                g, a = t.outer[at], t.inner[at]
                same.append((g[:, :, None] == g[:, None, :]).astype(float))
                cell.append(np.asarray(a[:, :, None] * t.structure.size + a[:, None, :], np.intp))
            out.append(_Batch(at, own, same, cell))
        return out

    def marginal(self, theta: FloatArray, batch: _Batch) -> FloatArray:
        """Return M of a batch of blocks."""
        m = batch.v.copy()
        for t, part, same, cell in zip(self.terms, self.parts, batch.same, batch.cell, strict=True):
            g = t.structure.matrix(theta[part])[0]
            m += same * (g[0, 0] if len(g) == 1 else g.ravel()[cell])
        return m

    def at(self, theta: FloatArray, score: bool = True) -> Solution:
        """Evaluate at `theta`; a covariance that is not positive definite has value -inf."""
        k, p = self.x.shape
        try:
            roots: list[FloatArray] = [
                np.asarray(np.linalg.cholesky(self.marginal(theta, b)), np.float64)
                for b in self.batches
            ]
        except np.linalg.LinAlgError:
            nothing = np.full(p, np.nan)
            return Solution(nothing, nothing, -math.inf, np.full(len(theta), np.nan), math.nan)
        log_det = sum(2.0 * float(np.log(np.einsum("mii->mi", r)).sum()) for r in roots)
        inner = [_inverse(r) for r in roots]
        wx = [w @ self.x[b.at] for w, b in zip(inner, self.batches, strict=True)]
        wy = [np.einsum("mij,mj->mi", w, self.y[b.at])
              for w, b in zip(inner, self.batches, strict=True)]  # fmt: skip
        info, right = np.zeros((p, p)), np.zeros(p)
        for b, one, two in zip(self.batches, wx, wy, strict=True):
            info += np.einsum("mip,miq->pq", self.x[b.at], one)
            right += np.einsum("mip,mi->p", self.x[b.at], two)
        cov = np.asarray(np.linalg.inv(info), dtype=np.float64)
        beta = cov @ right
        py = [two - one @ beta for one, two in zip(wx, wy, strict=True)]
        q = sum(float((self.y[b.at] * r).sum()) for b, r in zip(self.batches, py, strict=True))
        value = -0.5 * (log_det + q + (k - p * self.reml) * math.log(2 * math.pi))
        if self.reml:
            value -= 0.5 * float(np.linalg.slogdet(info)[1])
        slopes = self._score(theta, inner, wx, py, cov) if score else np.empty(0)
        return Solution(beta, cov, value, slopes, q)

    def _score(
        self, theta: FloatArray, inner: list[FloatArray], wx: list[FloatArray],
        py: list[FloatArray], cov: FloatArray,
    ) -> FloatArray:  # fmt: skip
        """Return the derivatives: -(tr(P M') - y'P M' P y) / 2, gathered by cells of G."""
        gathered = [np.zeros(t.structure.size**2) for t in self.terms]
        for b, w, one, r in zip(self.batches, inner, wx, py, strict=True):
            rest = w - r[:, :, None] * r[:, None, :]
            if self.reml:
                rest = rest - one @ cov @ np.swapaxes(one, -1, -2)
            for found, same, cell in zip(gathered, b.same, b.cell, strict=True):
                if len(found) == 1:
                    found += np.vdot(same, rest)
                else:
                    found += np.bincount(cell.ravel(), (same * rest).ravel(), len(found))
        out = np.empty(len(theta))
        for t, part, found in zip(self.terms, self.parts, gathered, strict=True):
            changes = t.structure.matrix(theta[part])[1]
            out[part] = -0.5 * changes.reshape(len(changes), -1) @ found
        return out

    def start(self, spread: float) -> tuple[FloatArray, FloatArray]:
        """Return where the search begins and the scale of every parameter."""
        share = spread / math.sqrt(len(self.terms))
        begin = [t.structure.start(share) for t in self.terms]
        return np.concatenate(begin), np.concatenate([t.structure.scale(spread)
                                                      for t in self.terms])  # fmt: skip


def _inverse(root: FloatArray) -> FloatArray:
    """Return the inverse of a matrix from its Cholesky factor."""
    half = np.linalg.inv(root)
    return np.asarray(np.swapaxes(half, -1, -2) @ half)


def climb(
    model: Likelihood, start: FloatArray, scale: FloatArray, fixed: int | None = None
) -> tuple[FloatArray, int]:
    """Return the parameters of highest likelihood and the number of Newton steps to them.

    The parameter `fixed` keeps its place.

    Raises
    ------
    ConvergenceError
        When the likelihood keeps rising.
    """
    theta, state = start.copy(), model.at(start)
    for count in range(1, MAX_STEPS + 1):
        step = _uphill(model, theta, state.score, scale, fixed)
        gain = float(state.score @ step)
        if gain < DECREMENT * (1 + abs(state.value)):
            last = model.at(theta + step, score=False)
            return (theta + step if last.value >= state.value else theta), count
        fraction = 1.0
        for _ in range(50):
            trial = model.at(theta + fraction * step)
            if trial.value > state.value:
                break
            fraction *= 0.5
        else:
            return theta, count
        theta, state = theta + fraction * step, trial
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} steps")


def _uphill(
    model: Likelihood, theta: FloatArray, score: FloatArray, scale: FloatArray, fixed: int | None
) -> FloatArray:
    """Return Newton's step, turned uphill where the likelihood is not concave."""
    free = [j for j in range(len(theta)) if j != fixed]
    curve = np.empty((len(free), len(theta)))
    for row, j in zip(curve, free, strict=True):
        away = np.zeros(len(theta))
        away[j] = STEP * scale[j]
        up, down = model.at(theta + away).score, model.at(theta - away).score
        row[:] = (up - down) / (2 * STEP * scale[j])
    curve, unit = curve[:, free], scale[free]
    values, vectors = np.linalg.eigh(-np.outer(unit, unit) * (curve + curve.T) / 2)
    height = np.abs(values)
    slope = vectors.T @ (score[free] * unit)
    use = height > FLAT * max(float(height.max(initial=0.0)), 1.0)
    part = np.where(use, slope / np.where(use, height, 1.0), 0.0)
    step = np.zeros(len(theta))
    # no parameter leaps over more than its own scale
    step[free] = unit * (vectors @ part) / max(1.0, float(np.linalg.norm(part)))
    return step
