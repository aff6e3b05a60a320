"""Exact places of the labels of an axis, from the marks and grid lines of a vector figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from metablin.digitise.axes import Axis, Panel, fit_axis
from metablin.digitise.readers import Drawing, Stroke

__all__ = ["calibrate"]

LEVEL = 0.02  # a line counts as level when it climbs less than this, in units of the drawing
EXACT = 0.05  # marks of one axis lie on a line to this, in units of the drawing
REACH = 0.9  # a mark belongs to a label that is nearer than this, in heights of the text


def calibrate(panel: Panel, drawing: Drawing) -> Panel:
    """Replace the places of labels by those of their marks, where marks are drawn.

    Parameters
    ----------
    panel : Panel
        As found from labels.
    drawing : Drawing
        Vector drawing.
    """
    return replace(
        panel,
        x=_axis(panel.x, _lines(drawing.strokes, 0), panel, 0),
        y=_axis(panel.y, _lines(drawing.strokes, 1), panel, 1),
    )


def _lines(strokes: tuple[Stroke, ...], axis: int) -> Any:
    """Return straight lines at right angles to an axis: place, start, end (one row each)."""
    rows = []
    for s in strokes:
        if s.stroke is None and s.fill is None:
            continue
        low, high = s.xy.min(axis=0), s.xy.max(axis=0)
        thick, long = high[axis] - low[axis], high[1 - axis] - low[1 - axis]
        if s.stroke is not None and len(s.xy) == 2 and thick < LEVEL and long > 0.5:
            rows.append((low[axis], low[1 - axis], high[1 - axis]))
        elif s.stroke is None and s.closed and thick < 2 and long > 2 * thick:
            rows.append(((low[axis] + high[axis]) / 2, low[1 - axis], high[1 - axis]))
    return np.array(rows).reshape(-1, 3)


def _axis(axis: Axis, lines: Any, panel: Panel, which: int) -> Axis:
    """Return the axis through the family of lines that serves most labels."""
    if not len(lines):
        return axis
    size = float(np.median([lab.size for lab in axis.labels]))
    reach = min(REACH * size, 0.45 * axis.step)
    box = panel.box
    label_edge = (
        min(lab.y0 for lab in axis.labels) if which == 0 else max(lab.x1 for lab in axis.labels)
    )
    other = (box[1], label_edge + size) if which == 0 else (label_edge - size, box[2])
    best, best_key = axis, (0, 0.0, 0.0)
    for family in _families(lines, other):
        found = _match(axis, family[:, 0], reach)
        if found is None or len(found.values) < max(3, 0.6 * len(axis.values)):
            continue
        near = -abs(float(np.median(family[:, 2 if which == 0 else 1])) - label_edge)
        key = (len(found.values), near, 0.0)
        if found.residual < EXACT and key > best_key:
            long = float(np.median(family[:, 2] - family[:, 1])) > 4 * size
            best, best_key = replace(found, source="grid" if long else "ticks"), key
    return best


def _families(lines: Any, other: tuple[float, float]) -> list[Any]:
    """Group lines that start and end at one height, within the reach of the panel."""
    within = lines[(lines[:, 2] > other[0]) & (lines[:, 1] < other[1])]
    keys = np.round(within[:, 1:] / 0.1).astype(int)
    groups: dict[tuple[int, int], list[int]] = {}
    for i, (a, b) in enumerate(keys):
        groups.setdefault((int(a), int(b)), []).append(i)
    return [within[rows] for rows in groups.values() if len(rows) >= 3]


def _match(axis: Axis, places: Any, reach: float) -> Axis | None:
    """Join each label with its nearest line."""
    expected = axis.position(axis.values)
    values, found, labels = [], [], []
    for value, at, label in zip(axis.values, expected, axis.labels, strict=True):
        k = int(np.argmin(np.abs(places - at)))
        if abs(places[k] - at) < reach:
            values.append(value)
            found.append(float(places[k]))
            labels.append(label)
    if len(values) < 3:
        return None
    return fit_axis(values, found, "ticks", labels)
