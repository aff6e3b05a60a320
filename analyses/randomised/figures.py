"""Figures of the randomised comparisons."""

from __future__ import annotations

import dataclasses

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import PercentFormatter

import metablin as mb
from metablin.certainty import RiskOfBias
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import Drawn
from metablin.plots import bias_marks, forest, forest_frame, style

from ..cohorts.bias import of_outcome
from ..cohorts.comparisons import LINES
from ..cohorts.populations import POPULATIONS
from ..lines import all_of, records, span
from .rows import TITLES, effect_sizes

EVENT_FREE = "event_free"


def left_out_of(rows: pd.DataFrame, name: str) -> Drawn:
    """Draw the pooled ratio of one group of endpoints without each comparison in turn."""
    found = leave_one_out(mb.pool(effect_sizes(rows.loc[rows["group"] == name])))
    figure = found.plot().figure
    assert isinstance(figure, MplFigure)
    estimates = found.to_frame()["estimate"]
    return Drawn(figure, {"low": f"{estimates.min():.2f}", "high": f"{estimates.max():.2f}"})


def forest_by(rows: pd.DataFrame, name: str, bias: RiskOfBias) -> Drawn:
    """Draw the forest plot of one group of endpoints, a block and a pool a line of treatment.

    Each comparison carries its overall risk of bias.
    """
    part = rows.loc[rows["group"] == name]
    lines = part["population"].map(POPULATIONS)
    whole = mb.pool_contrasts(effect_sizes(part))
    fits = {
        line: mb.pool_contrasts(effect_sizes(part.loc[lines == line]))
        for line in dict.fromkeys(lines)
    }
    shown = dataclasses.replace(whole, subgroups=fits)
    axes = forest(shown, overall=False)
    overall = of_outcome(bias, name).overall()
    words = dict(zip(overall["study"], overall["judgement"], strict=True))
    bias_marks(axes, forest_frame(shown, overall=False), words)
    figure = axes.figure
    assert isinstance(figure, MplFigure)
    said = "; ".join(f"{line.lower()} {_interval(fit)}" for line, fit in fits.items())
    clear = all_of(sum(fit.conf_high < 1 for fit in fits.values()), len(fits), "line")
    counted = part["trial_id"].nunique()
    return Drawn(figure, {"comparisons": counted, "pooled": said, "clear": clear})


def _interval(fit: mb.MetaFit) -> str:
    return f"{fit.estimate:.2f} ({fit.conf_low:.2f} to {fit.conf_high:.2f})"


def absolute_figure(gains: pd.DataFrame) -> Drawn:
    """Draw survival of both arms of every comparison at the last time it is followed to."""
    last = gains.loc[gains.groupby(["trial", "endpoint"])["time"].idxmax()]
    blocks = {
        TITLES["os"]: last.loc[last["endpoint"] == "os"],
        TITLES[EVENT_FREE]: last.loc[last["endpoint"] != "os"],
    }
    lines: list[str | dict[str, object]] = []
    for title, part in blocks.items():
        rank = part["population"].map([POPULATIONS[x] for x in LINES].index)
        lines += [title, *records(part.assign(rank=rank).sort_values(["rank", "trial"]))]
    fig, ax = style.figure(4.6, 0.33 * len(lines) + 0.7)
    ticks = {}
    for y, row in enumerate(lines):
        if isinstance(row, str):
            ax.text(0.0, y + 0.1, row, va="center", fontweight="bold", fontsize=9)
            continue
        ticks[y] = f"{row['trial']}, {row['time']:g} months"
        _pair(ax, y, row)
    ax.set_yticks(list(ticks), list(ticks.values()))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("Alive, or alive without an event")
    sns.despine(ax=ax)
    alive = blocks[TITLES["os"]]
    points = [f"{r['trial']} {r['points']:+.0f}" for r in records(alive)]
    return Drawn(fig, {"points": ", ".join(points), "more": span(alive["points"])})


def _pair(ax: object, y: int, row: dict[str, object]) -> None:
    arms = (
        ("survival_control", "control", "control"),
        ("survival_treatment", "treatment", "treatment"),
    )
    ax.plot([row[c] for c, *_ in arms], [y, y], color=style.SOFT, lw=2, alpha=0.5)  # type: ignore[attr-defined]
    for value, name, role in arms:
        at = y + (0.12 if name == "control" else -0.12)
        limits = [row[f"{name}_low"], row[f"{name}_high"]]
        ax.plot(limits, [at, at], color=style.colour(role), lw=1)  # type: ignore[attr-defined]
        ax.plot([row[value]], [y], "o", ms=7, color=style.colour(role))  # type: ignore[attr-defined]
    points, low, high = (round(float(str(row[f"points{x}"]))) for x in ("", "_low", "_high"))
    text = f"{points:+d} ({low:+d} to {high:+d})"
    ax.text(1.03, y, text, va="center", fontsize=9)  # type: ignore[attr-defined]
