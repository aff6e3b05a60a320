"""Curves of a vector figure: the corners as drawn, told from bands, grid lines and marks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.axes import Panel
from metablin.digitise.readers import Colour, Drawing, Stroke, colour_distance

__all__ = ["RawCurve", "marks_on", "vector_curves"]

START = 0.02  # a curve starts within this part of the axes from time 0 and survival 1
LEVEL = 0.02  # segments are level or upright to this, in units of the drawing
STEPPED = 0.9  # part of the segments that must be level or upright
RISE = 0.05  # a curve of survival may rise by this, in units of the drawing
SAME = 0.02  # places agree to this, in units of the drawing
FRAME = 0.9  # one fall through this part of the axis is a frame
DUST = 0.012  # moves below this are rounding of the file, in units of the drawing
MARK = 16.0  # censoring marks are at most this long
ON_CURVE = 0.75  # and their middle (or foot) stands this near to the curve
MIN_SPAN = 0.04  # a curve spans at least this part of the time axis


@dataclass(frozen=True, slots=True, eq=False)
class RawCurve:
    """One curve in the units of the drawing.

    Attributes
    ----------
    xy : ndarray, shape (k, 2)
        Corners in order of time.
    colour : (red, green, blue)
        Colour of the line.
    dash : tuple of float
        Dashes and gaps; empty for solid.
    width : float
        Width of the line.
    censored : ndarray
        Places of censoring marks across.
    covered : float
        Part of the curve's length that was seen, 1 for a vector.
    """

    xy: NDArray[np.float64]
    colour: Colour
    dash: tuple[float, ...]
    width: float
    censored: NDArray[np.float64]
    covered: float = 1.0
    error: float = 0.0

    def at(self, x: Any) -> Any:
        """Height of the curve at places across (the lower one at a drop)."""
        k = np.searchsorted(self.xy[:, 0], np.asarray(x) + SAME, side="right") - 1
        return self.xy[np.clip(k, 0, len(self.xy) - 1), 1]


def vector_curves(panel: Panel, drawing: Drawing) -> list[RawCurve]:
    """Return the survival curves of a panel, in the order drawn.

    Parameters
    ----------
    panel : Panel
        Calibrated axes.
    drawing : Drawing
        Vector drawing.
    """
    strokes = _chained([s for s in drawing.strokes if _may_be_curve(s, panel)])
    found = [(s, _corners(s.xy)) for s in strokes if _is_curve(s, panel)]
    found = _distinct(found)
    found = [pair for i, pair in enumerate(found) if not _is_band(i, found)]
    curves = [RawCurve(xy, _ink(s), s.dash, s.width, np.empty(0)) for s, xy in found]
    return [marks_on(c, curves, drawing) for c in curves]


def _ink(stroke: Stroke) -> Colour:
    return stroke.stroke or (0, 0, 0)


def _may_be_curve(s: Stroke, panel: Panel) -> bool:
    """Whether a stroke is an open line within the panel's reach."""
    if s.stroke is None or s.closed or s.curved or len(s.xy) < 2 or s.opacity < 0.05:
        return False
    x0, y0, x1, y1 = s.box
    left, top, right, bottom = panel.box
    slack = 0.06 * (right - left)
    floor = max(bottom, float(panel.y.position(0.0)))  # an axis that starts at 20 % cuts curves off
    inside = x0 > left - slack and y0 > top - 0.1 * (bottom - top) and y1 < floor + slack
    return inside and x1 - x0 + y1 - y0 > 0 and x0 < right


def _chained(strokes: list[Stroke]) -> list[Stroke]:
    """Join pieces of one style whose ends meet: curves written segment by segment."""
    groups: dict[Any, list[Stroke]] = {}
    for s in strokes:
        groups.setdefault((s.stroke, round(s.width, 2), s.dash), []).append(s)
    out: list[Stroke] = []
    for group in groups.values():
        out.extend(_chain(group) if len(group) > 1 else group)
    return out


def _chain(group: list[Stroke]) -> list[Stroke]:
    """Join the strokes of one style end to start."""
    heads = [_cell(s.xy[0]) for s in group]
    tails = [_cell(s.xy[-1]) for s in group]
    starts: dict[tuple[int, int], list[int]] = {}
    for i, head in enumerate(heads):
        starts.setdefault(head, []).append(i)
    ends = set(tails)
    used: set[int] = set()
    out = []
    for i in sorted(range(len(group)), key=lambda i: heads[i] in ends):
        if i in used:
            continue
        parts: list[Any] = []
        k: int | None = i
        while k is not None:
            used.add(k)
            parts.append(group[k].xy)
            k = next((j for j in starts.get(tails[k], []) if j not in used), None)
        out.append(replace(group[i], xy=np.concatenate(parts)))
    return out


def _cell(place: Any) -> tuple[int, int]:
    """Return a place, rounded so that ends that meet are equal."""
    x, y = np.round(place / (2 * SAME)).astype(int)
    return int(x), int(y)


def _is_curve(s: Stroke, panel: Panel) -> bool:
    """Whether a line starts at time 0 and survival 1, goes right and down, in steps."""
    xy = s.xy if s.xy[0, 0] <= s.xy[-1, 0] else s.xy[::-1]
    left, top, right, bottom = panel.box
    wide, high = right - left, bottom - top
    x0, y1 = float(panel.x.position(0.0)), float(panel.y.position(1.0))
    if abs(xy[0, 0] - x0) > START * wide or abs(xy[0, 1] - y1) > START * high:
        return False
    dx, dy = np.diff(xy[:, 0]), np.diff(xy[:, 1])
    if np.any(dx < -RISE) or np.any(dy < -RISE) or xy[-1, 0] - xy[0, 0] < MIN_SPAN * wide:
        return False
    if len(_corners(xy)) <= 4 and np.max(dy) > FRAME * high:
        return False  # the frame, joined at its corner
    moving = (np.abs(dx) > LEVEL) | (np.abs(dy) > LEVEL)
    stepped = (np.abs(dx) <= LEVEL) | (np.abs(dy) <= LEVEL)
    # A line across at survival 1 is a border or a grid line unless it has corners.
    if not np.any(np.abs(dy) > LEVEL) and (len(xy) < 3 or xy[-1, 0] > right - 0.002 * wide):
        return False
    return bool(np.mean(stepped[moving]) >= STEPPED)


