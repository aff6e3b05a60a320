"""Every fit without one study, for thousands of studies: sums less the study's own term.

A fit on the intercept with weights w = 1/(v + tau2) needs ten sums over the studies, such as
sum(w^2 (y - c)). Without study i they are those of all studies less its own term. Each deletion
has a tau2 of its own, so the sums are needed at k values of tau2; as functions of
s = log(tau2 + min v), with each w scaled by exp(s), they are analytic in the strip |Im s| < pi, and
a Chebyshev interpolant of some dozens of nodes gives them to rounding. The cost is linear in k.

References
----------
Trefethen LN (2013). Approximation Theory and Approximation Practice, theorem 8.2 (the error falls
as rho^-n, with rho the sum of the half-axes of the largest ellipse free of singularities).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from metablin.numerics.tau2 import SJ_FLOOR, STEP_TOLERANCE, climb

__all__ = ["Deletion", "Moments", "tau2_without_each"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

DIGITS = 1e-17
"""Error of the interpolant, relative to the largest value of a sum, that fixes the nodes."""

SPARE_NODES = 6
MOST_NODES = 400

CELLS = 1 << 18
"""Nodes times studies whose sums are formed in one go."""

DOMINANT = 0.5
"""A study with more than this share of a sum is refitted in full: the rest of the sum would be a
small difference of large numbers."""

CANCELLED = 1e4
"""A sum of squares this much smaller than that about the common centre has lost its digits."""

MAX_STEPS = 100


@dataclass(slots=True, eq=False)
class Moments:
    """Sums over the studies at m values of tau2, each of shape (m,).

    ``a[r]``, ``b[r]``, ``c[r]`` are sums of w^r, w^r z and w^r z^2 for r = 1, 2, 3, with z = y - c;
    ``logs`` is the sum of log w.
    """

    a: FloatArray
    b: FloatArray
    c: FloatArray
    logs: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Weighted mean of z."""
        return np.asarray(self.b[0] / self.a[0])

    def squares(self, r: int) -> FloatArray:
        """Sum of w^r (z - mean)^2."""
        mean = self.mean
        spread = self.c[r - 1] - 2 * mean * self.b[r - 1] + mean**2 * self.a[r - 1]
        return np.asarray(np.maximum(spread, 0.0))

    @property
    def y_ppp_y(self) -> FloatArray:
        """Return y'PPPy."""
        centre = self.b[1] - self.mean * self.a[1]
        return np.asarray(self.squares(3) - centre**2 / self.a[0])

    @property
    def trace_p(self) -> FloatArray:
        """Return tr(P)."""
        return np.asarray(self.a[0] - self.a[1] / self.a[0])

    @property
    def trace_pp(self) -> FloatArray:
        """Return tr(PP)."""
        share = self.a[1] / self.a[0]
        return np.asarray(self.a[1] - 2 * self.a[2] / self.a[0] + share**2)

    def log_likelihood(self, restricted: bool) -> FloatArray:
        """Return the (restricted) log-likelihood, less constants."""
        value = (self.logs - self.squares(1)) / 2
        return np.asarray(value - np.log(self.a[0]) / 2 if restricted else value)


def _terms(y: FloatArray, v: FloatArray, tau2: FloatArray) -> FloatArray:
    """Return the ten terms of every study at its own tau2, shape (10, m)."""
    w = 1 / (v + tau2)
    powers = np.array([w, w**2, w**3])
    return np.concatenate([powers, powers * y, powers * y**2, np.log(w)[None]])


