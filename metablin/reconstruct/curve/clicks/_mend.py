"""Put readable clicks right: order of time, near-vertical falls, single strays; and say so."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.reconstruct.curve.clicks._rows import Rows
from metablin.reconstruct.records import Mended

__all__ = ["Clicks", "put_in_order"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

CLOSE = 0.004  # of the time axis: several horizontal reading errors
NEAR = 0.012  # of the time axis: as far apart two clicks at one fall may lie when S rises
RISE = 0.05  # of survival: beyond reading noise, a curve does not rise
RISE_ERRORS = 8.0  # the same in reading errors, where they are larger,
MOST_RISE = 0.15  # but no more than this
NOTED = 0.02  # of survival: smaller rises at a fall are reading noise and not worth a word
BACK = 0.0025  # of the time axis: smaller steps back are reading noise
AGAIN = 0.5  # of the time axis: times that go back so far start again
STRAYS = 0.05  # share of the clicks that may be left out
FEW = 12  # clicks from which one may be
HALF_NORMAL = 0.954  # median of the positive differences of two readings, over the reading error
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Clicks:
    """Clicks in order, where each came from, and what was mended; shapes (k,)."""

    time: FloatArray
    survival: FloatArray
    origin: IntArray
    mended: tuple[Mended, ...]


def put_in_order(time: FloatArray, survival: FloatArray, rows: Rows) -> Clicks:
    """Sort clicks by time and, at near-vertical falls, by falling survival; leave strays out.

    Raises
    ------
    DataError
        When times start again, as with two curves in one column, or survival still rises beyond
        reading noise.
    """
    axis = float(time.max())
    clicks = _by_time(time, survival, axis, rows)
    clicks = _untangled(clicks, axis)
    y = clicks.survival
    if (y[1:] > np.minimum.accumulate(y)[:-1] + RISE).any():
        clicks = _without_strays(clicks, rows)
    return clicks


def _by_time(t: FloatArray, y: FloatArray, axis: float, rows: Rows) -> Clicks:
    origin = np.arange(t.size)
    step = t[1:] - t[:-1]
    if (step >= 0.0).all():
        return Clicks(t, y, origin, ())
    _start_again(t, step, axis, rows)
    order = np.lexsort((-y, t))
    late = int((t[1:] < np.maximum.accumulate(t)[:-1] - BACK * axis).sum())
    mended = (Mended("order", late, f"{late} clicks put in order of time"),) if late else ()
    return Clicks(t[order], y[order], origin[order], mended)


def _start_again(t: FloatArray, step: FloatArray, axis: float, rows: Rows) -> None:
    """Refuse two curves one above the other: times that run through the axis twice."""
    for direction in (1.0, -1.0):
        jumps = np.flatnonzero(direction * step < -AGAIN * axis)
        if jumps.size == 0:
            continue
        ends = np.concatenate([[0], jumps + 1, [t.size]])
        parts = [t[a:b] for a, b in pairwise(ends.tolist())]
        runs = [direction * np.diff(p) for p in parts]
        whole = all(
            p.size > 2 and (r > -BACK * axis).all() for p, r in zip(parts, runs, strict=True)
        )
        if whole:
            raise DataError(
                "times start again: more than one curve?",
                row=rows.click(int(jumps[0]) + 1),
                column="time",
                value=f"{t[jumps[0] + 1]:g}",
                allowed="one curve, or an id column that tells them apart",
                study=rows.label or None,
            )


def _untangled(clicks: Clicks, axis: float) -> Clicks:
    """Let survival fall where clicks are too close in time to tell which came first."""
    t, y = clicks.time, clicks.survival
    close = np.flatnonzero(t[1:] - t[:-1] < CLOSE * axis)
    if close.size == 0 and (y[1:] <= y[:-1] + NOTED).all():
        return clicks
    new, origin = y.copy(), clicks.origin.copy()
    after = 0
    for i in close.tolist():
        if i < after:
            continue
        after = int(np.searchsorted(t, t[i] + CLOSE * axis, side="left"))
        _fall(new, origin, i, after)
    low = np.minimum.accumulate(new)
    for i in (np.flatnonzero(new[1:] > low[:-1] + NOTED) + 1).tolist():
        start = int(np.searchsorted(t, t[i] - NEAR * axis, side="left"))
        _fall(new, origin, start, i + 1)
    moved = int((np.abs(new - y) > NOTED).sum())
    mended = clicks.mended
    if moved:
        text = f"{moved} clicks at near-vertical falls put in falling order"
        mended = (*mended, Mended("falls", moved, text))
    return Clicks(t, new, origin, mended)


def _fall(y: FloatArray, origin: IntArray, start: int, stop: int) -> None:
    order = start + np.argsort(-y[start:stop], kind="stable")
    y[start:stop], origin[start:stop] = y[order], origin[order]


def _without_strays(clicks: Clicks, rows: Rows) -> Clicks:
    """Leave out the few clicks without which S does not rise; refuse when they are not few."""
    y = clicks.survival
    rise = min(max(RISE, RISE_ERRORS * _rough_error(y)), MOST_RISE)
    low = np.minimum.accumulate(y)
    bad = np.flatnonzero(y[1:] > low[:-1] + rise) + 1
    if bad.size == 0:
        return clicks
    keep = _longest_fall(y, 0.5 * rise)
    out = np.flatnonzero(~keep)
    z = y[keep]
    few = y.size >= FEW and out.size <= max(1, int(STRAYS * y.size))
    if not few or (z[1:] > np.minimum.accumulate(z)[:-1] + rise).any():
        i = int(bad[0])
        raise DataError(
            "survival rises beyond reading noise",
            row=rows.click(int(clicks.origin[i])),
            column="survival",
            value=f"{y[i] * rows.scale:g}",
            allowed=f"at most {low[i - 1] * rows.scale:g} plus {rise * rows.scale:g}; "
            "for cumulative incidence give failure=True or --failure",
            study=rows.label or None,
        )
    named = [f"row {rows.click(int(clicks.origin[i]))}" for i in out[:MOST_NAMED]]
    more = f" and {out.size - MOST_NAMED} more" if out.size > MOST_NAMED else ""
    text = f"left out where S rises: {', '.join(named)}{more}"
    mended = (*clicks.mended, Mended("left out", int(out.size), text))
    return Clicks(clicks.time[keep], z, clicks.origin[keep], mended)


def _rough_error(y: FloatArray) -> float:
    """Return the reading error of S by the rises from click to click, which strays hardly move."""
    rises = y[1:] - y[:-1]
    rises = rises[rises > 0.0]
    return float(np.median(rises)) / HALF_NORMAL if rises.size >= FEW // 2 else 0.0


def _longest_fall(y: FloatArray, slack: float) -> BoolArray:
    """Clicks of the longest run in which none lies above the one before by more than `slack`."""
    length, before = np.ones(y.size, dtype=np.int64), np.full(y.size, -1)
    for i in range(1, y.size):
        fits = np.where(y[:i] >= y[i] - slack, length[:i], 0)
        j = i - 1 - int(np.argmax(fits[::-1]))
        if fits[j]:
            length[i], before[i] = fits[j] + 1, j
    keep = np.zeros(y.size, dtype=bool)
    i = int(np.argmax(length))
    while i >= 0:
        keep[i] = True
        i = int(before[i])
    return keep
