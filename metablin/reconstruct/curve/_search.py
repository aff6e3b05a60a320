"""Search over whole patients where single steps of the curve are visible.

Few at risk means large steps, and the size of a step tells how many were at risk. A beam search
over (events, censored) per gap, a Viterbi recursion on integers, weighs the misfit to the clicks
against a prior for events (Poisson; one at least where a click sits on a drop) and censorings
within the gap; numbers at risk at table times are met by construction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from metablin.reconstruct.curve._fit import FLOOR, RealFit, scaled_path, survival_of, within
from metablin.reconstruct.curve._grid import Grid
from metablin.reconstruct.curve.clicks import Curve

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

VISIBLE_STEP = 3.2  # reading errors: smallest fall of one patient that the search resolves
WIDTH = 32  # hypotheses kept
HOPELESS = 10.0  # behind the best: minus log likelihood that no later click makes good
LEVELS = 2.0  # reading errors by which S of two hypotheses with the same counts must differ
SEARCH_SD = 1.2  # reading errors
HUBER = 4.0  # reading errors beyond which misfit counts linearly: a click beside a drop
SAME_LEVEL = 0.35  # of one patient's step; smaller falls belong to the same plateau
ONE_MORE = 1.5  # cost of an event that nobody clicked ahead of the search
NEAR = 0.002  # of the time axis: a click so close to a table time may lie on its other side
NEAR_COST = 0.7
GUIDE_VARIANCE = 1.0  # of events, beyond what the fit knows of its own error
LATELY = 12  # clicks that tell how many events one click stands for
UNCLICKED = 0.03  # events expected where nobody clicked, when clicks sit on drops
BETWEEN = 1e-4  # the same where falls were clicked above and below
NO_DROP = 3.5  # cost of a click among clicks on drops where nothing fell
MOST = 4095
FEWEST, AROUND, NEARBY = np.arange(3.0), np.arange(-1.0, 2.0), np.arange(-2.0, 3.0)
OF_NONE = [0, 3, 4, 6, 7, 8, 9]  # candidates that differ where no censoring is expected
FINE = 0.0012
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
    events: FloatArray
    parents: list[IntArray]
    per_gap: list[FloatArray]
    lost: list[FloatArray]

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
    seen = z >= VISIBLE_STEP * grid.sd * grid.n
    seen |= grid.n <= 1
    hidden = (~seen).nonzero()[0]
    return int(hidden[-1] + 1) if hidden.size else 0


def make_blocks(grid: Grid, curve: Curve, fit: RealFit, start: int) -> Blocks:
    """Group clicks on one plateau; a table time always starts a new block."""
    first_node = int(grid.first[start]) + (0 if start == 0 else 1)
    nodes = np.arange(max(first_node, 1), grid.time.size)
    is_click = np.zeros(grid.time.size, dtype=bool)
    is_click[grid.click] = True
    y = np.zeros(grid.time.size)
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
    starts = np.array(new).nonzero()[0]
    ends = np.concatenate([starts[1:], [nodes.size]]) - 1
    clicks = np.add.reduceat(is_click[nodes], starts, dtype=np.float64)
    total = np.add.reduceat(y[nodes], starts)
    interval = grid.interval[nodes[starts]]
    closing = np.zeros(starts.size, dtype=bool)
    closing[:-1] = (clicks[:-1] == 0) & (interval[1:] != interval[:-1])
    inside = within(grid, fit.events)
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
    opening = int(tail.argmax())
    at = opening + grid.time[opening:].searchsorted(blocks.first, side="left")
    at = np.maximum.accumulate(at)
    size = grid.time.size
    events = np.where(tail, np.bincount(at, weights=d, minlength=size), fit.events)
    lost = within(grid, np.bincount(at, weights=c, minlength=size).astype(np.float64))
    total = np.bincount(blocks.interval, weights=d, minlength=k)
    censored = np.maximum(grid.lost - total, 1.0)[grid.interval]
    share = np.where(tail, np.minimum(lost / censored, 1.0), fit.even_share)
    bend = np.where(np.arange(k) >= start, 0.0, fit.bend)
    position = np.where(tail, 1.0, grid.position)
    return (
        replace(grid, position=position),
        RealFit(fit.z, events, share, fit.per_interval, bend, fit.interval),
        total[start:].astype(np.float64),
    )


State = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


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
    zero = np.zeros(starts[0].size)
    state = (zero, zero, zero, *starts)
    parents: list[IntArray] = []
    per_gap: list[FloatArray] = []
    lost: list[FloatArray] = []
    m_prior = fit.per_interval
    rates = _event_rates(grid, blocks, m_prior, start, _lately(grid, fit))
    if grid.hazard:
        rates = _with_unseen(blocks, rates, m_prior)
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
    ahead = m.cumsum() - m - m[:start].sum()
    spread = variance[start:, start:].cumsum(axis=0).cumsum(axis=1).diagonal()
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
    length = blocks.first - origin
    length[1:] = blocks.first[1:] - blocks.last[:-1]
    if grid.at_corners:
        return np.where(clicked, per_click, BETWEEN)
    if grid.at_drops:
        return _between_drops(clicked, length, per_click)
    share = np.maximum(length, 0.0) / max(float(length.sum()), 1e-12)
    return np.asarray(np.maximum(0.5 * total * share + 0.5 * mean * clicked, UNCLICKED))


def _with_unseen(blocks: Blocks, rates: FloatArray, m: FloatArray) -> FloatArray:
    """After the last click, events as the fit expects them from the total."""
    done = blocks.done.copy()
    same = blocks.interval[1:] == blocks.interval[:-1]
    done[1:] -= np.where(same, blocks.done[:-1], 0.0)
    late = blocks.clicks[::-1].cumsum()[::-1] == 0
    return np.where(late, np.maximum(done * m[blocks.interval], UNCLICKED), rates)


def _between_drops(clicked: BoolArray, length: FloatArray, per_click: float) -> FloatArray:
    """Share out what a click on a drop leaves unclicked over the pieces since the last click."""
    run: IntArray = clicked.cumsum() - clicked
    whole = np.bincount(run, weights=length)[run]
    piece = (per_click - 1.0) * length / np.maximum(whole, 1e-12)
    return np.asarray(np.maximum(piece, UNCLICKED) + clicked)


def _lately(grid: Grid, fit: RealFit) -> float:
    """Events per click over the last clicks of the curve, one at least."""
    events = fit.events.cumsum()[grid.click[:-1]]
    few = min(LATELY, events.size - 1)
    return 1.0 + max(float(events[-1] - events[-1 - few]) / max(few, 1) - 1.0, UNCLICKED)


def _event_cost(d: FloatArray, mean: float, on_drop: bool) -> FloatArray:
    """Minus log probability of `d` events in a gap, Poisson; on a drop there is at least one."""
    if not on_drop:
        return np.asarray(_log_factorial(d) - d * math.log(mean))
    more = np.maximum(d - 1.0, 0.0)
    return np.where(d > 0.0, _log_factorial(more) - more * math.log(mean - 1.0), NO_DROP)


def _log_factorial(d: FloatArray) -> FloatArray:
    return np.asarray(LOG_FACTORIAL[np.minimum(np.maximum(d, 0.0), MOST).astype(np.int64)])


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
) -> tuple[State, tuple[IntArray, FloatArray, FloatArray]]:
    """Extend every hypothesis by the events and censorings of one gap and keep the best."""
    total, e, c, s, cost = state
    k = int(blocks.interval[b])
    gone = e + c
    at_risk, room = grid.n[k] - gone, grid.lost[k] - gone
    to_come = np.maximum(m_prior - e, 0.0)
    d, x = _options(blocks, b, at_risk, room, s, move, to_come, grid.sd < FINE)
    begun = grid.n[blocks.interval[0]] - grid.n[k]
    most = np.minimum(room[:, None] - d, (limits[1] - begun + total - gone)[:, None])
    if blocks.closes[b]:
        ok = (x[:, :, 0] >= 0.0) & (x[:, :, 0] <= most)
    else:
        ok = most >= 0.0
        np.minimum(x, most[:, :, None], out=x)
    ok &= (d >= 0.0) & (total[:, None] + d <= limits[0])
    known = cost[:, None] + _event_cost(d, mean, grid.at_drops and bool(blocks.clicks[b]))
    known[~ok] = np.inf
    rate = np.maximum((room - to_come) * move, 0.05)[:, None, None]
    new = known[:, :, None] + 2.0 * np.log1p((x - rate) ** 2 / (2.0 * (rate + 1.0)))
    s_new = s[:, None, None] - (s[:, None] * d)[:, :, None] / np.maximum(
        at_risk[:, None, None] - x, 1.0
    )
    if blocks.clicks[b]:
        r = np.abs(s_new - blocks.level[b])
        sd = SEARCH_SD * grid.sd
        near = np.minimum(r, HUBER * sd)
        new += (blocks.clicks[b] / sd**2) * near * (r - 0.5 * near)
    ahead = (total - guide[0])[:, None] + d
    rank = new + (ahead * ahead * (0.5 / guide[1]))[:, :, None]
    best = rank.min()
    if not best < np.inf:
        none = np.empty(0)
        return (none, none, none, none, none), (np.empty(0, dtype=np.int64), none, none)
    ranked = rank.ravel()
    near = (ranked <= best + (HOPELESS if grid.sd >= FINE else 3.0 * HOPELESS)).nonzero()[0]
    near = near[ranked[near].argsort(kind="stable")]
    option = near // x.shape[2]
    row = option // d.shape[1]
    d, x, s_new = d.ravel()[option], x.ravel()[near], s_new.ravel()[near]
    total, e, c = total[row] + d, e[row] + d, c[row] + x
    width = WIDTH if grid.sd >= FINE else 4 * WIDTH
    kept = _distinct(total, e, c, s_new, grid.sd, width)
    state = (total[kept], e[kept], c[kept], s_new[kept], new.ravel()[near[kept]])
    return state, (row[kept], d[kept], x[kept])


def _options(
    blocks: Blocks,
    b: int,
    at_risk: FloatArray,
    room: FloatArray,
    s: FloatArray,
    move: float,
    to_come: FloatArray,
    fine: bool,
) -> tuple[FloatArray, FloatArray]:
    """Candidate events, shape (hypotheses, D), and censored for each of them, (..., D, X)."""
    if blocks.closes[b]:
        d = np.empty((room.size, 6))
        d[:, :3] = FEWEST
        np.add(np.rint(to_come)[:, None], AROUND, out=d[:, 3:])
        return d, (room[:, None] - d)[:, :, None]
    prior = np.rint(np.maximum(room - to_come, 0.0) * move)
    if not blocks.clicks[b]:
        x = np.zeros((room.size, 1, 2))
        x[:, 0, 1] = prior
        return np.zeros((room.size, 1)), x
    ratio = np.minimum(np.maximum(1.0 - blocks.level[b] / np.maximum(s, 1e-9), 1e-6), 1.0)
    centre = np.rint((at_risk - 0.5 * prior) * ratio)
    d = centre[:, None] + NEARBY
    if fine:
        other = np.rint(at_risk * ratio)
        if (other != centre).any():  # else the same numbers again
            d = np.concatenate([d, other[:, None] + NEARBY], axis=1)
    x = np.zeros((room.size, d.shape[1], 10 if fine else 5))
    x[:, :, 1:4] = (prior[:, None] + AROUND)[:, None, :]
    x[:, :, 4] = np.rint(at_risk[:, None] - d / ratio[:, None])
    if fine:
        x[:, :, 5:7] = FEWEST[1:]
        x[:, :, 7:10] = x[:, :, 4:5] + np.array([-1.0, 1.0, -2.0])
    np.maximum(x, 0.0, out=x)
    if not prior.any():  # around none: the same few again
        x = x[:, :, OF_NONE if fine else OF_NONE[:3]]
    return d, x


def _distinct(
    total: FloatArray, e: FloatArray, c: FloatArray, s: FloatArray, sd: float, width: int = WIDTH
) -> IntArray:
    """Positions of the first `width` hypotheses, one per (total, events, censored, level of S)."""
    level = (s / (LEVELS * sd)).round()
    key = ((total * 4099.0 + e) * 100003.0 + c) * 1009.0 + level
    return np.sort(np.unique(key, return_index=True)[1])[:width]
