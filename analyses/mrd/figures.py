"""Figures of the MRD analysis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

import metablin as mb
from metablin import simon_makuch
from metablin.datasets import entries, said
from metablin.mrd import ResponderHR, ResponsePools, simulate_cohort
from metablin.pipeline import Drawn
from metablin.plots import forest, style
from metablin.survival.km import kaplan_meier

from ..cohorts.designs import DESIGNS as PLACES
from ..cohorts.designs import MAIN
from ..cohorts.populations import POPULATIONS
from ..cohorts.responders import ENDPOINTS
from ..lines import all_of, records, span
from ..response.figures import forest_by
from .rows import DENOMINATORS, SEED, WINDOWS

DESIGNS = said("design")
METHODS = {"naive": "#D55E00", "landmark": "#009E73", "time-dependent": "#0072B2"}
HANDLED = {"landmark": "landmark", "time-dependent": "time-dependent"}
PANELS = {
    "naive": "By eventual response",
    "landmark": "From a landmark",
    "time-dependent": "Moved when they respond",
}
WORDS = {
    "naive": "ever against never, from the start",
    "landmark": "landmark at the end of the window",
    "time-dependent": "time-dependent response (Mantel-Byar, Simon-Makuch)",
}


def response_forest(cohorts: pd.DataFrame, population: str) -> Drawn:
    """Draw the MRD response of one population, a block a denominator."""
    part = cohorts.loc[cohorts["population"] == population]
    blocks = part["denominator"].map(DENOMINATORS) + ": " + part["design"].map(DESIGNS)
    return forest_by(part, blocks)


def among_responders(cohorts: pd.DataFrame) -> Drawn:
    """Draw the MRD response of haematological responders, a block a population."""
    part = cohorts.loc[cohorts["denominator"] == "responders"]
    blocks = part["population"].map(POPULATIONS) + ": " + part["design"].map(DESIGNS)
    return forest_by(part, blocks)


def pools_figure(pools: ResponsePools) -> MplFigure:
    """Draw pooled response by population and denominator, with prediction intervals."""
    frame = pools.to_frame()
    frame = frame.assign(order=frame["population"].map(list(POPULATIONS).index))
    frame = frame.assign(place=frame["design"].map(PLACES.index))
    frame = frame.sort_values(["order", "denominator", "place"], kind="stable")
    frame = frame.reset_index(drop=True)
    lines: list[pd.Series | str] = []
    for population, part in frame.groupby("population", sort=False):
        lines += [POPULATIONS[str(population)], *(row for _, row in part.iterrows())]
    fig, ax = style.figure(4.0, 0.27 * len(lines) + 0.7)
    for y, row in enumerate(lines):
        if isinstance(row, str):
            ax.text(0.0, y + 0.1, row, va="center", fontweight="bold", fontsize=9)
            continue
        colour = style.colour(row["population"])
        ax.hlines(y, row["pred_low"], row["pred_high"], color=colour, lw=5, alpha=0.25)
        ax.hlines(y, row["conf_low"], row["conf_high"], color=colour, lw=1.5)
        ax.plot(row["estimate"], y, "o", ms=5, color=colour)
        ax.text(1.03, y, f"{row['events']:.0f} of {row['n']:.0f}, k = {row['k']}", va="center",
                fontsize=9, color=style.SOFT)  # fmt: skip
    rates = {y: row for y, row in enumerate(lines) if not isinstance(row, str)}
    ax.set_yticks(list(rates), [_label(row) for row in rates.values()])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("MRD response")
    return fig


def _label(row: pd.Series) -> str:
    design = "" if row["design"] == MAIN else f", {DESIGNS[row['design']]}"
    return f"{DENOMINATORS[row['denominator']]}{design}"


def responders_forest(found: ResponderHR, endpoints: tuple[str, ...]) -> Drawn:
    """Draw the hazard ratios of responders, each with its handling of time and its route."""
    rows = found.frame.loc[found.frame["log_hr"].notna() & found.frame["endpoint"].isin(endpoints)]
    rows = rows.sort_values(["immortal_time", "study"], kind="stable")
    routes = {e.code: e.short for e in entries("route", "results")}
    named = [
        f"{r['study']}: {HANDLED.get(r['timing'], 'time not handled')}, {routes[r['route']]}"
        for r in records(rows)
    ]
    e = ResponderHR(rows.assign(study=named)).effects()
    figure = forest(mb.pool_contrasts(e)).figure
    assert isinstance(figure, MplFigure)
    ratios = np.exp(rows["log_hr"].to_numpy(dtype=float))
    below = all_of(int((ratios < 1).sum()), len(ratios), "comparison")
    return Drawn(figure, {"comparisons": len(rows), "below": below})


def simulation_figure(table: pd.DataFrame) -> MplFigure:
    """Draw naive, landmark and time-dependent hazard ratios against the truth."""
    truths = sorted(table["true_hr"].unique(), reverse=True)
    fig = MplFigure(figsize=(7.6, 3.4))
    with style.house_style():
        axes = fig.subplots(1, len(truths), sharey=True, squeeze=False)[0]
        for ax, truth in zip(axes, truths, strict=True):
            part = table.loc[table["true_hr"] == truth]
            for shift, (method, colour) in zip((-0.18, 0.0, 0.18), METHODS.items(), strict=True):
                line = part.loc[part["method"] == method].reset_index(drop=True)
                x = np.arange(len(line)) + shift
                spread = np.exp(1.96 * line["sd"])
                ax.vlines(x, line["estimate"] / spread, line["estimate"] * spread, color=colour,
                          lw=1.2, alpha=0.6)  # fmt: skip
                ax.plot(x, line["estimate"], "o", ms=5, color=colour, label=WORDS[method])
            ax.axhline(truth, color=style.INK, lw=0.9, ls=(0, (4, 2)))
            ax.set_yscale("log")
            ax.set_yticks([0.2, 0.3, 0.5, 0.7, 1.0, 1.5])
            ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
            windows = sorted(part["window"].unique())
            ax.set_xticks(range(len(windows)), [f"{w:g}" for w in windows])
            ax.set_xlabel("Latest response, months")
            ax.set_title(f"True hazard ratio {truth:g}")
        axes[0].set_ylabel("Hazard ratio, responders over others")
        handles, labels = axes[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncol=3,
                   fontsize=8, frameon=False)  # fmt: skip
    return fig


RESPONDERS_FIRST = ("responder", "non-responder")


def curves_figure(window: float, seed: int) -> MplFigure:
    """Draw one large cohort in which response does nothing, three ways."""
    data = simulate_cohort(4000, true_hr=1.0, window=window, rng=np.random.default_rng(seed))
    time, event, at = data
    ever = ~np.isnan(at)
    late = time > window
    by_window = at <= window
    panels = {
        "naive": [kaplan_meier(time[g], event[g]) for g in (ever, ~ever)],
        "landmark": [kaplan_meier(time[late & g], event[late & g], entry=np.full(g[late].sum(),
                     window)) for g in (by_window, ~by_window)],
        "time-dependent": [simon_makuch(*data).curves[name] for name in RESPONDERS_FIRST],
    }  # fmt: skip
    fig = MplFigure(figsize=(8.0, 2.9))
    with style.house_style():
        axes = fig.subplots(1, 3, sharey=True)
        for ax, (method, curves) in zip(axes, panels.items(), strict=True):
            for curve, colour, label in zip(curves, ("#0072B2", "#D55E00"),
                                            ("responders", "others"), strict=True):  # fmt: skip
                start = window if method == "landmark" else 0.0
                ax.step(np.r_[start, curve.time], np.r_[1.0, curve.survival], where="post",
                        color=colour, lw=1.4, label=label)  # fmt: skip
            ax.set_xlim(0, 30)
            ax.set_ylim(0, 1.02)
            ax.set_title(PANELS[method])
            ax.set_xlabel("Months")
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes[0].set_ylabel("Survival")
        axes[0].legend(loc="upper right", fontsize=8)
    return fig


def figures(
    cohorts: pd.DataFrame, pools: ResponsePools, found: ResponderHR, simulated: pd.DataFrame
) -> dict[str, MplFigure | Drawn]:
    """Return the figures of the analysis."""
    rates = span(pools.to_frame()["estimate"], unit="%", scale=100.0)
    useless = simulated.loc[(simulated["true_hr"] == 1) & (simulated["method"] == "naive")]
    worst = useless["estimate"].min()
    return {
        "response": Drawn(pools_figure(pools), {"pools": len(pools.fits), "span": rates}),
        "mrd_positive": response_forest(cohorts, "mrd_positive"),
        "among_responders": among_responders(cohorts),
        **{f"responders_{name}": responders_forest(found, (name,)) for name in ENDPOINTS},
        "simulation": Drawn(simulation_figure(simulated), {"worst": f"{worst:.2f}"}),
        "curves": curves_figure(WINDOWS[-1], SEED),
    }