class Deletion:
    """Moments of all studies but one, at any tau2 from 0 to `most`.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances.
    most : float
        Largest tau2 that will be asked for.
    """

    def __init__(self, y: FloatArray, v: FloatArray, most: float) -> None:
        self.k = len(y)
        self.centre = float(np.average(y, weights=1 / (v + most)))
        self.y, self.v = y - self.centre, v
        self.least = float(v.min())
        self.low, self.high = math.log(self.least), math.log(self.least + most)
        half = max((self.high - self.low) / 2, 1e-8)
        rho = math.pi / half + math.sqrt(1 + (math.pi / half) ** 2)
        self.nodes = int(
            min(math.ceil(-math.log(DIGITS) / math.log(rho)) + SPARE_NODES, MOST_NODES)
        )
        self.coefficients = self._coefficients()

    def _coefficients(self) -> FloatArray:
        n = self.nodes
        x = np.cos(math.pi * (np.arange(n) + 0.5) / n)
        scale = np.exp((self.low + self.high) / 2 + x * (self.high - self.low) / 2)
        values = np.empty((10, n))
        chunk = max(1, CELLS // self.k)
        for i in range(0, n, chunk):
            e = scale[i : i + chunk]
            w = e[:, None] / (self.v + (e[:, None] - self.least))
            for r in range(3):
                power = w ** (r + 1)
                values[r, i : i + chunk] = power.sum(-1)
                values[3 + r, i : i + chunk] = power @ self.y
                values[6 + r, i : i + chunk] = power @ self.y**2
            values[9, i : i + chunk] = np.log(w).sum(-1)
        out = fft.dct(values, type=2, axis=1) / n
        out[:, 0] /= 2
        return np.asarray(out.T)

    def everything(self, tau2: FloatArray) -> FloatArray:
        """Return the ten sums over all studies at `tau2`, shape (10, m)."""
        e = tau2 + self.least
        width = max((self.high - self.low) / 2, 1e-300)
        x = np.clip((np.log(e) - (self.low + self.high) / 2) / width, -1.0, 1.0)
        values = np.polynomial.chebyshev.chebval(x, self.coefficients)
        powers = np.array([1 / e, 1 / e**2, 1 / e**3])
        values[:3] *= powers
        values[3:6] *= powers
        values[6:9] *= powers
        values[9] -= self.k * np.log(e)
        return np.asarray(values)

    def at(self, tau2: FloatArray, gone: NDArray[np.intp] | None = None) -> Moments:
        """Return the moments without study ``gone[i]`` at ``tau2[i]``; all in turn by default."""
        which = np.arange(self.k) if gone is None else gone
        left = self.everything(tau2) - _terms(self.y[which], self.v[which], tau2)
        return Moments(left[:3], left[3:6], np.maximum(left[6:9], 0.0), left[9])

    def dominant(self, tau2: FloatArray) -> BoolArray:
        """Return which studies hold too much of a sum to be taken away from it."""
        own = np.abs(_terms(self.y, self.v, tau2))[[0, 1, 2, 6, 7, 8]]
        every = self.everything(tau2)[[0, 1, 2, 6, 7, 8]]
        left = self.at(tau2)
        lost = left.c[0] > CANCELLED * left.squares(1)
        return np.asarray((own > DOMINANT * np.maximum(every, 1e-300)).any(0) | lost)


Solved = tuple[Deletion, FloatArray, BoolArray]


def tau2_without_each(method: str | None, y: FloatArray, v: FloatArray, known: float) -> Solved:
    """Return tau2 without each study in turn, by the estimators of :mod:`metablin.numerics.tau2`.

    Parameters
    ----------
    method : str or None
        Estimator; None takes `known`.
    y, v : ndarray, shape (k,)
    known : float

    Returns
    -------
    sums : Deletion
        Good at these tau2.
    tau2 : ndarray, shape (k,)
    sure : ndarray of bool, shape (k,)
        False where the deletion must be refitted in full.
    """
    k = len(y)
    if method is None:
        sums = Deletion(y, v, known)
        tau2 = np.full(k, known)
        return sums, tau2, ~(sums.dominant(tau2) | Deletion(y, v, 0.0).dominant(np.zeros(k)))
    start = _hedges(y, v)
    if method in ("DL2", "CA2"):
        sums, tau2, done = _two_steps(method, y, v, start)
    elif method in ("HE", "DL", "HS"):
        closed = Deletion(y, v, 0.0).at(np.zeros(k))
        if method == "DL":
            start = (closed.squares(1) - (k - 2)) / closed.trace_p
        elif method == "HS":
            start = (closed.squares(1) - (k - 1)) / closed.a[0]
        tau2 = np.maximum(start, 0.0)
        sums, done = Deletion(y, v, float(tau2.max())), np.ones(k, dtype=bool)
    elif method in ("SJ", "SJ-HE"):
        spread = _spread(y) if method == "SJ" else np.maximum(start, SJ_FLOOR)
        sums = Deletion(y, v, float(spread.max()))
        tau2 = spread * sums.at(spread).squares(1) / (k - 2)
        done = (spread > 0) & ~sums.dominant(spread)
        sums = Deletion(y, v, float(tau2.max()))
    else:
        sums, tau2, done = _iterate(method, y, v, np.maximum(start, 0.0))
    return sums, tau2, done & ~(sums.dominant(tau2) | Deletion(y, v, 0.0).dominant(np.zeros(k)))


def _two_steps(method: str, y: FloatArray, v: FloatArray, hedges: FloatArray) -> Solved:
    first = np.maximum(hedges, 0.0) if method == "CA2" else tau2_without_each("DL", y, v, 0.0)[1]
    sums, k = Deletion(y, v, float(first.max())), len(y)
    m = sums.at(first)
    tau2 = np.maximum(first + (m.squares(1) - (k - 2)) / m.trace_p, 0.0)
    return Deletion(y, v, float(tau2.max())), tau2, ~sums.dominant(first)


def _spread(y: FloatArray) -> FloatArray:
    """Return the variance of the effects without each, divisor k - 1 of the k - 1 left."""
    z, k = y - y.mean(), len(y)
    return np.asarray(np.maximum((np.sum(z**2) - z**2) / (k - 1) - (z / (k - 1)) ** 2, 0.0))


def _hedges(y: FloatArray, v: FloatArray) -> FloatArray:
    k = len(y)
    return np.asarray((_spread(y) * (k - 1) - (v.sum() - v) * (1 - 1 / (k - 1))) / (k - 2))


def _iterate(method: str, y: FloatArray, v: FloatArray, start: FloatArray) -> Solved:
    """Solve the estimating equation of each deletion by the steps of the full estimator."""
    k = len(y)
    most = 2.0 * float(start.max()) + float(np.median(v))
    sums = Deletion(y, v, most)
    tolerance = STEP_TOLERANCE * (v.sum() - v) / (k - 1)
    least = np.full(k, v.min())
    least[int(np.argmin(v))] = float(np.partition(v, 1)[1])
    by_q = method in Q_METHODS
    step = _paule_mandel(Q_METHODS[method](k - 2)) if by_q else _scorer(method, least)
    tau2 = np.zeros(k) if by_q else start.copy()
    moving = np.arange(k)
    for _ in range(MAX_STEPS):
        old = tau2[moving]
        new = step(sums.at(old, moving), old, moving, k)
        inside = new <= most
        more = np.abs(new - old) > STEP_TOLERANCE * new + tolerance[moving]
        tau2[moving] = np.where(inside, new, np.nan)
        moving = moving[more & inside]
        if not moving.size:
            break
    done = np.isfinite(tau2)
    done[moving] = False
    tau2 = np.where(done, tau2, 0.0)
    if method in ("ML", "REML"):
        restricted = method == "REML"
        zero = np.zeros(k)
        better = sums.at(zero).log_likelihood(restricted) > sums.at(tau2).log_likelihood(restricted)
        tau2 = np.where(better, 0.0, tau2)
    return sums, tau2, done


Step = Callable[[Moments, FloatArray, NDArray[np.intp], int], FloatArray]


def _scorer(method: str, least: FloatArray) -> Step:
    def step(m: Moments, tau2: FloatArray, moving: NDArray[np.intp], k: int) -> FloatArray:
        expected = m.trace_pp if method == "REML" else m.a[1]
        trace = m.trace_p if method == "REML" else m.a[0]
        score, observed = m.squares(2) - trace, 2 * m.y_ppp_y - expected
        return climb(score, expected, observed, tau2, least[moving])

    return step


Q_METHODS: dict[str, Callable[[int], float]] = {
    "PM": float,
    "EB": float,
    "PMM": lambda df: float(special.chdtri(df, 0.5)),
}
"""What Q is set to by the methods that solve for it: its mean, or its median."""


def _paule_mandel(target: float) -> Step:
    """Newton's method on 1/Q, which is convex and falls: from 0 it never passes the root."""

    def step(m: Moments, tau2: FloatArray, moving: NDArray[np.intp], k: int) -> FloatArray:
        q, slope = m.squares(1), np.maximum(m.squares(2), np.finfo(float).tiny)
        return np.asarray(np.maximum(tau2 + q * (q - target) / (target * slope), 0.0))

    return step
