"""What the survival figures share: colours of groups, axes of survival and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from metablin.plots import style

__all__ = ["TOP", "group_colours", "survival_axis", "time_ticks"]

TOP = 1.02
"""Upper end of the axis of survival: a line at 100% keeps its whole width."""
TICKS = 6
"""About so many on the axis of time."""


def group_colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each group: its own everywhere, otherwise the next free one.

    Examples
    --------
    >>> group_colours(["control", "x"])
    {'control': '#D55E00', 'x': '#0072B2'}
    """
    own = {name: style.own_colour(name.replace(" ", "_")) for name in names}
    free = [c for c in style.SEQUENCE if c not in own.values()]
    return {name: c or (free.pop(0) if free else style.INK) for name, c in own.items()}


def survival_axis(ax: Axes) -> None:
    """Put survival from 0 to 100% on the vertical axis."""
    ax.set_ylim(0.0, TOP)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylabel("Survival")


def time_ticks(last: float) -> NDArray[np.float64]:
    """Return round times from 0 to at most `last`, in steps natural to months.

    Examples
    --------
    >>> time_ticks(70.0)
    array([ 0., 12., 24., 36., 48., 60.])
    """
    steps = np.array([1, 2, 3, 6, 12, 24, 60, 120, 250, 500, 1000, 2500, 5000, 10000]) * 1.0
    if last < TICKS / 2:
        steps = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, *steps])
    step = steps[np.argmin(np.abs(np.log(steps * TICKS / last)))]
    return np.asarray(np.arange(0.0, last + 1e-9 * step, step))
