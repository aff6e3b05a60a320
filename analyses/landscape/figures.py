"""Figures of the trial programme."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from metablin.datasets import said
from metablin.plots import style

from .rows import PHASES

STATUSES = {
    "completed": "#0072B2",
    "active_not_recruiting": "#56B4E9",
    "recruiting": "#009E73",
    "not_yet_recruiting": "#E69F00",
    "suspended": "#CC79A7",
    "terminated": "#D55E00",
    "unknown_status": "#7A7A7A",
}


def programme(by_status: pd.DataFrame) -> MplFigure:
    """Draw stacked bars of trials by phase, coloured by status."""
    fig, ax = style.figure(7.2, 3.4)
    wide = by_status.pivot_table(index="phase", columns="status", values="n_trials", aggfunc="sum")
    wide = wide.reindex(index=[p for p in PHASES if p in wide.index]).fillna(0)
    names = said("status")
    left = pd.Series(0.0, index=wide.index)
    for status, colour in STATUSES.items():
        if status in wide.columns:
            ax.barh(wide.index, wide[status], left=left, color=colour, label=names[status])
            left += wide[status]
    _label_totals(ax, left)
    ax.invert_yaxis()
    ax.set_xlabel("Registered trials")
    ax.set_ylabel("Phase")
    ax.set_xlim(0, left.max() * 1.12)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="Status", alignment="left")
    sns.despine(ax=ax)
    return fig


def _label_totals(ax: Axes, totals_by_phase: pd.Series) -> None:
    for place, total in enumerate(totals_by_phase):
        ax.text(total + 0.4, place, f"{total:.0f}", va="center")
