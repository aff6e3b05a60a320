"""The bubble plot: effects against a moderator, with the meta-regression line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, null_value, reader_ticks

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = ["bubble", "bubble_frame", "draw_bubble"]

LINE = style.colour("pooled")
STEPS = 101


def bubble_frame(fit: MetaFit, term: str | None = None) -> pd.DataFrame:
    """Return the points and the line of a bubble plot.

    Parameters
    ----------
    fit : MetaFit
        A meta-regression.
    term : str, optional
        Name of a coefficient; may be left out when there is one moderator.

    Returns
    -------
    pandas.DataFrame
        ``kind`` (``study`` or ``line``), ``label``, ``x`` (column of the design), ``effect``
        (analysis scale), ``weight`` (studies: a share of 1), and for the line, which holds the
        other columns of the design at their means, ``conf_low, conf_high, pred_low, pred_high``.

    Raises
    ------
    DataError
        Without moderators, or when `term` is not one of the coefficients.
    """
    regression = fit.regression
    if regression is None:
        raise DataError("a bubble plot needs a meta-regression", column="moderators")
    design = regression.design
    moderators = [t for t in design.terms if t != "Intercept"]
    if term is None and len(moderators) == 1:
        term = moderators[0]
    if term not in moderators:
        raise DataError(
            "name the coefficient to draw", column="term", value=term,
            allowed=" | ".join(moderators),
        )  # fmt: skip
    j = design.terms.index(term)
    studies = pd.DataFrame(
        {
            "kind": "study",
            "label": list(fit.effects.studies),
            "x": design.matrix[:, j],
            "effect": fit.effects.yi,
            "weight": fit.weights,
        }
    )
    grid = np.tile(design.matrix.mean(0), (STEPS, 1))
    grid[:, j] = np.linspace(design.matrix[:, j].min(), design.matrix[:, j].max(), STEPS)
    effect = grid @ regression.beta
    variance = np.einsum("ki,ij,kj->k", grid, regression.cov, grid)
    crit = float(critical(regression.level, regression.df))
    half = crit * np.sqrt(variance)
    wide = crit * np.sqrt(variance + fit.tau2) if fit.model != "common" else np.nan * half
    line = pd.DataFrame(
        {
            "kind": "line",
            "label": "",
            "x": grid[:, j],
            "effect": effect,
            "conf_low": effect - half,
            "conf_high": effect + half,
            "pred_low": effect - wide,
            "pred_high": effect + wide,
        }
    )
    return pd.concat([studies, line], ignore_index=True)


@style.styled
def bubble(fit: MetaFit, term: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the bubble plot of a meta-regression and return its axes."""
    frame = bubble_frame(fit, term)
    if ax is None:
        _, ax = style.figure(5.2, 4.0)
    if term is None and fit.regression is not None:
        term = next(t for t in fit.regression.design.terms if t != "Intercept")
    return draw_bubble(
        frame, ax, name=str(term), measure=fit.measure, transform=fit.transform, level=fit.level
    )


@style.styled
def draw_bubble(
    frame: pd.DataFrame, ax: Axes, *, name: str, measure: str, transform: str, level: float
) -> Axes:
    """Draw the rows of :func:`bubble_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    name : str
        Label of the horizontal axis.
    measure, transform : str
        Fix the vertical axis.
    level : float
        Confidence level, for the legend.
    """
    studies, line = (frame.loc[frame["kind"] == kind] for kind in ("study", "line"))
    percent = f"{100 * level:g}%"
    if line["pred_low"].notna().any():
        for side in ("pred_low", "pred_high"):
            label = f"{percent} prediction" if side == "pred_low" else None
            ax.plot(line["x"], line[side], color=LINE, lw=0.9, ls=(0, (1, 1.5)), label=label)
    ax.fill_between(
        line["x"], line["conf_low"], line["conf_high"], color=LINE, alpha=0.15, lw=0,
        label=f"{percent} confidence",
    )  # fmt: skip
    ax.plot(line["x"], line["effect"], color=LINE, lw=1.4, label="Regression")
    size = 14 + 260 * studies["weight"] / studies["weight"].max()
    ax.scatter(
        studies["x"], studies["effect"], s=size, color=POINT, alpha=0.55, lw=0.6, edgecolor=POINT,
        zorder=3,
    )  # fmt: skip
    null = null_value(measure)
    if null is not None:
        ax.axhline(null, color=style.INK, lw=0.8, zorder=0)
    ax.margins(x=0.06, y=0.08)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    reader_ticks(ax.yaxis, transform, low, high)
    ax.set_xlabel(style.plain(name))
    ax.set_ylabel(axis_name(measure, transform))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, fontsize=8, frameon=False)
    return ax
