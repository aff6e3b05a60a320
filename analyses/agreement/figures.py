"""Ratios published and pooled here, side by side."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.ticker import FuncFormatter, NullFormatter

from metablin.pipeline import Drawn
from metablin.plots import style

from ..lines import records
from .rows import AGREE

TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5)


def pairs_figure(pairs: pd.DataFrame) -> Drawn:
    """Draw the ratios of every pair, theirs above ours."""
    rows = records(pairs.loc[pairs["unit"] == "ratio"])
    fig, ax = style.figure(4.4, 0.36 * len(rows) + 0.9)
    colours = {"published": style.SOFT, "ours": style.colour("study")}
    for y, row in enumerate(rows):
        for name, shift in (("published", -0.14), ("ours", 0.14)):
            limits = [row[f"{name}_low"], row[f"{name}_high"]]
            ax.plot(limits, [y + shift] * 2, color=colours[name], lw=1.4)
            ax.plot(row[name], y + shift, "o", ms=5, color=colours[name],
                    label=name if y == 0 else None)  # fmt: skip
        ax.text(1.03, y, row["verdict"], va="center", fontsize=8.5,
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.axvline(1.0, color=style.INK, lw=0.8)
    ax.set_xscale("log")
    ax.set_xticks(TICKS)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(rows)), [f"{r['review']}, {r['outcome']}" for r in rows])
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.set_xlabel("Ratio")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncol=2, frameon=False, fontsize=8.5)
    sns.despine(ax=ax)
    said = {"pairs": len(rows), "agree": sum(r["verdict"] == AGREE for r in rows)}
    return Drawn(fig, said)
