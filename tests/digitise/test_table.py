"""Tables of numbers at risk, from labels alone."""

from __future__ import annotations

import numpy as np

from metablin.digitise.axes import Panel, fit_axis
from metablin.digitise.readers import Label
from metablin.digitise.table import find_table

SIZE = 9.0


def _label(text: str, right: float, y: float) -> Label:
    return Label(text, right - 5.0 * len(text), y - SIZE / 2, right, y + SIZE / 2)


def test_rows_of_many_arms_reach_far_below_and_a_title_beside_a_heading_is_not_its_name():
    """Three rows an arm, four arms: the table is higher than the panel."""
    places, values = [90.0, 160.0, 230.0, 300.0], [0.0, 1.0, 2.0, 3.0]
    ticks = [_label(f"{v:g}", p + 2.5, 170.0) for v, p in zip(values, places, strict=True)]
    x = fit_axis(values, places, "ticks", ticks)
    y = fit_axis([1.0, 0.5, 0.0], [20.0, 90.0, 160.0], "ticks", ())
    panel = Panel(x, y, False, "", (0.0, 0.0, 320.0, 500.0))
    labels, truth = [*ticks, _label("timeline (years)", 240.0, 185.0)], {}
    for k, name in enumerate(("Stage I", "Stage II", "Stage III", "Stage IV")):
        at = 190.0 + 60 * k
        truth[name] = tuple(int(n) for n in np.array([150, 90, 40, 5]) - k)
        labels.append(_label(name, 92.0, at))
        for j, row in enumerate(("At risk", "Censored", "Events")):
            cells = truth[name] if j == 0 else (0, 3, 9, 12)
            labels.append(_label(f"{row} {cells[0]}", 92.0, at + 11 * (j + 1)))
            labels += [
                _label(str(n), p + 2.5 * len(str(n)), at + 11 * (j + 1))
                for n, p in zip(cells[1:], places[1:], strict=True)
            ]
    assert max(lab.y for lab in labels) > 160 + 1.2 * 140
    rows = find_table(panel, tuple(labels))[1]
    assert {r.label: r.counts for r in rows} == truth
