"""What a person gives where the figure does not tell: axes, arms, numbers at risk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metablin.digitise.arms import Arm
from metablin.digitise.axes import Axis, Panel, fit_axis
from metablin.digitise.names import Named, plain
from metablin.digitise.readers import Drawing
from metablin.digitise.steps import RawCurve
from metablin.digitise.table import RiskRow
from metablin.errors import DataError
from metablin.io import read_at_risk

__all__ = ["Hand", "apply_axes", "parse_axis", "parse_risk"]


@dataclass(frozen=True, slots=True)
class Hand:
    """Options given by hand; None where the figure is to tell."""

    arms: int | Sequence[str] | None = None
    x_axis: Any = None
    y_axis: Any = None
    at_risk: Any = None

    @property
    def count(self) -> int | None:
        """Number of arms, if given."""
        if self.arms is None:
            return None
        return self.arms if isinstance(self.arms, int) else len(self.arms)

    def expected(self, listed: int | None) -> int | None:
        """Return the number of arms to expect."""
        return self.count if self.count is not None else listed

    def at_most(self, curves: list[RawCurve]) -> list[RawCurve]:
        """Keep the longest curves where fewer arms are wanted than were found."""
        if self.count is None or len(curves) <= self.count:
            return curves
        keep = sorted(curves, key=lambda c: -(c.xy[-1, 0] - c.xy[0, 0]))[: self.count]
        return [c for c in curves if any(c is k for k in keep)]

    def named(self, named: list[Named]) -> list[Named]:
        """Give the names that a person listed, from top to bottom of the legend or table."""
        if self.arms is None or isinstance(self.arms, int):
            return named
        by_name = {plain(n.name): n for n in named}
        if all(plain(a) in by_name for a in self.arms):
            return [replace(by_name[plain(a)], name=a, source="given") for a in self.arms]
        if len(self.arms) != len(named):
            return named
        return [replace(n, name=a, source="given") for n, a in zip(named, self.arms, strict=True)]

    def with_rows(self, named: list[Named], letter: str) -> list[Named]:
        """Give the numbers at risk that a person listed, in place of the figure's own."""
        if self.at_risk is None:
            return named
        table = {plain(k): v for k, v in parse_risk(self.at_risk).items()}
        out = []
        for n in named:
            keys = [plain(f"{letter}|{n.name}"), plain(n.name), *([""] if len(named) == 1 else [])]
            found = next((table[k] for k in keys if k in table), None)
            row = None if found is None else RiskRow(
                n.name, tuple(found[0]), tuple(found[1]), n.curve.colour, 0.0, 1.0, ()
            )  # fmt: skip
            out.append(n if row is None else replace(n, row=row, row_source="given"))
        return out

    def check_names(self, arms: Sequence[Arm]) -> None:
        """Refuse numbers at risk of an arm that was not found."""
        if self.at_risk is None:
            return
        known = {plain(a.id) for a in arms} | {plain(a.name) for a in arms}
        for key in parse_risk(self.at_risk):
            if plain(key) not in known and (key or len(arms) > 1):
                raise DataError(
                    "no such arm", column="--at-risk", value=key or self.at_risk,
                    allowed=", ".join(a.id for a in arms),
                )  # fmt: skip


def parse_axis(text: str, option: str) -> tuple[Any, Any]:
    """Read ``0,60`` or ``0@120,60@840`` (value at place).

    Examples
    --------
    >>> parse_axis("0,60", "--x-axis")
    (0.0, 60.0)
    >>> parse_axis("0@120,60@840", "--x-axis")
    ((0.0, 120.0), (60.0, 840.0))
    """
    parts = [p.strip() for p in text.split(",")]
    number = r"-?\d+(?:\.\d+)?"
    if len(parts) != 2 or not all(re.fullmatch(f"{number}(?:@{number})?", p) for p in parts):
        raise DataError("not an axis", column=option, value=text, allowed="A,B or A@place,B@place")
    if all("@" in p for p in parts):
        first, second = (tuple(float(v) for v in p.split("@")) for p in parts)
        return first, second
    if any("@" in p for p in parts):
        raise DataError("one value has a place", column=option, value=text, allowed="both or none")
    return float(parts[0]), float(parts[1])


def parse_risk(given: Any) -> dict[str, tuple[list[float], list[int]]]:
    """Read numbers at risk: text, a file, or a frame of id, time, n_at_risk.

    Examples
    --------
    >>> parse_risk("A 0:154,6:96; B 0:150,6:80")["A"]
    ([0.0, 6.0], [154, 96])
    """
    table = read_at_risk(given).table if isinstance(given, str | Path) else given
    groups = table.groupby("id", sort=False) if "id" in table.columns else [("", table)]
    return {
        str(k): ([float(t) for t in g["time"]], [int(n) for n in g["n_at_risk"]]) for k, g in groups
    }


def apply_axes(panels: list[Panel], drawing: Drawing, hand: Hand) -> list[Panel]:
    """Replace axes by those given by hand; with both given, a panel need not be found."""
    if hand.x_axis is None and hand.y_axis is None:
        return panels
    if not panels and _placed(hand.x_axis) and _placed(hand.y_axis):
        x, y = _given(hand.x_axis, None), _given(hand.y_axis, None)
        percent = max(y.values) > 1.5
        panel = Panel(x, y, percent, "", (0.0, 0.0, drawing.width, drawing.height))
        return [_fraction(panel)]
    out = []
    for panel in panels:
        if hand.x_axis is not None:
            panel = replace(panel, x=_given(hand.x_axis, panel.x))
        if hand.y_axis is not None:
            panel = _fraction(replace(panel, y=_given(hand.y_axis, panel.y)))
        out.append(panel)
    return out


SURE = 4
"""Labels on one line from which they are taken for read rightly."""
SAME = 0.01
UNITS = (1.0, 0.01, 100.0, 12.0, 1 / 12, 30.4375, 1 / 30.4375, 365.25, 1 / 365.25, 7.0, 1 / 7.0)
"""Factors by which values given may differ from labels: percent, years, months, weeks, days."""


def _placed(pair: Any) -> bool:
    return pair is not None and all(np.ndim(p) == 1 for p in pair)


def _given(pair: Any, axis: Axis | None) -> Axis:
    """Return an axis through two values, at the places given or at the first and last label."""
    if _placed(pair):
        values, places = zip(*pair, strict=True)
        return fit_axis(values, places, "given", () if axis is None else axis.labels)
    if axis is None:
        raise DataError("places are needed", value=pair, allowed="A@place,B@place")
    # The labels between the two ends keep their places: the columns of the table stand there.
    low, high = min(axis.values), max(axis.values)
    first, last = (float(v) for v in pair)
    spread = [first + (v - low) / (high - low) * (last - first) for v in axis.values]
    found = fit_axis(spread, axis.positions, "given", axis.labels)
    if len(axis.values) < SURE or any(
        np.allclose([low * unit, high * unit], [first, last], atol=SAME * abs(last - first))
        for unit in UNITS
    ):
        return found
    return replace(found, printed=(low, high))


def _fraction(panel: Panel) -> Panel:
    if max(panel.y.values) <= 1.5:
        return panel
    y = panel.y
    return replace(
        panel,
        y=fit_axis([v / 100 for v in y.values], y.positions, y.source, y.labels),
        percent=True,
    )
