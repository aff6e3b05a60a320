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

BEND_SD = 0.4  # of the log power of censoring within a risk interval, between draws


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Whole counts everywhere, ready to be turned into times."""

    grid: Grid
    allocation: _fit.Allocation
    tail_from: int
    tail: tuple[_search.Blocks, IntArray, IntArray] | None


def estimate(
    curve: Curve, censoring: Censoring | None = None, rng: np.random.Generator | None = None
) -> tuple[FloatArray, IntArray]:
    """Return times and event flags of the fitted patients, sorted, events first at ties."""
    return realise(plan(curve, censoring, rng), curve, rng)


def plan(
    curve: Curve, censoring: Censoring | None = None, rng: np.random.Generator | None = None
) -> Plan:
    """Fit whole counts to one curve; with `rng` the visible steps are sampled, not maximised."""
    grid = build_grid(curve)
    z = _fit.monotone(curve.survival)
    if censoring is None:
        censoring = _default_censoring(curve, grid, z)
    fit = _fit.real_fit(grid, z, censoring)
    if _place.clicked_at_drops(grid, curve.survival, fit):
        grid = build_grid(curve, _place.falls_at_clicks(grid, fit))
        fit = _fit.real_fit(grid, z, censoring)
    if curve.marks is not None:
        fit = _follow_marks(curve.marks, grid, fit)
    elif rng is not None:
        bend = np.exp(rng.normal(0.0, BEND_SD, grid.n.size))[grid.interval]
        fit = RealFit(fit.z, fit.events, fit.lost_share**bend, fit.per_interval)
    k = grid.n.size
    start = _search.visible_from(grid, fit)
    if start >= k or grid.n[start] < 1:
        fit, _ = _fit.fit_counts(grid, curve, fit, curve.events)
        return Plan(grid, _fit.allocate(grid, curve, fit), k, None)
    free, h = _fit.fit_counts(grid, curve, fit, None)
    tail, known = _visible_tail(grid, curve, free, h, start, rng)
    if tail is None:
        start = k
        fit, _ = _fit.fit_counts(grid, curve, fit, curve.events)
    elif start > 0:
        fit, _ = _fit.fit_counts(grid, curve, free, curve.events, known, start, steps=1)
    return Plan(grid, _fit.allocate(grid, curve, fit), start, tail)


def _default_censoring(curve: Curve, grid: Grid, z: FloatArray) -> Censoring:
    """Censoring without a table: the shape that yields the known events, or a stated one."""
    if curve.has_table:
        return Censoring()
    events = curve.events
    if events is None and curve.marks is not None:
        events = max(curve.n - curve.marks.size, 1)
    if events is None:
        return Censoring(_fit.UNKNOWN_POWER)
    return Censoring(_fit.solve_power(grid, z, events))


def _follow_marks(marks: FloatArray, grid: Grid, fit: RealFit) -> RealFit:
    """Let marked censoring times say how censoring is spread within each interval."""
    k = np.searchsorted(grid.start[1:], marks, side="right")
    size = np.bincount(k, minlength=grid.n.size)[grid.interval]
    ahead = np.searchsorted(marks, grid.start)[grid.interval]
    upto = np.searchsorted(marks, grid.time, side="right") - ahead
    share = np.where(size > 0, np.clip(upto / np.maximum(size, 1), 0.0, 1.0), fit.lost_share)
    return RealFit(fit.z, fit.events, np.asarray(share), fit.per_interval)


Tail = tuple[_search.Blocks, IntArray, IntArray]


def _visible_tail(
    grid: Grid,
    curve: Curve,
    fit: RealFit,
    h: FloatArray,
    start: int,
    rng: np.random.Generator | None,
) -> tuple[Tail | None, FloatArray]:
    """Search whole counts from the table time after which single steps are visible."""
    blocks = _search.make_blocks(grid, curve, fit, start)
    s_start = 1.0
    if start > 0:
        path = _fit.scaled_path(grid, fit, fit.per_interval)
        c = grid.lost - fit.per_interval
        s = _fit.survival_of(grid, path, c, fit.lost_share, _fit.FLOOR)[0]
        s_start = float(s[grid.first[start]])
    fit = _expect(grid, curve, fit, h, start)
    found = _search.search(grid, fit, blocks, start, s_start, curve.events)
    cost = _total_cost(grid, curve, fit, found, h, start)
    if cost.size == 0 or not np.isfinite(cost.min()):
        return None, np.empty(0)
    if rng is not None:  # Gumbel noise turns the minimum into a draw in proportion to exp(-cost)
        cost = cost - rng.gumbel(size=cost.size)
    d, c_gap = found.trace(int(cost.argmin()))
    known = np.bincount(blocks.interval, weights=d, minlength=grid.n.size)[start:].astype(
        np.float64
    )
    return (blocks, d, c_gap), known


def _head_variance(grid: Grid, fit: RealFit, h: FloatArray, start: int) -> float:
    """Variance of the events ahead of the search: reading error, and where censorings fall."""
    m = fit.per_interval[:start]
    reading = READING_SD**2 * float(np.linalg.inv(h[:start, :start]).sum())
    placing = float(((m * (grid.lost[:start] - m) / grid.n[:start]) ** 2).sum()) / 48.0
    return 0.25 + max(reading, 0.0) + placing


def _expect(grid: Grid, curve: Curve, fit: RealFit, h: FloatArray, start: int) -> RealFit:
    """Let a known total tell, by what the head leaves, how many events the search may expect."""
    if curve.events is None:
        return fit
    m = fit.per_interval.copy()
    tail = float(m[start:].sum())
    left = curve.events - float(m[:start].sum())
    own = 1.0 + (0.3 * tail) ** 2
    other = _head_variance(grid, fit, h, start) if start else 1e-6
    wanted = (tail * other + left * own) / (own + other)
    m[start:] = np.minimum(m[start:] * max(wanted, 0.0) / max(tail, 1e-9), grid.lost[start:])
    return RealFit(fit.z, fit.events, fit.lost_share, m)


def _total_cost(
    grid: Grid, curve: Curve, fit: RealFit, found: _search.Found, h: FloatArray, start: int
) -> FloatArray:
    """Add what the known total says: the events left for the head must suit its free fit."""
    if curve.events is None or found.cost.size == 0:
        return found.cost
    head = curve.events - found.events
    if start == 0:
        return np.where(head == 0, found.cost, np.inf)
    m = fit.per_interval[:start]
    variance = _head_variance(grid, fit, h, start)
    possible = (head >= 0) & (head <= grid.lost[:start].sum())
    return np.where(possible, found.cost + 0.5 * (head - m.sum()) ** 2 / variance, np.inf)


def realise(
    plan: Plan, curve: Curve, rng: np.random.Generator | None = None
) -> tuple[FloatArray, IntArray]:
    """Turn whole counts into times: middle ranks, or uniform within each gap with `rng`."""
    before = plan.grid.n.size if plan.tail is None else plan.tail_from
    events, censored = _place.place(plan.grid, plan.allocation, before, rng)
    if plan.tail is not None:
        late_events, late_censored = _place.place_found(plan.grid, *plan.tail, rng)
        events = np.concatenate([events, late_events])
        censored = np.concatenate([censored, late_censored])
    if curve.marks is not None and curve.marks.size:
        censored = _place.snap(censored, curve.marks, events, plan.grid)
    time = np.concatenate([events, censored])
    flag = np.zeros(time.size, dtype=np.int64)
    flag[: events.size] = 1
    order = np.lexsort((1 - flag, time))
    return time[order], flag[order]
