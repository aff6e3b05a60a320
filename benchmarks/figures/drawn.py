"""Figures drawn by matplotlib and lifelines, in the manners of several programs and journals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.figures.trials import Arm, Spec

__all__ = ["DRAWN", "draw"]

NEJM = ("#bc3c29", "#0072b5", "#e18727", "#20854e")
LANCET = ("#00468b", "#ed0000", "#42b540", "#0099b4")
PLAIN = ("tab:blue", "tab:orange", "tab:green", "tab:red")
DASHES = ("solid", (0, (6, 2)), (0, (1.2, 1.5)), (0, (6, 2, 1.2, 2)))
RASTER = {"png", "jpg", "tiff", "webp"}


def draw(spec: Spec, folder: Path) -> Path:
    """Write one figure."""
    path = folder / spec.file
    rc: Any = {
        "svg.fonttype": "none" if spec.number % 2 else "path",
        **STYLE_RC.get(spec.style, {}),
    }
    with mpl.rc_context(rc):
        figure = DRAWN[spec.style](spec)
        figure.savefig(path, dpi=spec.dpi if spec.ending in RASTER else 72)
    return path


def _steps(ax: Any, arm: Arm, **how: Any) -> None:
    t, s = arm.corners()
    ax.step(t, s * how.pop("factor", 1), where="post", label=how.pop("label", arm.name), **how)


def _marks(ax: Any, arm: Arm, factor: float = 1, **how: Any) -> None:
    c = np.unique(arm.time[arm.event == 0])
    ax.plot(c, arm.survival(c) * factor, ls="none", **how)


def _cells(ax: Any, spec: Spec, group: tuple[Arm, ...], y: float, step: float, **how: Any) -> None:
    """Write a table in heights of the axes below (or above) the time axis."""
    label = how.pop("label", lambda k, arm: arm.name)
    cell = how.pop("cell", lambda arm, t: str(int(arm.at_risk(np.array([t]))[0])))
    colours = how.pop("colours", ("black",) * 8)
    at = how.pop("at", -0.05)
    for k, arm in enumerate(group):
        ax.text(at, y - k * step, label(k, arm), transform=ax.transAxes, ha="right",
                color=colours[k], **how)  # fmt: skip
        for t in spec.ticks:
            ax.text(t, y - k * step, cell(arm, t), transform=ax.get_xaxis_transform(),
                    ha="center", color=colours[k], **how)  # fmt: skip


def _frame(spec: Spec, bottom: float, **sizes: float) -> tuple[Figure, Any]:
    high = sizes.get("high", 5.2)
    if spec.table:  # room for the rows of the table
        bottom += 0.045 * (len(spec.panels[0]) - 2)
    figure = Figure(figsize=(sizes.get("wide", 7), high))
    ax = figure.add_axes((0.17, bottom, 0.78, 0.93 - bottom))
    ax.set_xticks(spec.ticks)
    ax.set_xlim(0, spec.ticks[-1])
    return figure, ax


def journal(spec: Spec) -> Figure:
    """Weekly journal: names beside the curves, a hazard ratio inside, events in brackets."""
    figure, ax = _frame(spec, 0.28)
    group = spec.panels[0]
    for k, arm in enumerate(group):
        _steps(ax, arm, color=NEJM[k], lw=1.8, factor=100)
        at = 0.62 * arm.time.max()
        s = float(arm.survival(np.array([at]))[0]) * 100
        up = all(s >= float(b.survival(np.array([at]))[0]) * 100 for b in group)
        ax.text(at, s + (5 if up else -5), arm.name, color=NEJM[k], ha="center",
                va="bottom" if up else "top")  # fmt: skip
    ax.text(0.55, 0.9, "Hazard ratio, 0.71 (95% CI, 0.54–0.93)\nP=0.01", transform=ax.transAxes)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(ylim=(0, 100), yticks=range(0, 101, 10), ylabel="Patients Alive (%)",
           xlabel=f"{spec.unit.capitalize()} since Randomization")  # fmt: skip
    ax.text(-0.19, -0.2, "No. at Risk", transform=ax.transAxes, weight="bold")
    _cells(ax, spec, group, -0.27, 0.06)
    return figure


def oncology(spec: Spec) -> Figure:
    """Oncology journal: numbers at risk with censored ones in brackets, marks on the curves."""
    figure, ax = _frame(spec, 0.3)
    group = spec.panels[0]
    for k, arm in enumerate(group):
        _steps(ax, arm, color=LANCET[k], lw=1.4)
        _marks(ax, arm, marker="|", color=LANCET[k], ms=6, mew=1)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(ylim=(0, 1.02), yticks=np.arange(0, 1.01, 0.25), ylabel="Progression-Free Survival\n"
           "(probability)", xlabel=f"Time ({spec.unit})")  # fmt: skip
    ax.legend(frameon=False, loc="upper right", title="Median OS, months")
    ax.text(-0.2, -0.21, "No. at risk (censored)", transform=ax.transAxes)

    def cell(arm: Arm, t: float) -> str:
        lost = int(((arm.time < t) & (arm.event == 0)).sum())
        return f"{int(arm.at_risk(np.array([t]))[0])} ({lost})"

    _cells(ax, spec, group, -0.29, 0.07, cell=cell, size=8, colours=LANCET)
    return figure


def sas(spec: Spec) -> Figure:
    """Statistical system: a full frame, a title, numbers at risk inside the frame, `+` marks."""
    figure, ax = _frame(spec, 0.2, wide=6.4, high=4.8)
    group = spec.panels[0]
    low = -0.06 * len(group) - 0.04
    for k, arm in enumerate(group):
        _steps(ax, arm, color=("#445694", "#a23a2e", "#01665e", "#543005")[k], lw=1.2,
               ls=DASHES[k])  # fmt: skip
        _marks(ax, arm, marker="+", color=("#445694", "#a23a2e", "#01665e", "#543005")[k], ms=6)
        ax.text(-0.06 * spec.ticks[-1], low + 0.06 * (len(group) - k) - 0.03, str(k + 1),
                ha="right", va="center", size=8)  # fmt: skip
        for t in spec.ticks:
            ax.text(t, low + 0.06 * (len(group) - k) - 0.03, str(arm.at_risk(np.array([t]))[0]),
                    ha="center", va="center", size=8)  # fmt: skip
    ax.axhline(-0.02, color="black", lw=0.6)
    ax.tick_params(axis="y", pad=12)
    ax.set(ylim=(low, 1.05), yticks=np.arange(0, 1.01, 0.2), ylabel="Survival Probability",
           xlabel=f"Time in {spec.unit}",
           xlim=(-0.04 * spec.ticks[-1], 1.04 * spec.ticks[-1]))  # fmt: skip
    ax.set_title("Product-Limit Survival Estimates\nWith Number of Subjects at Risk", size=10)
    lines = ax.get_lines()[: 2 * len(group) : 2]
    figure.legend(lines, [f"{k + 1}: {a.name}" for k, a in enumerate(group)], loc="lower center",
                  ncol=len(group), title="Treatment", fontsize=8)  # fmt: skip
    return figure


def stata(spec: Spec) -> Figure:
    """Another system: a tinted page, pale grid lines, dashes, labels `arm = name`."""
    figure, ax = _frame(spec, 0.33)
    figure.set_facecolor("#eaf2f3")
    group = spec.panels[0]
    for k, arm in enumerate(group):
        _steps(ax, arm, color=("#1a476f", "#90353b", "#55752f", "#e37e00")[k], lw=1.5)
    ax.grid(axis="y", color="#dde7ea", lw=1)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(ylim=(0, 1), yticks=np.arange(0, 1.01, 0.25), xlabel="analysis time")
    ax.set_yticklabels([f"{v:.2f}" for v in np.arange(0, 1.01, 0.25)], rotation=90, va="center")
    ax.set_title("Kaplan–Meier survival estimates", color="#1e2d53")
    ax.text(-0.2, -0.2, "Number at risk", transform=ax.transAxes)
    _cells(ax, spec, group, -0.27, 0.065, label=lambda k, a: f"arm = {a.name}")
    figure.legend(loc="lower center", ncol=2, edgecolor="black", fontsize=9)
    return figure


def prism(spec: Spec) -> Figure:
    """Laboratory plots: thick axes, percent, ticks far apart, a legend beside, no table."""
    figure, ax = _frame(spec, 0.16, wide=7.4)
    ax.set_position((0.12, 0.16, 0.6, 0.76))
    for k, arm in enumerate(spec.panels[0]):
        _steps(ax, arm, color=("black", "#ff2600", "#0433ff", "#009193")[k], lw=2.2, factor=100)
        _marks(ax, arm, 100, marker="|", color=("black", "#ff2600", "#0433ff", "#009193")[k], ms=9)
    for spine in ("left", "bottom"):
        ax.spines[spine].set_linewidth(2)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(width=2, length=6)
    ax.set(ylim=(0, 102), yticks=(0, 50, 100), ylabel="Percent survival", xlabel=spec.unit)
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.6), frameon=False)
    return figure


def black(spec: Spec) -> Figure:
    """Black ink: line styles alone tell the arms apart, as in print without colour."""
    figure, ax = _frame(spec, 0.28)
    group = spec.panels[0]
    for k, arm in enumerate(group):
        _steps(ax, arm, color="black", lw=1.4, ls=DASHES[k])
    ax.tick_params(direction="in", top=True, right=True)
    ax.set(ylim=(0, 1.0), yticks=np.arange(0, 1.01, 0.2), ylabel="Cumulative survival",
           xlabel=f"Time from enrolment ({spec.unit})")  # fmt: skip
    ax.legend(loc="best", fontsize=9, handlelength=3.5)
    ax.text(-0.19, -0.2, "Patients at risk", transform=ax.transAxes)
    _cells(ax, spec, group, -0.27, 0.065)
    return figure


def comma(spec: Spec) -> Figure:
    """A decimal comma, minor ticks, a dashed line at the median, letters of a serif."""
    figure, ax = _frame(spec, 0.28)
    group = spec.panels[0]
    for k, arm in enumerate(group):
        _steps(ax, arm, color=("#7b3294", "#008837", "#e66101", "#404040")[k], lw=1.2)
    ax.axhline(0.5, color="grey", ls="--", lw=0.8)
    ax.minorticks_on()
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.1f}".replace(".", ",")))
    ax.set(ylim=(0, 1.03), yticks=np.arange(0, 1.01, 0.1), ylabel="Überlebenswahrscheinlichkeit",
           xlabel=f"Zeit ({spec.unit})")  # fmt: skip
    ax.legend(frameon=False)
    ax.text(-0.19, -0.2, "At risk", transform=ax.transAxes)
    _cells(ax, spec, group, -0.27, 0.065)
    return figure


def two_panels(spec: Spec) -> Figure:
    """Two endpoints side by side, each with its letter and its table."""
    figure = Figure(figsize=(11, 4.8))
    for j, group in enumerate(spec.panels):
        ax = figure.add_axes((0.11 + 0.49 * j, 0.3, 0.37, 0.6))
        for k, arm in enumerate(group):
            _steps(ax, arm, color=LANCET[k], lw=1.5, factor=100)
        ax.set(ylim=(0, 101), yticks=range(0, 101, 20), xlim=(0, spec.ticks[-1] * 1.01),
               ylabel=("Overall survival (%)", "Event-free survival (%)")[j], xticks=spec.ticks,
               xlabel=f"Follow-up ({spec.unit})")  # fmt: skip
        ax.spines[["top", "right"]].set_visible(False)
        ax.text(-0.2, 1.05, "AB"[j], transform=ax.transAxes, weight="bold", size=15)
        ax.legend(frameon=False, loc="lower left", fontsize=9)
        ax.text(-0.25, -0.24, "Number at risk", transform=ax.transAxes, size=9)
        _cells(ax, spec, group, -0.32, 0.075, size=9)
    return figure


def cut_axis(spec: Spec) -> Figure:
    """A survival axis that starts above 0, with a grid both ways."""
    figure, ax = _frame(spec, 0.28)
    group = spec.panels[0]
    lowest = min(float(a.survival(np.array([a.time.max()]))[0]) for a in group)
    low = max(0.0, np.floor(lowest * 10) / 10 - 0.1)
    for k, arm in enumerate(group):
        _steps(ax, arm, color=PLAIN[k], lw=1.6)
    ax.grid(True, color="#e5e5e5", lw=0.8)
    ax.set(ylim=(low, 1.01), yticks=np.arange(round(low, 1), 1.01, 0.1),
           ylabel="Freedom from relapse", xlabel=spec.unit)  # fmt: skip
    ax.legend(loc="upper right", framealpha=0.9)
    ax.text(-0.19, -0.2, "At risk, n", transform=ax.transAxes)
    _cells(ax, spec, group, -0.27, 0.065)
    return figure


def lifelines_pair(spec: Spec) -> Figure:
    """Two fitters of lifelines with bands, marks and its own table of three rows an arm."""
    from lifelines import KaplanMeierFitter
    from lifelines.plotting import add_at_risk_counts

    figure = Figure(figsize=(7.4, 6.4), layout="tight")
    ax = figure.add_subplot()
    fitted = []
    for arm in spec.panels[0]:
        fitter = KaplanMeierFitter(label=arm.name).fit(arm.time, arm.event)
        fitter.plot_survival_function(ax=ax, show_censors=True, ci_show=len(spec.panels[0]) < 3)
        fitted.append(fitter)
    ax.set_xticks(spec.ticks)
    ax.set_xlim(0, spec.ticks[-1])
    ax.set_ylim(0, 1.05)
    ax.set_xlabel(f"timeline ({spec.unit})")
    if spec.table:
        rows = ["At risk"] if spec.number % 2 else None
        add_at_risk_counts(*fitted, ax=ax, fig=figure, rows_to_show=rows)
    return figure


def lifelines_one(spec: Spec) -> Figure:
    """One arm as lifelines draws it without being told anything."""
    from lifelines import KaplanMeierFitter

    figure = Figure(figsize=(6.4, 4.8))
    ax = figure.add_subplot()
    arm = spec.panels[0][0]
    KaplanMeierFitter(label=arm.name).fit(arm.time, arm.event).plot_survival_function(ax=ax)
    return figure


STYLE_RC: dict[str, dict[str, Any]] = {
    "journal": {"font.family": "sans-serif", "font.size": 10},
    "sas": {"font.size": 9},
    "prism": {"font.weight": "bold", "axes.labelweight": "bold"},
    "comma": {"font.family": "serif"},
    "stata": {"xtick.direction": "out"},
}
DRAWN: dict[str, Callable[[Spec], Figure]] = {
    "journal": journal,
    "oncology": oncology,
    "sas": sas,
    "stata": stata,
    "prism": prism,
    "black": black,
    "comma": comma,
    "two panels": two_panels,
    "cut axis": cut_axis,
    "lifelines": lifelines_pair,
    "lifelines, one arm": lifelines_one,
}
