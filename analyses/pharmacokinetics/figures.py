"""Figures of pharmacokinetics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as MplFigure

from metablin.plots import style

from ..lines import records
from .rows import PANELS

COLOURS = {"ug/day": "#0072B2", "ug/m2/day": "#D55E00"}


def dose_figure(points: pd.DataFrame, power: pd.DataFrame) -> MplFigure:
    """Draw concentrations against dose with the fitted line; a second quotation is hollow."""
    fig, ax = style.figure(5.4, 3.8)
    terms = power.set_index("key")["estimate"]
    for name, part in points.groupby("dose_unit"):
        unit = str(name)
        fitted = bool(part["preferred"].any())
        if fitted:
            x = np.geomspace(part["dose"].min() * 0.8, part["dose"].max() * 1.2, 50)
            y = np.exp(terms["intercept"] + terms["slope"] * np.log(x))
            ax.plot(x, y, color=COLOURS[unit], lw=1.2, alpha=0.7)
        fill = COLOURS[unit] if fitted else "white"
        ax.plot(part["dose"], part["estimate"], "o", color=COLOURS[unit], mfc=fill,
                label=_dose_label(unit))  # fmt: skip
        ranged = part.loc[part["low"].notna()]
        ax.vlines(ranged["dose"], ranged["low"], ranged["high"], color=COLOURS[unit], lw=1.2)
    ax.set_xscale("log")
    ax.set_yscale("log")
    doses = sorted(points["dose"].unique())
    ax.set_xticks(doses, [f"{d:g}" for d in doses])
    ax.set_yticks([200, 300, 400, 500, 600, 700], ["200", "300", "400", "500", "600", "700"])
    ax.minorticks_off()
    ax.set_xlabel("Dose a day")
    ax.set_ylabel("Steady state (pg/mL)")
    slope = power.set_index("key").loc["slope"]
    ax.set_title(
        f"slope {slope['estimate']:.2f} ({slope['conf_low']:.2f} to {slope['conf_high']:.2f})"
    )
    ax.legend(title="Dose unit", alignment="left")
    sns.despine(ax=ax)
    return fig


def _dose_label(unit: str) -> str:
    return {"ug/day": "µg a day", "ug/m2/day": "µg/m² a day"}[unit]


def parameter_figure(reported: pd.DataFrame, names_of: dict[str, str]) -> MplFigure:
    """Draw half-life, clearance and volume of every source side by side."""
    with style.house_style():
        fig = MplFigure(figsize=(8.4, 2.8))
        axes = fig.subplots(1, 3)
    for ax, (parameter, title) in zip(axes, PANELS.items(), strict=True):
        part = reported.loc[reported["parameter"] == parameter].reset_index(drop=True)
        for i, row in enumerate(records(part)):
            per_area = row["unit"].endswith("m2")
            low, high = _ends(row)
            ax.hlines(i, max(low, 0), high, color="#6b7480")
            ax.plot(
                row["estimate"],
                i,
                "s" if per_area else "o",
                color="#0072B2",
                mfc="white" if per_area else None,
            )
        names = [
            names_of.get(source, f"Review {source[-4:]}") + " (per m²)" * unit.endswith("m2")
            for source, unit in zip(part["source_key"], part["unit"], strict=True)
        ]
        ax.set_yticks(range(len(part)), names)
        ax.invert_yaxis()
        ax.set_xlim(0, None)
        ax.set_title(title)
        sns.despine(ax=ax)
    fig.tight_layout()
    return fig


def _ends(row: dict[str, Any]) -> tuple[float, float]:
    """Return the quoted range, else one standard deviation around the estimate."""
    spread = row["sd"] if row["sd"] == row["sd"] else 0.0
    low = row["low"] if row["low"] == row["low"] else row["estimate"] - spread
    high = row["high"] if row["high"] == row["high"] else row["estimate"] + spread
    return low, high
