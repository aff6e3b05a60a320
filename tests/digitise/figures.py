"""Figures with known patients, drawn by matplotlib in several manners."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures.trials import Arm

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
DASHES = ("solid", (0, (5, 2.5)), (0, (1, 1.5)))


@dataclass(frozen=True)
class Manner:
    """How a figure is drawn."""

    colours: tuple[str, ...] = COLOURS
    dashes: tuple = ("solid",) * 4
    percent: bool = False
    low: float = 0.0
    legend: bool = True
    direct: bool = False
    table: bool = True
    marks: bool = False
    band: str = ""
    grid: bool = False
    panels: int = 1
    failure: bool = False
    width: float = 1.5
    ticks: int = 12
    log: bool = False
    dpi: int = 150
    share: bool = False
    brackets: bool = False
    blocks: bool = False
    below: bool = False  # one legend below all panels
    extra: dict = field(default_factory=dict)


def simulate(seed: int, n: int = 120, names: tuple[str, ...] = ("Drug", "Placebo")) -> list[Arm]:
    """Weibull times with censoring between 24 and 60 months, rounded to whole days."""
    rng = np.random.default_rng(seed)
    out = []
    for k, name in enumerate(names):
        time = (26 - 8 * k) * rng.weibull(1.1, n)
        censor = rng.uniform(24, 60, n)
        days = np.maximum(np.round(np.minimum(time, censor) * 30.4375), 1)
        out.append(Arm(name, days / 30.4375, (time <= censor).astype(int)))
    return out


def draw(path: Path, arms: list[list[Arm]] | list[Arm], manner: Manner | None = None) -> Path:
    """Write a figure; one list of arms a panel."""
    manner = manner or Manner()
    panels = arms if isinstance(arms[0], list) else [arms]
    with matplotlib.rc_context({"svg.fonttype": "none", **manner.extra}):
        figure = Figure(figsize=(6.2 * len(panels), 5))
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=manner.share)[0]
        figure.subplots_adjust(
            left=0.2 / len(panels) ** 0.5, right=0.96, top=0.93, bottom=0.32, wspace=0.5
        )
        for k, (ax, group) in enumerate(zip(axes, panels, strict=True)):
            _panel(ax, group, manner)
            if len(panels) > 1 and not manner.share:
                ax.text(-0.12, 1.04, "AB"[k], transform=ax.transAxes, weight="bold", size=14)
        if manner.below:
            figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncol=4)
        figure.savefig(path, dpi=manner.dpi)
    return path


def _panel(ax: matplotlib.axes.Axes, arms: list[Arm], m: Manner) -> None:
    factor = 100 if m.percent else 1
    for k, arm in enumerate(arms):
        t, s = arm.corners()
        shown = (1 - s if m.failure else s) * factor
        ax.step(
            t, shown, where="post", color=m.colours[k], ls=m.dashes[k], lw=m.width, label=arm.name
        )
        _band(ax, t, s, m, k)
        if m.marks:
            c = np.unique(arm.time[arm.event == 0])
            ax.plot(c, arm.survival(c) * factor, "|", color=m.colours[k], ms=7, mew=0.8)
        if m.direct:
            x = 30.0
            y = float(arm.survival(np.array([x]))[0]) + (0.09 if k == 0 else -0.09)
            ax.text(x, y * factor, arm.name, color=m.colours[k], ha="center", va="center")
    ticks = np.arange(0, 61, m.ticks)
    ax.set_xticks(ticks)
    ax.set_xlim(0, 61)
    ax.set_ylim(m.low * factor, 1.03 * factor)
    ax.set_xlabel("Months")
    ax.set_ylabel("Overall survival" + (" (%)" if m.percent else ""))
    if m.legend:
        ax.legend(
            loc="lower left" if m.failure is False and m.low == 0 else "upper right", frameon=False
        )
    if m.grid:
        ax.grid(True, color="#dddddd", lw=0.6)
    if m.log:
        ax.set_xscale("symlog")
    if m.table:
        _table(ax, arms, ticks, m)


def _band(ax: matplotlib.axes.Axes, t: np.ndarray, s: np.ndarray, m: Manner, k: int) -> None:
    half = 0.12 * np.sqrt(s * (1 - s))
    low, high = np.maximum(s - half, 0), np.minimum(s + half, 1)
    if m.band == "shade":
        ax.fill_between(t, low, high, step="post", color=m.colours[k], alpha=0.2, lw=0)
    if m.band == "dash":
        for limit in (low, high):
            ax.step(t, limit, where="post", color=m.colours[k], ls=":", lw=0.8)


def _table(ax: matplotlib.axes.Axes, arms: list[Arm], ticks: np.ndarray, m: Manner) -> None:
    shift = ax.get_xaxis_transform()
    if not m.blocks:
        ax.text(-0.02, -0.24, "Number at risk", transform=ax.transAxes, ha="right", weight="bold")
    y, step = (-0.19, 0.05) if m.blocks else (-0.31, 0.07)
    for arm in arms:
        ax.text(-0.04, y, arm.name, transform=ax.transAxes, ha="right")
        counts = arm.at_risk(ticks)
        lost = [int(((arm.time < t) & (arm.event == 0)).sum()) for t in ticks]
        rows = {"": [f"{n} ({c})" for n, c in zip(counts, lost, strict=True)]}
        if not m.brackets:
            rows = {"": list(map(str, counts))}
        if m.blocks:
            rows = {"At risk": list(map(str, counts)), "Censored": list(map(str, lost))}
            y -= step
        for name, cells in rows.items():
            if name:
                ax.text(-0.06, y, name, transform=ax.transAxes, ha="right")
            for t, cell in zip(ticks, cells, strict=True):
                ax.text(t, y, cell, transform=shift, ha="center")
            y -= step


def error(arm: Arm, time: np.ndarray, survival: np.ndarray, low: float = 0.0) -> float:
    """Root mean squared error of survival on 400 times, where the axis shows it."""
    grid = np.linspace(0, min(60.0, arm.time.max()), 401)[1:-1]
    k = np.searchsorted(time, grid, side="right") - 1
    true = arm.survival(grid)
    on = true >= low
    return float(np.sqrt(np.mean((survival[k] - true)[on] ** 2)))
