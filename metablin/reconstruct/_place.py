"""From whole patients per gap to event and censoring times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct._allocate import Allocation
from metablin.reconstruct._fit import READING_SD, RealFit
from metablin.reconstruct._grid import Grid
from metablin.reconstruct._search import Blocks

__all__ = ["clicked_at_drops", "place", "place_found", "snap"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SINGLES = 0.3  # share of single falls from which every drop counts as clicked, so others are ties
COUNTABLE = 2.0  # reading errors in a step of one patient from which counts are taken as exact
VISIBLE = 1.2  # a fall of one patient is seen when it exceeds this many reading errors
LOG_FACTORIAL = np.array([0.0, *np.cumsum(np.log(np.arange(1.0, 9.0)))])[:, None]


def clicked_at_drops(grid: Grid, survival: FloatArray, fit: RealFit) -> bool:
    """Whether the clicks look taken just after drops rather than at times of their own.

    Compares two likelihoods of the falls between clicks, where one patient is visible: at times
    of their own the number of events in a gap is Poisson with a mean that grows with the gap's
    length; on drops there is at least one whatever the length.
    """
    step = step_sizes(grid, fit)
    t = grid.time[grid.click]
    gap = t[1:] - t[:-1]
    fall = survival[:-1] - survival[1:]
    seen = (step > VISIBLE * READING_SD) & (gap > 0)
    seen[[0, -1]] = False  # the origin and the end of the curve are clicked in any case
    if seen.sum() < 4:
        return False
    step, gap, fall = step[seen], gap[seen], fall[seen]
    mean = max(float((fall / step).mean()), 0.05)
    e = np.arange(9.0)[:, None]
    misfit = (fall - e * step) / (np.sqrt(2.0) * READING_SD)
    normal = np.exp(-0.5 * np.minimum(misfit**2, 60.0))
    rate = np.maximum(mean * gap / gap.mean(), 1e-6)
    poisson = np.exp(e * np.log(rate) - rate - LOG_FACTORIAL)
    q = 1.0 - 1.0 / max(mean, 1.05)
    geometric = np.where(e > 0, 0.97 * (1.0 - q) * q ** np.maximum(e - 1.0, 0.0), 0.03)
    own = np.log((normal * poisson).sum(axis=0) + 1e-12)
    drops = np.log((normal * geometric).sum(axis=0) + 1e-12)
    return bool((drops - own).sum() > 0.0)


def step_sizes(grid: Grid, fit: RealFit) -> FloatArray:
    """Fall of the curve per event in each gap between clicks, shape (clicks - 1,)."""
    scale = (grid.n / np.maximum(fit.z[grid.first], 1e-9))[grid.interval]
    drop = np.concatenate([[0.0], fit.z[:-1] - fit.z[1:]])
    share = np.where(drop > 1e-12, fit.events / np.maximum(scale * drop, 1e-12), 1.0)
    per_event = 1.0 / np.maximum(scale * np.minimum(np.maximum(share, 0.02), 1.0), 1e-9)
    return np.asarray(per_event[grid.click][1:])


def falls_at_clicks(grid: Grid, fit: RealFit) -> FloatArray:
    """Events behind each click, at least one; one throughout when every drop was clicked."""
    falls = np.maximum(np.rint(np.diff(np.cumsum(fit.events)[grid.click], prepend=0.0)), 1.0)
    return np.ones(falls.size) if every_drop(falls, countable(grid)) else falls


def place(
    grid: Grid, fit: Allocation, before: int, ties: bool, rng: np.random.Generator | None = None
) -> tuple[FloatArray, FloatArray]:
    """Event and censoring times in the risk intervals ahead of interval `before`.

    With `ties` all events behind a click that sits on a drop are at the click. Without `rng`
    events and censorings take the middle ranks of their gap; with it they are uniform within it.
    """
    head = grid.interval < before
    per_gap = np.where(head, fit.per_gap, 0)
    censored = np.where(np.arange(fit.censored.size) < before, fit.censored, 0)
    events = _event_times(grid, per_gap, ties, rng)
    lost = _censor_times(grid, censored, fit.lost_share, rng)
    if per_gap[-1]:  # as the fit has it, those censored in the last gap outlive its events
        left, last = float(grid.time[-2]), float(events[-1])
        late = lost > left
        ahead = (lost[late] - left) / max(float(grid.stop[-1]) - left, 1e-300)
        lost[late] = last + ahead * (float(grid.stop[-1]) - last)
    return events, lost


def _event_times(
    grid: Grid, per_gap: IntArray, ties: bool, rng: np.random.Generator | None
) -> FloatArray:
    gap = np.repeat(np.arange(per_gap.size), per_gap)
    if gap.size == 0:
        return np.empty(0)
    left = np.concatenate([[0.0], grid.time[:-1]])
    size = per_gap[gap]
    rank = np.arange(gap.size) - (np.cumsum(per_gap) - per_gap)[gap]
    if grid.at_drops:
        on_click = np.zeros(grid.time.size, dtype=bool)
        on_click[grid.click] = True
        u = np.where(on_click[gap], on_drop(rank, size, ties), (rank + 0.5) / size)
    elif rng is None:
        u = (rank + 0.5) / size
    else:
        u = rng.random(gap.size)
    return np.asarray(left[gap] + u * (grid.time[gap] - left[gap]))


def on_drop(rank: IntArray, size: IntArray, ties: bool) -> FloatArray:
    """Position within the gap of events clicked at drops."""
    return np.ones(rank.size) if ties else (rank + 1.0) / size


def every_drop(falls: FloatArray | IntArray, exact: bool) -> bool:
    """Whether every drop was clicked, judged by the events behind the clicks.

    Clicks on every q-th drop leave falls of q or q + 1 events; falls of one among larger ones, or
    of unequal size where counts are `exact`, are ties.
    """
    seen = falls[falls > 0]
    if seen.size == 0:
        return False
    low, high = np.quantile(seen, [0.1, 0.9])
    return bool((seen == 1).mean() >= SINGLES or (exact and high - low >= 2 and low <= 2))


def countable(grid: Grid) -> bool:
    """Whether one patient's step is large enough for counts behind a click to be exact."""
    return bool(grid.n[0] * COUNTABLE * READING_SD <= 1.0)


