"""The radial (Galbraith) plot: standardised effects against precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, place_labels, reader_ticks

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = ["draw_radial", "radial", "radial_frame"]

FloatArray = NDArray[np.float64]

BAND = 1.959964
POOLED = style.colour("pooled")


def radial_frame(fit: MetaFit) -> pd.DataFrame:
    """Return the points of a radial plot.

    Parameters
    ----------
    fit : MetaFit
        The between-study variance of the fit is part of the precision.

    Returns
    -------
    pandas.DataFrame
        ``label, precision`` (one over the square root of v + tau2), ``z`` (effect times
        precision) and ``outside``, whether z lies more than 1.96 from the line of the pooled
        effect.

    References
    ----------
    Galbraith RF (1988). Graphical display of estimates having differing standard errors.
    doi:10.1080/00401706.1988.10488400
    """
    e = fit.effects
    tau2 = 0.0 if np.isnan(fit.tau2) else fit.tau2
    precision = 1 / np.sqrt(e.vi + tau2)
    z = e.yi * precision
    outside = np.abs(z - fit.analysis.estimate * precision) > BAND
    return pd.DataFrame(
        {"label": list(e.studies), "precision": precision, "z": z, "outside": outside}
    )


@style.styled
def radial(fit: MetaFit, ax: Axes | None = None) -> Axes:
    """Draw a radial plot of a pooled result and return its axes."""
    if ax is None:
        _, ax = style.figure(5.2, 4.2)
    return draw_radial(
        radial_frame(fit),
        ax,
        centre=fit.analysis.estimate,
        measure=fit.measure,
        transform=fit.transform,
    )


def _times(factor: float) -> Callable[[ArrayLike], FloatArray]:
    return lambda values: np.asarray(values, dtype=np.float64) * factor


@style.styled
def draw_radial(
    frame: pd.DataFrame, ax: Axes, *, centre: float, measure: str, transform: str
) -> Axes:
    """Draw the points of :func:`radial_frame` on `ax` and return it.

    A line from the origin through a point meets the right-hand scale at the study's effect.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    centre : float
        Pooled effect on the analysis scale, the slope of the line.
    measure, transform : str
        Fix the right-hand scale.
    """
    end = 1.12 * float(frame["precision"].max())
    x = np.array([0.0, end])
    ax.fill_between(x, centre * x - BAND, centre * x + BAND, color="#e6ebf1", lw=0, zorder=0)
    ax.plot(x, centre * x, color=POOLED, lw=1.3)
    ax.plot([0, 0], [-2, 2], color=style.INK, lw=2, solid_capstyle="butt", clip_on=False)
    ax.scatter(frame["precision"], frame["z"], s=24, color=POINT, lw=0, zorder=3)
    reach = [*frame["z"], centre * end - BAND, centre * end + BAND, -2.5, 2.5]
    pad = 0.05 * (max(reach) - min(reach))
    low, high = min(reach) - pad, max(reach) + pad
    ax.set_xlim(0, end)
    ax.set_ylim(low, high)
    ax.set_xlabel("Precision, 1/√(v + tau²)")
    ax.set_ylabel("Standardised effect, y/√(v + tau²)")
    right = ax.secondary_yaxis("right", functions=(_times(1 / end), _times(end)))
    right.set_ylabel(axis_name(measure, transform), labelpad=8)
    reader_ticks(right.yaxis, transform, low / end, high / end)
    ax.spines["right"].set_visible(True)
    texts = [s if out else "" for s, out in zip(frame["label"], frame["outside"], strict=True)]
    place_labels(ax, frame["precision"].to_numpy(), frame["z"].to_numpy(), texts)
    return ax
