"""Which curve bears which name, and which row of the table is whose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from metablin.digitise.axes import Panel, number
from metablin.digitise.readers import Colour, Drawing, Label, Stroke, colour_distance
from metablin.digitise.steps import RawCurve
from metablin.digitise.table import RiskRow

__all__ = ["STATISTIC", "Key", "Named", "legend_keys", "name_curves", "plain"]

STATISTIC = re.compile(
    r"hazard|\bHR\b|\bCI\b|\bP\s*[=<>≤]|log.?rank|median|confidence|%|censored|"
    r"survival|probab|months|weeks|years|at risk|strata|treatment$|^no\.|number|^\W*$",
    re.I,
)
NUMBERED = re.compile(r"\s*(\d{1,2})\s*[:=.)]\s*(.+)")
ONE_LOOK = str.maketrans("lI|O", "1110")
ALIKE = 60.0  # inks nearer than this are one colour
FAR = 1e6


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: the sample of a line and the text beside it."""

    text: str
    colour: Colour
    dash: tuple[float, ...] | None
    x: float
    y: float
    width: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A curve with its name and its row of the table."""

    curve: RawCurve
    name: str
    row: RiskRow | None
    source: str
    row_source: str = ""


def plain(text: str) -> str:
    """Letters and digits of a name in lower case, to compare names.

    Examples
    --------
    >>> plain("No HSCT ") == plain("NoHSCT")
    True
    """
    return "".join(ch for ch in text.lower() if ch.isalnum() or ch in "+<>")


def legend_keys(drawing: Drawing) -> list[Key]:
    """Return the legend's entries of a vector figure: short level lines with text to the right."""
    texts = [lab for lab in drawing.labels if lab.angle == 0 and number(lab.text) is None]
    out = []
    for s in drawing.strokes:
        ink, dash = _sample(s)
        if ink is None:
            continue
        x0, y0, x1, y1 = s.box
        at = (y0 + y1) / 2
        beside = [
            lab
            for lab in texts
            if abs(lab.y - at) < 0.7 * lab.size and -0.3 * lab.size < lab.x0 - x1 < 3.5 * lab.size
        ]
        if beside and x1 - x0 < 8 * beside[0].size:
            text = min(beside, key=lambda lab: lab.x0).text
            out.append(Key(text, ink, dash, (x0 + x1) / 2, at, s.width))
    return out


def _sample(s: Stroke) -> tuple[Colour | None, tuple[float, ...] | None]:
    """Return colour and dash of a stroke that may be a legend's sample."""
    x0, y0, x1, y1 = s.box
    if s.stroke is not None and not s.closed and y1 - y0 < 0.5 and 4 < x1 - x0 < 120:
        return s.stroke, s.dash
    square = s.fill is not None and s.opacity > 0.5 and 3 < x1 - x0 < 60 and y1 - y0 < 30
    if square and colour_distance(s.fill, (255, 255, 255)) > 40:
        return s.fill, None
    return None, None


def name_curves(
    panel: Panel,
    curves: Sequence[RawCurve],
    keys: Sequence[Key],
    labels: Sequence[Label],
    rows: Sequence[RiskRow],
) -> list[Named]:
    """Join curves, legend, direct labels and table.

    Parameters
    ----------
    panel : Panel
        Axes of the curves.
    curves : sequence of RawCurve
    keys : sequence of Key
        Entries of the legend.
    labels : sequence of Label
        All text.
    rows : sequence of RiskRow
        Rows of the table.

    Returns
    -------
    list of Named
        In the order of the legend or the table, where there is one.
    """
    names: list[str] = [""] * len(curves)
    numbers: list[str] = [""] * len(curves)
    source = ["order"] * len(curves)
    order = list(range(len(curves)))
    for i, key in _match_keys(curves, keys):
        found = NUMBERED.fullmatch(key.text)
        numbers[i], names[i] = (found.group(1), found.group(2)) if found else ("", key.text)
        source[i] = "legend"
    if not all(names):
        _direct(panel, curves, labels, rows, names, source)
    owner, how = _owners(panel, curves, rows, names, numbers)
    out = []
    for i in order:
        row = next((r for r, k in zip(rows, owner, strict=True) if k == i), None)
        name, origin = names[i], source[i]
        if not name and row is not None and row.label and number(row.label) is None:
            name, origin = row.label, "table"
        out.append(Named(curves[i], name.strip(), row, origin, how if row is not None else ""))
    return _ordered(out, keys)


