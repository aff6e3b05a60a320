"""Weighted least squares on one or many meta-analyses at once: the sums every method needs.

Shapes: `y` and `w` are (..., k); `x` is a design (k, p) or (..., k, p), or None for the intercept
alone, which takes a shorter way. A study that is absent has weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "gls"]

FloatArray = NDArray[np.float64]


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
        return np.asarray((self.w * self.resid * self.resid).sum(-1))

    @property
    def y_pp_y(self) -> FloatArray:
        """Return y'PPy, shape (...)."""
        return np.asarray(((self.w * self.resid) ** 2).sum(-1))

    @property
    def y_ppp_y(self) -> FloatArray:
        """Return y'PPPy, shape (...)."""
        u = self.w * self.resid
        if self.basis is None:
            weighted = (self.w * u).sum(-1)
            return np.asarray((self.w * u * u).sum(-1) - weighted**2 * self.cov[..., 0, 0])
        b = np.einsum("...ki,...k->...i", self.basis, self.w * u)
        return np.asarray((self.w * u * u).sum(-1) - (b * b).sum(-1))

    def leverage(self) -> FloatArray:
        """Return x_i' (X'WX)^-1 x_i, shape (..., k): the hat values divided by the weights."""
        if self.basis is None:
            return np.asarray(np.broadcast_to(self.cov[..., 0], self.w.shape))
        return np.asarray((self.basis**2).sum(-1))

    def trace_p(self) -> FloatArray:
        """Return tr(P), shape (...)."""
        if self.basis is None:
            return np.asarray(self.w.sum(-1) - (self.w**2).sum(-1) * self.cov[..., 0, 0])
        return np.asarray((self.w - self.w**2 * self.leverage()).sum(-1))

    def trace_pp(self) -> FloatArray:
        """Return tr(PP), shape (...)."""
        w2 = self.w**2
        if self.basis is None:
            a, s2 = self.cov[..., 0, 0], w2.sum(-1)
            return np.asarray(s2 - 2 * a * (w2 * self.w).sum(-1) + (a * s2) ** 2)
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
        mean = (w * y).sum(-1) / total
        return Fit(w, y - mean[..., None], None, mean[..., None], (1 / total)[..., None, None])
    root = np.sqrt(w)
    q, r = np.linalg.qr(x * root[..., None])
    inverse = np.asarray(np.linalg.inv(r), dtype=np.float64)
    z = np.einsum("...kj,...k->...j", q, root * y)
    beta = np.einsum("...ij,...j->...i", inverse, z)
    resid = y - np.einsum("...kj,...j->...k", x, beta)
    cov = inverse @ np.swapaxes(inverse, -1, -2)
    return Fit(w, np.asarray(resid), x @ inverse, np.asarray(beta), cov)
