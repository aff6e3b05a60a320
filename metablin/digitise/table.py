"""Numbers at risk: rows of whole numbers that stand under (or above) the ticks of the time axis."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from metablin.digitise.axes import Panel
from metablin.digitise.readers import Colour, Label

__all__ = ["RiskRow", "count", "find_table", "missing_cells", "with_cells"]

CELL = re.compile(r"(\d{1,3}(?:[, ]\d{3})+|\d{1,6})(?:\s*[(\[].*)?")
BRACKETED = re.compile(r"(.*?)((?:(?<!\d)\d[\d,]*\s*\(\d+(?:\.\d+)?%?\)\s*)+)")
ONE = re.compile(r"\d[\d,]*\s*\([^)]*\)")
TAIL = re.compile(r"(.*?[^\d\s].*?)\s*(?<!\d)(\d+(?: \d+)*)")
HEADER = re.compile(r"at\s*ris[ck]|subjects|patients", re.I)
OTHER_TABLE = re.compile(r"event|censor", re.I)
ALIGNED = 0.3  # a cell's centre is this near to a tick, in steps between cells
TAIL_ALIGNED = 0.45  # and one that has run into its label, whose place is less sure
SURE = 0.5  # confidence from which a cell that was looked for is taken
LEVEL = 0.6  # labels of one row differ in height by less, in heights of text
BELOW = 1.2  # a table lies at most this far below the axis, in heights of the panel
BELOW_BLOCKS = 3.0  # and one that gives each arm several rows


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One row of a table of numbers at risk.

    Attributes
    ----------
    label : str
        What is printed left of the numbers; may be empty.
    times, counts : tuple
        Times of the cells and their whole numbers.
    colour : (red, green, blue)
        Colour of the numbers.
    y : float
        Height of the row.
    confidence : float
        Lowest confidence of a cell.
    cells : tuple of Label
        The cells as found.
    """

    label: str
    times: tuple[float, ...]
    counts: tuple[int, ...]
    colour: Colour
    y: float
    confidence: float
    cells: tuple[Label, ...]
    label_colour: Colour = (0, 0, 0)


def count(text: str) -> int | None:
    """Return the number of patients in a cell; what stands in brackets is left out.

    Examples
    --------
    >>> count("1,204"), count("27 (3)"), count("Arm 1")
    (1204, 27, None)
    """
    found = CELL.fullmatch(text.strip())
    return int(re.sub(r"[, ]", "", found.group(1))) if found else None


def find_table(panel: Panel, labels: tuple[Label, ...]) -> tuple[str, list[RiskRow]]:
    """Return the heading and the rows of the panel's table, from top to bottom.

    Parameters
    ----------
    panel : Panel
        Calibrated axes.
    labels : tuple of Label
        All text of the page.

    Returns
    -------
    header : str
        Printed heading, or empty.
    rows : list of RiskRow
    """
    box = panel.box
    height = box[3] - box[1]
    axis = set(panel.x.labels) | set(panel.y.labels)
    near = [
        lab
        for lab in _untailed(labels, panel)
        if lab.angle == 0
        and lab not in axis
        and panel.owns(lab)
        and box[3] - 0.02 * height < lab.y < box[3] + BELOW_BLOCKS * height
    ]
    lines = _lines(near)
    rows = [row for line in lines for row in [_row(line, panel)] if row is not None]
    rows = [row for row in rows if not _is_axis(row)]
    blocks = _blocks(rows, lines, float(panel.x.position(_first(panel))))
    if blocks:
        return "", blocks
    end = box[3] + BELOW * height
    rows, near = [row for row in rows if row.y < end], [lab for lab in near if lab.y < end]
    header = [lab for lab in near if HEADER.search(lab.text) and not OTHER_TABLE.search(lab.text)]
    return (header[0].text if header else ""), _one_table(rows, near)


def missing_cells(panel: Panel, rows: list[RiskRow]) -> list[tuple[int, float]]:
    """Return row and time of cells that the other rows, or a regular spacing, let expect."""
    times = sorted({t for r in rows for t in r.times})
    if len(times) < 2:
        return []
    step = float(np.median(np.diff(times)))
    top = max(panel.x.values) + 1e-9
    ends = [t for t in (times[0] - step, times[-1] + step) if -1e-9 <= t <= top]
    return [(k, abs(t)) for k, r in enumerate(rows) for t in [*ends, *times] if t not in r.times]


