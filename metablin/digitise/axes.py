"""Panels and their axes, found from the numbers along them.

A row of numbers that grow in proportion to their places is a time axis; a column of numbers
between 0 and 1 (or 100) that fall in proportion is a survival axis. The two that meet at a
corner make a panel. Marks and grid lines, where drawn, then give the places exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metablin.digitise.readers import Drawing, Label

__all__ = ["Axis", "Panel", "find_panels", "fit_axis", "has_level_axes", "number", "number_rows"]

NUMBER = re.compile(r"[-−–]?\d+(?:[.,·]\d+)?%?")
TICK = re.compile(r"[\s\"'_|–—-]+$")  # a mark of the axis that was taken for a sign
NEAR = 0.45  # how far a label may stand from its place, in heights of its text
ROW = 0.35  # how far labels of one row may differ in height, in heights of the text
MIN_LABELS = 3
SHARED = 0.6  # panels that share a survival axis are as wide as each other to this
LOW_TOP = 0.15  # the highest label of a survival axis is at least this


@dataclass(frozen=True, slots=True)
class Axis:
    """One calibrated axis: value = intercept + slope * position.

    Attributes
    ----------
    slope, intercept : float
        Of the value on the position, in units of the drawing.
    values, positions : tuple of float
        Labels and the places that stand for them.
    source : str
        ``ticks``, ``grid``, ``labels`` or ``given``.
    residual : float
        Root mean squared distance of the places from the line.
    labels : tuple of Label
        The labels as found.
    printed : tuple of float, or None
        First and last label where values given by hand contradict them.
    """

    slope: float
    intercept: float
    values: tuple[float, ...]
    positions: tuple[float, ...]
    source: str
    residual: float
    labels: tuple[Label, ...] = ()
    printed: tuple[float, float] | None = None

    def value(self, position: Any) -> Any:
        """Value at a position."""
        return self.intercept + self.slope * np.asarray(position, dtype=float)

    def position(self, value: Any) -> Any:
        """Position of a value."""
        return (np.asarray(value, dtype=float) - self.intercept) / self.slope

    @property
    def step(self) -> float:
        """Smallest distance between two labelled positions."""
        return float(np.min(np.abs(np.diff(np.sort(self.positions)))))


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes; survival is a fraction whatever the labels say.

    Attributes
    ----------
    x, y : Axis
        Time, and survival in 0..1.
    percent : bool
        Whether the labels are in percent.
    letter : str
        Printed letter of the panel, or empty.
    bounds : (left, top, right, bottom)
        Where the panel's curves, labels and table may lie.
    """

    x: Axis
    y: Axis
    percent: bool
    letter: str = ""
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the labelled axes, with time 0 and survival 1.

        The label of either may be missing: one that was not recognised, or was left out.
        """
        left, top = min(self.x.positions), min(self.y.positions)
        if min(self.x.values) <= 1.01 * self.x.step * self.x.slope:
            left = min(left, float(self.x.position(0.0)))
        top = min(top, float(self.y.position(1.0)))
        return left, top, max(self.x.positions), max(self.y.positions)

    def owns(self, label: Label) -> bool:
        """Whether a label lies in the panel's part of the page."""
        left, top, right, bottom = self.bounds
        return left <= label.x <= right and top <= label.y <= bottom


def number(text: str) -> float | None:
    """Return the number that a label is, or None.

    Examples
    --------
    >>> number("0·25"), number("40%"), number("1,0"), number("0.75 -"), number("Arm 1")
    (0.25, 40.0, 1.0, 0.75, None)
    """
    text = TICK.sub("", text.strip()).replace(" ", "")
    if not NUMBER.fullmatch(text):
        return None
    plain = text.rstrip("%").replace("·", ".").replace(",", ".")
    return float(plain.replace("−", "-").replace("–", "-"))


def fit_axis(
    values: Sequence[float], positions: Sequence[float], source: str, labels: Sequence[Label] = ()
) -> Axis:
    """Return the axis through places with values, by least squares.

    Examples
    --------
    >>> axis = fit_axis([0, 12, 24], [100, 220, 340], "ticks")
    >>> round(float(axis.value(160)), 6)
    6.0
    """
    v, p = np.asarray(values, dtype=float), np.asarray(positions, dtype=float)
    a, b = np.polyfit(v, p, 1)
    off = p - (a * v + b)
    residual = float(np.sqrt(np.mean(off**2)))
    return Axis(
        float(1 / a), float(-b / a), tuple(map(float, v)), tuple(map(float, p)), source,
        residual, tuple(labels),
    )  # fmt: skip


def find_panels(drawing: Drawing) -> list[Panel]:
    """Find every panel of a drawing, in reading order.

    Parameters
    ----------
    drawing : Drawing
        A page or picture with its labels.

    Returns
    -------
    list of Panel
        Empty where no pair of axes is found.
    """
    across = number_rows(drawing.labels, "x")
    down = [a for a in number_rows(drawing.labels, "y") if _is_survival(a)]
    pairs = _pairs(across, down)
    panels = [_panel(x, y) for x, y in [*pairs, *_sharing(pairs, across)]]
    panels.sort(key=lambda p: (round(p.box[3] / max(drawing.height, 1) * 8), p.box[0]))
    return _bounded(panels, drawing)


