"""Figures of the simulations."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as MplFigure

from metablin.plots import style

NOMINAL = 0.95
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
            ax.errorbar(
                part["tau2"],
                part["coverage"],
                yerr=1.96 * part["coverage_se"],
                color=colour,
                marker="o",
                ms=3,
                lw=1.2,
                label=label,
            )
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
        ax.errorbar(
            part["p"],
            part["bias"],
            yerr=1.96 * part["bias_se"],
            color=colour,
            marker="o",
            ms=3,
            lw=1.2,
            label=label,
        )
    ax.axhline(0.0, color=style.INK, lw=0.8)
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    ax.set_xlabel("True proportion of the median study")
    ax.set_ylabel("Bias (percentage points)")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    sns.despine(ax=ax)
    return fig