def _ordered(named: list[Named], keys: Sequence[Key]) -> list[Named]:
    """Order as printed, and number what has no name."""
    place = {plain(k.text): (k.y, k.x) for k in keys}

    def key(n: Named) -> Any:
        if n.row is not None:
            return (0, n.row.y, 0.0)
        return (1, *place.get(plain(n.name), (FAR, FAR)))

    named = sorted(named, key=key)
    return [n if n.name else replace(n, name=str(i + 1)) for i, n in enumerate(named)]


def _match_keys(curves: Sequence[RawCurve], keys: Sequence[Key]) -> list[tuple[int, Key]]:
    """Assign legend entries to curves by colour and line style."""
    if not curves or not keys:
        return []
    cost = np.full((len(curves), len(keys)), FAR)
    for i, curve in enumerate(curves):
        for j, key in enumerate(keys):
            apart = colour_distance(curve.colour, key.colour)
            if apart > ALIKE:
                continue
            cost[i, j] = 0.4 * apart + (
                0 if key.dash is None else 18 * _unlike(curve.dash, key.dash)
            )
            if key.dash is None:
                cost[i, j] += 25
    rows, cols = linear_sum_assignment(cost)
    return [(int(i), keys[j]) for i, j in zip(rows, cols, strict=True) if cost[i, j] < ALIKE + 5]


