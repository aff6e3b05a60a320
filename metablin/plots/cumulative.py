"""The cumulative forest plot: the pool as it stood when each study was added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metablin.errors import DataError
from metablin.plots import style
from metablin.plots.forest import ROW_INCHES, draw_forest, forest_frame

if TYPE_CHECKING:
    from metablin.meta.checks.sequence import RefitSequence

__all__ = ["cumulative_forest", "cumulative_forest_frame", "draw_cumulative_forest"]

MARK = 0.12
"""Size of the marks, all alike: a pool has no weight in another."""


def cumulative_forest_frame(result: RefitSequence) -> pd.DataFrame:
    """Return the rows of a cumulative forest plot, top to bottom.

    Parameters
    ----------
    result : RefitSequence
        From :func:`metablin.cumulative`.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`metablin.plots.forest_frame`. A row of kind ``study`` is the pool of
        that study and those above it, its ``counts`` events and patients so far (single arms); the
        last rows are those of the pool of all studies.

    Raises
    ------
    DataError
        For a leave-one-out analysis, which adds nothing up.
    """
    if getattr(result, "kind", None) != "cumulative":
        raise DataError("not a cumulative analysis", column="result",
                        value=str(getattr(result, "kind", type(result).__name__)),
                        allowed="what cumulative returns")  # fmt: skip
    fit = result.fit
    whole = forest_frame(fit)
    studies = whole.loc[whole["kind"] == "study"].iloc[result.order].reset_index(drop=True)
    reader = result.to_frame()
    numbers = ["estimate", "conf_low", "conf_high"]
    studies[numbers] = reader[numbers].to_numpy()
    percent = fit.measure == "proportion"
    studies["text"] = [
        " ".join([_show(a, percent), f"({_show(b, percent)} to {_show(c, percent)})"])
        for a, b, c in reader[numbers].to_numpy()
    ]
    studies["label"] = [x if i == 0 else f"+ {x}" for i, x in enumerate(studies["label"])]
    studies["counts"] = _so_far(result)
    studies["weight"], studies["size"] = np.nan, MARK
    rest = whole.loc[(whole["kind"] != "study") & (whole["group"] == "")].copy()
    rest.loc[rest["kind"] == "pooled", "label"] = f"All {fit.k} studies"
    frame = pd.concat([studies, rest], ignore_index=True)
    frame["position"] = np.arange(len(frame))
    return frame


def _show(x: float, percent: bool) -> str:
    return f"{100 * x:z.0f}%" if percent else f"{x:z.2f}"


def _so_far(result: RefitSequence) -> list[str]:
    counts = result.fit.effects.counts
    second = "n" if "n" in counts else "person_time"
    if "events" not in counts or second not in counts:
        return [""] * len(result.order)
    events, size = (np.cumsum(counts[c][result.order]) for c in ("events", second))
    return [f"{a:g}/{b:g}" for a, b in zip(events, size, strict=True)]


@style.styled
def cumulative_forest(result: RefitSequence, ax: Axes | None = None) -> Axes:
    """Draw a cumulative forest plot and return its axes.

    Parameters
    ----------
    result : RefitSequence
        From :func:`metablin.cumulative`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of fitting height is made when there is none.

    Returns
    -------
    matplotlib.axes.Axes
        Text columns hang outside the axes; save with ``bbox_inches="tight"``.
    """
    frame = cumulative_forest_frame(result)
    if ax is None:
        _, ax = style.figure(3.9, ROW_INCHES * (len(frame) + 3))
    return draw_cumulative_forest(frame, ax, measure=result.fit.measure, level=result.fit.level)


@style.styled
def draw_cumulative_forest(
    frame: pd.DataFrame, ax: Axes, *, measure: str, level: float = 0.95
) -> Axes:
    """Draw the rows of :func:`cumulative_forest_frame` on `ax` and return it."""
    return draw_forest(frame, ax, measure=measure, level=level, first="Study added")
