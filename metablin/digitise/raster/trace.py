"""Follow one curve through a picture: the best falling path, then its edges below the pixel.

The path is found by dynamic programming over columns (Bellman 1957): from time 0 and survival 1
to the right and downwards, it gathers ink and pays for bare paper. Then the edges of the line
tell the places below the pixel: a line of width w drawn along a falling step curve y(x) covers in
column x what lies between y(x - w/2) - w/2 and y(x + w/2) + w/2, so each edge is the curve itself,
moved by half a width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Trace", "follow", "lattice", "refine", "upright"]

FloatArray = NDArray[np.float64]
FLAT = 0.6  # pixels: smaller changes of level are noise of the edges
MARK = 1.6  # pixels by which a mark sticks out on both sides
BRIDGE = 4  # columns without an edge that are bridged straight
HALF = 0.5  # a row with this much ink is the line's
FULL = 0.9  # and one with this much lies wholly within it
CLEAN = 0.15  # rows of an upright line have its width of ink to this part
SNAPPED = 0.9  # mean resultant length from which few places are on one lattice
SNAPPED_MANY = 0.65  # and from which many are, some of which are marks or crossings
RAYLEIGH = 6.0  # n times its square: chance exceeds it once in 400
OFF_LATTICE = 0.1  # pixels by which that lattice may be off the pixels
LONG = 3  # columns of a level part that tells its height
TRACE = 0.12  # less ink than this is none


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A path through whole pixels: at each column it enters at one row and leaves at another.

    Attributes
    ----------
    first : int
        First column.
    enter, leave : ndarray of int
        Rows by column.
    score : float
        Ink gathered less paper paid for.
    seen : float
        Part of the path on its own ink.
    hidden : float
        Part of the path under other inks.
    """

    first: int
    enter: NDArray[np.int64]
    leave: NDArray[np.int64]
    score: float
    seen: float
    hidden: float


def follow(
    own: FloatArray, neutral: Any, start: tuple[int, int], paper: float, slack: int
) -> Trace | None:
    """Return the best falling path of an ink.

    Parameters
    ----------
    own : ndarray, shape (height, width)
        Coverage by the ink, 0..1.
    neutral : ndarray of bool
        Pixels that neither earn nor cost: under other inks or under text.
    start : (column, row)
        Where the curve starts.
    paper : float
        Cost of a pixel of bare paper.
    slack : int
        Rows by which the start may be off.

    Returns
    -------
    Trace or None
    """
    gain = np.where(own > 0.25, own, np.where(neutral, -0.02, -paper)).astype(np.float64)
    down = np.where(own > 0.25, 0.5 * own, np.where(neutral, -0.04, -1.5 * paper))
    height, width = gain.shape
    column, row = start
    if not (0 <= column < width - 2 and -slack <= row < height + slack):
        return None
    rows = np.arange(height)
    value = np.where(np.abs(rows - row) <= slack, 0.0, -1e9)
    back = np.zeros((width - column, height), dtype=np.int32)
    totals = np.full(width - column, -1e9)
    ends = np.zeros(width - column, dtype=np.int64)
    for k, x in enumerate(range(column, width)):
        summed = np.cumsum(down[:, x])
        base = value - summed
        best = np.maximum.accumulate(base)
        back[k] = np.maximum.accumulate(np.where(base >= best, rows, 0))
        value = best + summed + gain[:, x]
        ends[k] = int(np.argmax(value))
        totals[k] = value[ends[k]]
    last = int(np.argmax(totals))
    if totals[last] <= 0:
        return None
    return _backtrack(own, neutral, back, column, last, int(ends[last]), float(totals[last]))


def _backtrack(
    own: FloatArray, neutral: Any, back: Any, column: int, last: int, row: int, score: float
) -> Trace:
    leave = np.zeros(last + 1, dtype=np.int64)
    enter = np.zeros(last + 1, dtype=np.int64)
    for k in range(last, -1, -1):
        leave[k] = row
        row = int(back[k, row])
        enter[k] = row
    columns = np.arange(column, column + last + 1)
    ink = own[leave, columns] > 0.25
    under = neutral[leave, columns] & ~ink
    open_ = max(int((~under).sum()), 1)
    return Trace(column, enter, leave, score, float(ink.sum() / open_), float(under.mean()))


