"""Baujat's plot: contribution to heterogeneity against influence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

from metablin.plots import style
from metablin.plots._axes import POINT, place_labels

if TYPE_CHECKING:
    from metablin.meta.checks.baujat import Baujat

__all__ = ["baujat_frame", "baujat_plot", "draw_baujat"]

STANDS_OUT = 0.3
"""Studies that reach this share of the largest value in either direction are labelled."""


def baujat_frame(result: Baujat) -> pd.DataFrame:
    """Return the points: study, heterogeneity, influence, and ``named`` for those to label."""
    frame = result.to_frame()
    both = frame[["heterogeneity", "influence"]]
    frame["named"] = ((both >= STANDS_OUT * both.max()) & (both > 0)).any(axis=1)
    return frame


@style.styled
def baujat_plot(result: Baujat, ax: Axes | None = None) -> Axes:
    """Draw Baujat's plot and return its axes."""
    if ax is None:
        _, ax = style.figure(5.2, 4.0)
    return draw_baujat(baujat_frame(result), ax)


@style.styled
def draw_baujat(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the points of :func:`baujat_frame` on `ax` and return it."""
    ax.scatter(frame["heterogeneity"], frame["influence"], s=24, color=POINT, lw=0, zorder=3)
    ax.set_xlim(0, 1.15 * (frame["heterogeneity"].max() or 1.0))
    top = float(frame["influence"].max()) or 1.0
    ax.set_ylim(-0.04 * top, 1.1 * top)
    ax.set_xlabel("Contribution to heterogeneity (squared Pearson residual)")
    ax.set_ylabel("Influence on the pooled effect")
    texts = [s if named else "" for s, named in zip(frame["study"], frame["named"], strict=True)]
    place_labels(ax, frame["heterogeneity"].to_numpy(), frame["influence"].to_numpy(), texts)
    return ax
