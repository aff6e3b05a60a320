"""Search over whole patients where single steps of the curve are visible.

Few at risk means large steps, and the size of a step tells how many were at risk. A beam search
over (events, censored) per gap, a Viterbi recursion on integers, weighs the misfit to the clicks
against a Poisson prior for events and censorings within the gap; numbers at risk at table times
are met by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from metablin.reconstruct._fit import READING_SD, RealFit
from metablin.reconstruct._grid import Curve, Grid

__all__ = ["Blocks", "Found", "make_blocks", "search", "visible_from"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

VISIBLE_STEP = 3.2 * READING_SD  # smallest fall of one patient that the search resolves
WIDTH = 20  # hypotheses kept
SEARCH_SD = 1.2 * READING_SD
HUBER = 4.0  # reading errors beyond which misfit counts linearly: a click beside a drop
SAME_LEVEL = 0.35  # of one patient's step; smaller falls belong to the same plateau
UNCLICKED = 0.03  # events expected where nobody clicked, when clicks sit on drops
LOG_FACTORIAL = gammaln(np.arange(0.0, 4096.0) + 1.0)


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
    return Blocks(
        first=grid.time[nodes[starts]],
        last=grid.time[nodes[ends]],
        level=total / np.maximum(clicks, 1.0),
        clicks=clicks,
        interval=interval,
        closes=closing,
        share=fit.lost_share[nodes[starts]],
    )


def search(
    grid: Grid, fit: RealFit, blocks: Blocks, start: int, s_start: float, events: int | None
) -> Found:
    """Beam search over whole events and censorings per block, from a known number at risk.

    A known total of `events` bounds the events of these intervals from both sides.
    """
    zero = np.zeros(1, dtype=np.int64)
    state = (zero, zero, zero, np.array([s_start]), np.zeros(1))
    parents: list[IntArray] = []
    per_gap: list[IntArray] = []
    lost: list[IntArray] = []
    m_prior = fit.per_interval
    gaps = max(int((blocks.clicks > 0).sum()), 1)
    mean = max(float(m_prior[start:].sum()) / gaps, 0.2)
    rates = _event_rates(grid, blocks, float(m_prior[start:].sum()), mean)
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
        state, step = _advance(grid, blocks, b, state, rates[b], move, float(m_prior[k]), limits)
        parents.append(step[0])
        per_gap.append(step[1])
        lost.append(step[2])
        if state[0].size == 0:
            return Found(np.empty(0), zero[:0], [], [], [])
    return Found(state[4], state[0], parents, per_gap, lost)


def _event_rates(grid: Grid, blocks: Blocks, total: float, mean: float) -> FloatArray:
    """Events expected in the gap ahead of each block.

    In proportion to its length, or, when clicks sit on drops, the same for every click and hardly
    any where there is no click.
    """
    clicked = blocks.clicks > 0
    if grid.at_drops:
        return np.where(clicked, max(mean, 1.0), max(mean - 1.0, UNCLICKED))
    origin = float(grid.start[blocks.interval[0]])
    length = blocks.first - np.append(origin, blocks.last[:-1])
    share = np.maximum(length, 0.0) / max(float(length.sum()), 1e-12)
    return np.asarray(np.maximum(0.5 * total * share + 0.5 * mean * clicked, UNCLICKED))


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
    d_safe = np.minimum(np.maximum(d, 0), 4095)
    new = cost[:, None] - (d * np.log(mean) - LOG_FACTORIAL[d_safe])
    new = new + 2.0 * np.log1p(0.5 * (x - rate) ** 2 / (rate + 1.0))
    if blocks.clicks[b]:
        r = np.abs(blocks.level[b] - s_new) / SEARCH_SD
        huber = np.where(r < HUBER, 0.5 * r**2, HUBER * (r - 0.5 * HUBER))
        new = new + blocks.clicks[b] * huber
    new = np.where(ok, new, np.inf)
    rows, cols = _best(new, e[:, None] + d, c[:, None] + x, total[:, None] + d)
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


def _best(cost: FloatArray, e: IntArray, c: IntArray, total: IntArray) -> tuple[IntArray, IntArray]:
    """Rows and columns of the best hypotheses, one per (total, events, censored)."""
    flat = cost.ravel()
    many = min(flat.size, 6 * WIDTH)
    near = np.argpartition(flat, many - 1)[:many] if many < flat.size else np.arange(flat.size)
    near = near[np.isfinite(flat[near])]
    near = near[np.argsort(flat[near], kind="stable")]
    key = (total.ravel()[near] * 4099 + e.ravel()[near]) * 100003 + c.ravel()[near]
    _, keep = np.unique(key, return_index=True)
    keep = np.sort(keep)[:WIDTH]
    rows, cols = np.divmod(near[keep], cost.shape[1])
    return rows, cols
