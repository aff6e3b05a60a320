"""Figures of the simulations."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from metablin.pipeline import Drawn
from metablin.plots import style

NOMINAL, TARGET = 0.95, 0.93
RULE = "half-Cauchy 0.5"
INTERVALS = {"z": "Wald", "hksj": "Hartung-Knapp", "hksj-adhoc": "Hartung-Knapp, ad hoc"}
SCALES = {
    "logit": "inverse variance, logit",
    "freeman-tukey": "Freeman-Tukey",
    "arcsine": "arcsine",
    "glmm": "binomial-normal model",
}
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")


def coverage_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw coverage against tau2, one panel a number of studies."""
    sizes = sorted(frame["k"].unique())
    with style.house_style():
        fig = MplFigure(figsize=(2.2 * len(sizes), 2.8))
        axes = fig.subplots(1, len(sizes), sharey=True)
    for ax, k in zip(axes, sizes, strict=True):
        for (interval, label), colour in zip(INTERVALS.items(), COLOURS, strict=False):
            part = frame.loc[(frame["k"] == k) & (frame["interval"] == interval)]
            _line(ax, part, "tau2", "coverage", colour, label)
        ax.axhline(NOMINAL, color=style.SOFT, lw=0.8, ls=(0, (2, 2)))
        ax.set_title(f"{k} studies")
        ax.set_xlabel("tau²")
        ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f}%")
        sns.despine(ax=ax)
    axes[0].set_ylabel("Coverage")
    axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def transforms_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw bias against the true proportion, one line a scale."""
    fig, ax = style.figure(5.2, 3.2)
    for (scale, label), colour in zip(SCALES.items(), COLOURS, strict=True):
        part = frame.loc[frame["scale"] == scale]
        _line(ax, part, "p", "bias", colour, label)
    ax.axhline(0.0, color=style.INK, lw=0.8)
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    ax.set_xlabel("True proportion of the median study")
    ax.set_ylabel("Bias (percentage points)")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    sns.despine(ax=ax)
    return fig


def _line(ax: Axes, part: pd.DataFrame, x: str, y: str, colour: str, label: str) -> None:
    """Draw a line with the Monte-Carlo error of its points."""
    ax.errorbar(part[x], part[y], yerr=1.96 * part[f"{y}_se"], color=colour, marker="o", ms=3,
                lw=1.2, label=label)  # fmt: skip


def few_studies_figure(frame: pd.DataFrame) -> Drawn:
    """Draw the lowest coverage of every interval, the widest on top, the adopted one filled."""
    lines = frame.sort_values("width", ascending=False).to_dict(orient="records")
    fig, ax = style.figure(5.2, 3.4)
    for y, row in enumerate(lines):
        chosen = row["interval"] == RULE
        colour = COLOURS[1] if chosen else style.SOFT
        ax.hlines(y, 0.4, row["lowest"], color=colour, lw=0.8, alpha=0.5)
        ax.plot(row["lowest"], y, "o", ms=7, color=colour, mfc=colour if chosen else "white")
        ax.text(1.02, y, f"{row['width']:.2f}", va="center", fontsize=9,
                fontweight="bold" if chosen else "normal")  # fmt: skip
    ax.text(1.02, -1.0, "width", va="center", fontsize=9, color=style.SOFT)
    ax.axvline(TARGET, color=style.INK, lw=0.8, ls=(0, (2, 2)))
    ax.set_yticks(range(len(lines)), [row["interval"] for row in lines])
    ax.set_ylim(len(lines) - 0.5, -1.3)
    ax.set_xlim(0.4, 1.0)
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    ax.set_xlabel("Lowest coverage of the 95% interval")
    sns.despine(ax=ax)
    rule = frame.set_index("interval").loc[RULE]
    said = {"rule": RULE, "lowest": f"{100 * rule['lowest']:.1f}%", "width": f"{rule['width']:.2f}"}
    return Drawn(fig, said)
