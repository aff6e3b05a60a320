"""Figures of the safety analysis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, PercentFormatter
from statsmodels.stats.proportion import proportion_confint

from metablin.datasets import entries, said
from metablin.pipeline import Drawn
from metablin.plots import style
from metablin.plots.dots import dots
from metablin.plots.volcano import volcano

from ..cohorts.designs import DESIGNS
from ..cohorts.populations import POPULATIONS
from ..lines import all_of, records, span

ACROSS = 2
"""Panels beside each other: more would need letters too small for a telephone."""
READINGS = {"unadjusted": "#7A7A7A", "fixed": "#0072B2"}
# Colours of the adults in relapse and of the patients in remission.
BURDEN = {
    "adults in relapse (much disease)": "adult_rr_ph_negative",
    "in remission with MRD (little disease)": "mrd_positive",
}
WORDS = {"unadjusted": "risk ratio, time ignored", "fixed": "rate ratio per cycle"}


SHORT = {e.code: e.short for e in entries("population", "results")}
DESIGN_WORDS = said("design")
ARMS = ("blinatumomab", "chemotherapy")


def rates_figure(frame: pd.DataFrame, panels: dict[tuple[str, str], str]) -> MplFigure:
    """Draw rates by population, a panel a term and grade, with prediction bars."""
    frame = frame.loc[frame["population"] != "all"]
    pairs = list(zip(frame["term"], frame["grade"], strict=True))
    frame = frame.loc[[pair in panels for pair in pairs]]
    known = set(zip(frame["population"], frame["design"], strict=True))
    shown = [(p, d) for p in POPULATIONS for d in DESIGNS if (p, d) in known]
    rows = -(-len(panels) // ACROSS)
    fig = MplFigure(figsize=(5.4, rows * (0.44 * len(shown) + 0.9)))
    with style.house_style():
        axes = fig.subplots(rows, ACROSS, sharey=True, squeeze=False,
                            gridspec_kw={"wspace": 0.12, "hspace": 0.32})  # fmt: skip
        for ax, ((term, grade), title) in zip(axes.ravel(), panels.items(), strict=True):
            part = frame.loc[(frame["term"] == term) & (frame["grade"] == grade)]
            reach = min(1.0, 1.1 * float(np.nanmax(part[["conf_high", "pred_high"]])))
            for y, (population, design) in enumerate(shown):
                here = (part["population"] == population) & (part["design"] == design)
                row = part.loc[here]
                if row.empty:
                    ax.text(0.02 * reach, y, "not reported", va="center", fontsize=8.5,
                            color=style.SOFT)  # fmt: skip
                else:
                    _rate(ax, y, row.iloc[0], style.colour(population), reach)
            ax.set_title(title, fontsize=9.5)
            ax.set_xlim(-0.03 * reach, reach)
            ax.xaxis.set_major_locator(MaxNLocator(4))
            ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.tick_params(axis="y", length=0)
        names = [f"{SHORT[p]}, {DESIGN_WORDS[d]}" for p, d in shown]
        axes[0, 0].set_yticks(range(len(shown)), names)
        axes[0, 0].set_ylim(len(shown) - 0.5, -0.65)
    return fig


def _rate(ax: Axes, y: float, row: pd.Series, colour: str, reach: float) -> None:
    """Draw one pooled rate: point, interval, prediction bar, counts above."""
    ax.hlines(y, row["pred_low"], row["pred_high"], color=colour, lw=6, alpha=0.22)
    ax.hlines(y, row["conf_low"], row["conf_high"], color=colour, lw=1.4)
    ax.plot(row["estimate"], y, "o", ms=4.5, color=colour)
    place = min(max(row["estimate"], 0.12 * reach), 0.86 * reach)  # letters stay in the panel
    ax.annotate(f"{row['events']:.0f}/{row['n']:.0f}", (place, y), xytext=(0, 5),
                textcoords="offset points", ha="center", fontsize=8,
                color=style.SOFT)  # fmt: skip


def burden_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw the signature harms in relapse and in remission side by side."""
    rates = {"events_relapse": "n_relapse", "events_remission": "n_remission"}
    fig, ax = style.figure(6.4, 0.62 * len(frame) + 1.1)
    for shift, (events, n), (words, key) in zip(
        (-0.15, 0.15), rates.items(), BURDEN.items(), strict=True
    ):
        x, m = frame[events].to_numpy(float), frame[n].to_numpy(float)
        low, high = proportion_confint(x, m, method="beta")
        y = np.arange(len(frame)) + shift
        colour = style.colour(key)
        ax.hlines(y, np.where(x == 0, 0.0, low), high, color=colour, lw=1.6)
        ax.plot(x / m, y, "o", ms=5, color=colour, label=words)
        for i in range(len(frame)):
            ax.text(high[i] + 0.008, y[i], f"{x[i]:.0f} of {m[i]:.0f}", va="center", fontsize=7.5,
                    color=style.SOFT)  # fmt: skip
    ax.set_yticks(range(len(frame)), frame["term"] + ", " + frame["grade"])
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set_xlim(-0.01, None)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("Patients with the event")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=2, fontsize=8.5, frameon=False)
    return fig


def volcano_figure(frame: pd.DataFrame) -> Drawn:
    """Draw the severe events of all randomised trials as a volcano."""
    single = frame.loc[(frame["grade"] == "grade3plus") & ~frame["summary"]]
    # one bubble a term and trial: the whole treatment where both periods are reported
    single = single.sort_values("period", ascending=False, kind="stable")
    single = single.drop_duplicates(["trial_id", "term"])
    named = single.assign(term=single["term"] + " (" + single["study"] + ")")
    figure = volcano(named, labels=12, arms=ARMS).figure
    assert isinstance(figure, MplFigure)
    return Drawn(figure, _told(single))


