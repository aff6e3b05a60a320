"""What simulations say about the intervals and scales used here.

The simulations take minutes, so ``make simulate`` runs them and writes ``simulation.*.csv`` beside
this module; here they become tables and pictures.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as MplFigure

from metablin.pipeline import Evidence, Figure, Outcome, Table, analysis
from metablin.plots import style

from . import _simulation_survival

HERE = Path(__file__).parent
NOMINAL = 0.95
INTERVALS = {"z": "Wald", "hksj": "Hartung-Knapp", "hksj-adhoc": "Hartung-Knapp, ad hoc"}
SCALES = {
    "logit": "inverse variance, logit",
    "freeman-tukey": "Freeman-Tukey",
    "arcsine": "arcsine",
    "glmm": "binomial-normal model",
}
SURVIVAL = {
    "survival_tests": ["scenario", "test"],
    "cure": ["followup", "cured", "n", "interval"],
    "bands": ["k", "followed", "method"],
}
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")


@analysis(
    title="Simulations",
    question="How often do intervals hold the truth and tests err, and what is biased?",
    reads=(),
    order=95,
)
def simulation(evidence: Evidence) -> Outcome:
    """Tabulate and draw the committed simulation results."""
    coverage = keyed("coverage", ["k", "tau2", "interval"])
    transforms = keyed("transforms", ["p", "scale"])
    survival = {name: keyed(name, columns) for name, columns in SURVIVAL.items()}
    return Outcome(
        tables={
            "coverage": Table(
                coverage,
                "Coverage of 95% intervals and prediction intervals",
                "Normal random effects, tau2 by restricted maximum likelihood; the Monte-Carlo "
                "standard error stands beside each figure. The type I error is one minus coverage.",
            ),
            "transforms": Table(
                transforms,
                "Bias of pooled proportions by scale",
                "Ten studies a meta-analysis, logits normal with standard deviation 0.5; bias in "
                "percentage points against the median study.",
            ),
            **_simulation_survival.tables(survival),
        },
        figures={
            "coverage": Figure(
                coverage_figure(coverage),
                "Coverage of 95% intervals for few studies",
                "Each panel is a number of studies. The Wald interval is too narrow once studies "
                "differ; Hartung-Knapp stays within a few points of nominal.",
                "Coverage against tau2 for three kinds of interval, one panel a number of studies.",
                "coverage",
            ),
            "transforms": Figure(
                transforms_figure(transforms),
                "Bias of pooled proportions",
                "The inverse-variance logit pulls rare events upward and common ones downward; "
                "the binomial-normal model hardly does.",
                "Bias in percentage points against the true proportion, one line a scale.",
                "transforms",
            ),
            **_simulation_survival.figures(survival),
        },
    )


def keyed(name: str, columns: list[str]) -> pd.DataFrame:
    """Return a committed table of simulation results with a key of its design columns."""
    frame = pd.read_csv(HERE / f"simulation.{name}.csv")
    keys = [".".join(f"{c}_{v}" for c, v in zip(columns, row, strict=True)) for row in
            frame[columns].itertuples(index=False, name=None)]  # fmt: skip
    frame.insert(0, "key", keys)
    return frame


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
