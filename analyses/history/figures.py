"""The figure of history: one small line a headline, certainty as colour under it."""

from __future__ import annotations

import datetime

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter, ScalarFormatter

from metablin.certainty import LEVELS
from metablin.pipeline import Drawn
from metablin.plots import style

from .rows import HEADLINES, as_year

TONES = {4: "#009E73", 3: "#56B4E9", 2: "#E69F00", 1: "#7a1f1f"}
COLUMNS = 2


def over_time(moves: pd.DataFrame, last: datetime.date) -> Drawn:
    """Draw estimate and interval of every headline over the years.

    Parameters
    ----------
    moves : pandas.DataFrame
        What :func:`.rows.moves` returns.
    last : datetime.date
        Where the lines end.
    """
    titles = [t for t in HEADLINES.values() if (moves["headline"] == t).any()]
    rows = -(-len(titles) // COLUMNS)
    fig, grid = plt.subplots(rows, COLUMNS, figsize=(8.2, 2.1 * rows), sharex=True, squeeze=False)
    years = [as_year(d, last) for d in moves["date"]]
    left = np.floor(min(years))
    for ax, title in zip(grid.flat, titles, strict=False):
        part = moves.loc[moves["headline"] == title]
        _panel(
            ax, title, part, [as_year(d, last) for d in part["date"]], as_year("all evidence", last)
        )
    for ax in list(grid.flat)[len(titles) :]:
        ax.set_axis_off()
    grid[0, 0].set_xlim(left, as_year("all evidence", last) + 0.2)
    marks = [Line2D([], [], color=TONES[x], lw=5, label=LEVELS[x]) for x in LEVELS]
    fig.legend(handles=marks, loc="lower center", ncol=len(marks), fontsize=8,
               title="Certainty, suggested by rule", title_fontsize=8)  # fmt: skip
    fig.tight_layout(rect=(0, 0.05, 1, 1))
    assert isinstance(fig, MplFigure)
    ends = moves.groupby("headline", sort=False).tail(1)
    said = "; ".join(f"{r.headline}: {r.estimate:.2f}" for r in ends.itertuples())
    return Drawn(fig, {"headlines": len(titles), "changes": len(moves), "now": said})


def _panel(ax: Axes, title: str, part: pd.DataFrame, years: list[float], end: float) -> None:
    ratio = (part["unit"] == "ratio").all()
    x = np.array([*years, end])
    tone = style.colour("study")
    for name, width in (("conf_low", 0.0), ("conf_high", 0.0), ("estimate", 1.6)):
        y = np.append(part[name].to_numpy(), part[name].iloc[-1])
        if width:
            ax.step(x, y, where="post", color=tone, lw=width)
    low, high = (np.append(part[c].to_numpy(), part[c].iloc[-1]) for c in ("conf_low", "conf_high"))
    ax.fill_between(x, low, high, step="post", color=tone, alpha=0.18, lw=0)
    ax.plot(years, part["estimate"], "o", ms=5, color=tone)
    for start, stop, level in zip(x[:-1], x[1:], part["level"], strict=True):
        ax.plot([start, max(stop, start + 0.08)], [0.02, 0.02], color=TONES[level], lw=5,
                transform=ax.get_xaxis_transform(), solid_capstyle="butt")  # fmt: skip
    if ratio:
        ax.set_yscale("log")
        ax.axhline(1, color=style.SOFT, lw=0.8, ls=":")
        ax.set_ylim(0.12, 2.0)
        ax.set_yticks([0.2, 0.5, 1.0, 2.0])
        ax.yaxis.set_major_formatter(ScalarFormatter())
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_ylim(-0.05, 1)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.tick_params(labelbottom=True)
    ax.set_title(title, fontsize=8.5, loc="left")
    sns.despine(ax=ax)
