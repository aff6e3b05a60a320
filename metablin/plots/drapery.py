"""The drapery plot: for every study and the pool, the p-value of each possible effect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from metablin.errors import DataError
from metablin.numerics.inference import two_sided
from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, null_value, reader_ticks

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = ["draperies_frame", "drapery", "draw_drapery"]

POOLED = style.colour("pooled")
STEPS = 401
LEAST = 1e-3
"""p-value at which the plot ends, on a logarithmic axis."""
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Confidence levels that are named beside the axis."""
WIDE = 3.5
"""Standard errors of the pool, or of a typical study, that the axis reaches to both sides."""


def draperies_frame(fit: MetaFit) -> pd.DataFrame:
    """Return the curves of a drapery plot.

    Parameters
    ----------
    fit : MetaFit
        A pooled result with a standard error, without moderators.

    Returns
    -------
    pandas.DataFrame
        ``curve`` (its number), ``kind`` (``study``, ``pooled`` or ``prediction``), ``label``,
        ``effect`` (analysis scale) and ``p_value`` of that effect, two-sided. Where a curve is at
        0.05 the 95% interval ends.

    Raises
    ------
    DataError
        For a fit that has no such curve.

    References
    ----------
    Rücker G, Schwarzer G (2021). Beyond the forest plot: the drapery plot. Res Synth Methods,
    doi:10.1002/jrsm.1410.
    """
    a = fit.analysis
    if fit.regression is not None or not math.isfinite(a.std_error) or a.std_error <= 0:
        raise DataError("a drapery plot needs a pooled effect with a standard error",
                        column="fit", value=fit.model)  # fmt: skip
    yi, se = fit.effects.yi, np.sqrt(fit.effects.vi)
    low, high = _limits(fit)
    grid = np.linspace(low, high, STEPS)
    curves = [
        _curve("study", label, grid, y, s, math.inf)
        for label, y, s in zip(fit.effects.studies, yi, se, strict=True)
    ]
    curves.append(_curve("pooled", "Pooled", grid, a.estimate, a.std_error, fit.df))
    if math.isfinite(a.pred_low):
        spread = math.sqrt(a.std_error**2 + fit.tau2)
        curves.append(_curve("prediction", "New study", grid, a.estimate, spread, fit.df))
    numbered = [c.assign(curve=i)[["curve", *c.columns]] for i, c in enumerate(curves)]
    return pd.concat(numbered, ignore_index=True)


def _curve(
    kind: str, label: str, grid: np.ndarray, middle: float, se: float, df: float
) -> pd.DataFrame:
    # the top of the curve is a point of its own, so that it reaches 1 between two of the grid
    x = np.sort(np.r_[grid, middle])
    p = two_sided((x - middle) / se, df)
    return pd.DataFrame({"kind": kind, "label": label, "effect": x, "p_value": p})


def _limits(fit: MetaFit) -> tuple[float, float]:
    a = fit.analysis
    yi, se = fit.effects.yi, np.sqrt(fit.effects.vi)
    reach = WIDE * max(a.std_error, float(np.median(se)))
    middle = (a.estimate, *np.quantile(yi, [0.05, 0.95]))
    ends = [min(middle) - reach, max(middle) + reach]
    if math.isfinite(a.pred_low):
        ends = [min(ends[0], a.pred_low), max(ends[1], a.pred_high)]
    return ends[0], ends[1]


@style.styled
def drapery(fit: MetaFit, ax: Axes | None = None) -> Axes:
    """Draw the drapery plot of a pooled result and return its axes."""
    frame = draperies_frame(fit)
    if ax is None:
        _, ax = style.figure(5.6, 4.0)
    return draw_drapery(frame, ax, measure=fit.measure, transform=fit.transform)


@style.styled
def draw_drapery(frame: pd.DataFrame, ax: Axes, *, measure: str, transform: str) -> Axes:
    """Draw the curves of :func:`draperies_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    measure, transform : str
        Fix the horizontal axis.
    """
    low, high = _inner(frame)
    first = True
    for _, curve in frame.loc[frame["kind"] == "study"].groupby("curve"):
        ax.plot(curve["effect"], curve["p_value"], color=POINT, lw=0.8, alpha=0.45,
                label="Studies" if first else None)  # fmt: skip
        first = False
    shade = frame.loc[frame["kind"] == "prediction"]
    if len(shade):
        ax.fill_between(shade["effect"], LEAST, shade["p_value"].clip(lower=LEAST), color=POOLED,
                        alpha=0.14, lw=0, label="New study")  # fmt: skip
    pool = frame.loc[frame["kind"] == "pooled"]
    ax.plot(pool["effect"], pool["p_value"], color=POOLED, lw=2.2, label="Pooled", zorder=4)
    for level in LEVELS:
        ax.axhline(1 - level, color=style.SOFT, lw=0.5, ls=(0, (1, 2)), zorder=0)
    null = null_value(measure)
    if null is not None and low <= null <= high:
        ax.axvline(null, color=style.INK, lw=0.8, zorder=0)
    ax.set_yscale("log")
    ax.set_ylim(LEAST, 1.0)
    ax.set_xlim(low, high)
    ticks = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
    ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.yaxis.set_major_formatter(FixedFormatter([f"{t:g}" for t in ticks]))
    ax.yaxis.set_minor_locator(NullLocator())
    _levels(ax)
    reader_ticks(ax.xaxis, transform, low, high)
    ax.set_xlabel(axis_name(measure, transform))
    ax.set_ylabel("P-value")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, fontsize=8, frameon=False)
    return ax


def _inner(frame: pd.DataFrame) -> tuple[float, float]:
    pool = frame.loc[frame["kind"] == "pooled", "effect"]
    return float(pool.min()), float(pool.max())


def _levels(ax: Axes) -> None:
    """Name the confidence levels to which p-values belong, right of the axes."""
    for level in LEVELS:
        ax.annotate(
            f"{100 * level:g}%", (1, 1 - level), xycoords=("axes fraction", "data"),
            xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, color=style.SOFT,
            annotation_clip=False,
        )  # fmt: skip
    ax.annotate(
        "Confidence", (1, 1), xycoords="axes fraction", xytext=(4, 6),
        textcoords="offset points", fontsize=8, color=style.SOFT, annotation_clip=False,
    )  # fmt: skip
