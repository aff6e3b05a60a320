"""Figures of the checks on response."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

import metablin as mb
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import Drawn
from metablin.plots import funnel


def funnel_of(fit: mb.MetaFit) -> Drawn:
    """Draw the cohorts of one population by standard error."""
    return Drawn(_figure(funnel(fit)), {"k": fit.k})


def left_out_of(fit: mb.MetaFit) -> Drawn:
    """Draw the pooled response of one population without each cohort in turn."""
    found = leave_one_out(fit)
    estimates = 100 * found.to_frame()["estimate"]
    ends = {"low": f"{estimates.min():.0f}", "high": f"{estimates.max():.0f}"}
    return Drawn(_figure(found.plot()), ends)


def _figure(axes: Axes) -> MplFigure:
    figure = axes.figure
    assert isinstance(figure, MplFigure)
    return figure