def refine(
    own: FloatArray, neutral: Any, trace: Trace
) -> tuple[FloatArray, FloatArray, float, FloatArray, FloatArray]:
    """Return the curve below the pixel, from the edges of its line.

    Parameters
    ----------
    own, neutral : ndarray
        As for :func:`follow`.
    trace : Trace
        The path.

    Returns
    -------
    x, y : ndarray
        Columns (their middles) and rows of the curve.
    width : float
        Width of the line.
    spikes : ndarray
        Columns where a mark stands on the curve.
    levels : ndarray
        Rows of the middles of its level parts, each as it is drawn.
    """
    upper, lower = _edges(own, neutral, trace)
    width = _line_width(upper, lower)
    x = np.arange(len(upper), dtype=np.float64) + (trace.first + 0.5)
    enter, leave = trace.enter.astype(np.float64), trace.leave.astype(np.float64)
    rows = (enter + (0.5 - width / 2), leave + (0.5 + width / 2))
    fitted = [_fallen(x, edge, path) for edge, path in zip((upper, lower), rows, strict=True)]
    spikes = np.zeros(len(x), dtype=bool)
    if fitted[0] is not None and fitted[1] is not None:
        spikes = (upper < fitted[0] - MARK) & (lower > fitted[1] + MARK)
    parts = [
        np.interp(x + shift, x, edge) + shift
        for edge, shift in zip(fitted, (width / 2, -width / 2), strict=True)
        if edge is not None
    ]
    y = np.mean(parts, axis=0) if parts else (trace.enter + trace.leave) / 2 + 0.5
    middles = x[spikes]
    return x, _levels(_falling(y)), width, middles, _drawn_levels(upper, lower, width)


def _drawn_levels(upper: FloatArray, lower: FloatArray, width: float) -> FloatArray:
    """Return the middles of level parts whose edges are a line's width apart."""
    middle = np.where(np.abs(lower - upper - width) < CLEAN * width, (upper + lower) / 2, np.nan)
    cuts = np.flatnonzero(~(np.abs(np.diff(middle)) < CLEAN)) + 1
    runs = np.split(middle, cuts)
    return np.array([np.median(r) for r in runs if len(r) >= LONG and np.isfinite(r).all()])


def upright(own: FloatArray, x: float, top: float, bottom: float, width: float) -> float | None:
    """Return the middle of the upright line of a fall, from the rows wholly within it.

    Parameters
    ----------
    own : ndarray
        As for :func:`follow`.
    x, top, bottom : float
        Where the fall was found.
    width : float
        Width of the line.

    Returns
    -------
    float or None
        None where the fall is shorter than the line is wide, or other ink is near.
    """
    a, b = int(np.ceil(top + width / 2 + 0.5)), int(np.floor(bottom - width / 2 - 0.5))
    left, right = int(x - width / 2 - 2), int(np.ceil(x + width / 2 + 2))
    if b - a < 2 or left < 0 or right > own.shape[1]:
        return None
    part = own[a:b, left:right]
    ink = part.sum(axis=1)
    clean = np.abs(ink - width) < CLEAN * width
    if clean.sum() < 2:
        return None
    line = np.median(part[clean], axis=0)
    on = np.flatnonzero(line > TRACE)
    if not len(on) or on[-1] - on[0] + 1 != len(on):
        return None
    start, end = _ends(line[on], left + int(on[0]))
    return (start + end) / 2


def lattice(places: Any, least: int) -> float | None:
    """Return 0 or 0.5 where places all lie on whole pixels or half-way between; else None.

    Rasterisers that snap lines to pixels do so by the width of the line. Rayleigh's test (Mardia
    and Jupp 2000, Directional Statistics, section 6.3, doi:10.1002/9780470316979) tells a lattice
    from chance: n times the squared mean resultant length of the phases.

    Parameters
    ----------
    places : array
        Middles of lines, in pixels.
    least : int
        Fewer places tell nothing.

    Examples
    --------
    >>> lattice([1.5, 4.5, 9.5], 3), lattice([1.0, 4.02, 8.97], 3), lattice([1.0, 2.3, 3.6], 3)
    (0.5, 0.0, None)
    """
    if len(places) < least:
        return None
    mean = np.mean(np.exp(2j * np.pi * np.asarray(places, dtype=float)))
    gathered = abs(mean) > SNAPPED or (
        abs(mean) > SNAPPED_MANY and len(places) * abs(mean) ** 2 > RAYLEIGH
    )
    phase = float(np.angle(mean)) / (2 * np.pi) % 1.0
    for at in (0.0, 0.5):
        if gathered and abs((phase - at + 0.5) % 1.0 - 0.5) < OFF_LATTICE:
            return at
    return None


def _fallen(x: FloatArray, edge: FloatArray, path: FloatArray) -> FloatArray | None:
    """Return the falling curve nearest to an edge; gaps are bridged, long ones along the path."""
    known = np.isfinite(edge)
    if known.sum() < 3:
        return None
    filled = np.interp(x, x[known], edge[known])
    cuts = np.flatnonzero(np.diff(np.r_[True, known, True].astype(int)))
    for a, b in zip(cuts[::2], cuts[1::2], strict=True):
        if b - a > BRIDGE or a == 0 or b == len(x):
            low = edge[a - 1] if a > 0 else -np.inf
            high = edge[b] if b < len(x) else np.inf
            filled[a:b] = np.clip(path[a:b], low, high) if low <= high else path[a:b]
    return _isotonic(filled)


