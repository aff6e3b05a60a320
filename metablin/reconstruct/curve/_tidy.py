"""Undo what horizontal reading noise does to clicks that lie close together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["tidy", "used_table"]

FloatArray = NDArray[np.float64]

CLOSE = 0.004  # of the time axis: several horizontal reading errors


def tidy(
    time: FloatArray,
    survival: FloatArray,
    starts: FloatArray,
    counts: NDArray[np.int64] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Sort clicks by time, and by falling survival where times are too close to tell apart.

    A last click that ends just ahead of the last table time is moved onto it, and clicks read
    at or after a time with nobody at risk are moved ahead of it. The origin is added.
    """
    order = np.argsort(time, kind="stable")
    t, y = time[order], survival[order]
    if counts is not None and (counts == 0).any():
        empty = float(starts[np.argmax(counts == 0)])
        t = np.minimum(t, np.nextafter(empty, -np.inf))
        starts = starts[: max(int(np.argmax(counts == 0)), 1)]
    axis = max(t[-1], float(starts[-1]))
    if 0 < starts[-1] - t[-1] < CLOSE * axis:
        t = np.append(t[:-1], starts[-1])
    run = np.zeros(t.size, dtype=np.int64)
    run[1:] = (t[1:] - t[:-1] >= CLOSE * axis).cumsum()
    y = y[np.lexsort((-y, run))]
    if t[0] > 0.0:
        t, y = np.concatenate([[0.0], t]), np.concatenate([[1.0], y])
    else:
        y = np.concatenate([[1.0], y[1:]])
    return t, y


def used_table(
    starts: FloatArray, counts: NDArray[np.int64]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Table times that say something about the curve: those before the first zero."""
    keep = counts > 0
    keep[0] = True
    return starts[keep], counts[keep]
