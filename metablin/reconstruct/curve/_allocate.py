"""Whole patients per gap: the real fit rounded within the intervals and refined to the clicks.

Isotonic regression on whole numbers is the rounded isotonic regression (Goldstein and Kruskal
1976, doi:10.1080/01621459.1976.10480388).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from metablin.reconstruct.curve._counts import Quadratic
from metablin.reconstruct.curve._fit import TINY, RealFit, scaled_path, survival_of
from metablin.reconstruct.curve._grid import Grid
from metablin.reconstruct.curve.clicks import Curve

__all__ = ["Allocation", "allocate"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Whole patients: events per gap (nodes,), events and censorings per interval (K,)."""

    per_gap: IntArray
    events: IntArray
    censored: IntArray
    lost_share: FloatArray


def allocate(grid: Grid, curve: Curve, fit: RealFit, model: Quadratic) -> Allocation:
    """Whole events per interval and gap: known counts met exactly, clicks in least squares."""
    m = _interval_counts(grid, fit, curve.events)
    c = grid.lost - m
    share = fit.share_with(model.bends(m))
    path = _refine(grid, scaled_path(grid, fit, m), m, c, share, curve.survival)
    per_gap = path + _base(grid, m)
    per_gap[1:] -= per_gap[:-1].copy()
    return Allocation(
        np.rint(per_gap).astype(np.int64),
        m.astype(np.int64),
        c.astype(np.int64),
        share,
    )


def _interval_counts(grid: Grid, fit: RealFit, events: int | None) -> FloatArray:
    """Round the cumulative events at the table times, within what each interval can hold."""
    target = fit.per_interval.cumsum()
    if events is not None:
        target = target * (events / target[-1]) if target[-1] > 0 else target + events
        target[-1] = events
    room = grid.lost[::-1].cumsum()[::-1] - grid.lost
    out = []
    done = 0.0
    for wanted, lost, later in zip(target.tolist(), grid.lost.tolist(), room.tolist(), strict=True):
        m = min(max(round(wanted) - done, 0.0), lost)
        if events is not None:
            m = min(max(m, events - done - later), events - done, lost)
        out.append(m)
        done += m
    return np.array(out)


def _base(grid: Grid, m: FloatArray) -> FloatArray:
    return np.asarray((m.cumsum() - m)[grid.interval])


def _refine(
    grid: Grid, path: FloatArray, m: FloatArray, c: FloatArray, share: FloatArray, y: FloatArray
) -> FloatArray:
    """One Gauss-Newton step in events: whole-number isotonic regression within each interval."""
    s, step = survival_of(grid, path, c, share)
    at = grid.click
    step_at = np.maximum(step[at], TINY)
    wanted = path[at] + (s[at] - y) / step_at
    k = grid.interval[at]
    apart = 4.0 * (grid.n[0] + 1.0)
    wanted = np.minimum(np.maximum(wanted, -grid.n[0]), 2.0 * grid.n[0])
    fitted = isotonic_regression(wanted + apart * k, weights=step_at**2 + TINY).x - apart * k
    out = path.copy()
    out[at] = np.rint(np.minimum(np.maximum(fitted, 0.0), m[k]))
    out[grid.last] = m
    out[0] = 0.0
    return out
