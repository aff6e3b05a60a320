"""Search over whole patients where single steps of the curve are visible.

Few at risk means large steps, and the size of a step tells how many were at risk. A beam search
over (events, censored) per gap, a Viterbi recursion on integers, weighs the misfit to the clicks
against a prior for events (Poisson; one at least where a click sits on a drop) and censorings
within the gap; numbers at risk at table times are met by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from metablin.reconstruct._fit import FLOOR, READING_SD, RealFit, scaled_path, survival_of
from metablin.reconstruct._grid import Curve, Grid

__all__ = [
    "Blocks",
    "Found",
    "levels_at_start",
    "make_blocks",
    "search",
    "visible_from",
    "with_found",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

VISIBLE_STEP = 3.2 * READING_SD  # smallest fall of one patient that the search resolves
WIDTH = 32  # hypotheses kept
HOPELESS = 10.0  # behind the best: minus log likelihood that no later click makes good
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
FEWEST, AROUND = np.arange(3), np.arange(-1, 2)
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
    tolerance = (SAME_LEVEL * fit.z[grid.first] / np.maximum(grid.n, 1.0))[grid.interval[nodes]]
    for z, clicked, near in zip(
        fit.z[nodes].tolist(), is_click[nodes].tolist(), tolerance.tolist(), strict=True
    ):
        fresh = not clicked or level - z > near
        new.append(fresh)
        level = np.inf if not clicked else (z if fresh else level)
    starts = np.flatnonzero(new)
    ends = np.concatenate([starts[1:], [nodes.size]]) - 1
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


State = tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]


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
    if events is not None:
        variance = _given_total(variance)
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


def _given_total(variance: FloatArray) -> FloatArray:
    """Variance (K, K) of events per interval once their total is known."""
    shared = variance.sum(axis=0)
    return np.asarray(variance - np.outer(shared, shared) / shared.sum())


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
        return np.asarray(LOG_FACTORIAL[np.minimum(d, MOST)] - d * np.log(mean))
    more = np.minimum(np.maximum(d - 1, 0), MOST)
    return np.where(d > 0, LOG_FACTORIAL[more] - more * np.log(mean - 1.0), NO_DROP)


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
    gone = e + c
    at_risk, room = int(grid.n[k]) - gone, int(grid.lost[k]) - gone
    to_come = np.maximum(m_prior - e, 0.0)
    d, x = _options(blocks, b, at_risk, room, s, move, to_come)
    begun = int(grid.n[blocks.interval[0]]) - int(grid.n[k])
    most_d = np.minimum(limits[0] - total, room)[:, None]
    most_x = limits[1] - (begun - (total - e) + c)
    ok = (d >= 0) & (x >= 0) & (d <= most_d) & (d + x <= room[:, None]) & (x <= most_x[:, None])
    ok = ok.ravel().nonzero()[0]
    row = ok // d.shape[1]
    d, x = d.ravel()[ok], x.ravel()[ok]
    s_new = s[row] * (1.0 - d / np.maximum(at_risk[row] - x, 1))
    rate = np.maximum((room - to_come) * move, 0.05)[row]
    new = cost[row] + _event_cost(d, mean, grid.at_drops and bool(blocks.clicks[b]))
    new += 2.0 * np.log1p(0.5 * (x - rate) ** 2 / (rate + 1.0))
    if blocks.clicks[b]:
        r = np.abs(blocks.level[b] - s_new) / SEARCH_SD
        near = np.minimum(r, HUBER)
        new += blocks.clicks[b] * near * (r - 0.5 * near)
    total, e, c = total[row] + d, e[row] + d, c[row] + x
    kept = _best(new + 0.5 * (total - guide[0]) ** 2 / guide[1], e, c, total, s_new)
    state = (total[kept], e[kept], c[kept], s_new[kept], new[kept])
    return state, (row[kept], d[kept], x[kept])


def _options(
    blocks: Blocks,
    b: int,
    at_risk: IntArray,
    room: IntArray,
    s: FloatArray,
    move: float,
    to_come: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Candidate (events, censored) per hypothesis, shape (hypotheses, options)."""
    if blocks.closes[b]:
        rest = np.rint(to_come).astype(np.int64)
        d = np.empty((rest.size, 6), dtype=np.int64)
        d[:, :3] = FEWEST
        np.add(rest[:, None], AROUND, out=d[:, 3:])
        return d, room[:, None] - d
    prior = np.rint(np.maximum(room - to_come, 0.0) * move).astype(np.int64)
    if not blocks.clicks[b]:
        lost = np.stack([np.zeros_like(prior), prior], axis=1)
        return np.zeros_like(lost), lost
    ratio = np.minimum(np.maximum(1.0 - blocks.level[b] / np.maximum(s, 1e-9), 1e-6), 1.0)
    d = np.empty((s.size, 7), dtype=np.int64)
    d[:, :3] = FEWEST
    d[:, 3:6] = np.rint((at_risk - prior) * ratio)[:, None] + AROUND
    d[:, 6] = np.rint(at_risk * ratio)
    need = at_risk[:, None] - np.rint(np.minimum(d / ratio[:, None], 1e6)).astype(np.int64)
    lost = np.empty((s.size, 7, 8), dtype=np.int64)
    lost[:, :, :2] = FEWEST[:2]
    lost[:, :, 2:5] = (prior[:, None] + AROUND)[:, None, :]
    np.add(need[:, :, None], AROUND, out=lost[:, :, 5:])
    np.maximum(lost, 0, out=lost)
    np.minimum(lost, np.maximum(room[:, None] - d, 0)[:, :, None], out=lost)
    return d.repeat(8, axis=1), lost.reshape(s.size, -1)


def _best(cost: FloatArray, e: IntArray, c: IntArray, total: IntArray, s: FloatArray) -> IntArray:
    """Return indices of the best hypotheses, one per (total, events, censored, level of S)."""
    if cost.size == 0:
        return np.empty(0, dtype=np.int64)
    many = 6 * WIDTH
    near = cost.argpartition(many - 1)[:many] if many < cost.size else np.arange(cost.size)
    ranked = cost[near]
    order = ranked.argsort(kind="stable")
    near = near[order[: np.searchsorted(ranked[order], ranked.min() + HOPELESS, side="right")]]
    level = (s[near] / (LEVELS * READING_SD)).round().astype(np.int64)
    key = ((total[near] * 4099 + e[near]) * 100003 + c[near]) * 1009 + level
    seen: set[int] = set()
    kept = []
    for i, name in zip(near.tolist(), key.tolist(), strict=True):
        if name not in seen:
            seen.add(name)
            kept.append(i)
            if len(kept) == WIDTH:
                break
    return np.array(kept, dtype=np.int64)
