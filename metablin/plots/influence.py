"""Influence measures, study by study, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from metablin.plots import style
from metablin.plots._axes import POINT

if TYPE_CHECKING:
    from metablin.meta.checks.influence import Influence

__all__ = ["draw_influence", "influence_frame", "influence_plot"]

TITLES = {
    "rstudent": "Residual",
    "dffits": "DFFITS",
    "cook_d": "Cook's\ndistance",
    "cov_ratio": "Covariance\nratio",
    "tau2_del": "tau²\nwithout",
    "q_del": "Q\nwithout",
    "hat": "Hat",
    "weight": "Weight",
}
FLAGGED = style.colour("pooled")
ROW_INCHES = 0.24
RESIDUAL_LIMIT = 1.959964


def influence_frame(result: Influence) -> pd.DataFrame:
    """Return one row per study and measure; tau2 is left out where it is zero throughout.

    Returns
    -------
    pandas.DataFrame
        ``position`` (0 is the top row), ``study``, ``measure``, ``value``, ``reference`` (the
        value that means no influence), ``limit_low``, ``limit_high`` (beyond them a value stands
        out; NaN where there is no such limit) and ``influential``.
    """
    cut = result.cutoffs
    limits = {
        "rstudent": (-RESIDUAL_LIMIT, RESIDUAL_LIMIT),
        "dffits": (-cut["dffits"], cut["dffits"]),
        "cook_d": (np.nan, cut["cook_d"]),
        "hat": (np.nan, cut["hat"]),
    }
    references = {
        "rstudent": 0.0,
        "dffits": 0.0,
        "cook_d": 0.0,
        "cov_ratio": 1.0,
        "tau2_del": result.tau2,
        "q_del": result.q,
        "hat": result.p / result.k,
        "weight": 1 / result.k,
    }
    parts = []
    for name in TITLES:
        if name == "tau2_del" and not result.tau2_del.any():
            continue
        low, high = limits.get(name, (np.nan, np.nan))
        parts.append(
            pd.DataFrame(
                {
                    "position": np.arange(result.k),
                    "study": list(result.studies),
                    "measure": name,
                    "value": getattr(result, name),
                    "reference": references[name],
                    "limit_low": low,
                    "limit_high": high,
                    "influential": result.influential,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@style.styled
def influence_plot(result: Influence, ax: Axes | None = None) -> Axes:
    """Draw the influence measures and return the axes that hold the panels."""
    if ax is None:
        _, ax = style.figure(10.0, 0.9 + ROW_INCHES * result.k)
    return draw_influence(influence_frame(result), ax)


@style.styled
def draw_influence(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the rows of :func:`influence_frame` on panels inside `ax` and return it.

    One panel per measure, one row per study; grey line: no influence; dashed: the limits;
    influential studies in another colour. Labels hang outside; save with ``bbox_inches="tight"``.
    """
    ax.set_axis_off()
    measures = list(dict.fromkeys(frame["measure"]))
    width = 1 / len(measures)
    for i, name in enumerate(measures):
        panel = ax.inset_axes((i * width, 0, 0.8 * width, 1))
        part = frame.loc[frame["measure"] == name]
        _panel(panel, part, TITLES.get(name, name))
        if i == 0:
            panel.set_yticks(part["position"], labels=[style.plain(x) for x in part["study"]])
            for label, bad in zip(panel.get_yticklabels(), part["influential"], strict=True):
                label.set_color(FLAGGED if bad else style.INK)
    return ax


def _two_ticks(low: float, high: float) -> list[float]:
    """Return the outermost round values of a narrow axis."""
    for intervals in (2, 3, 4, 6):
        ticks = np.asarray(MaxNLocator(intervals).tick_values(low, high), dtype=np.float64)
        inside = ticks[(ticks >= low) & (ticks <= high)]
        if len(inside) > 1:
            return [float(inside[0]), float(inside[-1])]
    return [low]


def _panel(panel: Axes, part: pd.DataFrame, title: str) -> None:
    first = part.iloc[0]
    panel.axvline(first["reference"], color=style.SOFT, lw=0.8, zorder=0)
    drawn = [*part["value"], first["reference"]]
    for name in ("limit_low", "limit_high"):
        panel.axvline(first[name], color=FLAGGED, lw=0.8, ls=(0, (3, 2)), zorder=0)
        drawn.append(first[name])
    low, high = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    pad = 0.08 * (high - low or 1.0)
    colours = [FLAGGED if bad else POINT for bad in part["influential"]]
    for value, y, colour in zip(part["value"], part["position"], colours, strict=True):
        panel.plot([first["reference"], value], [y, y], color=colour, lw=0.9, alpha=0.6)
    panel.scatter(part["value"], part["position"], s=16, color=colours, lw=0, zorder=3)
    panel.set_xlim(low - pad, high + pad)
    panel.set_ylim(len(part) - 0.4, -0.6)
    panel.set_yticks([])
    panel.set_xticks(_two_ticks(low - pad, high + pad))
    panel.tick_params(axis="x", labelsize=7)
    panel.set_title(title, fontsize=8, loc="center", fontweight="normal")
    panel.spines[["left", "top", "right"]].set_visible(False)
    panel.spines["bottom"].set_color(style.SOFT)
    panel.tick_params(axis="y", length=0)