def with_cells(rows: list[RiskRow], found: list[tuple[int, float, str, float]]) -> list[RiskRow]:
    """Return the rows with further cells: row, time, text and confidence of each."""
    out = list(rows)
    for k, time, text, sure in found:
        n, row = count(text), out[k]
        if n is None or sure < SURE:
            continue
        before = [c for t, c in zip(row.times, row.counts, strict=True) if t < time]
        after = [c for t, c in zip(row.times, row.counts, strict=True) if t > time]
        if (before and n > before[-1]) or (after and n < after[0]):
            continue
        pairs = sorted([*zip(row.times, row.counts, strict=True), (time, n)])
        out[k] = replace(
            row, times=tuple(t for t, _ in pairs), counts=tuple(c for _, c in pairs),
            confidence=min(row.confidence, sure),
        )  # fmt: skip
    return out


def _blocks(rows: list[RiskRow], lines: list[list[Label]], first: float) -> list[RiskRow]:
    """Return the rows `at risk` of a table that gives each arm a heading and several rows.

    Headings stand left of the first tick; the axis title may stand beside one.
    """
    mine = [r for r in rows if HEADER.search(r.label) and not OTHER_TABLE.search(r.label)]
    if not mine or not any(_is_other(line) for line in lines):
        return []
    words = [line for line in lines if all(count(lab.text) is None for lab in line)]
    words = [[lab for lab in line if lab.x < first] or line for line in words]
    heads = [
        (float(np.mean([lab.y for lab in line])), " ".join(lab.text for lab in line))
        for line in words
    ]
    out = []
    for row in mine:
        above = [(y, text) for y, text in heads if 0 < row.y - y < 2.5 * row.cells[0].size]
        out.append(replace(row, label=above[-1][1] if above else ""))
    return out


def _is_other(line: list[Label]) -> bool:
    """Whether a line is a row of events or of censored patients."""
    words = [lab for lab in line if count(lab.text) is None]
    return len(line) > len(words) + 1 and any(OTHER_TABLE.search(lab.text) for lab in words)


def _uncrowded(labels: tuple[Label, ...]) -> list[Label]:
    """Split what has run together in a row of numbers with brackets: its label, its cells."""
    out = []
    for lab in labels:
        found = BRACKETED.fullmatch(lab.text) if lab.angle == 0 else None
        parts = [] if found is None else [m.span() for m in ONE.finditer(lab.text, found.start(2))]
        if found is None or (len(parts) < 2 and not found.group(1).strip()):
            out.append(lab)
            continue
        width = (lab.x1 - lab.x0) / len(lab.text)
        if found.group(1).strip():
            parts = [(0, len(found.group(1).rstrip())), *parts]
        out.extend(
            replace(lab, text=lab.text[a:b], x0=lab.x0 + a * width, x1=lab.x0 + b * width)
            for a, b in parts
        )
    return out


def _untailed(labels: tuple[Label, ...], panel: Panel) -> list[Label]:
    """Split a row label that has run into its first number, which stands at the first tick."""
    first = float(panel.x.position(_first(panel)))
    out: list[Label] = []
    labels = tuple(_uncrowded(labels))
    cells = [lab for lab in labels if count(lab.text) is not None]
    taken = [lab for lab in cells if abs(lab.x - first) <= ALIGNED * panel.x.step]
    for lab in labels:
        found = TAIL.fullmatch(lab.text) if lab.angle == 0 else None
        tails = _tails(lab, found.group(1), found.group(2)) if found else []
        best = min(tails, key=lambda p: abs(p[1].x - first), default=None)
        near = best is not None and abs(best[1].x - first) <= TAIL_ALIGNED * panel.x.step
        near = near and not any(abs(lab.y - t.y) < LEVEL * lab.size for t in taken)
        out.extend(best if best is not None and near else [lab])
    return out


def _tails(label: Label, name: str, digits: str) -> list[tuple[Label, Label]]:
    """Return the ways to cut a label into a name and a last number, whose digits may be apart."""
    out = []
    groups = digits.split(" ")
    for k in range(len(groups)):
        tail = "".join(groups[k:])
        wide = 0.78 * label.size * len(tail)
        head = " ".join([name, *groups[:k]])
        out.append((
            replace(label, text=head, x1=label.x1 - wide - 0.2 * label.size),
            replace(label, text=tail, x0=label.x1 - wide),
        ))  # fmt: skip
    return out


def _lines(labels: list[Label]) -> list[list[Label]]:
    """Group labels of one height."""
    lines: list[list[Label]] = []
    for lab in sorted(labels, key=lambda v: v.y):
        mean = float(np.mean([v.y for v in lines[-1]])) if lines else -np.inf
        if lines and lab.y - mean < LEVEL * min(lab.size, lines[-1][0].size):
            lines[-1].append(lab)
        else:
            lines.append([lab])
    return [sorted(line, key=lambda v: v.x) for line in lines]


