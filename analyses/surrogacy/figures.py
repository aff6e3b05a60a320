"""Figures of surrogacy."""

from __future__ import annotations

from matplotlib.figure import Figure as MplFigure

from metablin.mrd import Surrogacy
from metablin.pipeline import Drawn
from metablin.plots.surrogacy import surrogacy as draw


def scatter(fit: Surrogacy) -> Drawn:
    """Draw the effects of every trial on response and survival, with the line through them."""
    figure = draw(fit, labels=("Odds ratio of MRD response", "Hazard ratio")).figure
    assert isinstance(figure, MplFigure)
    line = fit.weighted
    low, middle, high = (f"{100 * x:.0f}%" for x in (line.r2_low, line.r2, line.r2_high))
    return Drawn(figure, {"k": fit.k, "share": f"{middle} ({low} to {high})"})
