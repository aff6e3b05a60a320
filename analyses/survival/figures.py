"""Figures of pooled curves, cure models and randomised comparisons on reconstructed patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, PercentFormatter

import metablin as mb
from metablin.pipeline import Drawn
from metablin.plots import style
from metablin.plots._survival import survival_axis
from metablin.plots.km import draw_pooled_curve
from metablin.report import format_estimate

from ..cohorts.arm_pools import Pool
from ..lines import records
from ..rebuilt import Rebuilt
from .cure import Draws, fits, together
from .pools import PooledDraws, followed
from .rows import CURED

MONTHS = np.arange(0.0, 61.0)
DRAWN = {
    "weibull-mixture-cure": "Weibull, with a cured share",
    "lognormal-mixture-cure": "log-normal, with a cured share",
    "lognormal": "log-normal, without",
}
COLOURS = ("treatment", "control", "mrd_positive")


def middle_curve(draws: Draws, months: np.ndarray) -> pd.DataFrame:
    """Return the middle and the 2.5% and 97.5% points of the draws' curves, month by month."""
    values = np.array([mb.kaplan_meier(t, e).values_at(months)[0] for t, e in draws])
    keep = np.isfinite(values).mean(axis=0) >= 0.5
    low, point, high = np.nanquantile(values[:, keep], [0.025, 0.5, 0.975], axis=0)
    return pd.DataFrame({"time": months[keep], "survival": point, "low": low, "high": high})


def pooled_figure(found: PooledDraws) -> Drawn:
    """Return the pooled curve over its arms, with I2 and arms followed below."""
    frame = found.curve.to_frame()
    with style.house_style():
        figure = MplFigure(figsize=(6.2, 5.0), layout="constrained")
        top, low = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    for arm in found.arms:
        one = middle_curve(followed(arm), MONTHS[frame["time"].max() >= MONTHS])
        top.step(one["time"], one["survival"], where="post", color=style.SOFT, lw=0.7, alpha=0.7)
    draw_pooled_curve(frame, top, name=found.pool.colour)
    top.set_xlabel("")
    _heterogeneity(low, frame)
    m = found.curve.median().iloc[0]
    at = frame.loc[frame["time"] <= 12.0].iloc[-1]
    return Drawn(
        figure,
        {
            "grades": found.grades,
            "arms": len(found.arms),
            "survival": _interval(at, "survival"),
            "time": f"{at['time']:g}",
            "median": _months(float(m["estimate"])),
            "i2": f"{frame['i2'].iloc[-1]:.2f}",
        },
    )


def _interval(row: pd.Series, name: str = "estimate") -> str:
    return f"{row[name]:.2f} ({row['conf_low']:.2f} to {row['conf_high']:.2f})"


def _months(value: float) -> str:
    return f"{value:.1f} months" if np.isfinite(value) else "not reached"


def _heterogeneity(ax: Axes, frame: pd.DataFrame) -> None:
    ax.plot(frame["time"], frame["i2"], "o-", color=style.INK, ms=3, lw=1.0, clip_on=False)
    ax.set_ylim(0.0, 1.05)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylabel("I²")
    ax.set_xlabel("Time (months)")
    for t, i2, k in zip(frame["time"], frame["i2"], frame["k"], strict=True):
        ax.annotate(f"{k}", (t, i2), xytext=(0, -11), textcoords="offset points", fontsize=7,
                    ha="center")  # fmt: skip
    ax.text(0.01, 0.06, "numbers: arms followed", transform=ax.transAxes, fontsize=7)


