"""Diagnostics of proportional hazards."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from metablin.plots import style

__all__ = ["draw_schoenfeld", "schoenfeld", "schoenfeld_frame"]

FloatArray = NDArray[np.float64]

Z = 1.959963984540054
SHARE = 0.6
"""Of the residuals that a local line of the trend sees."""


def schoenfeld_frame(residuals: pd.DataFrame, term: str | None = None) -> pd.DataFrame:
    """Return scaled Schoenfeld residuals of one term with a smooth trend.

    Parameters
    ----------
    residuals : DataFrame
        From :func:`metablin.survival.schoenfeld_residuals`.
    term : str, optional
        The first when not given.

    Returns
    -------
    pandas.DataFrame
        ``time, scaled, trend, conf_low, conf_high``: the trend is a local line with tricube
        weights; its 95% limits take residuals as independent with one variance.
    """
    name = residuals["term"].iloc[0] if term is None else term
    part = residuals[residuals["term"] == name]
    t, y = part["time"].to_numpy(dtype=float), part["scaled"].to_numpy(dtype=float)
    lines = _local_lines(t)
    trend = lines @ y
    half = Z * float(np.std(y, ddof=1)) * np.sqrt((lines**2).sum(axis=1))
    return pd.DataFrame({"time": t, "scaled": y, "trend": trend, "conf_low": trend - half,
                         "conf_high": trend + half})  # fmt: skip


def _local_lines(t: FloatArray) -> FloatArray:
    """Return the weights of the observations in the local line at each time, (n, n)."""
    k = max(int(np.ceil(SHARE * t.size)), min(3, t.size))
    out = np.empty((t.size, t.size))
    for i, at in enumerate(t):
        distance = np.abs(t - at)
        reach = max(float(np.partition(distance, k - 1)[k - 1]) * 1.0001, 1e-12)
        w = np.clip(1.0 - (distance / reach) ** 3, 0.0, None) ** 3
        w /= w.sum()
        apart = t - w @ t
        spread = float(w @ apart**2)
        out[i] = w * (1.0 + (at - w @ t) * apart / spread) if spread > 0 else w
    return out


@style.styled
def schoenfeld(
    residuals: pd.DataFrame,
    ax: Axes | None = None,
    *,
    term: str | None = None,
    unit: str = "months",
) -> Axes:
    """Draw scaled Schoenfeld residuals: a level trend speaks for proportional hazards."""
    if ax is None:
        _, ax = style.figure(4.6, 3.0)
    return draw_schoenfeld(schoenfeld_frame(residuals, term), ax, unit=unit)


@style.styled
def draw_schoenfeld(frame: pd.DataFrame, ax: Axes, *, unit: str = "months") -> Axes:
    """Draw the table of `schoenfeld_frame`."""
    ax.plot(frame["time"], frame["scaled"], "o", ms=3, color=style.SOFT, alpha=0.6, mew=0)
    ax.fill_between(frame["time"], frame["conf_low"], frame["conf_high"], alpha=0.15, lw=0,
                    color=style.colour("study"))  # fmt: skip
    ax.plot(frame["time"], frame["trend"], color=style.colour("study"), lw=1.6)
    ax.axhline(float(frame["scaled"].mean()), color=style.INK, lw=0.8, ls=(0, (3, 2)))
    ax.set_xlabel(f"Time ({unit})")
    ax.set_ylabel("Log hazard ratio")
    return ax
