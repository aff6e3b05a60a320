"""Figures of adverse events by trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as MplFigure

from metablin.plots import style

from .rows import TRIALS

COLOURS = {"tower": "#0072B2", "alcantara": "#CC79A7", "blast": "#E69F00"}


def dots(per_trial: pd.DataFrame, total: pd.DataFrame, grade: str) -> MplFigure:
    """Draw the rates of one grade: a row a term, a point and interval a trial."""
    order = total.loc[total["grade"] == grade, "term"].tolist()
    fig, ax = style.figure(6.8, 0.32 * len(order) + 1.1)
    for shift, (trial, label) in zip((-0.22, 0.0, 0.22), TRIALS.items(), strict=True):
        part = per_trial.loc[(per_trial["grade"] == grade) & (per_trial["trial_id"] == trial)]
        y = np.array([order.index(t) for t in part["term"]]) + shift
        ax.hlines(y, part["conf_low"], part["conf_high"], color=COLOURS[trial], lw=1.3)
        n = int(part["n"].iloc[0])
        ax.plot(part["estimate"], y, "o", ms=4, color=COLOURS[trial], label=f"{label} (n = {n})")
    ax.set_yticks(range(len(order)), order)
    ax.invert_yaxis()
    ax.set_xlim(0, None)
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    ax.set_xlabel("Patients with the event")
    ax.grid(axis="x", color="#e6e9ee")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=len(TRIALS), frameon=False)
    sns.despine(ax=ax, left=True)
    return fig
