"""From whole patients per gap to event and censoring times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct._allocate import Allocation
from metablin.reconstruct._grid import Grid
from metablin.reconstruct._search import Blocks

__all__ = ["place", "place_found", "snap"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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
    fresh = np.ones(d.size, dtype=bool)
    fresh[1:] = blocks.interval[1:] > blocks.interval[:-1]
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
    end = grid.stop[-1:]
    c = np.concatenate([c, [rest]])
    opens = np.concatenate([earlier, blocks.first[-1:]])
    closes = np.concatenate([first_event, end])
    own = np.repeat(np.arange(c.size), c)
    rank = np.arange(own.size) - (np.cumsum(c) - c)[own]
    v = (rank + 0.5) / np.maximum(c[own], 1) if rng is None else rng.random(own.size)
    censored = opens[own] + v * (closes[own] - opens[own])
    limit = np.concatenate([_inside(grid)[blocks.interval], end])
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
