"""Trial-level surrogacy: trials as circles, the line, and the band for a new trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from metablin.plots import style

if TYPE_CHECKING:
    from metablin.mrd import Surrogacy

__all__ = ["surrogacy", "surrogacy_frame"]

POINTS = 101
RATIOS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50)


def surrogacy_frame(
    fit: Surrogacy, method: str = "daniels-hughes", points: int = POINTS
) -> pd.DataFrame:
    """Return the line and its prediction band over the range of the trials.

    Returns
    -------
    pandas.DataFrame
        ``x, estimate, pred_low, pred_high`` on the analysis scale (logs).
    """
    x = fit.pairs.x
    reach = max(0.3, 0.25 * float(np.ptp(x)))
    grid = np.linspace(min(0.0, x.min()) - reach, x.max() + reach, points)
    return fit.predict(grid, method)


@style.styled
def surrogacy(
    fit: Surrogacy,
    ax: Axes | None = None,
    *,
    method: str = "daniels-hughes",
    labels: tuple[str, str] = ("Odds ratio of MRD response", "Hazard ratio"),
) -> Axes:
    """Draw the trials, with 95% intervals both ways, the fitted line and the prediction band.

    Parameters
    ----------
    fit : Surrogacy
        Effects are logs of ratios.
    ax : matplotlib.axes.Axes, optional
    method : {"daniels-hughes", "weighted"}
    labels : (str, str)
        Axis titles.

    Returns
    -------
    matplotlib.axes.Axes
        The area of a circle is proportional to the precision of the effect on the true endpoint.
    """
    frame, trials = surrogacy_frame(fit, method), fit.pairs
    with style.house_style():
        if ax is None:
            _, ax = style.figure(5.4, 4.2)
        blue = style.colour("study")
        ax.fill_between(
            frame["x"], frame["pred_low"], frame["pred_high"], color=blue, alpha=0.12, lw=0
        )
        ax.plot(frame["x"], frame["estimate"], color=blue, lw=1.4)
        sx, sy = 1.96 * trials.vx**0.5, 1.96 * trials.vy**0.5
        ax.hlines(trials.y, trials.x - sx, trials.x + sx, color=style.SOFT, lw=0.8)
        ax.vlines(trials.x, trials.y - sy, trials.y + sy, color=style.SOFT, lw=0.8)
        size = 320 * (1 / trials.vy) / (1 / trials.vy).max()
        ax.scatter(trials.x, trials.y, s=size, color=blue, alpha=0.75, edgecolor="white", zorder=3)
        right = float(frame["x"].iloc[-1])
        for name, x, y, s in zip(trials.studies, trials.x, trials.y, size, strict=True):
            late = x > right - 0.25 * (right - float(frame["x"].iloc[0]))
            aside = 4 + s**0.5 / 2
            ax.annotate(style.plain(name), (x, y), xytext=(-aside if late else aside, 7),
                        textcoords="offset points", fontsize=8, ha="right" if late else "left",
                        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none",
                              "alpha": 0.7})  # fmt: skip
        ax.axhline(0, color=style.INK, lw=0.8)
        ax.axvline(0, color=style.INK, lw=0.8)
        ax.set_xlim(float(frame["x"].iloc[0]), float(frame["x"].iloc[-1]))
        low, high = float((trials.y - sy).min()) - 0.15, float(max((trials.y + sy).max(), 0)) + 0.15
        ax.set_ylim(low, high)
        for axis, title in ((ax.xaxis, labels[0]), (ax.yaxis, labels[1])):
            axis.set_major_locator(FixedLocator([float(np.log(r)) for r in RATIOS]))
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{np.exp(v):.2g}"))
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
            axis.set_label_text(style.plain(title))
    return ax