def _censor_times(
    grid: Grid, c: IntArray, share: FloatArray, rng: np.random.Generator | None
) -> FloatArray:
    k = np.repeat(np.arange(c.size), c)
    if k.size == 0:
        return np.empty(0)
    if rng is None:
        rank = np.arange(k.size) - (np.cumsum(c) - c)[k]
        u = (rank + 0.5) / c[k]
    else:
        u = rng.random(k.size)
    times = np.interp(k + u, share + grid.interval, grid.time)
    last = k == c.size - 1
    limit = np.where(last, grid.stop[k], _inside(grid)[k])
    times = np.minimum(np.maximum(times, grid.start[k]), limit)
    if last.any():
        times[np.argmax(times)] = grid.stop[-1]
    return np.asarray(times)


def _inside(grid: Grid) -> FloatArray:
    """Largest time that still belongs to each interval."""
    return np.asarray(np.maximum(np.nextafter(grid.stop, -np.inf), grid.start))


def place_found(
    grid: Grid,
    blocks: Blocks,
    d: IntArray,
    c: IntArray,
    ties: bool,
    rng: np.random.Generator | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Event and censoring times of the searched intervals, given counts per block.

    Censorings of a gap come ahead of its events and after the previous plateau began.
    """
    fresh = np.diff(blocks.interval, prepend=-1) > 0
    opening = grid.start[blocks.interval]
    left = np.where(fresh, opening, np.concatenate([[0.0], blocks.last[:-1]]))
    earlier = np.where(fresh, opening, np.concatenate([[0.0], blocks.first[:-1]]))
    gap = np.repeat(np.arange(d.size), d)
    rank = np.arange(gap.size) - (np.cumsum(d) - d)[gap]
    clicked = blocks.clicks[gap] > 0
    middle = (rank + 0.5) / np.maximum(d[gap], 1)
    if grid.at_drops:
        u = np.where(clicked, on_drop(rank, d[gap], ties), middle)
    else:
        u = middle if rng is None else rng.random(gap.size)
    events = left[gap] + u * (blocks.first[gap] - left[gap])
    first_event = blocks.first.copy()
    np.minimum.at(first_event, gap, events)
    rest = int(grid.n[blocks.interval[0]]) - int(d.sum() + c.sum())
    if rest == 0 and events.size and blocks.clicks[gap[-1]]:
        at_end = gap == gap[-1]  # a curve that falls to zero ends with its last event
        last = left[gap] + on_drop(rank, d[gap], ties) * (blocks.first[gap] - left[gap])
        events = np.where(at_end, last, events)
    c = np.append(c, rest)
    opens = np.append(earlier, blocks.first[-1])
    closes = np.append(first_event, grid.stop[-1])
    own = np.repeat(np.arange(c.size), c)
    rank = np.arange(own.size) - (np.cumsum(c) - c)[own]
    v = (rank + 0.5) / np.maximum(c[own], 1) if rng is None else rng.random(own.size)
    censored = opens[own] + v * (closes[own] - opens[own])
    limit = np.append(_inside(grid)[blocks.interval], grid.stop[-1])
    censored = np.minimum(censored, limit[own])
    if rest:
        censored[-1] = grid.stop[-1]
    return events, censored


def snap(censored: FloatArray, marks: FloatArray, events: FloatArray, grid: Grid) -> FloatArray:
    """Move censorings to the nearest mark unless an event or a table time lies between."""
    j = np.searchsorted(marks, censored)
    left, right = marks[np.maximum(j - 1, 0)], marks[np.minimum(j, marks.size - 1)]
    near = np.where(np.abs(left - censored) <= np.abs(right - censored), left, right)
    fences = np.sort(np.concatenate([events, grid.start[1:]]))
    same = np.searchsorted(fences, near, side="right") == np.searchsorted(
        fences, censored, side="right"
    )
    return np.where(same, near, censored)
