"""Weighted least squares on one or many meta-analyses at once: the sums every method needs.

Shapes: `y` and `w` are (..., k); `x` is a design (k, p) or (..., k, p), or None for the intercept
alone, which takes a shorter way. A study that is absent has weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "gls", "gls_at"]

FloatArray = NDArray[np.float64]

LOST = 1e-12
"""A trace smaller than this share of its first term has lost its digits in the difference."""


@dataclass(slots=True, eq=False)
class Fit:
    """A weighted fit: P = W - W X (X'WX)^-1 X'W in the notation of Viechtbauer (2005).

    Attributes
    ----------
    w, resid : ndarray, shape (..., k)
        Weights and residuals.
    basis : ndarray, shape (..., k, p), or None
        U = X R^-1 with QR = W^(1/2) X, so that U'WU = I; None is the intercept.
    beta : ndarray, shape (..., p)
        Coefficients.
    cov : ndarray, shape (..., p, p)
        (X'WX)^-1.
    """

    w: FloatArray
    resid: FloatArray
    basis: FloatArray | None
    beta: FloatArray
    cov: FloatArray

    @property
    def rss(self) -> FloatArray:
        """Return y'Py, shape (...)."""
        return np.asarray(np.vecdot(self.w * self.resid, self.resid))

    @property
    def y_pp_y(self) -> FloatArray:
        """Return y'PPy, shape (...)."""
        u = self.w * self.resid
        return np.asarray(np.vecdot(u, u))

    @property
    def y_ppp_y(self) -> FloatArray:
        """Return y'PPPy, shape (...)."""
        u = self.w * self.resid
        wu = self.w * u
        if self.basis is None:
            centre = np.vecdot(self.w, u)
            return np.asarray(np.vecdot(wu, u) - centre**2 * self.cov[..., 0, 0])
        b = np.einsum("...ki,...k->...i", self.basis, wu)
        return np.asarray(np.vecdot(wu, u) - np.vecdot(b, b))

    def leverage(self) -> FloatArray:
        """Return x_i' (X'WX)^-1 x_i, shape (..., k): the hat values divided by the weights."""
        if self.basis is None:
            return np.asarray(np.broadcast_to(self.cov[..., 0], self.w.shape))
        return np.asarray((self.basis**2).sum(-1))

    def trace_p(self) -> FloatArray:
        """Return tr(P), shape (...)."""
        if self.basis is None:
            s1, s2 = self.w.sum(-1), np.vecdot(self.w, self.w)
            trace = np.asarray(s1 - s2 * self.cov[..., 0, 0])
            lost = trace <= LOST * s1
            if lost.any():  # one study has all the weight but for rounding
                trace = np.where(lost, self._spared().sum(-1), trace)
            return np.asarray(trace)
        return np.asarray((self.w - self.w**2 * self.leverage()).sum(-1))

    def _spared(self) -> FloatArray:
        """Return the diagonal of P, shape (..., k), on the intercept alone."""
        return np.asarray(self.w * (1 - self.w * self.cov[..., 0]))

    def trace_pp(self) -> FloatArray:
        """Return tr(PP), shape (...)."""
        w2 = self.w * self.w
        if self.basis is None:
            a, s2 = self.cov[..., 0, 0], np.vecdot(self.w, self.w)
            trace = np.asarray(s2 - 2 * a * np.vecdot(w2, self.w) + (a * s2) ** 2)
            lost = trace <= LOST * s2
            if lost.any():
                cross = np.maximum(s2**2 - np.vecdot(w2, w2), 0.0)
                trace = np.where(lost, (self._spared() ** 2).sum(-1) + a**2 * cross, trace)
            return np.asarray(trace)
        b = np.swapaxes(self.basis, -1, -2) @ (w2[..., None] * self.basis)
        return np.asarray((w2 - 2 * w2 * self.w * self.leverage()).sum(-1) + (b * b).sum((-1, -2)))


def gls(y: FloatArray, w: FloatArray, x: FloatArray | None = None) -> Fit:
    """Return the weighted least-squares fit of `y` on `x` with weights `w`.

    Examples
    --------
    >>> fit = gls(np.array([1.0, 3.0]), np.array([3.0, 1.0]))
    >>> float(fit.beta[0]), float(fit.rss)
    (1.5, 3.0)
    """
    if x is None:
        total = w.sum(-1)
        mean = np.asarray(np.vecdot(w, y) / total)[..., None]
        return Fit(w, y - mean, None, mean, np.asarray(1 / total)[..., None, None])
    root = np.sqrt(w)
    q, r = np.linalg.qr(x * root[..., None])
    inverse = np.asarray(np.linalg.inv(r), dtype=np.float64)
    z = np.einsum("...kj,...k->...j", q, root * y)
    beta = np.einsum("...ij,...j->...i", inverse, z)
    resid = y - np.einsum("...kj,...j->...k", x, beta)
    cov = inverse @ np.swapaxes(inverse, -1, -2)
    return Fit(w, np.asarray(resid), x @ inverse, np.asarray(beta), cov)


def gls_at(
    y: FloatArray, v: FloatArray, tau2: FloatArray | float, x: FloatArray | None = None
) -> Fit:
    """Return the fit with weights 1/(v + tau2), one tau2 per set."""
    return gls(y, 1 / (v + np.asarray(tau2)[..., None]), x)
