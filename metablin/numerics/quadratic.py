"""A small convex quadratic programme: bounds on every variable and, optionally, a fixed sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

__all__ = ["bounded_quadratic", "solve_definite"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SLACK = 1e-9
PATIENCE = 3  # block exchanges without progress before single ones
LONGEST = 12  # exchanges per variable


def bounded_quadratic(
    h: FloatArray,
    g: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    total: float | None = None,
) -> FloatArray:
    """Minimise x'hx/2 - g'x over lower <= x <= upper, with x summing to `total` when given.

    Block principal pivoting: all variables on the wrong side change sets at once, and one at a
    time (the last, Murty's rule, which ends) when that stops helping (Judice and Pires 1994,
    doi:10.1016/0305-0548(94)90106-6).

    Raises
    ------
    numpy.linalg.LinAlgError
        When h is not positive definite.

    Examples
    --------
    >>> bounded_quadratic(np.eye(2), np.array([3.0, 1.0]), np.zeros(2), np.array([2.0, 9.0]), 4.0)
    array([2., 2.])
    """
    k = g.size
    stuck = upper <= lower
    side = np.where(stuck, -1, 0)
    fewest, patience = k + 1, PATIENCE
    x = lower
    for _ in range(LONGEST * (k + 1)):
        fixed = side != 0
        if total is not None and fixed.all():
            side[~stuck] = 0
            fixed = stuck
        x, mu = _solve_free(h, g, np.where(side < 0, lower, upper), fixed, total)
        low, high = x < lower - SLACK, x > upper + SLACK
        wrong = low | high
        if fixed.any():
            slope = h @ x - g - mu
            outward = np.where(side < 0, -slope, slope) > SLACK * (1.0 + np.abs(g))
            wrong |= fixed & ~stuck & outward
        count = int(np.count_nonzero(wrong))
        if count == 0:
            break
        if count < fewest:
            fewest, patience = count, PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            wrong[: np.flatnonzero(wrong)[-1]] = False
        side = np.where(wrong, np.where(low, -1, np.where(high, 1, 0)), side)
    x = np.minimum(np.maximum(x, lower), upper)
    return x if total is None else _repair(x, lower, upper, total)


def _solve_free(
    h: FloatArray, g: FloatArray, x: FloatArray, fixed: BoolArray, total: float | None
) -> tuple[FloatArray, float]:
    """Minimise over the free variables, the fixed ones staying where they are in `x`."""
    free = (~fixed).nonzero()[0]
    if free.size == 0:
        return x, 0.0
    x[free] = 0.0
    if free.size == g.size:
        a, rhs = h, g
    else:
        a, rhs = h[free[:, None], free], (g - h @ x)[free]
    if total is None:
        x[free] = solve_definite(a, rhs)
        return x, 0.0
    sides = np.ones((free.size, 2), order="F")
    sides[:, 0] = rhs
    both = solve_definite(a, sides)
    taken, reach = sides[:, 1] @ both
    elsewhere = x.sum() if free.size < g.size else 0.0
    mu = float((total - elsewhere - taken) / reach) if reach > 0 else 0.0
    x[free] = both[:, 0] + mu * both[:, 1]
    return x, mu


def solve_definite(a: FloatArray, b: FloatArray) -> FloatArray:
    """Solve a x = b for a symmetric positive definite matrix (only its upper half is read)."""
    _, x, failed = dposv(a, b)
    if failed:
        raise np.linalg.LinAlgError("the quadratic form is not positive definite")
    return np.asarray(x)


def _repair(x: FloatArray, lower: FloatArray, upper: FloatArray, total: float) -> FloatArray:
    """Meet the sum exactly by using the room left within the bounds."""
    rest = total - float(x.sum())
    if abs(rest) < SLACK:
        return x
    room = upper - x if rest > 0 else x - lower
    size = float(room.sum())
    if size <= 0:
        return x
    return np.asarray(x + room * min(1.0, abs(rest) / size) * np.sign(rest))
