"""The estimate for one checked curve: fit, search where steps are visible, place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from metablin.reconstruct.curve import _counts, _drops, _exact, _fit, _place, _search, _whole
from metablin.reconstruct.curve._allocate import Allocation, allocate
from metablin.reconstruct.curve._exact_times import to_patients
from metablin.reconstruct.curve._fit import Censoring, RealFit
from metablin.reconstruct.curve._grid import Grid, build_grid, on_drops
from metablin.reconstruct.curve.clicks import Curve
from metablin.reconstruct.reading import Kind

__all__ = ["Fitted", "Plan", "estimate", "lay_out", "plan", "realise", "settled", "solved_exactly"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Tail = tuple[_search.Blocks, IntArray, IntArray]

ROUNDING_VARIANCE = 0.5  # of a whole number of events
HEAVY = 2.5  # the error of the head's total has the tails of a t distribution with 4 degrees


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Whole counts everywhere, ready to be turned into times.

    `evidence` is the log likelihood of the visible steps, up to a constant; 0 where none are.
    """

    grid: Grid
    allocation: Allocation
    ties: bool
    tail_from: int
    tail: Tail | None
    whole: bool
    evidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Fitted patients, sorted by time, events first at ties, and the curve as it was understood."""

    time: FloatArray
    event: IntArray
    curve: Curve


def estimate(curve: Curve) -> Fitted:
    """Fit patients to one curve; exactly where its coordinates are exact."""
    solved = solved_exactly(curve)
    if solved is not None:
        return Fitted(*to_patients(solved, curve), settled(curve, True))
    found = plan(curve)
    time, event = realise(found, curve)
    return Fitted(time, event, settled(curve, found.grid.at_drops))


def solved_exactly(curve: Curve) -> _exact.ExactFit | None:
    """Whole numbers behind the falls, where each was clicked and precisely enough to tell them."""
    if curve.reading.precision > _exact.PRECISE or curve.marks is not None or curve.beyond:
        return None
    kind = curve.reading.kind
    if kind == "points" or (kind == "auto" and not lay_out(curve)[1].at_drops):
        return None
    return _exact.solve(curve)


def settled(curve: Curve, at_drops: bool) -> Curve:
    """Curve that knows the kind of its clicks."""
    if curve.reading.kind != "auto":
        return curve
    kind: Kind = "drops" if at_drops else "points"
    return replace(curve, reading=replace(curve.reading, kind=kind))


def plan(
    curve: Curve, censoring: Censoring | None = None, rng: np.random.Generator | None = None
) -> Plan:
    """Fit whole counts to one curve; with `rng` the visible steps are sampled, not maximised."""
    curve, grid, z = lay_out(curve, censoring)
    if censoring is None:
        censoring = _default_censoring(curve, grid, z)
    if curve.events is not None:
        grid = _fit.with_hazard(grid, z, censoring, curve.events)
    fit = _fit.real_fit(grid, z, censoring)
    if curve.marks is not None:
        fit = _follow_marks(curve.marks, grid, fit)
    k = grid.n.size
    start = _search.visible_from(grid, fit)
    prior = _counts.prior_of(grid, fit)
    if curve.marks is not None:
        prior = replace(prior, bend_variance=np.full(k, _counts.SETTLED))
    if rng is not None and curve.has_table:
        fit, prior = _counts.scatter(grid, fit, prior, rng)
    fit, model = _counts.fit_counts(grid, curve, fit, prior)
    tail, evidence = None, 0.0
    if start < k and grid.n[start] >= 1:
        tail, evidence = _visible_tail(grid, curve, fit, model, start, rng)
        if tail is not None and start > 0:
            grid, fit, known = _search.with_found(grid, fit, *tail)
            fit, model = _counts.fit_counts(grid, curve, fit, prior, known)
    allocation = allocate(grid, curve, fit, model)
    ties = curve.reading.kind == "corners" or _tied(grid, allocation, tail)
    before = k if tail is None else start
    return Plan(grid, allocation, ties, before, tail, bool(curve.whole), evidence)


def lay_out(curve: Curve, censoring: Censoring | None = None) -> tuple[Curve, Grid, FloatArray]:
    """Curve with its times in whole units when they are, its grid, and the monotone curve."""
    z = _fit.monotone(curve.survival)
    grid = build_grid(curve)
    step = _drops.step_sizes(grid, z, censoring or _default_censoring(curve, grid, z))
    kind = curve.reading.kind
    if kind == "auto":
        at_drops = _drops.clicked_at_drops(grid, curve.survival, step)
        at_drops = at_drops or (
            _whole.clicked_at_units(curve, grid) and _drops.each_falls(grid, curve.survival, step)
        )
    else:
        at_drops = kind != "points"
    if curve.whole is None:
        curve = _whole.in_whole_units(curve, step, at_drops)
        if curve.whole:
            grid = build_grid(curve)
    if not at_drops:
        return curve, grid, z
    if kind == "corners":  # nothing fell between two verticals
        return curve, replace(on_drops(grid, np.ones(z.size)), at_corners=True), z
    return curve, on_drops(grid, _drops.falls_of(grid, z, step)), z


def _tied(grid: Grid, allocation: Allocation, tail: Tail | None) -> bool:
    """Whether every drop was clicked, so that the events behind a click are ties."""
    if not grid.at_drops:
        return False
    falls = allocation.per_gap[grid.click]
    if tail is not None:
        blocks, d, _ = tail
        head = grid.interval[grid.click] < blocks.interval[0]
        falls = np.concatenate([falls[head], d[blocks.clicks > 0]])
    return _drops.every_drop(falls, _drops.countable(grid))


def _default_censoring(curve: Curve, grid: Grid, z: FloatArray) -> Censoring:
    """Censoring without a table: the shape that yields the known events, or a stated one."""
    if curve.has_table or curve.beyond:
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
    share = np.where(size > 0, np.clip(upto / np.maximum(size, 1), 0.0, 1.0), fit.even_share)
    return replace(fit, even_share=np.asarray(share))


def _visible_tail(
    grid: Grid,
    curve: Curve,
    fit: RealFit,
    model: _counts.Quadratic,
    start: int,
    rng: np.random.Generator | None,
) -> tuple[Tail | None, float]:
    """Whole counts from the table time after which single steps are visible, and their evidence."""
    blocks = _search.make_blocks(grid, curve, fit, start)
    starts = _search.levels_at_start(grid, fit, blocks, start)
    alone, variance = model.events()
    found = _search.search(grid, fit, blocks, start, starts, curve.events, variance)
    cost = _total_cost(grid, curve, found, alone, variance, start)
    if cost.size == 0 or not np.isfinite(cost.min()):
        return None, -np.inf
    evidence = float(logsumexp(-cost)) if rng is not None else 0.0
    if rng is not None:  # Gumbel noise turns the minimum into a draw in proportion to exp(-cost)
        cost = cost - rng.gumbel(size=cost.size)
    return (blocks, *found.trace(int(cost.argmin()))), evidence


def _total_cost(
    grid: Grid,
    curve: Curve,
    found: _search.Found,
    alone: FloatArray,
    variance: FloatArray,
    start: int,
) -> FloatArray:
    """Add what the known total says: the events left for the head must suit its own clicks."""
    if curve.events is None or found.cost.size == 0:
        return found.cost
    head = curve.events - found.events
    if start == 0:
        return np.where(head == 0, found.cost, np.inf)
    spread = ROUNDING_VARIANCE + max(float(variance[:start, :start].sum()), 0.0)
    possible = (head >= 0) & (head <= grid.lost[:start].sum())
    away = head - float(alone[:start].sum())
    misfit = HEAVY * np.log1p(0.5 * away**2 / spread / HEAVY)
    return np.where(possible, found.cost + misfit, np.inf)


def realise(
    plan: Plan, curve: Curve, rng: np.random.Generator | None = None
) -> tuple[FloatArray, IntArray]:
    """Turn whole counts into times: middle ranks, or uniform within each gap with `rng`."""
    before = plan.grid.n.size if plan.tail is None else plan.tail_from
    events, censored = _place.place(plan.grid, plan.allocation, before, plan.ties, rng)
    if plan.tail is not None:
        late_events, late_censored = _place.place_found(plan.grid, *plan.tail, plan.ties, rng)
        events = np.concatenate([events, late_events])
        censored = np.concatenate([censored, late_censored])
    if plan.whole:
        events, censored = _whole.to_whole_units(plan.grid, events, censored)
    if curve.marks is not None and curve.marks.size:
        censored = _place.snap(censored, curve.marks, events, plan.grid)
    time = np.concatenate([events, censored])
    flag = np.zeros(time.size, dtype=np.int64)
    flag[: events.size] = 1
    order = np.lexsort((1 - flag, time))
    return time[order], flag[order]
