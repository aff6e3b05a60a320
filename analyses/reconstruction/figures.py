"""Small multiples of reconstructed arms: curve, band over draws, what was printed, grade."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import PercentFormatter

from metablin.datasets import entry, said
from metablin.pipeline import Drawn
from metablin.plots import style
from metablin.report.words import patients_words

from ..cohorts.arms import PrintedArm
from ..rebuilt import Rebuilt

ACROSS = 4
MONTHS = 60.0
WIDE, TALL = 2.15, 1.85
FIRST_LINE, SECOND_LINE = 31, 34  # letters that fit over a panel
GRADES = said("reconstruction_grade", "results")


def panels(arms: list[Rebuilt], curves: pd.DataFrame) -> Drawn:
    """Draw one panel an arm, all on the same scale of survival."""
    rows = math.ceil(len(arms) / ACROSS)
    with style.house_style():
        height = TALL * rows + 0.4
        figure = MplFigure(figsize=(WIDE * ACROSS, height))
        axes = figure.subplots(rows, ACROSS, squeeze=False).ravel()
        figure.subplots_adjust(left=0.055, right=0.99, bottom=0.55 / height,
                               top=1 - 0.35 / height, wspace=0.25, hspace=0.5)  # fmt: skip
    for ax, arm in zip(axes, arms, strict=False):
        part = curves.loc[curves["arm_key"] == arm.printed.key]
        _panel(ax, arm, part.loc[part["time"] <= MONTHS])
    for ax in axes[len(arms) :]:
        ax.set_visible(False)
    figure.supxlabel("Months", fontsize=9, y=0.12 / height)
    figure.supylabel("Survival", fontsize=9, x=0.005)
    counts = pd.Series([a.draws.grade for a in arms if a.draws]).value_counts().sort_index()
    words = ", ".join(f"{k} of grade {g}" for g, k in counts.items())
    return Drawn(figure, {"arms": len(arms), "grades": words})


def _panel(ax: Axes, arm: Rebuilt, part: pd.DataFrame) -> None:
    p = arm.printed
    shade = style.colour("treatment" if "blinatumomab" in p.arm else p.arm)
    ax.fill_between(part["time"], part["low"], part["high"], color=shade, alpha=0.22, lw=0,
                    step="post")  # fmt: skip
    ax.step(part["time"], part["survival"], where="post", color=shade, lw=1.2)
    _anchors(ax, arm.used)
    ax.set(xlim=(0.0, MONTHS), ylim=(0.0, 1.03), xticks=[0, 12, 24, 36, 48, 60])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_yticks([0.0, 0.5, 1.0])
    ax.tick_params(labelsize=6.5, length=2)
    ax.xaxis.set_label_coords(0.5, 0.0)
    ax.set_title(_title(p), fontsize=6.8, pad=3)
    grade = (arm.draws.grade if arm.draws else "") + ("*" if arm.conflict else "")
    ax.text(0.97, 0.95, grade, transform=ax.transAxes, ha="right", va="top", fontsize=9,
            fontweight="bold", color=style.INK)  # fmt: skip


def _title(p: PrintedArm) -> str:
    whole = f"{p.endpoint.upper()}, n = {p.n}"
    second = whole if p.patients == "all" else f"{whole}, {patients_words(p.patients)}"
    name = entry("arm", p.arm).short
    trial = _short(p.label, FIRST_LINE - len(name) - 2)
    return f"{trial}: {name}\n{_short(second, SECOND_LINE)}"


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 1)].rstrip(" ;,:=") + "\u2026"


def _anchors(ax: Axes, p: PrintedArm) -> None:
    mark: dict[str, Any] = {"ms": 3.2, "color": style.INK, "mew": 0.8, "zorder": 5}
    for t, s, *limits in p.landmarks:
        ax.plot([t], [s], "o", mfc="white", **mark)
        if limits:
            ax.plot([t, t], limits, color=style.INK, lw=0.8, zorder=4)
    middle, low, high = p.median or (None, None, None)
    if middle is not None:
        ax.plot([middle], [0.5], "D", mfc="white", **mark)
    if low is not None:
        end = high if high is not None else ax.get_xlim()[1] + 200.0
        ax.plot([low, end], [0.5, 0.5], color=style.INK, lw=0.8, zorder=4)
