"""Hazards and hazard ratios over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from metablin.plots import style
from metablin.plots._survival import group_colours

if TYPE_CHECKING:
    from metablin.survival import HazardCurve

__all__ = ["draw_hazard", "hazard", "hazard_frame"]


def hazard_frame(curves: Sequence[HazardCurve]) -> pd.DataFrame:
    """Return ``kind, term, time, estimate, std_error, conf_low, conf_high, conf_level``."""
    parts = [c.to_frame().assign(kind=c.kind) for c in curves]
    return pd.concat(parts, ignore_index=True)


@style.styled
def hazard(curves: Sequence[HazardCurve], ax: Axes | None = None, *, unit: str = "months") -> Axes:
    """Draw smoothed hazards (per unit of time) or a time-varying hazard ratio (log axis)."""
    if ax is None:
        _, ax = style.figure(4.6, 3.0)
    return draw_hazard(hazard_frame(curves), ax, unit=unit)


@style.styled
def draw_hazard(frame: pd.DataFrame, ax: Axes, *, unit: str = "months") -> Axes:
    """Draw the table of `hazard_frame`."""
    names = list(dict.fromkeys(frame["term"]))
    colours = group_colours(names)
    for name in names:
        part = frame[frame["term"] == name]
        ax.plot(part["time"], part["estimate"], color=colours[name], lw=1.6,
                label=style.plain(name))  # fmt: skip
        ax.fill_between(part["time"], part["conf_low"], part["conf_high"], color=colours[name],
                        alpha=0.15, lw=0)  # fmt: skip
    if frame["kind"].iloc[0] == "hazard ratio":
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.axhline(1.0, color=style.SOFT, lw=0.8)
        ax.set_ylabel("Hazard ratio")
    else:
        top = float(frame["estimate"].max())
        ax.set_ylim(0.0, min(2.5 * top, float(frame["conf_high"].max())))
        ax.set_ylabel(f"Hazard per {unit.removesuffix('s')}")
    ax.set_xlabel(f"Time ({unit})")
    if len(names) > 1 or names[0] not in ("hazard", "hazard ratio"):
        ax.legend(loc="best", frameon=False)
    return ax


@style.styled
def of_curve(curve: HazardCurve, ax: Axes | None = None, *, unit: str = "months") -> Axes:
    """Draw one smoothed hazard with its band."""
    return hazard([curve], ax=ax, unit=unit)
