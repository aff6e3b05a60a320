"""Nodes of a reconstruction: clicks and risk-table times on one sorted axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.curve.clicks import Curve

__all__ = ["Grid", "build_grid", "on_drops"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Nodes of one curve.

    Node 0 is the origin (time 0, S = 1). `interval` is the risk interval of the gap that ends at
    the node, `position` the mean place of its events within that gap; `click` maps clicks to
    nodes, `last` and `first` give the last node of each interval and the node at which it starts;
    `frac` is the place of the node within its interval, 0..1; `own` is the interval of each click
    and `later` (clicks, K) tells whether a click comes after an interval. `sd` and `time_sd` are
    the reading errors of S and, in units of time, of the times; `hazard` is that after the last
    click, where S was not seen; `at_corners` says that nothing falls between two clicks.
    """

    time: FloatArray
    interval: IntArray
    click: IntArray
    start: FloatArray
    stop: FloatArray
    first: IntArray
    last: IntArray
    n: FloatArray
    lost: FloatArray
    frac: FloatArray
    frac_before: FloatArray
    frac_mid: FloatArray
    opens: BoolArray
    position: FloatArray
    spread: FloatArray
    at_drops: bool
    row: IntArray
    own: IntArray
    later: BoolArray
    sd: float
    time_sd: float
    hazard: float = 0.0
    at_corners: bool = False


def on_drops(grid: Grid, falls: FloatArray) -> Grid:
    """Let the clicks sit on drops: the last of the `falls` events of a gap is at its click."""
    position = grid.position.copy()
    position[grid.click] = 0.5 + 0.5 / falls
    position[-1] = 0.0
    before = grid.frac_before
    return replace(
        grid,
        position=position,
        frac_mid=before + position * (grid.frac - before),
        spread=1.0 - 1.0 / falls,
        at_drops=True,
    )


def build_grid(curve: Curve) -> Grid:
    """Merge clicks and risk-table times; a click at a table time belongs to the later interval.

    Events lie anywhere between two clicks; in the last gap they come ahead of the censorings.
    """
    r, t = curve.starts, curve.time
    k = r.size
    end = curve.end
    bounds = r[1:]
    own = bounds.searchsorted(t, side="right")
    moved = np.arange(t.size) + own
    where_bound = t.searchsorted(bounds, side="left") + np.arange(k - 1)
    nodes = t.size + k - 1 + int(t[-1] < end)
    time, interval = np.full(nodes, end), np.full(nodes, k - 1)
    time[moved], interval[moved] = t, own
    time[where_bound], interval[where_bound] = bounds, np.arange(k - 1)
    first, last = np.zeros(k, dtype=np.int64), np.full(k, nodes - 1)
    first[1:], last[:-1] = where_bound, where_bound
    stop = np.full(k, end)
    stop[:-1] = bounds
    width = np.maximum(stop - r, TINY)
    frac = np.minimum(np.maximum((time - r[interval]) / width[interval], 0.0), 1.0)
    opens = np.zeros(time.size, dtype=bool)
    opens[np.minimum(first + 1, time.size - 1)] = True
    opens[0] = False
    before = np.empty(time.size)
    before[0], before[1:] = 0.0, frac[:-1]
    before[opens] = 0.0
    position = np.full(time.size, 0.5)
    position[-1] = 0.0
    n = curve.counts.astype(np.float64)
    lost = n.copy()
    lost[:-1] -= n[1:]
    return Grid(
        time=time,
        interval=interval.astype(np.int64),
        click=moved.astype(np.int64),
        start=r,
        stop=stop,
        first=first,
        last=last,
        n=n,
        lost=lost,
        frac=frac,
        frac_before=before,
        frac_mid=before + position * (frac - before),
        opens=opens,
        position=position,
        spread=np.ones(t.size),
        at_drops=False,
        row=np.arange(t.size),
        own=own,
        later=own[:, None] > np.arange(k),
        sd=curve.reading.sd,
        time_sd=curve.reading.time_sd * end,
    )
