"""Survival of every treatment of a network on one baseline, and restricted means beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metablin.network.survival import TreatmentCurves
from metablin.plots import style
from metablin.plots.network_effects import rows

__all__ = ["draw_treatment_curves", "treatment_curves_plot"]

PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A7A7A", "#1c2430")


def treatment_curves_plot(curves: TreatmentCurves, ax: Axes | None = None) -> Axes:
    """Draw the curves with bands; the legend gives restricted means at the last horizon."""
    if ax is None:
        ax = style.figure(6.4, 4.2)[1]
    last = curves.rmst[curves.rmst["horizon"] == curves.horizons[-1]]
    return draw_treatment_curves(curves.to_frame(), last, ax, baseline=curves.baseline)


def draw_treatment_curves(
    frame: pd.DataFrame, rmst: pd.DataFrame, ax: Axes, *, baseline: str
) -> Axes:
    """Draw frames of ``TreatmentCurves`` on `ax` and return it; treatments by their rank."""
    with style.house_style():
        for i, row in enumerate(rows(rmst)):
            part = frame[frame["treatment"] == row.treatment]
            shade = PALETTE[i % len(PALETTE)]
            time = part["time"].to_numpy()
            label = (
                f"{row.treatment}: {row.estimate:.1f} ({row.conf_low:.1f} to {row.conf_high:.1f})"
            )
            ax.step(time, part["estimate"], where="post", color=shade, lw=1.6, label=label)
            if row.treatment != baseline:
                ax.fill_between(time, part["conf_low"], part["conf_high"], step="post",
                                color=shade, alpha=0.13, lw=0)  # fmt: skip
        end = float(rmst["horizon"].iloc[0])
        ax.set_xlim(0, end)
        ax.set_ylim(0, 1.02)
        ax.set_xticks(_ticks(end))
        ax.set_xlabel("Time")
        ax.set_ylabel("Survival")
        ax.legend(title=f"Restricted mean to {end:g}", fontsize=8, title_fontsize=8,
                  loc="upper right")  # fmt: skip
        ax.set_title(f"On the baseline of {baseline}")
    return ax


def _ticks(end: float) -> list[float]:
    steps = [s for s in (0.5, 1, 2, 3, 6, 12, 24, 60, 120) if end / s <= 8] or [end / 6]
    return [float(t) for t in np.arange(0, end + 1e-9, steps[0])]