def _corners(xy: Any) -> Any:
    """Return the corners in order of time, without repeats and points on a straight line."""
    xy = xy if xy[0, 0] <= xy[-1, 0] else xy[::-1]
    xy = np.array(xy)
    for axis in (0, 1):  # moves below the precision of the file are none
        still = np.abs(np.diff(xy[:, axis])) < DUST
        first = np.flatnonzero(np.r_[True, ~still])
        xy[:, axis] = xy[first[np.searchsorted(first, np.arange(len(xy)), side="right") - 1], axis]
    xy = xy[np.r_[True, np.any(np.diff(xy, axis=0) != 0, axis=1)]]
    if len(xy) > 2:
        a, b = np.diff(xy[:-1], axis=0), np.diff(xy[1:], axis=0)
        straight = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) < 1e-9
        xy = xy[np.r_[True, ~straight, True]]
    return np.array(xy)


def _distinct(found: list[tuple[Stroke, Any]]) -> list[tuple[Stroke, Any]]:
    """Drop a curve that is drawn twice: the last one is on top."""
    out: list[tuple[Stroke, Any]] = []
    for s, xy in found:
        same = [k for k, (_, other) in enumerate(out) if _same(xy, other)]
        for k in reversed(same):
            out.pop(k)
        out.append((s, xy))
    return out


def _same(a: Any, b: Any) -> bool:
    return len(a) == len(b) and bool(np.all(np.abs(a - b) < SAME))


def _is_band(i: int, found: list[tuple[Stroke, Any]]) -> bool:
    """Whether a curve is the limit of another: both limits step where their curve steps.

    The upper and the lower limit of one curve enclose it, and every step of a limit stands at a
    step of the curve between; the three share a colour.
    """
    stroke, xy = found[i]
    for j, (centre, middle) in enumerate(found):
        if j == i or colour_distance(stroke.stroke, centre.stroke) > 90:
            continue
        if _limits(xy, middle) and any(
            k not in (i, j)
            and colour_distance(other.stroke, centre.stroke) <= 90
            and _limits(xyk, middle)
            and _encloses(xy, xyk, middle)
            for k, (other, xyk) in enumerate(found)
        ):
            return True
    return False


def _limits(limit: Any, middle: Any) -> bool:
    """Whether the steps of a limit are steps of the curve (most, where the ends were cut)."""
    steps = _drops(limit)
    if len(steps) == 0:
        return True
    own = _drops(middle)
    if len(own) == 0:
        return False
    near = np.min(np.abs(steps[:, None] - own[None, :]), axis=1) < 5 * SAME
    return bool(np.mean(near) > 0.95)


def _drops(xy: Any) -> Any:
    fall = np.diff(xy[:, 1]) > SAME
    return xy[1:][fall, 0]


def _encloses(a: Any, b: Any, middle: Any) -> bool:
    x = np.linspace(middle[0, 0], min(a[-1, 0], b[-1, 0], middle[-1, 0]), 200)[1:-1]
    ya, yb, ym = (_height(c, x) for c in (a, b, middle))
    low, high = np.minimum(ya, yb), np.maximum(ya, yb)
    return bool(
        np.mean((ym >= low - SAME) & (ym <= high + SAME)) > 0.98 and np.max(high - low) > 0.5
    )


def _height(xy: Any, x: Any) -> Any:
    k = np.searchsorted(xy[:, 0], x, side="right") - 1
    return xy[np.clip(k, 0, len(xy) - 1), 1]


def marks_on(curve: RawCurve, curves: list[RawCurve], drawing: Drawing) -> RawCurve:
    """Return the curve with the censoring marks that stand on it.

    Upright lines no longer than a mark whose middle or foot is on the curve; where curves run
    together the colour decides.
    """
    rows = [
        (float(s.xy[:, 0].mean()), *sorted(s.xy[:, 1]), s.stroke or s.fill)
        for s in drawing.strokes
        if len(s.xy) == 2 and np.ptp(s.xy[:, 0]) < LEVEL and 0.5 < np.ptp(s.xy[:, 1]) <= MARK
    ]
    places = []
    for x, high, low, ink in rows:
        if not curve.xy[0, 0] + SAME < x <= curve.xy[-1, 0] + SAME:
            continue
        mine = _off(curve, x, high, low)
        rivals = [
            (colour_distance(c.colour, ink) > 60, _off(c, x, high, low))
            for c in curves
            if c is not curve
        ]
        me = (colour_distance(curve.colour, ink) > 60, mine)
        if mine < ON_CURVE and all(me <= r for r in rivals if r[1] < ON_CURVE):
            places.append(x)
    censored = np.unique(np.round(places, 4))
    return RawCurve(
        curve.xy, curve.colour, curve.dash, curve.width, censored, curve.covered, curve.error
    )


def _off(curve: RawCurve, x: float, high: float, low: float) -> float:
    """Return how far a mark stands from the curve, by its middle or its foot."""
    near = curve.at([x - 2 * SAME, x])
    return float(min(np.min(np.abs(near - (high + low) / 2)), np.min(np.abs(near - low))))
