"""Search over whole patients where single steps of the curve are visible.

Few at risk means large steps, and the size of a step tells how many were at risk. A beam search
over (events, censored) per gap, a Viterbi recursion on integers, weighs the misfit to the clicks
against a Poisson prior for events and censorings within the gap; numbers at risk at table times
are met by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from metablin.reconstruct._fit import FLOOR, READING_SD, RealFit, scaled_path, survival_of
from metablin.reconstruct._grid import Curve, Grid

__all__ = ["Blocks", "Found", "make_blocks", "search", "visible_from"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

VISIBLE_STEP = 3.2 * READING_SD  # smallest fall of one patient that the search resolves
WIDTH = 20  # hypotheses kept
LEVELS = 2.0  # reading errors by which S of two hypotheses with the same counts must differ
SEARCH_SD = 1.2 * READING_SD
HUBER = 4.0  # reading errors beyond which misfit counts linearly: a click beside a drop
SAME_LEVEL = 0.35  # of one patient's step; smaller falls belong to the same plateau
ONE_MORE = 1.5  # cost of an event that nobody clicked ahead of the search
NEAR = 0.002  # of the time axis: a click so close to a table time may lie on its other side
NEAR_COST = 0.7
GUIDE_VARIANCE = 1.0  # of events, beyond what the fit knows of its own error
LATELY = 12  # clicks that tell how many events one click stands for
UNCLICKED = 0.03  # events expected where nobody clicked, when clicks sit on drops
NO_DROP = 3.5  # cost of a click among clicks on drops where nothing fell
MOST = 4095
LOG_FACTORIAL = gammaln(np.arange(0.0, MOST + 1.0) + 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Plateaus and table times from one table time on, in order; shape (blocks,)."""

    first: FloatArray
    last: FloatArray
    level: FloatArray
    clicks: FloatArray
    interval: IntArray
    closes: BoolArray
    share: FloatArray
    done: FloatArray
    open: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Best hypotheses, best first: cost, total events; and the way back to each."""

    cost: FloatArray
    events: IntArray
    parents: list[IntArray]
    per_gap: list[IntArray]
    lost: list[IntArray]

    def trace(self, index: int) -> tuple[IntArray, IntArray]:
        """Events and censorings per block of one hypothesis."""
        d, c = [], []
        for parent, events, lost in zip(
            reversed(self.parents), reversed(self.per_gap), reversed(self.lost), strict=True
        ):
            d.append(int(events[index]))
            c.append(int(lost[index]))
            index = int(parent[index])
        return np.array(d[::-1], dtype=np.int64), np.array(c[::-1], dtype=np.int64)


def visible_from(grid: Grid, fit: RealFit) -> int:
    """First interval from which one patient's step stays visible, or the number of intervals."""
    z = fit.z[grid.first]
    seen = z >= VISIBLE_STEP * grid.n
    seen |= grid.n <= 1
    hidden = np.flatnonzero(~seen)
    return int(hidden[-1] + 1) if hidden.size else 0


def make_blocks(grid: Grid, curve: Curve, fit: RealFit, start: int) -> Blocks:
    """Group clicks on one plateau; a table time always starts a new block."""
    first_node = int(grid.first[start]) + (0 if start == 0 else 1)
    nodes = np.arange(max(first_node, 1), grid.time.size)
    is_click = np.zeros(grid.time.size, dtype=bool)
    is_click[grid.click] = True
    y = np.full(grid.time.size, np.nan)
    y[grid.click] = curve.survival
    new = []
    level = np.inf
    tolerance = SAME_LEVEL * fit.z[grid.first] / np.maximum(grid.n, 1.0)
    for g in nodes.tolist():
        fresh = not is_click[g] or level - fit.z[g] > tolerance[grid.interval[g]]
        new.append(fresh)
        level = np.inf if not is_click[g] else (fit.z[g] if fresh else level)
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], nodes.size) - 1
    counted = is_click[nodes].astype(np.float64)
    clicks = np.add.reduceat(counted, starts)
    total = np.add.reduceat(np.where(is_click[nodes], y[nodes], 0.0), starts)
    interval = grid.interval[nodes[starts]]
    closing = np.zeros(starts.size, dtype=bool)
    closing[:-1] = (clicks[:-1] == 0) & (interval[1:] != interval[:-1])
    inside = np.cumsum(fit.events)
    inside -= inside[grid.first][grid.interval]
    done = inside / np.maximum(inside[grid.last], 1e-9)[grid.interval]
    done = np.minimum(done[nodes[ends]], 1.0)
    return Blocks(
        first=grid.time[nodes[starts]],
        last=grid.time[nodes[ends]],
        level=total / np.maximum(clicks, 1.0),
        clicks=clicks,
        interval=interval,
        closes=closing,
        share=fit.lost_share[nodes[starts]],
        done=done,
        open=4.0 * done * (1.0 - done),
    )


