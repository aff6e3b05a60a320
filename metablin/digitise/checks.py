"""How far a reading can be relied on: a confidence by arm, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metablin.digitise.axes import Panel
from metablin.digitise.names import Named
from metablin.digitise.steps import RawCurve
from metablin.digitise.table import RiskRow

__all__ = ["Doubt", "doubts"]

CELL_SLACK = 1.6  # patients by which a number at risk may exceed n S(t): reading and rounding
COARSE_AXIS = 0.004  # residual of an axis, as part of its length, from which it is doubtful
FAINT = 0.85  # part of a curve that must have been seen
MEET = 0.02  # curves of a picture nearer than this, after their start, may have been exchanged
ERROR_LIMIT = 0.02  # own estimate of the error of S from which a reading is doubtful


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to doubt, and what is left of the confidence after it."""

    reason: str
    factor: float


def doubts(
    panel: Panel,
    named: Named,
    everyone: Sequence[Named],
    expected: int | None,
    rows: Sequence[RiskRow],
    pixels: bool = False,
) -> list[Doubt]:
    """Return what speaks against a reading.

    Parameters
    ----------
    panel : Panel
        Axes.
    named : Named
        The arm.
    everyone : sequence of Named
        All arms of the panel.
    expected : int, optional
        Number of arms that the legend or the table lists.
    rows : sequence of RiskRow
        Rows of the table.
    pixels : bool
        The curves were followed through a picture: where two meet, they may have been exchanged.
    """
    out = [*_axis_doubts(panel), *_curve_doubts(panel, named.curve)]
    if expected is not None and expected != len(everyone):
        out.append(
            Doubt(
                f"{len(everyone)} curves were found where {expected} are listed: give --arms", 0.5
            )
        )
    if named.row is not None:
        out.extend(_table_doubts(panel, named))
    elif rows:
        out.append(Doubt("no row of the table could be given to this curve: give --at-risk", 0.7))
    if pixels:
        out.extend(_exchange_doubts(panel, named, everyone))
    if named.source == "order":
        out.append(Doubt("no printed name was found: give --arms", 0.9))
    return out


def _axis_doubts(panel: Panel) -> list[Doubt]:
    out = []
    for axis, name, option in ((panel.x, "time", "--x-axis"), (panel.y, "survival", "--y-axis")):
        length = float(np.ptp(axis.positions))
        if axis.residual > COARSE_AXIS * length:
            text = f"labels of the {name} axis stand {axis.residual / length:.1%} off a line"
            out.append(Doubt(f"{text}: give {option}", 0.55))
        if axis.printed is not None:
            low, high = axis.printed
            first, last = min(axis.values), max(axis.values)
            text = f"labels of the {name} axis read {low:g} to {high:g}, not {first:g} to {last:g}"
            out.append(Doubt(f"{text}: leave out {option}, or give places too", 0.4))
        if len(axis.values) < 3 and axis.source != "given":
            out.append(
                Doubt(f"only {len(axis.values)} labels on the {name} axis: give {option}", 0.7)
            )
    return out


def _curve_doubts(panel: Panel, curve: RawCurve) -> list[Doubt]:
    out = []
    start = float(panel.y.value(curve.xy[0, 1]))
    if abs(start - 1) > 0.02:
        out.append(Doubt(f"the curve starts at {start:.2f}, not at 1", 0.6))
    end = float(panel.y.value(curve.xy[-1, 1]))
    if not -0.02 <= end <= 1.01:
        out.append(Doubt(f"the curve ends at {end:.2f}, off the axis", 0.5))
    length = float(panel.x.value(curve.xy[-1, 0])) / max(panel.x.values)
    if length < 0.25:
        out.append(Doubt(f"the curve ends after {length:.0%} of the time axis", 0.7))
    if curve.covered < FAINT:
        out.append(Doubt(f"only {curve.covered:.0%} of the curve was seen", 0.5))
    if curve.error > ERROR_LIMIT:
        out.append(Doubt(f"the reading may be off by {curve.error:.3f}", 0.5))
    return out


def _table_doubts(panel: Panel, named: Named) -> list[Doubt]:
    row = named.row
    assert row is not None
    out = []
    counts, times = np.array(row.counts), np.array(row.times)
    rising = np.flatnonzero(np.diff(counts) > 0)
    for k in rising:
        out.append(
            Doubt(f"the table rises at {times[k + 1]:g} ({counts[k]} to {counts[k + 1]})", 0.5)
        )
    bad = _contradicted(panel, named)
    if bad:
        cells = ", ".join(f"{counts[k]} at {times[k]:g}" for k in bad[:4])
        out.append(Doubt(f"the curve allows fewer at risk than the table has ({cells})", 0.5))
    if times[0] > 1e-9:
        out.append(Doubt("the number of patients at time 0 was not read: give --at-risk", 0.8))
    if row.confidence < 0.6:
        out.append(Doubt(f"a number of the table was hard to read ({row.confidence:.2f})", 0.8))
    if named.row_source == "fit" and len(row.counts) > 0:
        out.append(Doubt("the table's row was matched by its numbers alone", 0.9))
    return out


def _contradicted(panel: Panel, named: Named) -> list[int]:
    """Return the cells of an arm's row that exceed what its curve allows."""
    if named.row is None:
        return []
    counts, times = np.array(named.row.counts), np.array(named.row.times)
    s = panel.y.value(named.curve.at(panel.x.position(times) - 1e-3))
    low = min(panel.y.values) - 1e-9
    base = float(s[0]) if times[0] > 0 and s[0] > low else 1.0  # the first cell may be missing
    over = counts - counts[0] * np.maximum(s, low if low > 0 else 0) / base
    return [k for k in range(1, len(counts)) if over[k] > CELL_SLACK + 0.01 * counts[0]]


def _exchange_doubts(panel: Panel, named: Named, everyone: Sequence[Named]) -> list[Doubt]:
    """Doubt a curve that meets one which its own table contradicts: it may hold a part of it."""
    out = []
    for other in everyone:
        if other is named or not _contradicted(panel, other):
            continue
        x = np.linspace(
            other.curve.xy[0, 0], min(other.curve.xy[-1, 0], named.curve.xy[-1, 0]), 200
        )
        s, t = (panel.y.value(n.curve.at(x)) for n in (named, other))
        if bool(np.any((np.abs(s - t) < MEET) & (np.maximum(s, t) < 1 - MEET))):
            text = f"it meets the curve of {other.name}, which its table contradicts"
            out.append(Doubt(text, 0.55))
    return out
