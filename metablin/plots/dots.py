"""The two-panel dot plot of adverse events: rates by arm, and the difference beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from metablin._input import needed
from metablin.plots import style

__all__ = ["dots", "dots_frame"]

NEEDED = ("term", "treatment", "control", "estimate", "conf_low", "conf_high")
ROW_INCHES = 0.24


def dots_frame(data: pd.DataFrame, *, top: int | None = None) -> pd.DataFrame:
    """Return the rows of a dot plot, largest difference in favour of control first.

    Parameters
    ----------
    data : pandas.DataFrame
        ``term, treatment, control`` (rates), ``estimate, conf_low, conf_high`` (their
        difference).
    top : int, optional
        Keep only so many terms: the most frequent in either arm.

    Returns
    -------
    pandas.DataFrame
        The columns above with ``position``, 0 at the top.

    Raises
    ------
    DataError
        When a column is missing.
    """
    needed(data, NEEDED)
    frame = data[list(NEEDED)].copy()
    if top is not None:
        most = frame[["treatment", "control"]].max(axis=1).nlargest(top).index
        frame = frame.loc[most]
    frame = frame.sort_values("estimate", ascending=False, kind="stable").reset_index(drop=True)
    frame.insert(0, "position", np.arange(len(frame)))
    return frame


@style.styled
def dots(
    data: pd.DataFrame,
    axes: tuple[Axes, Axes] | None = None,
    *,
    top: int | None = None,
    arms: tuple[str, str] = ("treatment", "control"),
) -> tuple[Axes, Axes]:
    """Draw rates of both arms on the left and their difference with its interval on the right.

    Parameters
    ----------
    data : pandas.DataFrame
        See :func:`dots_frame`.
    axes : (Axes, Axes), optional
        Left and right panel; a figure of fitting height is made when there is none.
    top : int, optional
        See :func:`dots_frame`.
    arms : (str, str)
        Treatment and control; known arms get their own colours.

    Returns
    -------
    (Axes, Axes)

    References
    ----------
    Amit O, Heiberger RM, Lane PW (2008). Graphical approaches to the analysis of safety data from
    clinical trials. Pharm Stat 7:20-35. doi:10.1002/pst.254
    """
    frame = dots_frame(data, top=top)
    with style.house_style():
        left, right = axes if axes is not None else _panels(len(frame))
        y = frame["position"]
        left.hlines(y, 0, 1, color="#e6e9ee", lw=0.7, zorder=0)
        for column, arm, marker in (("treatment", arms[0], "o"), ("control", arms[1], "^")):
            shade = style.own_colour(arm) or style.colour(column)
            left.plot(frame[column], y, marker, ms=5, color=shade, label=style.plain(arm))
        left.set_yticks(list(y), [style.plain(x) for x in frame["term"]])
        reach = min(1.0, 1.08 * float(frame[["treatment", "control"]].max().max()))
        left.set_xlim(-0.025 * reach, reach)  # room for half a marker at zero
        left.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        left.set_xlabel("Patients with the event")
        left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2, fontsize=8.5)
        right.hlines(y, frame["conf_low"], frame["conf_high"], color=style.INK, lw=1.1)
        right.plot(frame["estimate"], y, "o", ms=4, color=style.INK)
        right.axvline(0, color=style.SOFT, lw=0.8, ls=(0, (3, 2)))
        right.set_yticks([])
        right.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:+.0f}"))
        right.set_xlabel("Difference, percentage points (95% CI)")
        for ax in (left, right):
            ax.set_ylim(len(frame) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
    return left, right


def _panels(rows: int) -> tuple[Axes, Axes]:
    fig = Figure(figsize=(7.6, ROW_INCHES * rows + 1.2))
    left, right = fig.subplots(1, 2, gridspec_kw={"width_ratios": (1.1, 1.0), "wspace": 0.06})
    return left, right