def dots_figure(frame: pd.DataFrame, trial: str, period: str) -> Drawn:
    """Draw the severe events of one trial as a two-panel dot plot."""
    part = frame.loc[
        (frame["trial_id"] == trial)
        & (frame["grade"] == "grade3plus")
        & (frame["period"] == period)
        & (frame["term"] != "treatment-related adverse event")
    ]
    figure = dots(part, arms=ARMS)[0].figure
    assert isinstance(figure, MplFigure)
    return Drawn(figure, _told(part))


def exposure_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw ratios of severe events with time ignored and with time counted."""
    terms = list(dict.fromkeys(frame["term"]))
    fig, ax = style.figure(6.2, 0.34 * len(terms) + 1.3)
    for shift, (name, colour) in zip((-0.14, 0.14), READINGS.items(), strict=True):
        part = frame.loc[frame["assumption"] == name].set_index("term").loc[terms]
        y = np.arange(len(terms)) + shift
        low, high = np.maximum(part["conf_low"], 0.05), np.minimum(part["conf_high"], 40)
        ax.hlines(y, low, high, color=colour, lw=1.3)
        ax.plot(part["estimate"], y, "o", ms=4.5, color=colour, label=WORDS[name])
    ax.axvline(1, color=style.INK, lw=0.8)
    ax.set_xscale("log")
    ax.set_xlim(0.05, 40)
    ax.set_xticks([0.1, 0.25, 0.5, 1, 2, 4, 10, 40])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
    ax.set_yticks(range(len(terms)), terms)
    ax.invert_yaxis()
    ax.set_xlabel("Ratio, blinatumomab over chemotherapy")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=2, fontsize=8.5, frameon=False)
    return fig


def answers_figure(frame: pd.DataFrame) -> MplFigure:
    """Draw the answers: expected number of 100 and its prediction interval."""
    groups = [g for g in POPULATIONS.values() if (frame["group"] == g).any()]
    keys = {v: k for k, v in POPULATIONS.items()}
    rows = [(g, r) for g in groups for r in records(frame.loc[frame["group"] == g])]
    fig, ax = style.figure(5.2, 0.23 * (len(rows) + len(groups)) + 1.0)
    y = 0
    ticks: list[int] = []
    labels: list[str] = []
    for i, (group, row) in enumerate(rows):
        if i == 0 or rows[i - 1][0] != group:
            y += i > 0
            ticks.append(y)
            labels.append(group)
            y += 1
        colour = style.colour(keys[group])
        ax.hlines(y, row["low"], row["high"], color=colour, lw=5, alpha=0.3)
        ax.plot(row["expected"], y, "o", ms=4.5, color=colour)
        words = f"{row['expected']:.0f} ({row['low']:.0f} to {row['high']:.0f}), {row['certainty']}"
        ax.text(103, y, words, va="center", fontsize=7.5)
        ticks.append(y)
        labels.append(f"{row['question']}, {row['who']}")
        y += 1
    ax.set_yticks(ticks, labels, fontsize=8)
    for label in ax.get_yticklabels():
        if label.get_text() in groups:
            label.set_fontweight("bold")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("Patients of 100")
    return fig


EXPOSED = "tower"
PANELS = {
    ("cytokine release syndrome", "any"): "CRS, any grade",
    ("cytokine release syndrome", "grade3plus"): "CRS, grade 3+",
    ("neurologic event", "any"): "Neurologic, any grade",
    ("neurologic event", "grade3plus"): "Neurologic, grade 3+",
}


def figures(tables: dict[str, pd.DataFrame]) -> dict[str, MplFigure | Drawn]:
    """Return the figures of the analysis from its tables."""
    compared, burden = tables["randomised"], tables["burden"]
    more = burden["events_relapse"] / burden["n_relapse"]
    more = more > burden["events_remission"] / burden["n_remission"]
    often = all_of(int(more.sum()), len(more), "comparison")
    severe = {
        short: span(_severe(tables["rates"], term), unit="%", scale=100.0)
        for short, term in (("crs", "cytokine release syndrome"), ("neuro", "neurologic event"))
    }
    return {
        "answers": Drawn(answers_figure(tables["answers"]), {"answers": len(tables["answers"])}),
        "rates": Drawn(rates_figure(tables["rates"], PANELS), severe),
        "burden": Drawn(burden_figure(burden), {"more": often}),
        "volcano": volcano_figure(compared),
        "tower": dots_figure(compared, EXPOSED, "whole treatment"),
        "aall1331": dots_figure(compared, "aall1331_hrir", "first cycle"),
        "exposure": Drawn(exposure_figure(tables["exposure"]), _smaller(tables["exposure"])),
    }


def _severe(rates: pd.DataFrame, term: str) -> pd.Series:
    mine = (
        (rates["term"] == term) & (rates["grade"] == "grade3plus") & (rates["population"] != "all")
    )
    return rates.loc[mine, "estimate"]


def _smaller(exposure: pd.DataFrame) -> dict[str, object]:
    plain, timed = (
        exposure.loc[exposure["assumption"] == name].set_index("term")["estimate"]
        for name in READINGS
    )
    less = timed.reindex(plain.index) < plain
    return {"smaller": all_of(int(less.sum()), len(less), "event")}


def _told(frame: pd.DataFrame) -> dict[str, object]:
    """Return how many differences in risk lie on either side of zero with their intervals."""
    rarer, oftener = int((frame["conf_high"] < 0).sum()), int((frame["conf_low"] > 0).sum())
    return {"terms": len(frame), "rarer": rarer, "oftener": oftener}
