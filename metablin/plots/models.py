"""Fitted models over the Kaplan-Meier curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from metablin.plots import style
from metablin.plots._survival import group_colours, survival_axis
from metablin.plots.km import km_frame

if TYPE_CHECKING:
    from metablin.survival import KMCurve, ParametricFit
    from metablin.survival.parametric.compare import ParametricComparison

__all__ = ["draw_model_curves", "model_curves", "model_frame"]

POINTS = 200
AHEAD = 1.5
"""How far beyond the last follow-up the models are shown."""


def model_frame(fits: Sequence[ParametricFit], times: ArrayLike | None = None) -> pd.DataFrame:
    """Return fitted survival on a grid.

    Returns
    -------
    pandas.DataFrame
        ``family, time, estimate, std_error, conf_low, conf_high, conf_level, extrapolated``.
    """
    last = max(f.last for f in fits)
    grid = np.linspace(0.0, AHEAD * last, POINTS) if times is None else np.asarray(times, float)
    parts = []
    for fit in fits:
        part = fit.survival(grid).drop(columns="term")
        part.insert(0, "family", fit.family.name)
        part["extrapolated"] = part["time"] > fit.last
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@style.styled
def model_curves(
    fits: Sequence[ParametricFit],
    curve: KMCurve | None = None,
    ax: Axes | None = None,
    *,
    most: int = 5,
    unit: str = "months",
) -> Axes:
    """Draw up to `most` fitted models (the first ones) over the Kaplan-Meier curve."""
    if ax is None:
        _, ax = style.figure(5.2, 3.2)
    steps = None if curve is None else km_frame([curve])
    return draw_model_curves(model_frame(list(fits)[:most]), ax, steps=steps, unit=unit)


@style.styled
def draw_model_curves(
    frame: pd.DataFrame, ax: Axes, *, steps: pd.DataFrame | None = None, unit: str = "months"
) -> Axes:
    """Draw the table of `model_frame`; dashed where the models extrapolate."""
    names = list(dict.fromkeys(frame["family"]))
    colours = group_colours(names)
    if steps is not None:
        ax.step(steps["time"], steps["survival"], where="post", color=style.INK, lw=1.2,
                label="Kaplan-Meier")  # fmt: skip
        low, high = (steps[c].ffill() for c in ("conf_low", "conf_high"))
        ax.fill_between(steps["time"], low, high, step="post", color=style.SOFT, alpha=0.15, lw=0)
    for name in names:
        part = frame[frame["family"] == name]
        seen, ahead = part[~part["extrapolated"]], part[part["extrapolated"]]
        ax.plot(seen["time"], seen["estimate"], color=colours[name], lw=1.4,
                label=style.plain(name))  # fmt: skip
        ax.plot(ahead["time"], ahead["estimate"], color=colours[name], lw=1.2, ls=(0, (3, 2)))
        if len(names) == 1:
            ax.fill_between(part["time"], part["conf_low"], part["conf_high"],
                            color=colours[name], alpha=0.15, lw=0)  # fmt: skip
    survival_axis(ax)
    ax.set_xlim(0.0, float(frame["time"].max()))
    ax.set_xlabel(f"Time ({unit}; dashed beyond follow-up)")
    ax.legend(loc="upper right", frameon=False, fontsize=8)
    return ax


@style.styled
def of_fit(fit: ParametricFit, ax: Axes | None = None) -> Axes:
    """Draw one fitted curve."""
    return model_curves([fit], ax=ax)


@style.styled
def of_comparison(result: ParametricComparison, ax: Axes | None = None) -> Axes:
    """Draw all fitted curves over the Kaplan-Meier curve."""
    return model_curves(list(result.fits), curve=result.curve, ax=ax)
