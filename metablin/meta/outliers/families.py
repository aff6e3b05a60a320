"""Distributions of random effects as scale mixtures of normals.

A study's effect is normal given its scale, and so is its estimate: a density of the estimate is a
sum over scales, ``sum_j q_j N(y; x'beta, v + t_j)``. A mixture of two normals has two scales;
Student's t has a gamma distributed one, which a trapezoidal rule on the logarithm of the scale
sums to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["LEAST_DF", "Family", "Mixture", "Student", "log_density"]

FloatArray = NDArray[np.float64]

LEAST_DF = 0.1
"""Degrees of freedom are estimated from here (tails heavier than Cauchy's) to infinity."""

LOST = 37.0
"""Terms below exp(-LOST) of the largest are lost in doubles."""

NORMAL = 1e-10
"""Reciprocal degrees of freedom at which t is normal to rounding."""

MANY = 100.0
"""Degrees of freedom beyond which the weights of the rule sum to one to rounding."""

FINEST, COARSEST = 0.45, 0.25
"""Spacing of the rule: a share of the standard deviation of the log scale, and never more than
this. The gamma function at the frequency that the rule takes for none is then below 1e-15."""


class Family(Protocol):
    """A distribution of random effects: its free parameters and its scales."""

    @property
    def size(self) -> int:
        """Number of free parameters."""
        ...

    def scale(self, spread: float) -> FloatArray:
        """Return the size of a sensible change of every parameter."""
        ...

    def normal(self, tau: float) -> FloatArray:
        """Return the parameters at which the distribution is normal."""
        ...

    def components(
        self, shape: FloatArray, resid: FloatArray, v: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return logarithms of weights and variances, (b, n), at parameters (size, b)."""
        ...


def log_density(
    resid: FloatArray, v: FloatArray, log_q: FloatArray, t2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return log densities of residuals and the terms they are summed from.

    Parameters
    ----------
    resid : ndarray, shape (b, k)
    v : ndarray, shape (k,)
    log_q, t2 : ndarray, shape (b, n)

    Returns
    -------
    ndarray, shape (b, k), and shape (b, k, n)
    """
    # in place: with t these are many numbers, and new arrays take as long as the logarithms
    total = v[:, None] + t2[:, None, :]
    terms = resid[..., None] ** 2 / total
    terms += np.log(total, out=total)
    terms *= 0.5
    np.subtract(log_q[:, None, :], terms, out=terms)
    top = terms.max(-1, keepdims=True)
    share = np.subtract(terms, top, out=total)
    summed = np.exp(share, out=share).sum(-1)
    return top[..., 0] + np.log(summed) - 0.5 * math.log(2 * math.pi), terms


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two normals with one mean; parameters: two standard deviations and an angle.

    The share of the second is the squared sine of the angle, so that the likelihood is smooth and
    flat, not infinite, where one of the two is empty.
    """

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return 3

    def scale(self, spread: float) -> FloatArray:
        """Return the size of a sensible change of every parameter."""
        return np.array([spread, spread, 0.5])

    def normal(self, tau: float) -> FloatArray:
        """Return the parameters at which the distribution is normal."""
        return np.array([tau, tau, 0.0])

    def components(
        self, shape: FloatArray, resid: FloatArray, v: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return logarithms of weights and variances, (b, 2)."""
        with np.errstate(divide="ignore"):
            log_q = 2 * np.log(np.abs(np.stack([np.cos(shape[2]), np.sin(shape[2])], axis=-1)))
        return log_q, np.ascontiguousarray(shape[:2].T ** 2)


@dataclass(frozen=True, slots=True)
class Student:
    """Student's t; parameters: a scale of either sign and, unless `df` is given, an angle.

    One over the degrees of freedom is the squared sine of the angle over `LEAST_DF`.
    """

    df: float | None = None

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return 1 if self.df is not None else 2

    def scale(self, spread: float) -> FloatArray:
        """Return the size of a sensible change of every parameter."""
        return np.array([spread, 0.5])[: self.size]

    def normal(self, tau: float) -> FloatArray:
        """Return the parameters at which the distribution is normal."""
        return np.array([tau, 0.0])[: self.size]

    def inverse_df(self, shape: FloatArray) -> FloatArray:
        """Return one over the degrees of freedom."""
        if self.df is not None:
            return np.full(shape.shape[1:], 1 / self.df)
        return np.asarray(np.sin(shape[1]) ** 2 / LEAST_DF)

    def angle(self, inverse_df: float) -> float:
        """Return the angle at which one over the degrees of freedom is this."""
        return math.asin(math.sqrt(inverse_df * LEAST_DF))

    def components(
        self, shape: FloatArray, resid: FloatArray, v: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return logarithms of weights and variances, (b, n).

        With w from a gamma distribution of shape and rate df/2, the effect is normal with variance
        tau2 / w; the rule is over s = log w.
        """
        alpha = np.maximum(self.inverse_df(shape), NORMAL)
        tau2 = shape[0] ** 2
        squares = (resid**2).max(-1)
        low, high = _ends(alpha, tau2, squares, float(v.min()))
        step = np.minimum(COARSEST, FINEST * np.sqrt(2 * alpha))
        n = int(np.ceil(((high - low) / step).max())) + 2
        s = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, n)
        log_q = (s - np.expm1(s)) / (2 * alpha[:, None])
        # heavy tails are cut off within the mass, light ones lose digits in their constant
        half = 1 / (2 * np.maximum(alpha, 1 / MANY))
        exact = half * np.log(half) - half - special.gammaln(half)
        exact = exact + np.log((high - low) / (n - 1))
        top = log_q.max(-1, keepdims=True)
        summed = -(top[:, 0] + np.log(np.exp(log_q - top).sum(-1)))
        log_q += np.where(alpha > 1 / MANY, exact, summed)[:, None]
        return log_q, tau2[:, None] * np.exp(-s)


def _ends(
    alpha: FloatArray, tau2: FloatArray, squares: FloatArray, least: float
) -> tuple[FloatArray, FloatArray]:
    """Return log scales beyond which nothing is left of the integrand of any study.

    A wider scale gains an outlier at most half its squared distance over its variance; beyond its
    own distance it only loses.
    """
    gain = squares / (2 * (least + tau2))
    cost = 2 * alpha * (LOST + gain)
    near = cost + np.sqrt(2 * cost)
    beyond = np.log(np.maximum(squares / np.maximum(tau2, 1e-300), 1.0))
    far = beyond + (2 * LOST + 1 / alpha) / (1 / alpha + 1)
    cost = 2 * alpha * (LOST + 0.5 * np.log1p(tau2 / least))
    return -np.minimum(near, far), np.minimum(np.sqrt(2 * cost), np.log1p(2 * cost + 4))