def levels_at_start(
    grid: Grid, fit: RealFit, blocks: Blocks, start: int
) -> tuple[FloatArray, FloatArray]:
    """Possible values of S where the search begins, and the cost of each.

    An event may have gone unclicked since the last click, and a click read just after the table
    time may show a fall from just ahead of it.
    """
    if start == 0:
        return np.ones(1), np.zeros(1)
    c = grid.lost - fit.per_interval
    path = scaled_path(grid, fit, fit.per_interval)
    s, step = survival_of(grid, path, c, fit.lost_share, FLOOR)
    at = grid.first[start]
    level, one = float(s[at]), float(step[at])
    levels = [level, level - one, level - 2.0 * one, level + one]
    costs = [0.0, ONE_MORE, 2.0 * ONE_MORE, ONE_MORE]
    if blocks.clicks[0] and blocks.first[0] - grid.start[start] < NEAR * grid.stop[-1]:
        levels.append(float(blocks.level[0]))
        costs.append(NEAR_COST)
    keep = np.array(levels) > 0.0
    return np.array(levels)[keep], np.array(costs)[keep]


def with_found(
    grid: Grid, fit: RealFit, blocks: Blocks, d: IntArray, c: IntArray
) -> tuple[Grid, RealFit, FloatArray]:
    """Grid and fit that follow the counts found from some table time on, and these per interval.

    The search lets the censorings of a gap come ahead of its events.
    """
    start = int(blocks.interval[0])
    k = grid.n.size
    tail = grid.interval >= start
    at = np.searchsorted(grid.time[tail], blocks.first, side="left") + np.flatnonzero(tail)[0]
    at = np.maximum.accumulate(at)
    events, lost = np.where(tail, 0.0, fit.events), np.zeros(grid.time.size)
    np.add.at(events, at, d)
    np.add.at(lost, at, c)
    lost = np.cumsum(lost)
    lost -= lost[grid.first][grid.interval]
    total = np.bincount(blocks.interval, weights=d, minlength=k)
    censored = np.maximum(grid.lost - total, 1.0)[grid.interval]
    share = np.where(tail, np.minimum(lost / censored, 1.0), fit.even_share)
    bend = np.where(np.arange(k) >= start, 0.0, fit.bend)
    position = np.where(tail, 1.0, grid.position)
    return (
        replace(grid, position=position),
        replace(fit, events=events, even_share=share, bend=bend),
        total[start:].astype(np.float64),
    )


def search(
    grid: Grid,
    fit: RealFit,
    blocks: Blocks,
    start: int,
    starts: tuple[FloatArray, FloatArray],
    events: int | None,
    variance: FloatArray,
) -> Found:
    """Beam search over whole events and censorings per block, from a known number at risk.

    `starts` are the possible values of S where the search begins, and their costs.
    A known total of `events` bounds the events of these intervals from both sides. What the fit
    expects, with `variance` (K, K) of its events per interval, guides which hypotheses are kept,
    so that those which suit the later intervals are still there; it is no part of their cost.
    """
    zero = np.zeros(starts[0].size, dtype=np.int64)
    state = (zero, zero, zero, *starts)
    parents: list[IntArray] = []
    per_gap: list[IntArray] = []
    lost: list[IntArray] = []
    m_prior = fit.per_interval
    rates = _event_rates(grid, blocks, m_prior, start, _lately(grid, fit))
    expected, leeway = _expected(fit, blocks, start, variance)
    share_before, interval = 0.0, -1
    most, at_least = int(grid.n[start]), 0
    if events is not None:
        most, at_least = events, max(events - int(grid.lost[:start].sum()), 0)
    limits = (most, int(grid.n[start]) - at_least)
    for b in range(blocks.first.size):
        k = int(blocks.interval[b])
        if k != interval:
            interval, share_before = k, 0.0
            total, _, _, s, cost = state
            state = (total, np.zeros_like(total), np.zeros_like(total), s, cost)
        left = max(1.0 - share_before, 1e-6)
        move = min(max(float(blocks.share[b] - share_before) / left, 0.0), 1.0)
        share_before = float(blocks.share[b])
        guide = (expected[b], leeway[b])
        state, step = _advance(
            grid, blocks, b, state, rates[b], move, float(m_prior[k]), limits, guide
        )
        parents.append(step[0])
        per_gap.append(step[1])
        lost.append(step[2])
        if state[0].size == 0:
            return Found(np.empty(0), zero[:0], [], [], [])
    return Found(state[4], state[0], parents, per_gap, lost)