def has_level_axes(drawing: Drawing) -> bool:
    """Whether a drawing has a pair of axes, and no number that does not run level."""
    numbers = [lab for lab in drawing.labels if number(lab.text) is not None]
    return all(lab.angle == 0 for lab in numbers) and bool(find_panels(drawing))


def number_rows(labels: Iterable[Label], which: str) -> list[Axis]:
    """Return every run of numbers across (``x``) or down (``y``) whose values follow their places.

    Parameters
    ----------
    labels : iterable of Label
    which : str
        ``x`` or ``y``.
    """
    numbers = [(lab, number(lab.text)) for lab in labels]
    return _axes([(lab, v) for lab, v in numbers if v is not None], which)


def _axes(known: list[tuple[Label, float]], which: str) -> list[Axis]:
    """Return every run of numbers in line whose values follow their places."""
    out = []
    for line in _lines(known, which):
        left = list(line)
        while len(left) >= MIN_LABELS:
            best = _longest(left, which)
            if len(best) < MIN_LABELS:
                break
            labels, values = zip(*best, strict=True)
            out.append(fit_axis(values, [_place(lab, which) for lab in labels], "labels", labels))
            left = [item for item in left if item not in best]
    return out


def _place(label: Label, which: str) -> float:
    return label.x if which == "x" else label.y


def _lines(known: list[tuple[Label, float]], which: str) -> list[list[tuple[Label, float]]]:
    """Group labels into rows (for x) or columns (for y: by right edge, by centre, upright)."""
    if which == "x":
        level = [k for k in known if k[0].angle == 0]
        return _grouped(level, lambda lab: lab.y, ROW)
    level = [k for k in known if k[0].angle == 0]
    upright = [k for k in known if k[0].angle in (90, 270)]
    by_right = _grouped(level, lambda lab: lab.x1, NEAR)
    by_centre = _grouped(level, lambda lab: lab.x, NEAR)
    by_left = _grouped(level, lambda lab: lab.x0, NEAR)
    return by_right + by_centre + by_left + _grouped(upright, lambda lab: lab.x, NEAR)


def _grouped(
    items: list[tuple[Label, float]], key: Any, tolerance: float
) -> list[list[tuple[Label, float]]]:
    groups: list[list[tuple[Label, float]]] = []
    for item in sorted(items, key=lambda k: key(k[0])):
        if groups and key(item[0]) - key(groups[-1][-1][0]) < tolerance * item[0].size:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _longest(line: list[tuple[Label, float]], which: str) -> list[tuple[Label, float]]:
    """Return the largest set of labels on one straight line of value against place."""
    p = np.array([_place(lab, which) for lab, _ in line])
    v = np.array([value for _, value in line])
    reach = NEAR * float(np.median([lab.size for lab, _ in line]))
    sign = 1.0 if which == "x" else -1.0
    best: Any = np.zeros(len(line), dtype=bool)
    score = (0, 0.0)
    for i in range(len(line)):
        for j in range(len(line)):
            if i == j or sign * (v[j] - v[i]) <= 0 or p[j] - p[i] <= 2 * reach:
                continue
            fit = p[i] + (v - v[i]) * (p[j] - p[i]) / (v[j] - v[i])
            off = np.abs(p - fit)
            near = off < reach
            key = (len(np.unique(v[near])), -float(off[near].mean()))
            if key > score:
                best, score = near, key
    chosen = [item for item, take in zip(line, best, strict=True) if take]
    return _once(chosen) if _regular([v for _, v in chosen]) else []


def _once(chosen: list[tuple[Label, float]]) -> list[tuple[Label, float]]:
    """Keep one label per value."""
    seen: dict[float, tuple[Label, float]] = {}
    for item in chosen:
        seen.setdefault(item[1], item)
    return list(seen.values())


def _regular(values: list[float]) -> bool:
    """Whether steps between labels are whole multiples of the smallest (labels may be left out)."""
    steps = np.diff(np.unique(values))
    if len(steps) < MIN_LABELS - 1:
        return False
    ratio = steps / steps.min()
    return bool(np.all(np.abs(ratio - np.round(ratio)) < 0.02) and ratio.max() <= 8)


def _is_survival(axis: Axis) -> bool:
    top, low = max(axis.values), min(axis.values)
    scale = 100.0 if top > 1.5 else 1.0
    return low >= 0 and LOW_TOP * scale <= top <= 1.05 * scale


def _pairs(across: list[Axis], down: list[Axis]) -> list[tuple[Axis, Axis]]:
    """Join each survival axis with the time axis that meets it at its lower end."""
    choices = []
    for y in down:
        for x in across:
            gap = _corner_gap(x, y)
            if gap is not None:
                # Many labels weigh more than a tight corner: a short row may be chance.
                weight = gap - 0.15 * min(len(x.values), 12) - 0.15 * min(len(y.values), 12)
                choices.append((weight, x, y))
    out: list[tuple[Axis, Axis]] = []
    for _, x, y in sorted(choices, key=lambda c: c[0]):
        if all(not _clash(x, y, *pair) for pair in out):
            out.append((x, y))
    return out


