"""Risk of bias as traffic lights: a light for every domain and study, and marks in forest plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metablin._input import needed
from metablin.errors import DataError
from metablin.plots import style
from metablin.plots.forest import label_offset

__all__ = ["LIGHTS", "bias_marks", "draw_traffic", "traffic", "traffic_frame"]

# Colour and sign of a judgement, best first; the sign says it without colour.
LIGHTS: dict[str, tuple[str, str]] = {
    "low": ("#009E73", "+"),
    "low except for uncontrolled confounding": ("#56B4E9", "+"),
    "some concerns": ("#F0E442", "−"),
    "moderate": ("#F0E442", "−"),
    "high": ("#D55E00", "×"),
    "serious": ("#D55E00", "×"),
    "critical": ("#7a1f1f", "!"),
}
_UNKNOWN = ("#d3d8de", "?")

CELL_INCHES = 0.34
MARK_POINTS = 9.0
"""From a study's name to its mark."""

NEEDED = ("study", "domain", "judgement")


def traffic_frame(judgements: Any, outcome: str | None = None) -> pd.DataFrame:
    """Return one row per light: position of the study, of the domain, colour and sign.

    Parameters
    ----------
    judgements : RiskOfBias or pandas.DataFrame
        With ``study, domain, judgement``; ``overall`` comes last.
    outcome : str, optional
        Keep the judgements of one outcome; with several and none chosen, each is a row of its own.

    Returns
    -------
    pandas.DataFrame
        ``row, column, label, domain, judgement, colour, sign``; row 0 is the top.
    """
    table = judgements if isinstance(judgements, pd.DataFrame) else judgements.to_frame()
    needed(table, NEEDED)
    if outcome is not None and "outcome" in table:
        table = table[table["outcome"] == outcome]
    if table.empty:
        raise DataError("no judgements", column="outcome", value=outcome)
    label = table["study"].astype(str)
    if "outcome" in table and outcome is None and table["outcome"].nunique() > 1:
        label = label + ", " + table["outcome"].astype(str)
    domains = [d for d in dict.fromkeys(table["domain"]) if d != "overall"]
    domains += ["overall"] if (table["domain"] == "overall").any() else []
    rows = list(dict.fromkeys(label))
    lights = [LIGHTS.get(j, _UNKNOWN) for j in table["judgement"]]
    return pd.DataFrame(
        {
            "row": [rows.index(x) for x in label],
            "column": [domains.index(d) for d in table["domain"]],
            "label": label.to_numpy(),
            "domain": table["domain"].to_numpy(),
            "judgement": table["judgement"].to_numpy(),
            "colour": [light[0] for light in lights],
            "sign": [light[1] for light in lights],
        }
    )


def traffic(judgements: Any, ax: Axes | None = None, *, outcome: str | None = None) -> Axes:
    """Draw a light for every study and domain.

    Parameters
    ----------
    judgements : RiskOfBias or pandas.DataFrame
        See :func:`traffic_frame`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of fitting size is made when there is none.
    outcome : str, optional
        See :func:`traffic_frame`.

    Returns
    -------
    matplotlib.axes.Axes
        Save with ``bbox_inches="tight"``.
    """
    frame = traffic_frame(judgements, outcome)
    with style.house_style():
        if ax is None:
            width = CELL_INCHES * (int(frame["column"].max()) + 1)
            _, ax = style.figure(width, CELL_INCHES * (int(frame["row"].max()) + 1))
        return draw_traffic(frame, ax)


def draw_traffic(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the lights of :func:`traffic_frame` on `ax` and return it."""
    rows, columns = int(frame["row"].max()) + 1, int(frame["column"].max()) + 1
    for y in np.arange(0.5, rows - 1):
        ax.axhline(y, color="#e6e9ee", lw=0.7, zorder=0)
    light: Any  # a row: pandas does not know the types of its cells
    for light in frame.itertuples():
        # An overall judgement sums the others up and stands apart by its square.
        shape = "s" if light.domain == "overall" else "o"
        at = (light.column, light.row)
        ax.scatter(*at, s=210, marker=shape, color=light.colour, edgecolor=style.INK, lw=0.5)
        ax.annotate(
            light.sign, at, ha="center", va="center", color=_ink(light.colour), fontweight="bold"
        )
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_yticks(range(rows), list(frame.drop_duplicates("row").sort_values("row")["label"]))
    named = frame.drop_duplicates("column").sort_values("column")["domain"]
    ax.set_xticks(range(columns), [str(d).replace("_", " ") for d in named], rotation=45, ha="left")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    _key(ax, frame)
    return ax


def _ink(colour: str) -> str:
    """Return the ink that shows on a light."""
    return "white" if colour in ("#7a1f1f", "#D55E00", "#009E73") else style.INK


def _key(ax: Axes, frame: pd.DataFrame) -> None:
    """Say what the lights in use mean, best first."""
    used = [j for j in LIGHTS if (frame["judgement"] == j).any()]
    for j in used:
        colour, sign = LIGHTS[j]
        ax.scatter([], [], s=70, color=colour, edgecolor=style.INK, lw=0.5, label=f"{sign}  {j}")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, handletextpad=0.3)


def bias_marks(ax: Axes, frame: pd.DataFrame, judgements: Mapping[str, str]) -> Axes:
    """Put the overall light of each study before its name in a forest plot.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        That a forest plot was drawn on.
    frame : pandas.DataFrame
        The rows of that plot, from :func:`metablin.plots.forest_frame`.
    judgements : mapping of str to str
        Overall judgement by study; a study without one gets a question mark.

    Returns
    -------
    matplotlib.axes.Axes
    """
    row: Any
    for row in frame[frame["kind"] == "study"].itertuples():
        colour, sign = LIGHTS.get(judgements.get(str(row.label), ""), _UNKNOWN)
        ax.annotate(
            sign,
            xy=(0, row.position),
            xycoords=("axes fraction", "data"),
            xytext=(label_offset(frame) - MARK_POINTS, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=7,
            fontweight="bold",
            color=_ink(colour),
            bbox={"boxstyle": "circle,pad=0.12", "fc": colour, "ec": style.INK, "lw": 0.5},
            annotation_clip=False,
        )
    return ax
