"""The caterpillar plot: hundreds of studies by size of their effect, without names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, null_value, reader_ticks

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = ["caterpillar", "caterpillar_frame", "draw_caterpillar"]

POOLED = style.colour("pooled")
TRIMMED = 0.02
"""Share of intervals at either side that may end in the edge of the axes."""


def caterpillar_frame(fit: MetaFit) -> pd.DataFrame:
    """Return the rows of a caterpillar plot, smallest effect first.

    Parameters
    ----------
    fit : MetaFit
        A pooled result without moderators.

    Returns
    -------
    pandas.DataFrame
        ``kind`` (``study``, then ``pooled`` and perhaps ``prediction``), ``position``, ``label``,
        ``effect, conf_low, conf_high`` on the analysis scale (of ``prediction`` the limits alone).

    Raises
    ------
    DataError
        With moderators, which leave no pooled effect to draw.
    """
    if fit.regression is not None:
        raise DataError("a caterpillar plot needs a pooled effect", column="fit",
                        allowed="a fit without moderators")  # fmt: skip
    e, a = fit.effects, fit.analysis
    order = np.argsort(e.yi, kind="stable")
    half = float(critical(fit.level, math.inf)) * np.sqrt(e.vi)
    studies = pd.DataFrame({
        "kind": "study", "position": np.arange(e.k),
        "label": np.array(e.studies, dtype=object)[order], "effect": e.yi[order],
        "conf_low": (e.yi - half)[order], "conf_high": (e.yi + half)[order],
    })  # fmt: skip
    rows = [{"kind": "pooled", "position": e.k, "label": "Pooled", "effect": a.estimate,
             "conf_low": a.conf_low, "conf_high": a.conf_high}]  # fmt: skip
    if math.isfinite(a.pred_low):
        rows.append({
            "kind": "prediction", "position": e.k, "label": "New study", "effect": a.estimate,
            "conf_low": a.pred_low, "conf_high": a.pred_high,
        })  # fmt: skip
    return pd.concat([studies, pd.DataFrame(rows)], ignore_index=True)


@style.styled
def caterpillar(fit: MetaFit, ax: Axes | None = None) -> Axes:
    """Draw the caterpillar plot of a pooled result and return its axes."""
    frame = caterpillar_frame(fit)
    if ax is None:
        _, ax = style.figure(5.2, 5.6)
    return draw_caterpillar(
        frame, ax, measure=fit.measure, transform=fit.transform, level=fit.level
    )


@style.styled
def draw_caterpillar(
    frame: pd.DataFrame, ax: Axes, *, measure: str, transform: str, level: float = 0.95
) -> Axes:
    """Draw the rows of :func:`caterpillar_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    measure, transform : str
        Fix the axis.
    level : float
        Of the intervals, for the legend.
    """
    studies = frame.loc[frame["kind"] == "study"]
    low, high = _limits(frame)
    y = studies["position"].to_numpy(dtype=float)
    left = studies["conf_low"].clip(low, high).to_numpy()
    right = studies["conf_high"].clip(low, high).to_numpy()
    ends = np.stack([np.column_stack([left, y]), np.column_stack([right, y])], axis=1)
    height = max(ax.get_window_extent().height * 72 / ax.figure.dpi, 1.0)
    thick = float(np.clip(0.6 * height / max(len(studies), 1), 0.3, 1.2))
    ax.add_collection(LineCollection(list(ends), colors=POINT, linewidths=thick, alpha=0.6))
    ax.plot(studies["effect"], y, ls="", marker="o", ms=float(np.clip(2.2 * thick, 1.0, 3.0)),
            color=style.INK, mew=0, zorder=3, label="Studies")  # fmt: skip
    percent = f"{100 * level:g}%"
    for kind, alpha, words in (("prediction", 0.12, "prediction"), ("pooled", 0.3, "confidence")):
        found = frame.loc[frame["kind"] == kind, ["conf_low", "conf_high"]].to_numpy(dtype=float)
        for first, last in found[np.isfinite(found).all(axis=1)]:
            ax.axvspan(max(first, low), min(last, high), color=POOLED, alpha=alpha, lw=0,
                       zorder=0, label=f"{percent} {words}")  # fmt: skip
    centre = frame.loc[frame["kind"] == "pooled", "effect"]
    ax.axvline(float(centre.iloc[0]), color=POOLED, lw=1.4, label="Pooled")
    null = null_value(measure)
    if null is not None and low <= null <= high:
        ax.axvline(null, color=style.INK, lw=0.8, zorder=1)
    ax.set_xlim(low, high)
    ax.set_ylim(-1, len(studies))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    reader_ticks(ax.xaxis, transform, low, high)
    ax.set_xlabel(axis_name(measure, transform))
    ax.set_ylabel(f"{len(studies)} studies by effect")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=2, fontsize=8, frameon=False)
    return ax


def _limits(frame: pd.DataFrame) -> tuple[float, float]:
    """Return ends that show all estimates and all but the widest intervals."""
    studies = frame.loc[frame["kind"] == "study"]
    others = frame.loc[frame["kind"] != "study", ["conf_low", "conf_high"]].to_numpy().ravel()
    inner = np.r_[studies["effect"], others[np.isfinite(others)]]
    low = min(float(studies["conf_low"].quantile(TRIMMED)), float(inner.min()))
    high = max(float(studies["conf_high"].quantile(1 - TRIMMED)), float(inner.max()))
    pad = 0.03 * (high - low or 1.0)
    return low - pad, high + pad
