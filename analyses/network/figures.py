"""Figures of the networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from metablin.pipeline import Drawn
from metablin.plots import style
from metablin.plots.network import network_graph

from ..lines import records
from .context import BRIDGED
from .rows import INDIRECT, SHORT, Fitted

TICKS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LIMITS = (0.06, 60.0)
WIDE = (0.1, 200.0)


def graph(found: Sequence[Fitted]) -> Drawn:
    """Draw treatments and the trials between them, for the outcome whose arms are counted."""
    one = next(x for x in found if x.question.key == "response")
    fig, ax = style.figure(5.6, 4.2)
    network_graph(one.fit.network, ax)
    network = one.fit.network
    edges = [f"{r.treat1} and {r.treat2}" for r in network.geometry().itertuples()]
    return Drawn(fig, {"edges": "; ".join(edges), "trials": ", ".join(network.studies)})


def forest(answers: pd.DataFrame) -> Drawn:
    """Draw every comparison of adults, a block an outcome; indirect ones hollow."""
    lines: list[str | dict[str, Any]] = []
    for outcome, part in answers.groupby("outcome", sort=False):
        scale = "hazard ratio" if part["measure"].iloc[0] == "hr" else "odds ratio"
        lines += [f"{SHORT[str(outcome)]} ({scale})", *records(part)]
    fig, ax = style.figure(4.4, 0.27 * len(lines) + 0.8)
    ticks = {}
    for y, row in enumerate(lines):
        if isinstance(row, str):
            ax.text(-0.02, y + 0.05, row, va="center", ha="right", fontweight="bold", fontsize=8.5,
                    transform=ax.get_yaxis_transform())  # fmt: skip
            continue
        ticks[y] = row["comparison"]
        indirect = row["evidence"] == INDIRECT
        _interval(ax, y, row, style.colour("study") if indirect else style.SOFT, indirect)
    _axis(ax, ticks, len(lines))
    os = answers.loc[answers["evidence"] == INDIRECT]
    said = [f"{SHORT[r['outcome']].lower()} {_text(r)}" for r in records(os)]
    return Drawn(fig, {"indirect": "; ".join(said), "first": said[0]})


def published(beside: pd.DataFrame) -> Drawn:
    """Draw published comparisons, theirs above ours; bridged ones hollow."""
    shown = beside.loc[beside[["theirs", "range_low", "ours"]].notna().any(axis=1)]
    rows = records(shown)
    fig, ax = style.figure(4.2, 0.5 * len(rows) + 0.9)
    ticks = {}
    for y, row in enumerate(rows):
        ticks[y] = f"{row['source']}, {SHORT[row['outcome']].lower()}:\n{row['comparison']}"
        for who, shift, colour in (("theirs", -0.15, style.SOFT),
                                   ("ours", 0.15, style.colour("study"))):  # fmt: skip
            named = {"estimate": row[who], "conf_low": row[f"{who}_low"],
                     "conf_high": row[f"{who}_high"]}  # fmt: skip
            _interval(ax, y + shift, named, colour, who == "ours" and row["grade"] == BRIDGED)
        if row["range_low"] == row["range_low"]:
            _range(ax, y - 0.15, row["range_low"], row["range_high"])
    for who, colour in (("theirs", style.SOFT), ("ours", style.colour("study"))):
        ax.plot([], [], "o-", color=colour, label=who)
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncol=2, frameon=False, fontsize=8.5)
    _axis(ax, ticks, len(rows), WIDE)
    return Drawn(fig, {"lines": len(rows), "both": int(shown["ours"].notna().sum())})


def _interval(ax: Axes, y: float, row: dict[str, Any], colour: str, hollow: bool) -> None:
    low, high, middle = row["conf_low"], row["conf_high"], row["estimate"]
    if low == low and high == high:
        ax.plot([low, high], [y, y], color=colour, lw=1.6)
    if middle == middle:
        ax.plot(middle, y, "o", ms=5.5, color=colour, mfc="white" if hollow else colour)
        ax.text(1.03, y, _text(row), va="center", fontsize=8, transform=ax.get_yaxis_transform())


def _range(ax: Axes, y: float, low: float, high: float) -> None:
    ax.plot([low, high], [y, y], color=style.SOFT, lw=4, alpha=0.5)
    ax.text(1.03, y, f"{low:.2f} to {high:.2f} (methods)", va="center", fontsize=8,
            transform=ax.get_yaxis_transform())  # fmt: skip


def _text(row: dict[str, Any]) -> str:
    if row["conf_low"] != row["conf_low"]:
        return f"{row['estimate']:.2f}"
    return f"{row['estimate']:.2f} ({row['conf_low']:.2f} to {row['conf_high']:.2f})"


def _axis(ax: Axes, ticks: dict[int, str], rows: int, limits: tuple[float, float] = LIMITS) -> None:
    ax.axvline(1.0, color=style.INK, lw=0.8, zorder=0)
    ax.set_xscale("log")
    ax.set_xticks([x for x in TICKS if limits[0] <= x <= limits[1]])
    ax.set_xlim(*limits)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(list(ticks), list(ticks.values()), fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(rows - 0.4, -0.7)
    ax.set_xlabel("Ratio")
    sns.despine(ax=ax)
