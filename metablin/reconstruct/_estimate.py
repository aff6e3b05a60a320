"""The estimate for one checked curve: fit, search where steps are visible, place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct import _fit, _place, _search
from metablin.reconstruct._fit import READING_SD, Censoring, RealFit
from metablin.reconstruct._grid import Curve, Grid, build_grid

__all__ = ["Plan", "estimate", "plan", "realise"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Whole counts everywhere, ready to be turned into times."""

    grid: Grid
    allocation: _fit.Allocation
    censoring: Censoring
    tail_from: int
    tail: tuple[_search.Blocks, IntArray, IntArray] | None


def estimate(
    curve: Curve, censoring: Censoring | None = None, rng: np.random.Generator | None = None
) -> tuple[FloatArray, IntArray]:
    """Times and event flags of the fitted patients, sorted, events first at ties."""
    return realise(plan(curve, censoring), rng)


def plan(curve: Curve, censoring: Censoring | None = None) -> Plan:
    """Fit whole counts to one curve."""
    grid = build_grid(curve)
    z = _fit.monotone(curve.survival)
    if censoring is None:
        censoring = Censoring()
        if curve.events is not None and not curve.has_table:
            censoring = Censoring(_fit.solve_power(grid, z, curve.events))
    fit = _fit.real_fit(grid, z, censoring)
    if _place.clicked_at_drops(grid, curve.survival, fit):
        grid = build_grid(curve, at_drops=True)
        fit = _fit.real_fit(grid, z, censoring)
    fit, censoring = _fit.fit_counts(grid, curve, fit, censoring)
    start, tail, known = _visible_tail(grid, curve, fit)
    if tail is not None and start > 0:
        fit, censoring = _fit.fit_counts(grid, curve, fit, censoring, known, start)
    return Plan(grid, _fit.allocate(grid, curve, fit), censoring, start, tail)


def _visible_tail(
    grid: Grid, curve: Curve, fit: RealFit
) -> tuple[int, tuple[_search.Blocks, IntArray, IntArray] | None, FloatArray]:
    """Search whole counts from the first table time after which single steps are visible."""
    k = grid.n.size
    start = _search.visible_from(grid, fit)
    nothing = (k, None, np.empty(0))
    if start >= k or grid.n[start] < 1:
        return nothing
    blocks = _search.make_blocks(grid, curve, fit, start)
    s_start = 1.0
    if start > 0:
        path = _fit.scaled_path(grid, fit, fit.per_interval)
        c = grid.lost - fit.per_interval
        s = _fit.survival_of(grid, path, c, fit.lost_share, _fit.FLOOR)[0]
        s_start = float(s[grid.first[start]])
    found = _search.search(grid, fit, blocks, start, s_start)
    cost = _total_cost(grid, curve, fit, found, start)
    if cost.size == 0 or not np.isfinite(cost.min()):
        return nothing
    d, c_gap = found.trace(int(cost.argmin()))
    known = np.bincount(blocks.interval, weights=d, minlength=k)[start:]
    return start, (blocks, d, c_gap), known


def _total_cost(
    grid: Grid, curve: Curve, fit: RealFit, found: _search.Found, start: int
) -> FloatArray:
    """Add what the known total says: the events left for the head must suit its fit."""
    if curve.events is None or found.cost.size == 0:
        return found.cost
    head = curve.events - found.events
    wanted = float(fit.per_interval[:start].sum())
    z = np.maximum(fit.z[grid.first], 0.02)
    drift = (READING_SD * grid.lost[:start] / z[:start]) ** 2
    variance = 1e-6
    if start > 0:
        variance = 0.25 + (READING_SD * grid.n[start] / z[start]) ** 2 + float(drift.sum())
    possible = (head >= 0) & (head <= grid.lost[:start].sum())
    if start == 0:
        possible &= head == 0
    return np.where(possible, found.cost + 0.5 * (head - wanted) ** 2 / variance, np.inf)


def realise(
    plan: Plan, rng: np.random.Generator | None = None
) -> tuple[FloatArray, IntArray]:
    """Turn whole counts into times: middle ranks, or uniform within each gap with `rng`."""
    before = plan.grid.n.size if plan.tail is None else plan.tail_from
    events, censored = _place.place(plan.grid, plan.allocation, before, rng)
    if plan.tail is not None:
        late_events, late_censored = _place.place_found(plan.grid, *plan.tail, rng)
        events = np.concatenate([events, late_events])
        censored = np.concatenate([censored, late_censored])
    time = np.concatenate([events, censored])
    flag = np.zeros(time.size, dtype=np.int64)
    flag[: events.size] = 1
    order = np.lexsort((1 - flag, time))
    return time[order], flag[order]