def _expected(
    fit: RealFit, blocks: Blocks, start: int, variance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Events expected from the search's begin up to each block, and their variance."""
    m = fit.per_interval
    ahead = np.cumsum(m) - m - m[:start].sum()
    spread = np.cumsum(np.cumsum(variance[start:, start:], axis=0), axis=1).diagonal()
    k = blocks.interval
    events = ahead[k] + blocks.done * m[k]
    return events, np.maximum(spread[k - start], 0.0) + GUIDE_VARIANCE + blocks.open * m[k]


def _event_rates(
    grid: Grid, blocks: Blocks, m: FloatArray, start: int, per_click: float
) -> FloatArray:
    """Events expected in the gap ahead of each block.

    In proportion to its length, or, when clicks sit on drops, as many for every click as lately
    (one at least): one at the click, the others somewhere since the click before.
    """
    clicked = blocks.clicks > 0
    total = float(m[start:].sum())
    mean = max(total / max(int(clicked.sum()), 1), 0.2)
    origin = float(grid.start[blocks.interval[0]])
    length = blocks.first - np.append(origin, blocks.last[:-1])
    if grid.at_drops:
        return _between_drops(clicked, length, per_click)
    share = np.maximum(length, 0.0) / max(float(length.sum()), 1e-12)
    return np.asarray(np.maximum(0.5 * total * share + 0.5 * mean * clicked, UNCLICKED))


def _between_drops(clicked: BoolArray, length: FloatArray, per_click: float) -> FloatArray:
    """Share out what a click on a drop leaves unclicked over the pieces since the last click."""
    run: IntArray = np.cumsum(clicked) - clicked
    whole = np.bincount(run, weights=length)[run]
    piece = (per_click - 1.0) * length / np.maximum(whole, 1e-12)
    return np.asarray(np.maximum(piece, UNCLICKED) + clicked)


def _lately(grid: Grid, fit: RealFit) -> float:
    """Events per click over the last clicks of the curve, one at least."""
    events = np.cumsum(fit.events)[grid.click[:-1]]
    few = min(LATELY, events.size - 1)
    return 1.0 + max(float(events[-1] - events[-1 - few]) / max(few, 1) - 1.0, UNCLICKED)


def _event_cost(d: IntArray, mean: float, on_drop: bool) -> FloatArray:
    """Minus log probability of `d` events in a gap, Poisson; on a drop there is at least one."""
    if not on_drop:
        return np.asarray(LOG_FACTORIAL[np.clip(d, 0, MOST)] - d * np.log(mean))
    more = LOG_FACTORIAL[np.clip(d - 1, 0, MOST)] - (d - 1) * np.log(mean - 1.0)
    return np.where(d > 0, more, NO_DROP)


State = tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]


def _advance(
    grid: Grid,
    blocks: Blocks,
    b: int,
    state: State,
    mean: float,
    move: float,
    m_prior: float,
    limits: tuple[int, int],
    guide: tuple[float, float],
) -> tuple[State, tuple[IntArray, IntArray, IntArray]]:
    """Extend every hypothesis by the events and censorings of one gap and keep the best."""
    total, e, c, s, cost = state
    k = int(blocks.interval[b])
    at_risk = int(grid.n[k]) - e - c
    room = int(grid.lost[k]) - e - c
    d, x = _options(
        blocks, b, at_risk, room, s, move, np.asarray(max(m_prior, 0.0) - e, dtype=np.float64)
    )
    after = at_risk[:, None] - x
    ok = (x >= 0) & (d >= 0) & (d + x <= room[:, None]) & (d <= after)
    ok &= (total[:, None] + d <= limits[0]) & (
        x <= limits[1] - _lost_so_far(grid, blocks, state, k)
    )
    s_new = s[:, None] * (1.0 - d / np.maximum(after, 1))
    rate = np.maximum((room - np.maximum(m_prior - e, 0.0)) * move, 0.05)[:, None]
    new = cost[:, None] + _event_cost(d, mean, grid.at_drops and bool(blocks.clicks[b]))
    new = new + 2.0 * np.log1p(0.5 * (x - rate) ** 2 / (rate + 1.0))
    if blocks.clicks[b]:
        r = np.abs(blocks.level[b] - s_new) / SEARCH_SD
        huber = np.where(r < HUBER, 0.5 * r**2, HUBER * (r - 0.5 * HUBER))
        new = new + blocks.clicks[b] * huber
    new = np.where(ok, new, np.inf)
    away = total[:, None] + d - guide[0]
    rows, cols = _best(
        new + 0.5 * away**2 / guide[1], e[:, None] + d, c[:, None] + x, total[:, None] + d, s_new
    )
    d_kept, x_kept = d[rows, cols], x[rows, cols]
    kept = (
        total[rows] + d_kept,
        e[rows] + d_kept,
        c[rows] + x_kept,
        s_new[rows, cols],
        new[rows, cols],
    )
    return kept, (rows, d_kept, x_kept)