def _sharing(pairs: list[tuple[Axis, Axis]], across: list[Axis]) -> list[tuple[Axis, Axis]]:
    """Return further panels in a row that print the survival axis once, at its left end."""
    out: list[tuple[Axis, Axis]] = []
    for x in across:
        for first, y in pairs:
            level = abs(x.labels[0].y - first.labels[0].y) < ROW * first.labels[0].size
            beyond = min(x.positions) - max(first.positions)
            long, its = np.ptp(x.positions), np.ptp(first.positions)
            alike = SHARED * its < long < its / SHARED and abs(x.slope / first.slope - 1) < 0.02
            used = any(set(x.labels) & set(pair[0].labels) for pair in pairs)
            if level and beyond > 0 and alike and not used:
                out.append((x, y))
                break
    return out


def _corner_gap(x: Axis, y: Axis) -> float | None:
    """Return how far two axes are from meeting, relative to their lengths; None when they don't."""
    size = max(lab.size for lab in x.labels)
    right = max(lab.x1 for lab in y.labels)
    below = min(lab.y0 for lab in x.labels) - max(y.positions)
    aside = min(x.positions) - right
    long_x, long_y = np.ptp(x.positions), np.ptp(y.positions)
    if below < -0.7 * size or aside < -1.2 * size or below > 0.8 * long_y or aside > 0.4 * long_x:
        return None
    if min(x.values) < 0 or long_y < 4 * size or long_x < 6 * size:
        return None
    return float(max(below, 0) / long_y + 2 * max(aside, 0) / long_x)


def _clash(x: Axis, y: Axis, other_x: Axis, other_y: Axis) -> bool:
    """Whether two pairs of axes cannot both be panels: shared labels or overlapping boxes."""
    if set(x.labels) & set(other_x.labels) or set(y.labels) & set(other_y.labels):
        return True
    a = (min(x.positions), min(y.positions), max(x.positions), max(y.positions))
    b = (
        min(other_x.positions), min(other_y.positions),
        max(other_x.positions), max(other_y.positions),
    )  # fmt: skip
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _panel(x: Axis, y: Axis) -> Panel:
    percent = max(y.values) > 1.5 or any("%" in lab.text for lab in y.labels)
    if percent:
        y = fit_axis([v / 100 for v in y.values], y.positions, y.source, y.labels)
    return Panel(x, y, percent)


def _bounded(panels: list[Panel], drawing: Drawing) -> list[Panel]:
    """Give each panel its part of the page and its letter."""
    out = []
    for panel in panels:
        left, top, right, bottom = 0.0, 0.0, drawing.width, drawing.height
        edge = _left_edge(panel)
        for other in panels:
            if other is panel:
                continue
            a, b = panel.box, other.box
            beside = a[1] < b[3] and b[1] < a[3]
            if beside and b[0] > a[2]:
                right = min(right, _between(panel, other))
            elif beside and b[2] < a[0]:
                left = max(left, min(_between(other, panel), edge))
            elif b[1] >= a[3]:
                bottom = min(bottom, b[1] - 0.1 * (b[3] - b[1]))
            elif b[3] <= a[1]:
                top = max(top, a[1] - 0.25 * (a[3] - a[1]))
        panel = replace(panel, bounds=(left, top, right, bottom))
        out.append(replace(panel, letter=_letter(panel, drawing.labels)))
    return out


def _left_edge(panel: Panel) -> float:
    """Return where a panel's axes begin: at its survival labels, unless others stand between."""
    left = min(lab.x0 for lab in panel.x.labels)
    edge = min(lab.x0 for lab in panel.y.labels)
    return edge if left - edge < np.ptp(panel.x.positions) else left


def _between(first: Panel, second: Panel) -> float:
    """Return where the part of one panel ends and that of its right neighbour begins."""
    end = max(lab.x1 for lab in first.x.labels)
    start = _left_edge(second)
    # Row labels of a table and the axis title stand further left than the labels of the axis.
    return end + 0.12 * (start - end) if start > end else (end + start) / 2


def _letter(panel: Panel, labels: Iterable[Label]) -> str:
    """Return the capital that stands at the upper left corner of a panel."""
    box = panel.box
    height = box[3] - box[1]
    near = [
        lab
        for lab in labels
        if re.fullmatch(r"\(?[A-Ha-h]\)?[.)]?", lab.text)
        and panel.owns(lab)
        and lab.y < box[1] + 0.1 * height
        and lab.x < box[0] + 0.25 * (box[2] - box[0])
    ]
    if not near:
        return ""
    best = min(near, key=lambda lab: abs(lab.y - box[1]) + abs(lab.x - box[0]))
    return best.text.strip("().")
