"""The GOSH plot: pooled effects and I2 of all subsets, with their distributions at the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import PercentFormatter

from metablin.errors import DataError
from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, reader_ticks

if TYPE_CHECKING:
    from metablin.meta.checks.gosh import Gosh

__all__ = ["draw_gosh", "gosh_frame", "gosh_plot"]

BINS = 60
CLOUD = LinearSegmentedColormap.from_list("gosh", ["#c3d8ea", POINT, "#01223b"])
WITH = style.colour("pooled")


def gosh_frame(result: Gosh, study: str | None = None) -> pd.DataFrame:
    """Return one row per subset: k, effect (analysis scale), i2, and whether `study` is in it.

    Raises
    ------
    DataError
        When there is no such study.
    """
    frame = pd.DataFrame({"k": result.size, "effect": result.estimate, "i2": result.i2})
    if study is not None:
        if study not in result.studies:
            raise DataError("no such study", column="study", value=study,
                            allowed=" | ".join(result.studies))  # fmt: skip
        frame["inside"] = result.member[:, result.studies.index(study)]
    return frame


@style.styled
def gosh_plot(result: Gosh, ax: Axes | None = None, study: str | None = None) -> Axes:
    """Draw the cloud of subsets and return its axes.

    Parameters
    ----------
    result : Gosh
    ax : matplotlib.axes.Axes, optional
    study : str, optional
        Show the subsets with this study in another colour.
    """
    if ax is None:
        _, ax = style.figure(5.4, 4.6)
    fit = result.fit
    return draw_gosh(
        gosh_frame(result, study),
        ax,
        measure=fit.measure,
        transform=fit.transform,
        pooled=(fit.analysis.estimate, fit.i2),
        study=study,
    )


@style.styled
def draw_gosh(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    measure: str,
    transform: str,
    pooled: tuple[float, float],
    study: str | None = None,
) -> Axes:
    """Draw the subsets of :func:`gosh_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
        Histograms hang above and beside it.
    measure, transform : str
        Fix the axis.
    pooled : (effect, i2)
        Of all studies, marked by a cross.
    study : str, optional
        Name for the legend when the frame has the column ``inside``.
    """
    low, high = (float(x) for x in np.quantile(frame["effect"], (0.0, 1.0)))
    pad = 0.04 * (high - low or 1.0)
    ax.set_xlim(low - pad, high + pad)
    ax.set_ylim(-0.03, 1.03 * max(0.05, float(frame["i2"].max())))
    parts = [(frame, POINT, "All subsets")]
    if "inside" in frame:
        parts = [
            (frame.loc[~frame["inside"]], POINT, f"without {study}"),
            (frame.loc[frame["inside"]], WITH, f"with {study}"),
        ]
        _points(ax, parts)
    else:
        ax.hexbin(
            frame["effect"], frame["i2"], gridsize=BINS, bins="log", cmap=CLOUD, mincnt=1,
            extent=(*ax.get_xlim(), *ax.get_ylim()), linewidths=0.1,
        )  # fmt: skip
    for width, colour in ((4.0, "white"), (1.8, style.INK)):
        ax.plot(*pooled, marker="+", ms=12, mew=width, color=colour, zorder=5, ls="")
    _margins(ax, parts)
    reader_ticks(ax.xaxis, transform, *ax.get_xlim())
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel(f"{axis_name(measure, transform)} (+ all studies)")
    ax.set_ylabel("I²")
    return ax


def _points(ax: Axes, parts: list[tuple[pd.DataFrame, str, str]]) -> None:
    for part, colour, name in parts:
        ax.scatter(part["effect"], part["i2"], s=4, color=colour, alpha=0.12, lw=0)
        ax.scatter([], [], s=18, color=colour, lw=0, label=style.plain(name))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=8, frameon=False)


def _margins(ax: Axes, parts: list[tuple[pd.DataFrame, str, str]]) -> None:
    top, right = ax.inset_axes((0, 1.02, 1, 0.18)), ax.inset_axes((1.02, 0, 0.18, 1))
    for part, colour, _ in parts:
        shade: dict[str, Any] = {"color": colour, "alpha": 0.6, "bins": BINS}
        top.hist(part["effect"], range=ax.get_xlim(), **shade)
        right.hist(part["i2"], range=ax.get_ylim(), orientation="horizontal", **shade)
    top.set_xlim(ax.get_xlim())
    right.set_ylim(ax.get_ylim())
    top.set_axis_off()
    right.set_axis_off()