def _lost_so_far(grid: Grid, blocks: Blocks, state: State, k: int) -> IntArray:
    """Censorings of each hypothesis since the search began, shape (hypotheses, 1)."""
    total, e, c, _, _ = state
    begun = int(grid.n[blocks.interval[0]]) - int(grid.n[k])
    return np.asarray((begun - (total - e) + c)[:, None])


def _options(
    blocks: Blocks,
    b: int,
    at_risk: IntArray,
    room: IntArray,
    s: FloatArray,
    move: float,
    expected: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Candidate (events, censored) per hypothesis, shape (hypotheses, options)."""
    if blocks.closes[b]:
        rest = np.rint(np.maximum(expected, 0.0)).astype(np.int64)
        zero = np.zeros_like(rest)
        d = np.stack([zero, zero + 1, zero + 2, rest - 1, rest, rest + 1], axis=1)
        return d, room[:, None] - d
    prior = np.rint(np.maximum(room - np.maximum(expected, 0.0), 0.0) * move).astype(np.int64)
    if not blocks.clicks[b]:
        lost = np.stack([np.zeros_like(prior), prior], axis=1)
        return np.zeros_like(lost), lost
    ratio = np.minimum(np.maximum(1.0 - blocks.level[b] / np.maximum(s, 1e-9), 1e-6), 1.0)
    base = np.rint(at_risk * ratio).astype(np.int64)
    full = np.rint((at_risk - prior) * ratio).astype(np.int64)
    d1 = np.empty((s.size, 7), dtype=np.int64)
    d1[:, 0], d1[:, 1], d1[:, 6] = 0, 1, 2
    d1[:, 2], d1[:, 3], d1[:, 4], d1[:, 5] = full - 1, full, full + 1, base
    need = at_risk[:, None] - np.rint(np.minimum(d1 / ratio[:, None], 1e6)).astype(np.int64)
    lost = np.empty((s.size, 7, 8), dtype=np.int64)
    p = prior[:, None]
    lost[:, :, 0], lost[:, :, 1], lost[:, :, 2], lost[:, :, 3] = 0, 1, p - 1, p
    lost[:, :, 4], lost[:, :, 5], lost[:, :, 6], lost[:, :, 7] = p + 1, need - 1, need, need + 1
    np.maximum(lost, 0, out=lost)
    np.minimum(lost, np.maximum(room[:, None] - d1, 0)[:, :, None], out=lost)
    d = d1[:, :, None] + np.zeros_like(lost)
    return d.reshape(s.size, -1), lost.reshape(s.size, -1)


def _best(
    cost: FloatArray, e: IntArray, c: IntArray, total: IntArray, s: FloatArray
) -> tuple[IntArray, IntArray]:
    """Rows and columns of the best hypotheses, one per (total, events, censored, level of S)."""
    flat = cost.ravel()
    many = min(flat.size, 6 * WIDTH)
    near = np.argpartition(flat, many - 1)[:many] if many < flat.size else np.arange(flat.size)
    near = near[np.isfinite(flat[near])]
    near = near[np.argsort(flat[near], kind="stable")]
    level = np.rint(s.ravel()[near] / (LEVELS * READING_SD)).astype(np.int64)
    key = (total.ravel()[near] * 4099 + e.ravel()[near]) * 100003 + c.ravel()[near]
    key = key * 1009 + level
    _, keep = np.unique(key, return_index=True)
    keep = np.sort(keep)[:WIDTH]
    rows, cols = np.divmod(near[keep], cost.shape[1])
    return rows, cols
