"""A small convex quadratic programme: bounds on every variable and, optionally, a fixed sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bounded_quadratic"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SLACK = 1e-9


def bounded_quadratic(
    h: FloatArray,
    g: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    in_sum: FloatArray | None = None,
    total: float = 0.0,
) -> FloatArray:
    """Minimise x'hx/2 - g'x over lower <= x <= upper, with in_sum'x = total when given.

    A primal active-set method (Nocedal and Wright 2006, section 16.5): violated bounds are fixed,
    and a fixed variable whose multiplier has the wrong sign is freed, one at a time.

    Examples
    --------
    >>> bounded_quadratic(np.eye(2), np.array([3.0, 1.0]), np.zeros(2), np.array([2.0, 9.0]),
    ...                   np.ones(2), 4.0)
    array([2., 2.])
    """
    k = g.size
    fixed = upper <= lower
    x = np.where(fixed, lower, 0.0)
    freed_at = -np.ones(k, dtype=np.int64)
    for turn in range(4 * k + 8):
        x, mu = _solve_free(h, g, x, fixed, in_sum, total)
        low, high = x < lower - SLACK, x > upper + SLACK
        bad = (low | high) & ~fixed
        if bad.any() and not (bad | fixed).all():
            x = np.where(bad & low, lower, np.where(bad & high, upper, x))
            fixed = fixed | bad
            continue
        x = np.clip(x, lower, upper)
        worst = _to_free(h @ x - g - (mu * in_sum if in_sum is not None else 0.0), x, lower, upper)
        worst[freed_at >= 0] = 0.0
        if bad.any() or worst.min() > -SLACK:
            break
        i = int(worst.argmin())
        fixed[i] = False
        freed_at[i] = turn
    return _repair(x, lower, upper, in_sum, total)


def _solve_free(
    h: FloatArray,
    g: FloatArray,
    x: FloatArray,
    fixed: BoolArray,
    in_sum: FloatArray | None,
    total: float,
) -> tuple[FloatArray, float]:
    """Minimise over the free variables, the fixed ones staying where they are."""
    free = np.flatnonzero(~fixed)
    x = x.copy()
    x[free] = 0.0
    if free.size == 0:
        return x, 0.0
    rhs = (g - h @ x)[free]
    a = h[np.ix_(free, free)]
    if in_sum is None:
        x[free] = np.linalg.solve(a, rhs)
        return x, 0.0
    s = in_sum[free]
    both = np.linalg.solve(a, np.column_stack([rhs, s]))
    rest = total - float(in_sum @ x)
    reach = float(s @ both[:, 1])
    mu = (rest - float(s @ both[:, 0])) / reach if reach > 0 else 0.0
    x[free] = both[:, 0] + mu * both[:, 1]
    return x, mu


def _to_free(slope: FloatArray, x: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Negative where moving off a bound would lower the objective."""
    at_low = (x <= lower + SLACK) & (upper > lower)
    at_high = (x >= upper - SLACK) & (upper > lower)
    return np.where(at_low, slope, np.where(at_high, -slope, 0.0))


def _repair(
    x: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    in_sum: FloatArray | None,
    total: float,
) -> FloatArray:
    """Meet the sum exactly by using the room left within the bounds."""
    if in_sum is None:
        return x
    rest = total - float(in_sum @ x)
    room = in_sum * (upper - x if rest > 0 else x - lower)
    size = float(room.sum())
    if abs(rest) < SLACK or size <= 0:
        return x
    return np.asarray(x + in_sum * room * min(1.0, abs(rest) / size) * np.sign(rest))
