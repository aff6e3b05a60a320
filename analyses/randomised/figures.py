"""Figures of the randomised comparisons."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as MplFigure

import metablin as mb
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import Drawn

from ..cohorts.populations import POPULATIONS
from .rows import effect_sizes


def left_out_of(rows: pd.DataFrame, name: str) -> Drawn:
    """Draw the pooled ratio of one group of endpoints without each comparison in turn."""
    found = leave_one_out(mb.pool(effect_sizes(rows.loc[rows["group"] == name])))
    figure = found.plot().figure
    assert isinstance(figure, MplFigure)
    estimates = found.to_frame()["estimate"]
    return Drawn(figure, {"low": f"{estimates.min():.2f}", "high": f"{estimates.max():.2f}"})


def forest_by(rows: pd.DataFrame, name: str) -> Drawn:
    """Draw the forest plot of one group of endpoints, a block a population."""
    part = rows.loc[rows["group"] == name]
    fit = mb.pool(effect_sizes(part), by=part["population"].map(POPULATIONS).tolist())
    figure = fit.plot().figure
    assert isinstance(figure, MplFigure)
    interval = f"{fit.estimate:.2f} ({fit.conf_low:.2f} to {fit.conf_high:.2f})"
    return Drawn(figure, {"comparisons": part["trial_id"].nunique(), "pooled": interval})
