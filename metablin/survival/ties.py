"""Times that differ by rounding are one time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIE", "join", "onto"]

FloatArray = NDArray[np.float64]

TIE = float(np.sqrt(np.finfo(np.float64).eps))
"""Times closer than this share of a typical time are tied: R's ``timefix`` has the same share."""


def join(*columns: FloatArray) -> tuple[FloatArray, ...]:
    """Replace times that differ by rounding with the smallest of them, over all columns at once.

    Follow-up computed from dates, or by adding up visits, differs in the last digit: 0.1 + 0.2 is
    not 0.3. Neighbours are tied when their difference is at most `TIE` times the median distinct
    time. R's ``aeqSurv`` takes the mean instead, which one huge time pulls so far up that it joins
    all others, and an absolute difference, which depends on the unit.

    Parameters
    ----------
    *columns : ndarray, shape (n,)
        Finite times, at least 0.

    Returns
    -------
    tuple of ndarray, shape (n,)
        The columns, unchanged when no times are nearly tied.

    References
    ----------
    Therneau TM. Roundoff error and tied times. Vignette ``tiedtimes`` of the R package survival.

    Examples
    --------
    >>> join(np.array([0.1 + 0.2, 1.0, 0.3]))[0].tolist()
    [0.3, 1.0, 0.3]
    """
    distinct = np.unique(np.concatenate(columns))
    apart = np.diff(distinct)
    if not _may_tie(apart, distinct):
        return columns
    tied = apart <= _reach(distinct)
    if not tied.any():
        return columns
    cuts = distinct[np.r_[True, ~tied]]
    return tuple(cuts[np.searchsorted(cuts, c, side="right") - 1] for c in columns)


def onto(times: FloatArray, grid: FloatArray) -> FloatArray:
    """Return `times`, those within rounding of a time of the sorted `grid` replaced with it.

    Examples
    --------
    >>> onto(np.array([0.1 + 0.2, 0.7]), np.array([0.3, 1.0])).tolist()
    [0.3, 0.7]
    """
    right = np.searchsorted(grid, times).clip(1, max(grid.size - 1, 1))
    below, above = grid[right - 1], grid[np.minimum(right, grid.size - 1)]
    near = np.where(times - below <= above - times, below, above)
    apart = np.abs(times - near)
    if not _may_tie(apart, grid):
        return times
    return np.where(apart <= _reach(grid), near, times)


def _may_tie(apart: FloatArray, distinct: FloatArray) -> bool:
    """Tell whether any two times are closer than the reach of the last time, but not the same.

    A median is no larger than the last time, and takes longer to find.
    """
    return bool(((apart > 0.0) & (apart <= TIE * distinct[-1])).any())


def _reach(distinct: FloatArray) -> float:
    return TIE * float(np.median(distinct))
