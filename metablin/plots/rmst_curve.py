"""Restricted means, or their difference, over the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

from metablin.plots import style
from metablin.plots._survival import group_colours

if TYPE_CHECKING:
    from metablin.survival import RMSTCurve

__all__ = ["draw_rmst_curve", "rmst_curve", "rmst_frame"]


def rmst_frame(curve: RMSTCurve) -> pd.DataFrame:
    """Return what the figure shows: with two or more groups the differences, else the means.

    Returns
    -------
    pandas.DataFrame
        ``tau, term, estimate, std_error, conf_low, conf_high, conf_level``.
    """
    frame = curve.to_frame()
    if len(curve.labels) < 2:
        return frame
    arms = set(curve.labels)
    return frame[~frame["term"].isin(arms)].reset_index(drop=True)


@style.styled
def rmst_curve(curve: RMSTCurve, ax: Axes | None = None, *, unit: str = "months") -> Axes:
    """Draw restricted means (one group) or differences (more) over tau, with their band."""
    if ax is None:
        _, ax = style.figure(4.6, 3.0)
    return draw_rmst_curve(rmst_frame(curve), ax, difference=len(curve.labels) > 1, unit=unit)


@style.styled
def draw_rmst_curve(
    frame: pd.DataFrame, ax: Axes, *, difference: bool, unit: str = "months"
) -> Axes:
    """Draw the table of `rmst_frame`."""
    names = list(dict.fromkeys(frame["term"]))
    colours = group_colours(names)
    for name in names:
        part = frame[frame["term"] == name]
        ax.plot(part["tau"], part["estimate"], color=colours[name], lw=1.6, label=style.plain(name))
        ax.fill_between(part["tau"], part["conf_low"], part["conf_high"], color=colours[name],
                        alpha=0.15, lw=0)  # fmt: skip
    if difference:
        ax.axhline(0.0, color=style.SOFT, lw=0.8)
    ax.set_xlim(0.0, float(frame["tau"].max()))
    ax.set_xlabel(f"Horizon tau ({unit})")
    ax.set_ylabel(f"Difference of restricted means ({unit})" if difference
                  else f"Restricted mean ({unit})")  # fmt: skip
    if names != ["all"]:
        ax.legend(loc="upper left", frameon=False)
    return ax
