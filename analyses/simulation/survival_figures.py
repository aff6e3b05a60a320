"""Figures of the simulations of survival methods."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from metablin.plots import style

NOMINAL, LEVEL = 0.95, 0.05
SCENARIOS = {
    "none": "No difference",
    "proportional": "Proportional hazards",
    "delayed": "Delayed effect",
    "crossing": "Crossing hazards",
}
TESTS = {"log-rank": "log-rank", "max-combo": "max-combo", "rmst": "restricted mean"}
METHODS = {
    "combescure": "distribution-free",
    "pointwise": "each time on its own",
    "parametric": "Weibull parameters",
}
FOLLOW_UP = {"long": "plateau seen", "short": "plateau hardly seen"}
INTERVALS = {"profile": "profile likelihood", "wald": "Wald"}
FOLLOWED = {"all": "all followed", "some": "half stop early"}
COLOURS = ("#0072B2", "#D55E00", "#009E73")


def _panels(rows: int, columns: int) -> tuple[MplFigure, list[list[Axes]]]:
    with style.house_style():
        fig = MplFigure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
        grid = fig.subplots(rows, columns, sharey=True, sharex=True, squeeze=False)
    for ax in grid.flat:
        ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f}%")
        sns.despine(ax=ax)
    return fig, grid.tolist()


def tests_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw the share rejected, one group of dots a scenario."""
    fig, ax = style.figure(5.6, 3.0)
    for j, (test, label) in enumerate(TESTS.items()):
        part = frame.loc[frame["test"] == test].set_index("scenario").loc[list(SCENARIOS)]
        x = [i + 0.2 * (j - 1) for i in range(len(SCENARIOS))]
        ax.errorbar(x, part["rejected"], yerr=2.0 * part["rejected_se"], fmt="o", ms=5,
                    color=COLOURS[j], label=label)  # fmt: skip
    ax.axhline(LEVEL, color=style.SOFT, lw=0.8, ls=(0, (2, 2)))
    ax.set_xticks(range(len(SCENARIOS)), list(SCENARIOS.values()))
    ax.set_ylim(0.0, 1.0)
    ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f}%")
    ax.set_ylabel("Rejected")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    sns.despine(ax=ax)
    return fig


def cure_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw coverage against the cured share, one panel a sample size and follow-up."""
    sizes = sorted(frame["n"].unique())
    fig, grid = _panels(len(FOLLOW_UP), len(sizes))
    for axes, (followup, words) in zip(grid, FOLLOW_UP.items(), strict=True):
        for ax, n in zip(axes, sizes, strict=True):
            for (kind, label), colour in zip(INTERVALS.items(), COLOURS, strict=False):
                own = frame["followup"].eq(followup) & frame["n"].eq(n) & frame["interval"].eq(kind)
                _line(ax, frame.loc[own], "cured", "coverage", colour, label)
            ax.set_title(f"{n} patients, {words}")
            ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
        axes[0].set_ylabel("Coverage")
    for ax in grid[-1]:
        ax.set_xlabel("Cured share")
    grid[-1][-1].legend(loc="lower right", frameon=False)
    return fig


def bands_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw coverage against the number of trials, one panel a band and follow-up."""
    fig, grid = _panels(2, 2)
    measures = {"coverage": "Band of the mean", "new_trial": "Band of a new trial"}
    for axes, (measure, words) in zip(grid, measures.items(), strict=True):
        for ax, (followed, title) in zip(axes, FOLLOWED.items(), strict=True):
            for (method, label), colour in zip(METHODS.items(), COLOURS, strict=True):
                own = frame["followed"].eq(followed) & frame["method"].eq(method)
                _line(ax, frame.loc[own], "k", measure, colour, label)
            ax.set_title(f"{words}, {title}")
            ax.set_xticks(sorted(frame["k"].unique()))
        axes[0].set_ylabel("Coverage")
    for ax in grid[1]:
        ax.set_xlabel("Trials")
    grid[1][1].legend(loc="lower right", frameon=False, fontsize=8)
    return fig


def _line(ax: Axes, part: pd.DataFrame, x: str, y: str, colour: str, label: str) -> None:
    ax.errorbar(part[x], part[y], yerr=2.0 * part[f"{y}_se"], color=colour, marker="o", ms=3,
                lw=1.2, label=label)  # fmt: skip
    ax.axhline(NOMINAL, color=style.SOFT, lw=0.8, ls=(0, (2, 2)))
