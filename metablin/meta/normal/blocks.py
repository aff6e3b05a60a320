"""The likelihood of a multilevel model, block by block.

Estimates of different outermost groups are independent (unless a sampling covariance joins them),
so their marginal covariance M is block-diagonal. Blocks of one size are handled together; the cost
grows with the number of estimates times the square of the size of a block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.numerics.blocks import batches, components

__all__ = ["Model", "State"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The model at given variances.

    Attributes
    ----------
    beta, cov : ndarray, shape (p,) and (p, p)
    loglik : float
    score, observed, expected : ndarray, shape (L,) and (L, L)
        Score and informations of the variances.
    q : float
        y'Py, with P the matrix that takes residuals and weighs them.
    trace_p : float
        Trace of P.
    row_sums : ndarray, shape (k,)
        Row sums of the inverse of M.
    """

    beta: FloatArray
    cov: FloatArray
    loglik: float
    score: FloatArray
    observed: FloatArray
    expected: FloatArray
    q: float
    trace_p: float
    row_sums: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """All m blocks of n estimates: positions (m, n), V (m, n, n) and kernels (L, m, n, n)."""

    at: IntArray
    v: FloatArray
    kernels: FloatArray


@dataclass(slots=True, eq=False)
class _Solved:
    """One batch at given variances: W = M^-1, and for each kernel K: K W X and W K (stacked)."""

    w: FloatArray
    wx: FloatArray
    wk: FloatArray


class Model:
    """A multilevel model with known sampling variances.

    Parameters
    ----------
    y : ndarray, shape (k,)
    v : ndarray, shape (k,) or (k, k)
        Sampling variances or covariances.
    x : ndarray, shape (k, p)
        Design; orthonormal columns give the restricted likelihood metafor's constant.
    codes : sequence of ndarray of int, shape (k,)
        Group of every estimate at each of the L levels.
    reml : bool
        Restricted likelihood.
    """

    def __init__(
        self, y: FloatArray, v: FloatArray, x: FloatArray, codes: Sequence[IntArray], reml: bool
    ) -> None:
        self.y, self.x, self.reml = y, x, reml
        self.variances = v if v.ndim == 1 else np.diag(v).copy()
        self.size = len(codes)
        self.batches = _batches(v, codes)

    def at(self, sigma2: FloatArray) -> State:
        """Evaluate the (restricted) likelihood and its derivatives at variances `sigma2`."""
        k, p = self.x.shape
        solved = [self._solve(b, sigma2) for b in self.batches]
        info = sum((_cross(self.x[b.at], s.wx) for b, s in self._with(solved)), np.zeros((p, p)))
        cov = np.asarray(np.linalg.inv(info), dtype=np.float64)
        wy = [np.einsum("mij,mj->mi", s.w, self.y[b.at]) for b, s in self._with(solved)]
        right = sum((_cross(self.x[b.at], z[..., None])[:, 0]
                     for b, z in zip(self.batches, wy, strict=True)), np.zeros(p))  # fmt: skip
        beta = cov @ right
        py = [z - s.wx @ beta for z, s in zip(wy, solved, strict=True)]
        q = sum(float((self.y[b.at] * z).sum()) for b, z in zip(self.batches, py, strict=True))
        value = self._loglik(solved, info, q, k, p)
        score, observed, expected = self._derivatives(solved, py, cov)
        sums = np.empty(k)
        for b, s in self._with(solved):
            sums[b.at] = s.w.sum(-1)
        trace = sum(float(np.einsum("mii->", s.w)) for s in solved)
        trace -= float(np.sum(cov * sum(_cross(s.wx, s.wx) for s in solved)))
        return State(beta, cov, value, score, observed, expected, q, trace, sums)

    def _with(self, solved: list[_Solved]) -> zip[tuple[_Batch, _Solved]]:
        return zip(self.batches, solved, strict=True)

    def _solve(self, b: _Batch, sigma2: FloatArray) -> _Solved:
        m = b.v + np.einsum("l,lmij->mij", sigma2, b.kernels)
        w = np.linalg.inv(m)
        w = (w + np.swapaxes(w, -1, -2)) / 2
        return _Solved(w, w @ self.x[b.at], np.asarray(w[None] @ b.kernels))

    def _loglik(self, solved: list[_Solved], info: FloatArray, q: float, k: int, p: int) -> float:
        log_det = -sum(float(np.linalg.slogdet(s.w)[1].sum()) for s in solved)
        value = -0.5 * (log_det + q + (k - p * self.reml) * math.log(2 * math.pi))
        if self.reml:
            value -= 0.5 * float(np.linalg.slogdet(info)[1])
        return value

    def _derivatives(
        self, solved: list[_Solved], py: list[FloatArray], cov: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the score, the observed and the expected information, summed over blocks."""
        size, p = self.size, len(cov)
        trace, fall = np.zeros(size), np.zeros(size)
        pairs, quadratic = np.zeros((size, size)), np.zeros((size, size))
        one, two = np.zeros((size, p, p)), np.zeros((size, size, p, p))
        cross = np.zeros((size, p))
        for (b, s), r in zip(self._with(solved), py, strict=True):
            kr = np.einsum("lmij,mj->lmi", b.kernels, r)
            kwx = b.kernels @ s.wx
            w_kr = np.einsum("mij,lmj->lmi", s.w, kr)
            trace += np.einsum("lmii->l", s.wk)
            fall += np.einsum("mi,lmi->l", r, kr)
            pairs += np.einsum("amij,bmji->ab", s.wk, s.wk, optimize=True)
            quadratic += np.einsum("ami,bmi->ab", kr, w_kr, optimize=True)
            cross += np.einsum("mip,lmi->lp", s.wx, kr)
            one += np.einsum("mip,lmiq->lpq", s.wx, kwx, optimize=True)
            two += np.einsum("amip,mij,bmjq->abpq", kwx, s.w, kwx, optimize=True)
        quadratic -= cross @ cov @ cross.T
        if self.reml:
            # P = W - W X C X'W: what estimating the coefficients takes away from the traces.
            inner = cov @ one
            trace -= np.einsum("lpp->l", inner)
            pairs += np.einsum("apq,bqp->ab", inner, inner)
            pairs -= 2.0 * np.einsum("pq,abqp->ab", cov, two)
        return -0.5 * (trace - fall), quadratic - 0.5 * pairs, 0.5 * pairs


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("mip,miq->pq", a, b))


def _batches(v: FloatArray, codes: Sequence[IntArray]) -> list[_Batch]:
    """Return the blocks of M, those of one size together."""
    label = components(v, codes[:1]) if v.ndim == 2 else codes[0]
    out = []
    for at, own in batches(v, label):
        kernels = np.array([c[at][:, :, None] == c[at][:, None, :] for c in codes], dtype=float)
        out.append(_Batch(at, own, kernels))
    return out
