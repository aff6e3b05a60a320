"""Figures of response."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as MplFigure

from metablin.pipeline import Drawn
from metablin.plots import forest

from ..lines import by_group, span


def forest_by(rows: pd.DataFrame, groups: pd.Series, *, overall: bool = False) -> Drawn:
    """Draw a forest plot with one block a group."""
    fit = by_group(rows, groups)
    figure = forest(fit, overall=overall).figure
    assert isinstance(figure, MplFigure)
    parts = "; ".join(
        f"{name}: {100 * part.estimate:.0f}%, {part.k} cohort{'s' * (part.k != 1)}"
        for name, part in fit.subgroups.items()
    )
    rates = {name: part.estimate for name, part in fit.subgroups.items()}
    brief = " against ".join(f"{100 * x:.0f}% ({name.lower()})" for name, x in rates.items())
    found = span(rates.values(), unit="%", scale=100.0)
    return Drawn(figure, {"parts": parts, "span": found, "brief": brief})
