"""The bubble plot: effects against a moderator, with the meta-regression line."""

from __future__ import annotations

from collections.abc import Iterator
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
GROUPS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "^", "D", "v", "P")
MOST_GROUPS = len(GROUPS)


def bubble_frame(fit: MetaFit, term: str | None = None, *, by: str | None = None) -> pd.DataFrame:
    """Return the points and the line of a bubble plot.

    Parameters
    ----------
    fit : MetaFit
        A meta-regression.
    term : str, optional
        Name of a coefficient; may be left out when there is one moderator.
    by : str, optional
        A moderator of categories: each has points and a line of its own, over its own range, and
        `term` is then the name of a column.

    Returns
    -------
    pandas.DataFrame
        ``kind`` (``study`` or ``line``), ``label``, ``x`` (column of the design), ``effect``
        (analysis scale), ``weight`` (studies: a share of 1), and for the line, which holds the
        other columns of the design at their means, ``conf_low, conf_high, pred_low, pred_high``;
        with `by` also ``group``, and other moderators at the mean, or most frequent category, of
        the group.

    Raises
    ------
    DataError
        Without moderators, or when `term` is not one of the coefficients.
    """
    regression = fit.regression
    if regression is None:
        raise DataError("a bubble plot needs a meta-regression", column="moderators")
    design = regression.design
    if by is not None:
        return _grouped(fit, term, by)
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


def _grouped(fit: MetaFit, term: str | None, by: str) -> pd.DataFrame:
    assert fit.regression is not None  # the caller asked
    columns = fit.regression.design.columns
    numbers = [c for c in columns if pd.api.types.is_numeric_dtype(columns[c])]
    if by not in columns or len(columns[by].unique()) > MOST_GROUPS:
        few = [str(c) for c in columns if len(columns[c].unique()) <= MOST_GROUPS]
        raise DataError(f"not a moderator of at most {MOST_GROUPS} categories", column="by",
                        value=repr(by), allowed=" | ".join(few))  # fmt: skip
    others = [c for c in numbers if c != by]
    if term is None and len(others) == 1:
        term = str(others[0])
    if term is None or term not in others:
        raise DataError("name the column to draw", column="term", value=repr(term),
                        allowed=" | ".join(map(str, others)))  # fmt: skip
    studies = pd.DataFrame({
        "kind": "study", "group": columns[by].astype(str).to_numpy(),
        "label": list(fit.effects.studies), "x": columns[term].to_numpy(dtype=float),
        "effect": fit.effects.yi, "weight": fit.weights,
    })  # fmt: skip
    parts: list[pd.DataFrame] = [studies, *_lines(fit, columns, term, by)]
    return pd.concat(parts, ignore_index=True)


def _lines(fit: MetaFit, columns: pd.DataFrame, term: str, by: str) -> Iterator[pd.DataFrame]:
    """Yield the line of every group, the other moderators held where the group has them."""
    assert fit.regression is not None  # the caller asked
    for group, own in columns.groupby(by, sort=True):
        held = {
            c: own[c].mean() if pd.api.types.is_numeric_dtype(own[c]) else own[c].mode()[0]
            for c in columns if c not in (term, by)
        }  # fmt: skip
        grid = np.linspace(own[term].min(), own[term].max(), STEPS)
        data = pd.DataFrame({c: held.get(c, group if c == by else grid) for c in columns},
                            index=range(STEPS))  # fmt: skip
        tau2 = None if fit.model == "common" else fit.tau2
        line = fit.regression.predict(data, tau2, lambda x: x)
        yield pd.DataFrame({
            "kind": "line", "group": str(group), "label": "", "x": grid,
            "effect": line["estimate"],
            **{c: line[c] for c in ("conf_low", "conf_high", "pred_low", "pred_high")},
        })  # fmt: skip


@style.styled
def bubble(
    fit: MetaFit, term: str | None = None, ax: Axes | None = None, *, by: str | None = None
) -> Axes:
    """Draw the bubble plot of a meta-regression, by groups or not, and return its axes."""
    frame = bubble_frame(fit, term, by=by)
    if ax is None:
        _, ax = style.figure(5.2, 4.0)
    if term is None and fit.regression is not None:
        names = fit.regression.design.columns if by else fit.regression.design.terms
        term = next(str(t) for t in names if t not in ("Intercept", by))
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
    if "group" in frame:
        _draw_groups(ax, studies, line, percent)
    else:
        _draw_one(ax, studies, line, percent)
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


def _draw_groups(ax: Axes, studies: pd.DataFrame, line: pd.DataFrame, percent: str) -> None:
    """Draw a colour and a mark a group; the band is the confidence of its line."""
    largest = studies["weight"].max()
    for i, (group, own) in enumerate(line.groupby("group", sort=False)):
        colour, mark = GROUPS[i % len(GROUPS)], MARKS[i % len(MARKS)]
        ax.fill_between(own["x"], own["conf_low"], own["conf_high"], color=colour, alpha=0.13, lw=0)
        ax.plot(own["x"], own["effect"], color=colour, lw=1.4)
        here = studies.loc[studies["group"] == group]
        ax.scatter(
            here["x"], here["effect"], s=14 + 260 * here["weight"] / largest, color=colour,
            alpha=0.55, lw=0.6, edgecolor=colour, marker=mark, zorder=3,
        )  # fmt: skip
        ax.plot([], [], color=colour, marker=mark, ms=6, lw=1.4, label=style.plain(str(group)))
    ax.fill_between([], [], [], color=style.SOFT, alpha=0.25, lw=0, label=f"{percent} confidence")


def _draw_one(ax: Axes, studies: pd.DataFrame, line: pd.DataFrame, percent: str) -> None:
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
