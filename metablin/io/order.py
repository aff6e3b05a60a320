"""The clicks of a curve in order of time, whatever order they were made in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError

__all__ = ["Ordered", "in_order"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

VERTICAL = 0.004
"""Share of the time axis within which clicks of one vertical fall lie: a thick line's width."""
NOISE = 0.01
"""Rise of survival that reading noise explains; the reconstruction smooths it out by itself."""
RISE = 0.05
"""Rise beyond which sorted clicks are not those of one curve."""
START = 0.05
"""Share of the axis within which a curve begins."""
RESTART = 0.5
"""Share of the axis by which the time must jump back for a second curve to begin there."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A permutation of the clicks, and what it did.

    Attributes
    ----------
    at : ndarray of int
        Positions of the clicks in their new order.
    time : ndarray
        Times in order.
    sorted : bool
        The clicks were not in order of time.
    untangled : int
        Clicks at vertical falls whose survival had risen.
    """

    at: IntArray
    time: FloatArray
    sorted: bool
    untangled: int


def in_order(time: FloatArray, survival: FloatArray, row: IntArray, label: str = "") -> Ordered:
    """Sort clicks by time and put those of vertical falls in order from the top.

    Parameters
    ----------
    time, survival : ndarray, shape (m,)
        Survival on the scale 0 to 1.
    row : ndarray of int, shape (m,)
        Rows of the file, for errors.
    label : str
        Name of the curve, for errors.

    Raises
    ------
    DataError
        When the clicks are those of two curves one above the other.

    Examples
    --------
    >>> o = in_order(np.array([9.0, 5.0, 5.01, 0.0]), np.array([0.5, 0.5, 0.9, 1]), np.arange(4))
    >>> o.at.tolist(), o.sorted, o.untangled
    ([3, 2, 1, 0], True, 2)
    """
    m = time.size
    forward = np.arange(m, dtype=np.intp)
    if m < 2:
        return Ordered(forward, time, False, 0)
    axis = float(time.max() - min(time.min(), 0.0))
    start = forward[::-1] if _descends(time) else forward
    _one_curve(time[start], survival[start], row[start], axis, label)
    at = start[np.lexsort((-survival[start], time[start]))]
    moved = bool((np.diff(time) < 0).any())
    t, y = time[at], survival[at]
    clusters = _clusters(t, y, VERTICAL * axis)
    if moved and y[-1] < y[0]:
        _no_rise(t, y, row[at], VERTICAL * axis, label)
    untangled = 0
    for first, last in clusters:
        part = slice(first, last + 1)
        order = np.argsort(-y[part], kind="stable")
        untangled += int((order != np.arange(order.size)).sum())
        at[part] = at[part][order]
    return Ordered(at, t, moved and not _only_jitter(time, axis), untangled)


def _descends(time: FloatArray) -> bool:
    """Tell whether most steps go back in time, as when a curve was traced from right to left."""
    steps = np.sign(np.diff(time))
    return bool((steps < 0).sum() > (steps > 0).sum())


def _only_jitter(time: FloatArray, axis: float) -> bool:
    """Tell whether times go back only within the width of a line."""
    return bool((time >= np.maximum.accumulate(time) - VERTICAL * axis).all())


def _one_curve(
    time: FloatArray, survival: FloatArray, row: IntArray, axis: float, label: str
) -> None:
    """Refuse a time that starts again from the left: long enough, or from the top again."""
    top = survival.max() - RISE
    for i in map(int, np.flatnonzero(np.diff(time) < -RESTART * axis)):
        again = time[i + 1 :]
        anew = again[0] <= START * axis and survival[i + 1] >= top
        if again.size >= 3 and (np.ptp(again) >= RESTART * axis or anew):
            raise _two_curves("the times start again", i + 1, time, row, label)


def _no_rise(t: FloatArray, y: FloatArray, row: IntArray, width: float, label: str) -> None:
    """Refuse clicks that, once sorted, rise away from vertical falls: they are of two curves."""
    lowest = np.minimum.accumulate(y)
    for i in np.flatnonzero(y > lowest + RISE):
        before = np.flatnonzero(t < t[i] - width)
        if before.size and y[i] > lowest[before[-1]] + RISE:
            raise _two_curves("sorted by time, survival rises", int(i), t, row, label)


def _two_curves(what: str, i: int, time: FloatArray, row: IntArray, label: str) -> DataError:
    return DataError(
        f"{what}: two curves one above the other", row=int(row[i]), column="time",
        value=f"{time[i]:g}", study=label or None,
        allowed="one curve, or an id column that tells them apart",
    )  # fmt: skip


def _clusters(t: FloatArray, y: FloatArray, width: float) -> list[tuple[int, int]]:
    """Return the runs of sorted clicks within `width` of each other in which survival rises."""
    out: list[tuple[int, int]] = []
    rises = np.flatnonzero(np.diff(y) > NOISE)
    for i in map(int, rises):
        if t[i + 1] - t[i] > width or (out and i + 1 <= out[-1][1]):
            continue
        first, last = i, i + 1
        while last + 1 < t.size and t[last + 1] - t[first] <= width:
            last += 1
        while first > 0 and t[last] - t[first - 1] <= width:
            first -= 1
        out.append((first, last))
    return out