def _row(line: list[Label], panel: Panel) -> RiskRow | None:
    """Read one line as a row of the table; None when it is none."""
    left = float(panel.x.position(_first(panel))) - 0.6 * panel.x.step
    numbers = [(lab, count(lab.text)) for lab in line]
    whole = [(lab, n) for lab, n in numbers if n is not None and lab.x > left]
    words = [
        lab for lab, n in numbers if lab.x <= left or (n is None and lab.x1 < left + panel.x.step)
    ]
    cells, stray = _aligned(whole, panel)
    if len(cells) < 2 and not (cells and len(panel.x.values) < 4):
        return None
    cells, stray = _with_first(cells, stray, panel)
    words += [lab for lab in stray if lab.x < cells[0][0].x]
    times = tuple(t for _, _, t in cells)
    counts = tuple(n for _, n, _ in cells)
    if len(counts) > 1 and any(b > a for a, b in pairwise(counts)):
        falls = np.mean(np.diff(counts) <= 0)
        if falls < 0.6:
            return None
    label = " ".join(w.text for w in sorted(words, key=lambda w: w.x))
    colours = [lab.colour for lab, _, _ in cells]
    ink = max(set(colours), key=colours.count)
    label_ink = words[-1].colour if words else ink
    return RiskRow(
        label.strip(), times, counts, ink, float(np.mean([lab.y for lab, _, _ in cells])),
        min(lab.confidence for lab, _, _ in cells), tuple(lab for lab, _, _ in cells), label_ink,
    )  # fmt: skip


def _aligned(
    cells: list[tuple[Label, int]], panel: Panel
) -> tuple[list[tuple[Label, int, float]], list[Label]]:
    """Keep the cells that stand at ticks, each with its time; the others are strays."""
    out: list[tuple[Label, int, float]] = []
    stray = []
    step = float(np.min(np.diff(np.unique(panel.x.values))))
    first = _first(panel)
    width = panel.x.step
    for lab, n in cells:
        at = float(panel.x.value(lab.x))
        nearest = first + round((at - first) / step) * step
        off = abs(float(panel.x.position(nearest)) - lab.x)
        if off < ALIGNED * width and nearest >= first - 1e-9:
            out.append((lab, n, _tidy(nearest, panel)))
        else:
            stray.append(lab)
    best = {t: max((c for c in out if c[2] == t), key=lambda c: c[0].confidence) for *_, t in out}
    return [c for c in out if best[c[2]] is c], stray


def _with_first(
    cells: list[tuple[Label, int, float]], stray: list[Label], panel: Panel
) -> tuple[list[tuple[Label, int, float]], list[Label]]:
    """Take the number before a row's second cell as its first: text may have pushed it aside."""
    first = _first(panel)
    place = float(panel.x.position(first))
    for lab in stray:
        n = count(lab.text)
        near = abs(lab.x - place) < TAIL_ALIGNED * panel.x.step
        if near and cells[0][2] > first and n is not None and n >= cells[0][1]:
            return [(lab, n, first), *cells], [other for other in stray if other is not lab]
    return cells, stray


def _first(panel: Panel) -> float:
    """Return the first time of the axis; 0 where its label is all that is missing."""
    low = min(panel.x.values)
    step = float(np.min(np.diff(np.unique(panel.x.values))))
    return 0.0 if low <= 1.01 * step else low


def _tidy(time: float, panel: Panel) -> float:
    """Return the printed value of a tick, without the dust of arithmetic."""
    near = min(panel.x.values, key=lambda v: abs(v - time))
    return near if abs(near - time) < 1e-6 * max(1.0, abs(time)) else round(time, 9)


def _is_axis(row: RiskRow) -> bool:
    """Whether the numbers are those of the axis itself, printed again."""
    return sum(abs(t - n) < 1e-9 for t, n in zip(row.times, row.counts, strict=True)) >= max(
        2, 0.6 * len(row.times)
    )


def _one_table(rows: list[RiskRow], near: list[Label]) -> list[RiskRow]:
    """Keep the rows of the first table: another heading, or a wide gap, ends it."""
    if len(rows) < 2:
        return rows
    stops = [lab.y for lab in near if OTHER_TABLE.search(lab.text) and count(lab.text) is None]
    rows = sorted(rows, key=lambda r: r.y)
    gaps = np.diff([r.y for r in rows])
    usual = float(np.median(gaps))
    out = [rows[0]]
    for row, gap in zip(rows[1:], gaps, strict=True):
        ended = any(out[-1].y < y < row.y for y in stops)
        if ended or gap > 2.2 * max(usual, float(np.min(gaps))):
            break
        out.append(row)
    return out