def cure_figure(name: str, arms: Sequence[Rebuilt], table: pd.DataFrame) -> Drawn:
    """Return three families over the curve of all patients, averaged over draws."""
    draws = together(arms)
    with style.house_style():
        figure = MplFigure(figsize=(6.2, 3.8), layout="constrained")
        ax = figure.subplots()
    seen = middle_curve(draws, MONTHS)
    ax.fill_between(seen["time"], seen["low"], seen["high"], step="post", color=style.SOFT,
                    alpha=0.25, lw=0)  # fmt: skip
    ax.step(seen["time"], seen["survival"], where="post", color=style.INK, lw=1.2,
            label="Kaplan-Meier, middle draw")  # fmt: skip
    for (family, words), shade in zip(DRAWN.items(), COLOURS, strict=True):
        lines = np.array([f.survival(MONTHS)["estimate"] for f in fits(tuple(arms), family)])
        line = np.r_[1.0, lines.mean(axis=0)[1:]]
        own = style.colour(shade)
        ax.plot(MONTHS, line, color=own, lw=1.4, label=words)
        low, high = np.quantile(lines, [0.025, 0.975], axis=0)
        ax.plot(MONTHS[1:], low[1:], color=own, lw=0.6, ls=(0, (3, 2)))
        ax.plot(MONTHS[1:], high[1:], color=own, lw=0.6, ls=(0, (3, 2)))
    survival_axis(ax)
    ax.set(xlim=(0.0, 60.0), xlabel="Time (months)")
    ax.legend(loc="upper right", frameon=False, fontsize=8)
    cure = table.loc[table["key"] == f"{name}.weibull-mixture-cure"].iloc[0]
    return Drawn(figure, {"cured": _interval(cure)})


def effects_figure(single: pd.DataFrame, whole: pd.DataFrame, measure: str, unit: str) -> Drawn:
    """Return trials and pools of one measure side by side, with what is printed."""
    parts = single.loc[single["key"].str.contains(f".{measure}.", regex=False)]
    pools = whole.loc[whole["key"].str.endswith(f".{measure}")]
    lines: list[tuple[str, dict[str, Any], bool]] = []
    for pool in records(pools):
        name = pool["key"].split(".")[0]
        own = records(parts.loc[parts["key"].str.startswith(f"{name}.")])
        lines += [(f"{r['trial']}, {r['endpoint'].upper()}", r, False) for r in own]
        lines.append((f"Pooled: {pool['endpoint'].lower()}", pool, True))
    with style.house_style():
        figure = MplFigure(figsize=(6.8, 0.42 * len(lines) + 1.0), layout="constrained")
        ax = figure.subplots()
    for y, (_, row, is_pool) in enumerate(lines):
        shade = style.INK if is_pool else style.colour("study")
        ax.plot([row["conf_low"], row["conf_high"]], [y, y], color=shade, lw=1.2)
        ax.plot([row["estimate"]], [y], "D" if is_pool else "s", color=shade, ms=6)
        printed = np.nan if is_pool else row["printed"]
        if np.isfinite(printed):
            ax.plot([printed], [y], "o", mfc="none", mec=style.colour("pooled"), ms=10)
    ax.axvline(0.0, color=style.SOFT, lw=0.8)
    ax.set_yticks(range(len(lines)), [text for text, *_ in lines])
    ax.invert_yaxis()
    ax.set_xlabel(unit)
    if (pools["unit"] == "points").all():
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:+.0f}" if v else "0"))
    circles = "; circles: the same difference as printed, where it is" * bool(
        parts["printed"].notna().any()
    )
    pooled = "; ".join(
        f"{p['endpoint'].lower()} {format_estimate(p, p['unit'])}" for p in records(pools)
    )
    return Drawn(figure, {"circles": circles, "pooled": pooled})


def figures(
    curves: Sequence[PooledDraws],
    used: dict[Pool, list[Rebuilt]],
    cures: pd.DataFrame,
    single: pd.DataFrame,
    whole: pd.DataFrame,
) -> dict[str, MplFigure | Drawn]:
    """Return the figures of the analysis."""
    return {
        **{one.pool.name: pooled_figure(one) for one in curves},
        **{
            f"cure_{p.name}": cure_figure(p.name, arms, cures)
            for p, arms in used.items()
            if p.name in CURED
        },
        "rmst_24": effects_figure(single, whole, "rmst_24", "Months gained within 24 months"),
        "milestone_24": effects_figure(
            single, whole, "milestone_24", "Difference at 24 months, percentage points"
        ),
    }
