"""The Doi plot: size of the normal score against effect, upside down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, place_labels, reader_ticks

if TYPE_CHECKING:
    from metablin.meta.bias.doi import LFKIndex

__all__ = ["doi_frame", "doi_plot", "draw_doi"]

NAMED = 12
"""Most studies whose points are labelled."""


def doi_frame(result: LFKIndex) -> pd.DataFrame:
    """Return the points of a Doi plot from the smallest effect to the largest.

    Parameters
    ----------
    result : LFKIndex

    Returns
    -------
    pandas.DataFrame
        ``study, yi, z, abs_z`` and ``tip``, true for the study nearest the middle of the weights,
        from which both limbs start.

    References
    ----------
    Furuya-Kanamori L, Barendregt JJ, Doi SAR (2018). A new improved graphical and quantitative
    method for detecting bias in meta-analysis. doi:10.1097/XEB.0000000000000141

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([-4.27, -1.71, -0.58, -0.19, 0.0], [0.158, 0.076, 0.018, 0.022, 0.04])
    >>> frame = doi_frame(mb.lfk_index(e))
    >>> frame.loc[frame["tip"], "yi"].tolist()
    [-0.19]
    """
    frame = result.to_frame().sort_values("z", kind="stable", ignore_index=True)
    frame["tip"] = frame.index == frame["abs_z"].idxmin()
    return frame


@style.styled
def doi_plot(result: LFKIndex, ax: Axes | None = None) -> Axes:
    """Draw the Doi plot of an LFK index and return its axes."""
    if ax is None:
        _, ax = style.figure(5.2, 4.0)
    e = result.effects
    ax = draw_doi(doi_frame(result), ax, measure=e.measure, transform=e.transform)
    ax.set_title(f"LFK index {result.index:.2f}, {result.asymmetry} asymmetry", loc="left")
    return ax


@style.styled
def draw_doi(frame: pd.DataFrame, ax: Axes, *, measure: str, transform: str) -> Axes:
    """Draw the points of :func:`doi_frame` on `ax` and return it.

    Limbs of like length and slope on both sides of the dashed line speak of symmetry.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    measure, transform : str
        Fix the scale of the effects.
    """
    x, y = frame["yi"].to_numpy(), frame["abs_z"].to_numpy()
    tip = float(frame.loc[frame["tip"], "yi"].iloc[0])
    ax.axvline(tip, color=style.INK, lw=0.8, ls=(0, (4, 3)), zorder=1)
    ax.plot(x, y, color=style.colour("pooled"), lw=1.3, zorder=2)
    ax.scatter(x, y, s=24, color=POINT, lw=0, zorder=3)
    pad = 0.08 * float(x.max() - x.min())
    low, high = float(x.min()) - pad, float(x.max()) + pad
    ax.set_xlim(low, high)
    ax.set_ylim(1.08 * float(y.max()), -0.06 * float(y.max()))
    ax.set_xlabel(axis_name(measure, transform))
    ax.set_ylabel("|z| of the weighted percentile")
    reader_ticks(ax.xaxis, transform, low, high)
    texts = list(frame["study"]) if len(frame) <= NAMED else [""] * len(frame)
    place_labels(ax, x, y, texts)
    return ax
