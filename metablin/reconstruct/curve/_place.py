"""From whole patients per gap to event and censoring times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.curve._allocate import Allocation
from metablin.reconstruct.curve._grid import Grid
from metablin.reconstruct.curve._search import Blocks

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
    gap, rank, size = _members(per_gap)
    if gap.size == 0:
        return np.empty(0)
    if grid.at_drops:
        on_click = np.zeros(grid.time.size, dtype=bool)
        on_click[grid.click] = True
        u = np.where(on_click[gap], on_drop(rank, size, ties), (rank + 0.5) / size)
    elif rng is None:
        u = (rank + 0.5) / size
    else:
        u = rng.random(gap.size)
    left = grid.time[np.maximum(gap - 1, 0)]
    return np.minimum(left + u * (grid.time[gap] - left), _latest(grid)[grid.interval[gap]])


def _members(sizes: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Group, rank within the group from 0, and size of the group, of every member of groups."""
    group = np.arange(sizes.size).repeat(sizes)
    rank = np.arange(group.size) - (sizes.cumsum() - sizes)[group]
    return group, rank, sizes[group]


def on_drop(rank: IntArray, size: IntArray, ties: bool) -> FloatArray:
    """Position within the gap of events clicked at drops."""
    return np.ones(rank.size) if ties else (rank + 1.0) / size


def _censor_times(
    grid: Grid, c: IntArray, share: FloatArray, rng: np.random.Generator | None
) -> FloatArray:
    k, rank, size = _members(c)
    if k.size == 0:
        return np.empty(0)
    u = (rank + 0.5) / size if rng is None else rng.random(k.size)
    times = np.interp(k + u, share + grid.interval, grid.time)
    times = np.minimum(np.maximum(times, grid.start[k]), _latest(grid)[k])
    if k[-1] == c.size - 1:
        times[np.argmax(times)] = grid.stop[-1]
    return np.asarray(times)


def _inside(grid: Grid) -> FloatArray:
    """Largest time that still belongs to each interval."""
    return np.asarray(np.maximum(np.nextafter(grid.stop, -np.inf), grid.start))


def _latest(grid: Grid) -> FloatArray:
    """Largest time of an event in each interval; the curve may end with one."""
    latest = _inside(grid)
    latest[-1] = grid.stop[-1]
    return latest


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
    gap, rank, size = _members(d)
    clicked = blocks.clicks[gap] > 0
    middle = (rank + 0.5) / size
    if grid.at_drops:
        u = np.where(clicked, on_drop(rank, size, ties), middle)
    else:
        u = middle if rng is None else rng.random(gap.size)
    events = left[gap] + u * (blocks.first[gap] - left[gap])
    events = np.minimum(events, _latest(grid)[blocks.interval[gap]])
    first_event = blocks.first.copy()
    np.minimum.at(first_event, gap, events)
    rest = int(grid.n[blocks.interval[0]]) - int(d.sum() + c.sum())
    if rest == 0 and events.size and blocks.clicks[gap[-1]]:
        at_end = gap == gap[-1]  # a curve that falls to zero ends with its last event
        last = left[gap] + on_drop(rank, size, ties) * (blocks.first[gap] - left[gap])
        events = np.where(at_end, last, events)
    end = grid.stop[-1:]
    c = np.concatenate([c, [rest]])
    opens = np.concatenate([earlier, blocks.first[-1:]])
    closes = np.concatenate([first_event, end])
    own, rank, size = _members(c)
    v = (rank + 0.5) / size if rng is None else rng.random(own.size)
    censored = opens[own] + v * (closes[own] - opens[own])
    limit = np.concatenate([_inside(grid)[blocks.interval], end])
    censored = np.minimum(censored, limit[own])
    if censored.size and censored.max() > events.max(initial=0.0):
        censored[censored.argmax()] = grid.stop[-1]  # the curve ends with its last patient
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
