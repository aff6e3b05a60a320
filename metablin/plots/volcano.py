"""The volcano plot of adverse events: how large a difference, against how surprising it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from metablin._input import needed
from metablin.plots import style

__all__ = ["volcano", "volcano_frame"]

NEEDED = ("term", "estimate", "p_value", "q_value", "events")
FLOOR = 1e-20
"""Smallest p-value drawn; beyond it the height says nothing more."""

LABELS = 12


def volcano_frame(data: pd.DataFrame, *, rate: float = 0.05, labels: int = LABELS) -> pd.DataFrame:
    """Return the points of a volcano plot.

    Parameters
    ----------
    data : pandas.DataFrame
        ``term, estimate`` (a difference; 0 is none), ``p_value, q_value`` (adjusted) and
        ``events`` (in both arms).
    rate : float
        False-discovery rate at which a term is marked.
    labels : int
        How many terms get their name: two thirds among those less often with treatment, the
        rest among those more often, the most surprising ones of each side.

    Returns
    -------
    pandas.DataFrame
        ``term, x, y`` (minus log10 of p), ``size, side`` (``more``, ``less`` or ``unclear``),
        ``label``.

    Raises
    ------
    DataError
        When a column is missing.
    """
    needed(data, NEEDED)
    p = np.maximum(data["p_value"].to_numpy(float), FLOOR)
    x = data["estimate"].to_numpy(float)
    found = data["q_value"].to_numpy(float) <= rate
    side = np.where(found, np.where(x > 0, "more", "less"), "unclear")
    frame = pd.DataFrame(
        {"term": data["term"].to_numpy(), "x": x, "y": -np.log10(p),
         "size": data["events"].to_numpy(float), "side": side}
    )  # fmt: skip
    more = frame["x"] > 0
    place = frame.groupby(more)["y"].rank(ascending=False, method="first")
    top = place <= np.where(more, labels - labels * 2 // 3, labels * 2 // 3)
    return frame.assign(label=np.where(top, frame["term"], ""))


@style.styled
def volcano(
    data: pd.DataFrame,
    ax: Axes | None = None,
    *,
    rate: float = 0.05,
    labels: int = LABELS,
    arms: tuple[str, str] = ("treatment", "control"),
) -> Axes:
    """Draw differences in risk against minus log10 of the p-value, a bubble a term.

    Parameters
    ----------
    data : pandas.DataFrame
        See :func:`volcano_frame`.
    ax : matplotlib.axes.Axes, optional
    rate, labels
        See :func:`volcano_frame`.
    arms : (str, str)
        Treatment and control, for the words left and right.

    Returns
    -------
    matplotlib.axes.Axes
        Filled bubbles pass the false-discovery rate; their area is the number of events.

    References
    ----------
    Zink RC, Wolfinger RD, Mann G (2013). Summarizing the incidence of adverse events using volcano
    plots and time intervals. Clin Trials 10:398-406. doi:10.1177/1740774513485311
    """
    frame = volcano_frame(data, rate=rate, labels=labels)
    colours = {
        "more": style.colour("control"),
        "less": style.colour("treatment"),
        "unclear": style.SOFT,
    }
    with style.house_style():
        if ax is None:
            _, ax = style.figure(7.2, 4.8)
        scale = 420 / max(frame["size"].max(), 1.0)
        for side, part in frame.groupby("side"):
            filled = side != "unclear"
            ax.scatter(
                part["x"], part["y"], s=12 + scale * part["size"], alpha=0.65 if filled else 0.9,
                color=colours[str(side)] if filled else "none", edgecolor=colours[str(side)],
            )  # fmt: skip
        reach = 1.15 * float(frame["x"].abs().max() or 0.1)
        ax.set_xlim(-reach, reach)
        ax.set_ylim(0, 1.12 * float(frame["y"].max()) + 0.2)
        _name_points(ax, frame)
        ax.axvline(0, color=style.INK, lw=0.8)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:+.0f}"))
        ax.set_xlabel("Difference in risk, percentage points")
        ax.set_ylabel("−log₁₀ p (Fisher)")
        for side, x, align in ((0, 0.01, "left"), (1, 0.99, "right")):
            text = f"← more often with {arms[1]}" if side == 0 else f"more often with {arms[0]} →"
            ax.text(x, 1.02, text, transform=ax.transAxes, ha=align, color=style.SOFT, fontsize=8.5)
    return ax


def _name_points(ax: Axes, frame: pd.DataFrame) -> None:
    """Write the names of each side in one column, pushed apart upwards where they would overlap.

    A column right of all named bubbles keeps the leader lines off the names.
    """
    low, high = ax.get_ylim()
    reach = ax.get_xlim()[1]
    gap, aside = (high - low) * 0.05, 0.09 * reach
    top = high
    for _, part in frame.loc[frame["label"] != ""].groupby(frame["x"] > 0):
        column = float(part["x"].max()) + aside
        last = -np.inf
        points = part.sort_values("y")
        for label, x, y in zip(points["label"], points["x"], points["y"], strict=True):
            last = max(float(y), last + gap, low + gap)
            ax.annotate(
                style.plain(str(label)),
                (float(x), float(y)),
                xytext=(column, last),
                textcoords="data",
                fontsize=7.5,
                ha="left",
                va="center",
                bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"},
                arrowprops={"arrowstyle": "-", "lw": 0.4, "color": style.SOFT, "shrinkA": 0},
            )
        top = max(top, last + gap)
    ax.set_ylim(low, top)
