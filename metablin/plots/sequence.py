"""Leave-one-out and cumulative results as rows of estimates with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, null_value, reader_ticks

if TYPE_CHECKING:
    from metablin.meta.checks.sequence import RefitSequence

__all__ = ["draw_sequence", "sequence", "sequence_frame"]

POOLED = style.colour("pooled")
ROW_INCHES = 0.25


def sequence_frame(result: RefitSequence) -> pd.DataFrame:
    """Return the rows, top to bottom.

    Returns
    -------
    pandas.DataFrame
        ``position``, ``label`` (``without X`` or ``+ X``), ``effect, low, high`` on the analysis
        scale and ``text``, the estimate and interval on the reader's scale.
    """
    reader = result.to_frame()
    sign = "without " if result.kind == "leave-one-out" else "+ "
    percent = result.fit.measure == "proportion"
    rows = zip(reader["estimate"], reader["conf_low"], reader["conf_high"], strict=True)
    return pd.DataFrame(
        {
            "position": np.arange(len(reader)),
            "label": [f"{sign}{term}" for term in result.terms],
            "effect": result.estimate,
            "low": result.conf_low,
            "high": result.conf_high,
            "text": [_text(*row, percent=percent) for row in rows],
        }
    )


def _text(estimate: float, low: float, high: float, *, percent: bool) -> str:
    def show(x: float) -> str:
        return f"{100 * x:z.0f}%" if percent else f"{x:z.2f}"

    return f"{show(estimate)} ({show(low)} to {show(high)})"


@style.styled
def sequence(result: RefitSequence, ax: Axes | None = None) -> Axes:
    """Draw a leave-one-out or cumulative analysis and return its axes."""
    frame = sequence_frame(result)
    if ax is None:
        _, ax = style.figure(4.4, 0.9 + ROW_INCHES * len(frame))
    fit = result.fit
    return draw_sequence(
        frame, ax, centre=fit.analysis.estimate, measure=fit.measure, transform=fit.transform
    )


@style.styled
def draw_sequence(
    frame: pd.DataFrame, ax: Axes, *, centre: float, measure: str, transform: str
) -> Axes:
    """Draw the rows of :func:`sequence_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
        Text hangs outside; save with ``bbox_inches="tight"``.
    centre : float
        Pooled effect of all studies on the analysis scale, a dashed line.
    measure, transform : str
        Fix the axis.
    """
    low, high = _limits(frame, centre)
    for row in frame.itertuples():
        _interval(ax, row, low, high)
    inside = frame.loc[frame["effect"].between(low, high)]
    ax.scatter(inside["effect"], inside["position"], s=22, marker="s", color=POINT, zorder=3)
    if np.isfinite(centre):
        ax.axvline(centre, color=POOLED, lw=1.1, ls=(0, (3, 2)), zorder=0)
    null = null_value(measure)
    if null is not None and low <= null <= high:
        ax.axvline(null, color=style.INK, lw=0.8, zorder=0)
    ax.set_xlim(low, high)
    ax.set_ylim(len(frame) - 0.4, -0.7)
    reader_ticks(ax.xaxis, transform, low, high)
    ax.set_xlabel(axis_name(measure, transform))
    ax.set_yticks(frame["position"], labels=[style.plain(x) for x in frame["label"]])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    for text, position in zip(frame["text"], frame["position"], strict=True):
        ax.annotate(
            text, (1, position), xycoords=("axes fraction", "data"), xytext=(10, 0),
            textcoords="offset points", va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    return ax


def _interval(ax: Axes, row: Any, low: float, high: float) -> None:
    ends = np.clip([row.low, row.high], low, high)
    ax.plot(ends, [row.position] * 2, color=style.INK, lw=1.1, solid_capstyle="butt")
    for beyond, x, mark in ((row.low < low, low, "<"), (row.high > high, high, ">")):
        if beyond:
            ax.plot(x, row.position, mark, color=style.INK, ms=4, clip_on=False)


def _limits(frame: pd.DataFrame, centre: float) -> tuple[float, float]:
    """Return ends that show the estimates well; a few very wide intervals end in arrows."""
    values = np.r_[frame["effect"], centre]
    inner = values[np.isfinite(values)]
    if inner.size == 0:  # nothing happened in any subset: only one limit of each is finite
        inner = frame[["low", "high"]].to_numpy()
        inner = inner[np.isfinite(inner)]
    widths = (frame["high"] - frame["low"]).to_numpy()
    widths = widths[np.isfinite(widths)]
    reach = 1.5 * float(np.median(widths)) if widths.size else 1.0
    low = max(float(frame["low"].min()), min(inner) - reach)
    high = min(float(frame["high"].max()), max(inner) + reach)
    pad = 0.04 * (high - low or 1.0)
    return low - pad, high + pad
