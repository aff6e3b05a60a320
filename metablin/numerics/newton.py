"""Newton's method with derivatives by differences, many points to one vectorised call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Derivatives", "Optimum", "hessian", "jacobian", "maximise"]

FloatArray = NDArray[np.float64]
Objective = Callable[[FloatArray], FloatArray]
"""Takes points (p, b), returns values (b,)."""
Derivatives = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]

STEP = 1e-3
"""Of a parameter's scale: fourth-order differences are then exact to about 1e-9 of a unit."""

WIDE = 4.0
"""Times that for second differences: rounding falls with its square, sixth derivatives still do not
matter (at eight times they do)."""

TOLERANCE = 1e-13
"""Newton's decrement: parameters are then within a millionth of their standard errors."""

MAX_ITER = 100
LONGEST = 3.0
"""Largest Newton step, in scales."""

FRACTIONS = 0.5 ** np.arange(12.0)


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the search ended: point (p,), value, Hessian (p, p), iterations, convergence."""

    theta: FloatArray
    value: float
    hessian: FloatArray
    iterations: int
    converged: bool


@lru_cache(maxsize=64)
def _stencil(p: int, richardson: bool) -> tuple[FloatArray, list[tuple[int, int]]]:
    """Return offsets (p, b): the centre, four along each axis, then those of each pair."""
    columns = [np.zeros(p)]
    for i in range(p):
        for k in (1.0, -1.0, 2.0, -2.0):
            e = np.zeros(p)
            e[i] = k
            columns.append(e)
    pairs = list(combinations(range(p), 2))
    for size in (1.0, 2.0) if richardson else (1.0,):
        for i, j in pairs:
            for a, b in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)):
                e = np.zeros(p)
                e[i], e[j] = a * size, b * size
                columns.append(e)
    offsets = np.array(columns).T
    offsets.setflags(write=False)
    return offsets, pairs


def _derivatives(
    f: Objective, theta: FloatArray, h: FloatArray, richardson: bool
) -> tuple[float, FloatArray, FloatArray]:
    """Return value, gradient and Hessian; fourth order (mixed terms second without Richardson)."""
    p = theta.size
    offsets, pairs = _stencil(p, richardson)
    values = f(theta[:, None] + offsets * h[:, None])
    centre = values[0]
    axis = values[1 : 1 + 4 * p].reshape(p, 4)
    up, down, up2, down2 = axis.T
    gradient = (8.0 * (up - down) - (up2 - down2)) / (12.0 * h)
    curve = (16.0 * (up + down) - (up2 + down2) - 30.0 * centre) / (12.0 * h * h)
    out = np.diag(curve)
    rest = values[1 + 4 * p :].reshape(-1, len(pairs), 4) if pairs else np.zeros((1, 0, 4))
    mixed = (rest[..., 0] - rest[..., 1] - rest[..., 2] + rest[..., 3]) / 4.0
    if richardson and pairs:
        mixed = ((4.0 * mixed[0] - mixed[1] / 4.0) / 3.0)[None]
    for (i, j), value in zip(pairs, mixed[0], strict=True):
        out[i, j] = out[j, i] = value / (h[i] * h[j])
    return float(centre), gradient, out


def hessian(f: Objective, theta: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the Hessian at `theta` to about eight digits."""
    with np.errstate(invalid="ignore"):
        return _derivatives(f, theta, WIDE * STEP * scale, richardson=True)[2]


def jacobian(
    f: Callable[[FloatArray], FloatArray], theta: FloatArray, scale: FloatArray
) -> FloatArray:
    """Return derivatives (p, m) of a vector function that maps (p, b) to (b, m)."""
    p, h = theta.size, STEP * scale
    offsets = _stencil(p, False)[0][:, 1 : 1 + 4 * p]
    values = f(theta[:, None] + offsets * h[:, None])
    up, down, up2, down2 = np.moveaxis(values.reshape(p, 4, -1), 1, 0)
    return np.asarray((8.0 * (up - down) - (up2 - down2)) / (12.0 * h[:, None]))


def _uphill(gradient: FloatArray, curvature: FloatArray, scale: FloatArray) -> FloatArray:
    """Return Newton's step, turned uphill where the function is not concave, and not too long."""
    values, vectors = np.linalg.eigh(-curvature * np.outer(scale, scale))
    floor = 1e-9 * max(float(np.abs(values).max()), 1e-9)
    size = np.maximum(np.abs(values), floor)
    step = vectors @ ((vectors.T @ (gradient * scale)) / size)
    length = float(np.linalg.norm(step))
    return np.asarray(step * min(1.0, LONGEST / max(length, 1e-300)) * scale)


def maximise(
    f: Objective,
    start: FloatArray,
    scale: FloatArray,
    edge: float = np.inf,
    with_hessian: bool = True,
    exact: Derivatives | None = None,
) -> Optimum:
    """Climb from `start` (p,); the line search tries all its fractions in one call.

    Parameters
    ----------
    f : callable
        (p, b) -> (b,); minus infinity or NaN outside the parameter space.
    start, scale : ndarray, shape (p,)
    edge : float
        The climb also ends when the first parameter is further than this from 0.
    with_hessian : bool
        Whether the Hessian at the end is wanted to full accuracy.
    exact : callable, optional
        theta (p,) -> value, gradient and Hessian; differences of `f` when not given.

    Returns
    -------
    Optimum
        ``converged`` is False when the climb stopped short.
    """
    theta = np.array(start, dtype=np.float64)
    converged, iteration = False, 0
    curvature = np.full((theta.size, theta.size), np.nan)
    while iteration < MAX_ITER and abs(theta[0]) <= edge:
        iteration += 1
        value, gradient, curvature = (
            _safe_derivatives(f, theta, scale) if exact is None else exact(theta)
        )
        step = _uphill(gradient, curvature, scale)
        decrement = float(gradient @ step)
        tries = theta[:, None] + step[:, None] * FRACTIONS
        found = f(tries)
        found = np.where(np.isnan(found), -np.inf, found)
        best = int(np.argmax(found))
        small = decrement < TOLERANCE * max(1.0, abs(value) * 1e-3)
        if small and np.isfinite(found[0]):
            # The gain is below the rounding of the value; the gradient still tells the way.
            theta = theta + step
        elif found[best] > value:
            theta = tries[:, best]
        if small or found[best] <= value:
            converged = decrement < 1e-7 * max(1.0, abs(value) * 1e-3)
            break
    if with_hessian:
        curvature = hessian(f, theta, scale) if exact is None else exact(theta)[2]
    return Optimum(theta, float(f(theta[:, None])[0]), curvature, iteration, converged)


def _safe_derivatives(
    f: Objective, theta: FloatArray, scale: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Shrink the differences where a neighbour lies outside the parameter space."""
    for shrink in (1.0, 1e-1, 1e-2):
        with np.errstate(invalid="ignore"):
            out = _derivatives(f, theta, shrink * STEP * scale, richardson=False)
        if np.isfinite(out[1]).all() and np.isfinite(out[2]).all():
            return out
    raise FloatingPointError("no finite derivative")