def _unlike(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """0 for one pattern of dashes, 1 and more for different ones."""
    if not a or not b:
        return 0.0 if not a and not b else 2.0
    ratio = [np.array(v[:2]) / max(sum(v[:2]), 1e-9) for v in (a, b)]
    scale = abs(np.log(max(sum(a), 1e-6) / max(sum(b), 1e-6)))
    return float(
        min(2.0, abs(ratio[0][0] - ratio[1][0]) * 2 + 0.5 * scale + 0.3 * (len(a) != len(b)))
    )


def _direct(
    panel: Panel,
    curves: Sequence[RawCurve],
    labels: Sequence[Label],
    rows: Sequence[RiskRow],
    names: list[str],
    source: list[str],
) -> None:
    """Name the nameless by text that stands beside them; what the table lists comes first."""
    open_ = [i for i, name in enumerate(names) if not name]
    listed = {plain(r.label) for r in rows if r.label and number(r.label) is None}
    taken = {plain(n) for n in names if n}
    texts = [lab for lab in labels if _may_name(lab, panel) and plain(lab.text) not in taken]
    known = [lab for lab in texts if plain(lab.text) in listed]
    texts = known if len(known) >= len(open_) else texts
    if not texts or not open_:
        return
    cost = np.array([[_cost(curves[i], lab, curves) for lab in texts] for i in open_])
    for a, b in zip(*linear_sum_assignment(cost), strict=True):
        if cost[a, b] < 0.35 * (panel.box[3] - panel.box[1]):
            names[open_[a]], source[open_[a]] = texts[b].text, "direct"


def _may_name(label: Label, panel: Panel) -> bool:
    left, top, right, bottom = panel.box
    room = 0.25 * (right - left)
    inside = left < label.x < right + room and top - 0.05 * (bottom - top) < label.y < bottom
    bare = number(label.text) is None and any(ch.isalpha() for ch in label.text)
    return inside and bare and label.angle == 0 and not STATISTIC.search(label.text)


def _cost(curve: RawCurve, label: Label, curves: Sequence[RawCurve]) -> float:
    """Distance of a label from a curve; a colour of its own decides."""
    if max(label.colour) - min(label.colour) > 50:
        own = ink_apart(curve.colour, label.colour)
        others = [ink_apart(c.colour, label.colour) for c in curves if c is not curve]
        if own < ALIKE and all(own < o for o in others):
            return 0.0
        if others and min(others) < min(own, ALIKE):
            return FAR
    x = np.linspace(label.x0, label.x1, 9)
    end = curve.xy[-1, 0]
    past = np.maximum(x - end, 0)
    y = curve.at(np.minimum(x, end))
    gap = np.maximum(np.maximum(label.y0 - y, y - label.y1), 0)
    return float(np.min(np.hypot(gap, past)))


def ink_apart(a: Colour, b: Colour) -> float:
    """Distance of two inks; of coloured ones by hue, as thin lines are paler than text.

    Examples
    --------
    >>> ink_apart((255, 0, 0), (255, 128, 128)) < ink_apart((255, 0, 0), (0, 0, 255))
    True
    """
    u, v = 255.0 - np.array(a), 255.0 - np.array(b)
    if min(np.ptp(u), np.ptp(v)) < 25:
        return colour_distance(a, b)
    cosine = float(u @ v) / max(float(np.linalg.norm(u) * np.linalg.norm(v)), 1e-9)
    return float(np.arccos(np.clip(cosine, -1, 1))) * 220


def _owners(
    panel: Panel,
    curves: Sequence[RawCurve],
    rows: Sequence[RiskRow],
    names: Sequence[str],
    numbers: Sequence[str],
) -> tuple[list[int], str]:
    """Return, for each row of the table, the curve it belongs to (-1: none) and how it is known."""
    if len(rows) == 1 and len(curves) == 1:
        return [0], "the only one"
    by_name = [_by_text(r.label, names) for r in rows]
    if _complete(by_name, curves):
        return by_name, "name"
    by_number = [_by_text(r.label, numbers) for r in rows]
    if _complete(by_number, curves):
        return by_number, "number"
    for pick in ("colour", "label_colour"):
        by_colour = [_by_colour(getattr(r, pick), curves) for r in rows]
        if _complete(by_colour, curves):
            return by_colour, "colour"
    best = [a if a >= 0 else b for a, b in zip(by_name, by_number, strict=True)]
    if len(rows) == len(curves):
        return _by_fit(panel, curves, rows, best), "fit"
    return best, "name"


def _by_text(label: str, names: Sequence[str]) -> int:
    """Return the curve of a name; a number that has run into a label does not hide it."""
    wanted = _look(label)
    hits = [i for i, n in enumerate(names) if n and _look(n) == wanted]
    if not hits:
        bare = _look(re.sub(r"\d+\s*$", "", label))
        hits = [i for i, n in enumerate(names) if n and _look(n) == bare] if bare else []
    return hits[0] if len(hits) == 1 else -1


def _look(text: str) -> str:
    """Return how a name looks: signs that an engine takes for each other are one."""
    return plain(text.translate(ONE_LOOK))


def _by_colour(ink: Colour, curves: Sequence[RawCurve]) -> int:
    if max(ink) - min(ink) < 40:
        return -1
    apart = [ink_apart(ink, c.colour) for c in curves]
    k = int(np.argmin(apart))
    rest = sorted(apart)[1:]
    return k if apart[k] < 2 * ALIKE and (not rest or rest[0] > 1.3 * apart[k] + 5) else -1


def _complete(owner: list[int], curves: Sequence[RawCurve]) -> bool:
    return len(owner) > 0 and -1 not in owner and len(set(owner)) == len(owner) <= len(curves)


def _by_fit(
    panel: Panel, curves: Sequence[RawCurve], rows: Sequence[RiskRow], known: list[int]
) -> list[int]:
    """Assign the rows so that the curves allow their numbers; ties go by order."""
    cost = np.array([[misfit(panel, c, r) for c in curves] for r in rows])
    cost += 1e-3 * np.abs(np.subtract.outer(np.arange(len(rows)), np.arange(len(curves))))
    for i, k in enumerate(known):
        if k >= 0:
            cost[i, :] += FAR
            cost[i, k] -= FAR
    a, b = linear_sum_assignment(cost)
    out = [-1] * len(rows)
    for i, k in zip(a, b, strict=True):
        out[i] = int(k)
    return out


def misfit(panel: Panel, curve: RawCurve, row: RiskRow) -> float:
    """How far the numbers at risk exceed what the curve allows: n(t) <= n(0) S(t)."""
    n = np.array(row.counts, dtype=float)
    x = panel.x.position(np.array(row.times)) - 1e-3
    s = panel.y.value(curve.at(x))
    over = n / max(n[0], 1) - s
    ended = np.array(row.times) > float(panel.x.value(curve.xy[-1, 0])) + 1e-6
    return float(np.sum(np.maximum(over, 0)) + np.sum((n > 0) & ended) * 0.2)
