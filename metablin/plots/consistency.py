"""Subgroup curves against the whole: what the responders' curve implies for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from metablin.plots import style

if TYPE_CHECKING:
    from metablin.mrd import Consistency

__all__ = ["consistency"]

RESPONDERS = style.colour("treatment")
OTHERS = style.colour("control")


@style.styled
def consistency(check: Consistency, ax: Axes | None = None) -> Axes:
    """Draw all patients, responders, printed and implied non-responders over time.

    Parameters
    ----------
    check : Consistency
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A filled band is what rounding allows for the non-responders; a cross marks a time at
        which the curves do not add up.
    """
    frame = check.to_frame()
    with style.house_style():
        if ax is None:
            _, ax = style.figure(5.2, 3.4)
        t = frame["time"]
        ax.plot(t, frame["overall"], color=style.INK, marker="o", ms=3, label="all patients")
        ax.plot(t, frame["responders"], color=RESPONDERS, marker="o", ms=3, label="responders")
        ax.fill_between(
            t, frame["implied_low"], frame["implied_high"], color=OTHERS, alpha=0.2, lw=0,
            label="non-responders, implied",
        )  # fmt: skip
        if frame["nonresponders"].notna().any():
            ax.plot(
                t, frame["nonresponders"], color=OTHERS, marker="s", ms=3,
                label="non-responders, printed",
            )  # fmt: skip
        bad = frame.loc[~frame["consistent"]]
        ax.plot(bad["time"], bad["overall"], "x", ms=9, color=OTHERS)
        ax.set_ylim(0, 1.02)
        ax.set_xlim(0, None)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.set_xlabel("Months")
        ax.set_ylabel("Survival")
        ax.legend(loc="upper right", fontsize=8)
    return ax