def _isotonic(values: FloatArray) -> FloatArray:
    """Return the nondecreasing sequence nearest in absolute deviation.

    Pooling of adjacent violators with medians (Robertson and Wright 1980, The Annals of
    Statistics 8:645-651, doi:10.1214/aos/1176345014): a mark that sticks out of the line for a
    few columns does not move it.
    """
    blocks: list[list[float]] = []
    medians: list[float] = []
    for v in values:
        blocks.append([float(v)])
        medians.append(float(v))
        while len(blocks) > 1 and medians[-2] > medians[-1]:
            blocks[-2].extend(blocks.pop())
            medians.pop()
            medians[-1] = float(np.median(blocks[-1]))
    return np.repeat(medians, [len(b) for b in blocks])


def _edges(own: FloatArray, neutral: Any, trace: Trace) -> tuple[FloatArray, FloatArray]:
    """Return upper and lower edge of the line by column; NaN where other ink hides them.

    An edge is the mean of the column's width: what a column holds of an upright part that ends
    within it counts by its share, so that the place of a fall is kept below the pixel.
    """
    count = len(trace.enter)
    edges = np.full((2, count), np.nan)
    for k in range(count):
        column, veil = own[:, trace.first + k], neutral[:, trace.first + k]
        enter, leave = (_on_ink(column, int(v[k])) for v in (trace.enter, trace.leave))
        if enter is None or leave is None:
            continue
        if max(column[enter], column[leave]) < FULL:
            edges[:, k] = _thin(column, veil, min(enter, leave), max(enter, leave))
            continue
        top, bottom = enter, leave
        if column[enter] < FULL:
            top = leave
        elif column[leave] < FULL:
            bottom = enter
        edges[0, k] = top - _ink_beyond(column, veil, top, -1)
        edges[1, k] = bottom + 1 + _ink_beyond(column, veil, bottom, 1)
    return edges[0], edges[1]


def _on_ink(column: FloatArray, row: int) -> int | None:
    """Return the row of ink that a path means: its own, else the strongest near it."""
    if column[row] >= HALF:
        return row
    near = [r for r in range(row - 2, row + 3) if 0 <= r < len(column)]
    best = max(near, key=lambda r: column[r])
    return best if column[best] >= 0.25 else None


def _ink_beyond(column: FloatArray, veil: Any, row: int, step: int) -> float:
    """Return the ink of a line from a row to the paper; NaN where other ink hides its end."""
    total = 0.0
    row += step
    while 0 <= row < len(column) and column[row] > TRACE:
        total += float(column[row])
        row += step
    if not 0 <= row < len(column) or veil[row]:
        return float("nan")
    return total


def _thin(column: FloatArray, veil: Any, top: int, bottom: int) -> tuple[float, float]:
    """Return the edges of a line that fills no pixel."""
    if bottom - top > 2:
        return float("nan"), float("nan")
    while top > 0 and column[top - 1] > TRACE:
        top -= 1
    while bottom < len(column) - 1 and column[bottom + 1] > TRACE:
        bottom += 1
    if top == 0 or bottom == len(column) - 1 or veil[top - 1] or veil[bottom + 1]:
        return float("nan"), float("nan")
    return _ends(column[top : bottom + 1], top)


def _ends(ink: FloatArray, first: int) -> tuple[float, float]:
    """Return where a solid line begins and ends: within its first and its last pixel of ink."""
    if len(ink) == 1:
        return first + 0.5 - float(ink[0]) / 2, first + 0.5 + float(ink[0]) / 2
    return first + 1 - float(ink[0]), first + len(ink) - 1 + float(ink[-1])


def _line_width(upper: FloatArray, lower: FloatArray) -> float:
    heights = (lower - upper)[np.isfinite(upper) & np.isfinite(lower)]
    if not len(heights):
        return 1.0
    return float(np.clip(np.percentile(heights, 25), 0.6, 40))


def _falling(y: FloatArray) -> FloatArray:
    """Return the mean of the nearest falling curves from both sides."""
    return (np.maximum.accumulate(y) + np.minimum.accumulate(y[::-1])[::-1]) / 2


def _levels(y: FloatArray) -> FloatArray:
    """Average the level between steps; a slope of single pixels stays as it is."""
    cuts = np.flatnonzero(np.abs(np.diff(y)) > FLAT) + 1
    out = y.copy()
    for a, b in zip(np.r_[0, cuts], np.r_[cuts, len(y)], strict=True):
        if b - a > 1 and y[b - 1] - y[a] < 1.2:
            out[a:b] = np.median(y[a:b])
    return np.maximum.accumulate(out)
