"""L'Abbe's plot: the treatment arm's risk against the control arm's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from scipy import special

from metablin.errors import DataError
from metablin.plots import style
from metablin.plots._axes import POINT, place_labels

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = ["draw_labbe", "labbe", "labbe_frame"]

FloatArray = NDArray[np.float64]

POOLED = style.colour("pooled")
NAMED = 8
"""Studies that are labelled: those furthest from the line of the pooled effect."""


def _arcsine(p: FloatArray, effect: float) -> FloatArray:
    angle = np.clip(np.arcsin(np.sqrt(p)) + effect, 0, np.pi / 2)
    return np.asarray(np.sin(angle) ** 2)


def _odds(p: FloatArray, effect: float) -> FloatArray:
    return np.asarray(special.expit(special.logit(p) + effect))


# What the treatment arm's risk or rate would be at the control arm's, by measure.
_CURVES: dict[str, Callable[[FloatArray, float], FloatArray]] = {
    "or": _odds,
    "peto": _odds,
    "rr": lambda p, effect: p * np.exp(effect),
    "irr": lambda p, effect: p * np.exp(effect),
    "rd": lambda p, effect: p + effect,
    "ird": lambda p, effect: p + effect,
    "asd": _arcsine,
}


def labbe_frame(fit: MetaFit) -> pd.DataFrame:
    """Return the points of L'Abbe's plot.

    Parameters
    ----------
    fit : MetaFit
        Pooled from 2x2 tables or from two rates per study.

    Returns
    -------
    pandas.DataFrame
        ``label, control, treatment`` (risks, or events per unit of person-time), ``weight`` (a
        share of 1; of the sample size when the model has no weights) and ``named``.

    Raises
    ------
    DataError
        When the effects have no counts of two arms.

    References
    ----------
    L'Abbe KA, Detsky AS, O'Rourke K (1987). Meta-analysis in clinical research.
    doi:10.7326/0003-4819-107-2-224
    """
    counts = fit.effects.counts
    size = next((s for s in ("n", "person_time") if f"{s}_treatment" in counts), None)
    if size is None or fit.measure not in _CURVES:
        raise DataError(
            "L'Abbe's plot needs the counts of two arms",
            column="measure",
            value=fit.measure,
            allowed=" | ".join(_CURVES),
        )
    treatment, control = (
        counts[f"events_{arm}"] / counts[f"{size}_{arm}"] for arm in ("treatment", "control")
    )
    total = counts[f"{size}_treatment"] + counts[f"{size}_control"]
    weight = total / total.sum() if np.isnan(fit.weights).any() else fit.weights
    away = np.abs(treatment - _CURVES[fit.measure](control, fit.analysis.estimate))
    return pd.DataFrame(
        {
            "label": list(fit.effects.studies),
            "control": control,
            "treatment": treatment,
            "weight": weight,
            "named": pd.Series(away).rank(ascending=False, method="first").to_numpy() <= NAMED,
        }
    )


@style.styled
def labbe(fit: MetaFit, ax: Axes | None = None) -> Axes:
    """Draw L'Abbe's plot of a pooled result and return its axes."""
    if ax is None:
        _, ax = style.figure(4.6, 4.6)
    return draw_labbe(labbe_frame(fit), ax, measure=fit.measure, effect=fit.analysis.estimate)


@style.styled
def draw_labbe(frame: pd.DataFrame, ax: Axes, *, measure: str, effect: float) -> Axes:
    """Draw the points of :func:`labbe_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    measure : str
        Fixes the curve on which all studies with the pooled effect lie.
    effect : float
        Pooled effect on the analysis scale.
    """
    rates = measure in ("irr", "ird")
    end = 1.1 * float(frame[["control", "treatment"]].to_numpy().max())
    end = end if rates else min(1.0, end)
    x = np.linspace(0, end, 201)[1:-1]
    ax.plot([0, end], [0, end], color=style.INK, lw=0.8, label="No effect")
    with np.errstate(all="ignore"):
        y = _CURVES[measure](x, effect)
    ax.plot(x, np.where((y >= 0) & (y <= end), y, np.nan), color=POOLED, lw=1.3, label="Pooled")
    ax.scatter(
        frame["control"], frame["treatment"], s=14 + 500 * frame["weight"], color=POINT,
        alpha=0.55, lw=0.6, edgecolor=POINT, zorder=3, clip_on=False,
    )  # fmt: skip
    ax.set_xlim(0, end)
    ax.set_ylim(0, end)
    ax.set_aspect("equal")
    if not rates:
        decimals = 0 if end > 0.1 else 1
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))
    noun = "Rate" if rates else "Risk"
    ax.set_xlabel(f"{noun} under control")
    ax.set_ylabel(f"{noun} under treatment")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=8, frameon=False)
    texts = [s if named else "" for s, named in zip(frame["label"], frame["named"], strict=True)]
    place_labels(ax, frame["control"].to_numpy(), frame["treatment"].to_numpy(), texts, reach=8)
    return ax
