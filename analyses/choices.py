"""One answer under other choices: the picture of every page that asks whether they matter."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from metablin.pipeline import Drawn
from metablin.plots import style

from .lines import records

WIDE_INCHES, ROW_INCHES, STACKED_INCHES = 4.2, 0.27, 0.42
RATIOS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
BAND = 0.12  # opacity


def choices_figure(rows: pd.DataFrame, ratio: bool = False) -> Drawn:
    """Draw one answer under every choice, a block a group.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``group, choice, estimate, conf_low, conf_high``; the first line of a group is the answer
        that the pages give.
    ratio : bool
        Whether the estimates are ratios, drawn on a logarithmic axis, and not proportions.

    Returns
    -------
    Drawn
        With ``found``, the answer of each group and the range of the others, and ``most``, how far
        a choice moves an answer at most.
    """
    picture = _draw(rows, ratio)
    style.narrow_as(picture, lambda: _draw(rows, ratio, narrow=True))
    parts = [part for _, part in _groups(rows)]
    found = "; ".join(_found(part, ratio) for part in parts)
    return Drawn(picture, {"found": found, "most": _most(parts, ratio)})


def _groups(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    several = rows.groupby("group", sort=False).filter(lambda part: len(part) > 1)
    return [(str(name), part) for name, part in several.groupby("group", sort=False)]


def _draw(rows: pd.DataFrame, ratio: bool, narrow: bool = False) -> MplFigure:
    groups = _groups(rows)
    count = sum(len(part) + 1 for _, part in groups)
    width, height = (style.NARROW_INCHES, STACKED_INCHES) if narrow else (WIDE_INCHES, ROW_INCHES)
    fig, ax = style.figure(width, height * count + 0.7)
    if narrow:
        fig.subplots_adjust(left=0.02, right=0.98)
    labels, y = {}, 0
    for name, part in groups:
        at, size, across = (y - 0.25, 8.5, 44) if narrow else (y + 0.1, 9, 90)
        ax.text(0.0, at, fill(name, across), va="center", fontweight="bold", fontsize=size,
                transform=ax.get_yaxis_transform())  # fmt: skip
        first = part.iloc[0]
        above = 0.2 if narrow else 0.5
        ax.fill_betweenx([y + above, y + len(part) + 0.5], first["conf_low"], first["conf_high"],
                         color=style.colour("treatment"), alpha=BAND, lw=0)  # fmt: skip
        for i, row in enumerate(records(part), start=1):
            labels[y + i] = str(row["choice"])
            _row(ax, y + i, row, ratio, i == 1, narrow)
        y += len(part) + 1
    ax.set_yticks([] if narrow else list(labels), [] if narrow else list(labels.values()))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(count - 0.4, -0.9 if narrow else -0.6)
    ax.spines["left"].set_visible(not narrow)
    _axis(ax, ratio)
    sns.despine(ax=ax)
    return fig


def _row(ax: Axes, y: int, row: dict[str, Any], ratio: bool, answer: bool, narrow: bool) -> None:
    colour = style.colour("treatment") if answer else style.SOFT
    ax.hlines(y, row["conf_low"], row["conf_high"], color=colour, lw=1.5)
    ax.plot(row["estimate"], y, "s" if answer else "o", ms=6 if answer else 5, color=colour)
    place: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center",
             "fontweight": "bold" if answer else "normal"}  # fmt: skip
    if narrow:  # name and numbers stand above their line
        ax.text(0.0, y - 0.45, fill(row["choice"], 38), fontsize=7.5, **place)
        ax.text(1.0, y - 0.45, _text(row, ratio), fontsize=7.5, ha="right", **place)
    else:
        ax.text(1.03, y, _text(row, ratio), fontsize=9, **place)


def _axis(ax: Axes, ratio: bool) -> None:
    if not ratio:
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        return
    ax.set_xscale("log")
    ax.set_xlim(RATIOS[0], RATIOS[-1])
    ax.set_xticks(RATIOS)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.axvline(1, color=style.INK, lw=0.8)
    ax.set_xlabel("Hazard ratio")


def _text(row: dict[str, Any], ratio: bool) -> str:
    values = (row["estimate"], row["conf_low"], row["conf_high"])
    if ratio:
        middle, low, high = (f"{x:.2f}" for x in values)
    else:
        middle, low, high = (f"{100 * x:.0f}%" for x in values)
    return f"{middle} ({low} to {high})"


def _found(part: pd.DataFrame, ratio: bool) -> str:
    group, answer, others = str(part["group"].iloc[0]), part["estimate"].iloc[0], part["estimate"]
    scale, digits, unit = (1, 2, "") if ratio else (100, 0, "%")
    low, high = (f"{scale * x:.{digits}f}" for x in (others.min(), others.max()))
    return f"{group}: {scale * answer:.{digits}f}{unit}, other choices {low} to {high}{unit}"


def _most(parts: list[pd.DataFrame], ratio: bool) -> str:
    if ratio:
        factor = max(
            np.exp(abs(np.log(p["estimate"] / p["estimate"].iloc[0])).max()) for p in parts
        )
        return f"a factor of {factor:.2f}"
    points = max(abs(p["estimate"] - p["estimate"].iloc[0]).max() for p in parts)
    return f"{100 * points:.0f} points of a hundred"
