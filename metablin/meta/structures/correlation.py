"""Covariance matrices of the random effects of one term, and their derivatives.

Every structure is a function of free numbers: standard deviations of either sign, and for a
correlation the angle whose sine runs between its bounds. The likelihood is then smooth up to the
edge (a variance of zero, a correlation of one), where it is flat rather than infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CORRELATED", "SEVERAL", "STRUCTURES", "Structure"]

FloatArray = NDArray[np.float64]

STRUCTURES = ("CS", "HCS", "UN", "ID", "DIAG", "AR", "HAR", "CAR")
"""Names as in R's metafor."""
SEVERAL = ("HCS", "DIAG", "HAR")
"""Structures with a variance for every level; the others but UN have one."""
CORRELATED = ("CS", "HCS", "AR", "HAR", "CAR")
"""Structures with one correlation."""
START = 0.5
"""Correlation from which the search sets out."""


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The covariance of q random effects that share a group.

    Attributes
    ----------
    kind : str
        One of :data:`STRUCTURES`.
    size : int
        q.
    distance : ndarray, shape (q, q)
        Between the levels: in steps (AR, HAR) or in time (CAR).
    """

    kind: str
    size: int
    distance: FloatArray

    @property
    def count(self) -> int:
        """Number of free parameters."""
        q = self.size
        if self.kind == "UN":
            return q * (q + 1) // 2
        return (q if self.kind in SEVERAL else 1) + (self.kind in CORRELATED)

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest correlation."""
        if self.kind in ("CS", "HCS"):
            return -1 / (self.size - 1), 1.0
        return (0.0, 1.0) if self.kind == "CAR" else (-1.0, 1.0)

    def start(self, spread: float) -> FloatArray:
        """Return where the search begins, with a standard deviation of `spread`."""
        if self.kind == "UN":
            root = np.linalg.cholesky(START * np.eye(self.size) + START)
            return np.asarray(spread * root[np.tril_indices(self.size)])
        out = np.full(self.count, spread)
        if self.kind in CORRELATED:
            low, high = self.bounds
            out[-1] = math.asin(2 * (START - low) / (high - low) - 1)
        return out

    def scale(self, spread: float) -> FloatArray:
        """Return the size of a sensible change of every parameter."""
        out = np.full(self.count, spread)
        if self.kind in CORRELATED:
            out[-1] = 1.0
        return out

    def matrix(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the covariance, shape (q, q), and its derivatives, shape (count, q, q)."""
        if self.kind == "UN":
            return self._unstructured(theta)
        q, correlated = self.size, self.kind in CORRELATED
        spread = theta[:-1] if correlated else theta
        d = np.broadcast_to(spread, (q,))
        c, slope = self._correlation(float(theta[-1])) if correlated else (np.eye(q), None)
        g = d[:, None] * c * d
        half = c * d
        if self.kind in SEVERAL:
            changes = np.zeros((q, q, q))
            at = np.arange(q)
            changes[at, at] = half
            changes = changes + np.swapaxes(changes, -1, -2)
        else:
            changes = (2 * half)[None]
        if slope is not None:
            changes = np.concatenate([changes, (d[:, None] * slope * d)[None]])
        return g, changes

    def _unstructured(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        q = self.size
        rows, columns = np.tril_indices(q)
        root = np.zeros((q, q))
        root[rows, columns] = theta
        changes = np.zeros((len(theta), q, q))
        changes[np.arange(len(theta)), rows] = root[:, columns].T
        return root @ root.T, changes + np.swapaxes(changes, -1, -2)

    def _correlation(self, angle: float) -> tuple[FloatArray, FloatArray]:
        """Return the correlations and their derivatives by the angle."""
        low, high = self.bounds
        middle, reach = (low + high) / 2, (high - low) / 2
        rho, by_angle = middle + reach * math.sin(angle), reach * math.cos(angle)
        if self.kind in ("CS", "HCS"):
            other = 1.0 - np.eye(self.size)
            return np.eye(self.size) + rho * other, by_angle * other
        with np.errstate(divide="ignore", invalid="ignore"):
            c = np.where(self.distance == 0, 1.0, np.power(rho, self.distance))
            slope = self.distance * np.power(rho, self.distance - 1)
        return c, by_angle * np.where(self.distance == 0, 0.0, np.nan_to_num(slope, posinf=0.0))

    def split(self, g: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the variances, shape (q,), and correlations, shape (q, q), of a covariance."""
        variances = np.diag(g).copy()
        d = np.sqrt(variances)
        with np.errstate(divide="ignore", invalid="ignore"):
            c = g / np.outer(d, d)
        np.fill_diagonal(c, 1.0)
        return variances, c
