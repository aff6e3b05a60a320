"""Matrices of a network as pictures: net heat, rankograms, contributions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm

from metablin.errors import DataError
from metablin.network import NetworkFit
from metablin.plots import style
from metablin.plots.network_effects import rows

__all__ = [
    "contribution_bars",
    "draw_contributions",
    "draw_net_heat",
    "draw_rankogram",
    "net_heat_plot",
    "rankogram",
]

SMALL_SHARE = 0.02
"""Contributions below this are drawn together as one grey end of the bar."""


def net_heat_plot(fit: NetworkFit, ax: Axes | None = None, *, model: str = "common") -> Axes:
    """Draw the net heat plot of Krahn, Binder and Koenig (2013), doi:10.1186/1471-2288-13-35.

    Red cells: the design of the row becomes more consistent with the rest once the design of the
    column is set apart; blue: less. Grey squares show how much the column's design makes up of the
    row's estimate.
    """
    frame = fit.net_heat(model)
    if not (frame["q"] > 1e-12).any():
        raise DataError("no design can be inconsistent with another", column="picture",
                        value="heat")  # fmt: skip
    if ax is None:
        size = frame["design"].nunique()
        ax = style.figure(0.34 * size + 3.0, 0.34 * size + 2.2)[1]
    return draw_net_heat(frame, ax)


def draw_net_heat(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the frame of ``NetworkFit.net_heat``; designs by their share in the inconsistency."""
    first = frame.drop_duplicates("design").set_index("design")["q"]
    names = first.sort_values(ascending=False, kind="stable").index.tolist()
    change = frame.pivot(index="design", columns="detached", values="change").loc[names, names]
    hat = frame.pivot(index="design", columns="detached", values="hat").loc[names, names].to_numpy()
    with style.house_style():
        top = max(float(np.abs(change.to_numpy()).max()), 1e-9)
        image = ax.imshow(change, cmap="RdBu_r", norm=TwoSlopeNorm(0.0, -top, top))
        for i in range(len(names)):
            for j in range(len(names)):
                ax.scatter(j, i, s=150 * min(float(hat[i, j]), 1.0), marker="s", lw=0.5,
                           facecolor="#00000018", edgecolor="#00000055")  # fmt: skip
        ax.set_xticks(range(len(names)), names, rotation=55, ha="right", fontsize=7)
        ax.set_yticks(range(len(names)), names, fontsize=7)
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        ax.set_xlabel("Design set apart")
        ax.set_ylabel("Design whose inconsistency changes")
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, pad=0.02)
        bar.set_label("Fall in Q between designs", fontsize=8)
        bar.outline.set_visible(False)
    return ax


def rankogram(
    fit: NetworkFit, ax: Axes | None = None, *, small_values: str = "desirable", seed: int = 1
) -> Axes:
    """Draw the probability of every rank, treatments by their SUCRA."""
    frame = fit.rank_probabilities(small_values, draws=20_000, seed=seed)
    if ax is None:
        ax = style.figure(5.8, 0.42 * len(fit.treatments) + 1.1)[1]
    return draw_rankogram(frame, ax)


def draw_rankogram(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw one row a treatment, one column a rank; height and number give the probability."""
    order = frame.drop_duplicates("treatment").sort_values("sucra", ascending=False, kind="stable")
    names = order["treatment"].tolist()
    with style.house_style():
        for row, name in enumerate(names):
            part = frame[frame["treatment"] == name]
            base = row + 0.45
            ax.bar(part["rank"], -0.85 * part["probability"], bottom=base, width=0.86,
                   color=style.colour("study"))  # fmt: skip
            ax.axhline(base, color="#dfe3e8", lw=0.7, zorder=0)
            for r in rows(part):
                if r.probability >= 0.05:
                    top = base - 0.85 * r.probability - 0.03
                    ax.text(r.rank, top, f"{100 * r.probability:.0f}",
                            ha="center", va="bottom", fontsize=6.5, color=style.SOFT)  # fmt: skip
        ax.set_yticks(np.arange(len(names)) + 0.2,
                      [f"{n}  ({s:.2f})" for n, s in zip(names, order["sucra"], strict=True)],
                      fontsize=8)  # fmt: skip
        ax.set_ylim(len(names) - 0.4, -0.75)
        ax.set_xticks(range(1, len(names) + 1))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("Rank (1 is best); probability in percent; SUCRA in brackets")
    return ax


def contribution_bars(fit: NetworkFit, ax: Axes | None = None) -> Axes:
    """Draw what each direct comparison contributes to each estimate against the reference."""
    table = fit.contributions()
    name = fit.reference or fit.treatments[0]
    rows = [r for r in table.index if name in r.split(" : ")]
    table = table.loc[rows]
    if ax is None:
        ax = style.figure(7.6, 0.3 * len(table) + 1.9)[1]
    return draw_contributions(table, ax)


def draw_contributions(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw one stacked bar a row; direct comparisons that matter nowhere share one grey end."""
    shown = [c for c in table.columns if float(table[c].max()) >= SMALL_SHARE]
    with style.house_style():
        palette = _palette(len(shown))
        left = np.zeros(len(table))
        y = np.arange(len(table))
        for column, shade in zip(shown, palette, strict=True):
            part = table[column].to_numpy()
            ax.barh(y, part, left=left, color=shade, height=0.74, label=column, lw=0.4,
                    edgecolor="white")  # fmt: skip
            for i in np.flatnonzero(part >= 0.07).tolist():
                ax.text(left[i] + part[i] / 2, i, f"{100 * part[i]:.0f}", ha="center",
                        va="center", fontsize=6.5, color=style.INK)  # fmt: skip
            left = left + part
        rest = 1 - left
        if (rest > 1e-9).any():
            ax.barh(y, rest, left=left, color="#d9dde2", height=0.74, label="others")
        ax.set_yticks(y, table.index, fontsize=8)
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlim(0, 1)
        ax.tick_params(axis="y", length=0)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
        ax.set_xlabel("Contribution of direct comparisons, percent")
        ax.legend(fontsize=6.8, ncol=1, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _palette(count: int) -> list[tuple[float, float, float, float]]:
    """Return light colours that neighbours can be told apart by."""
    from matplotlib import colormaps

    base = [colormaps["tab20"](i) for i in (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 0, 2, 4, 6, 8, 10)]
    return [base[i % len(base)] for i in range(count)]
