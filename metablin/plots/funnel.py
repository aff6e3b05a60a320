"""The funnel plot, with contours of significance, filled studies and regression lines."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from metablin.meta.checks.trimfill import TrimFill
from metablin.numerics.inference import critical
from metablin.plots import style
from metablin.plots._axes import POINT, axis_name, null_value, reader_ticks

if TYPE_CHECKING:
    from metablin.effects import EffectSizes
    from metablin.meta import MetaFit
    from metablin.meta.checks.asymmetry import SmallStudyTest
    from metablin.meta.checks.petpeese import PetPeese
    from metablin.meta.checks.selection import SelectionModel

__all__ = ["draw_funnel", "funnel", "funnel_frame", "funnel_of_selection", "funnel_of_test"]

CONTOURS = (0.90, 0.95, 0.99)
SHADES = ("#ffffff", "#eaeef3", "#d5dde6", "#bdc9d6")
POOLED = style.colour("pooled")


def funnel_frame(fit: MetaFit | TrimFill) -> pd.DataFrame:
    """Return the points of a funnel plot.

    Parameters
    ----------
    fit : MetaFit or TrimFill

    Returns
    -------
    pandas.DataFrame
        ``label, kind`` (``study`` or ``filled``), ``effect`` (analysis scale), ``std_error`` and
        ``estimate`` (reader's scale).
    """
    if not isinstance(fit, TrimFill):
        return _points(fit.effects)
    frame = _points(fit.filled.effects)
    frame["kind"] = np.where(fit.is_filled, "filled", "study")
    return frame


def _points(e: EffectSizes) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": list(e.studies),
            "kind": "study",
            "effect": e.yi,
            "std_error": np.sqrt(e.vi),
            "estimate": e.limits()[0],
        }
    )


@style.styled
def funnel(fit: MetaFit | TrimFill, ax: Axes | None = None, contours: bool = True) -> Axes:
    """Draw a funnel plot.

    Parameters
    ----------
    fit : MetaFit or TrimFill
        Filled studies of a trim-and-fill analysis are open circles.
    ax : matplotlib.axes.Axes, optional
    contours : bool
        Shade the regions of significance about no effect, for measures that have one; otherwise
        the region in which 95% of studies would lie without heterogeneity is drawn about the
        pooled effect.

    Returns
    -------
    matplotlib.axes.Axes
    """
    pooled = fit.fit if isinstance(fit, TrimFill) else fit
    centres = {"Pooled": pooled.analysis.estimate}
    if isinstance(fit, TrimFill) and fit.k0:
        centres["Pooled, filled"] = fit.filled.analysis.estimate
    return draw_funnel(
        funnel_frame(fit),
        _new(ax),
        centres=centres,
        measure=pooled.measure,
        transform=pooled.transform,
        contours=contours,
    )


@style.styled
def funnel_of_test(test: SmallStudyTest, ax: Axes | None = None) -> Axes:
    """Draw the funnel plot of a test of asymmetry, with its regression line where it has one."""
    e = test.effects
    centre = float(np.sum(e.yi / e.vi) / np.sum(1 / e.vi))
    curve = None
    if test.predictor in ("std_error", "variance"):
        se = np.linspace(0, 1.05 * float(np.sqrt(e.vi.max())), 101)
        power = 1 if test.predictor == "std_error" else 2
        curve = (test.limit + test.estimate * se**power, se) if test.form != "rank" else None
    return draw_funnel(
        _points(e),
        _new(ax),
        centres={"Common effect": centre},
        measure=e.measure,
        transform=e.transform,
        curve=curve,
    )


@style.styled
def funnel_of_selection(model: SelectionModel, ax: Axes | None = None) -> Axes:
    """Draw the funnel plot of a selection model with the effect before and after correction."""
    e = model.effects
    return draw_funnel(
        _points(e),
        _new(ax),
        centres={"Pooled": model.unadjusted, "Corrected": model.estimate},
        measure=e.measure,
        transform=e.transform,
    )


def _new(ax: Axes | None) -> Axes:
    return style.figure(5.2, 4.2)[1] if ax is None else ax


@style.styled
def draw_funnel(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    centres: dict[str, float],
    measure: str,
    transform: str,
    contours: bool = True,
    levels: tuple[float, ...] = CONTOURS,
    curve: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> Axes:
    """Draw the points of :func:`funnel_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    centres : dict of str to float
        Vertical lines by name, on the analysis scale; the first is the centre of the funnel.
    measure, transform : str
        Fix the axis and whether there is a value of no effect.
    contours : bool
        Shade the regions of significance.
    levels : tuple of float
        Confidence levels of the contours, ascending.
    curve : (effects, std_errors), optional
        A regression line.
    """
    top = 1.05 * float(frame["std_error"].max())
    null = null_value(measure) if contours else None
    low, high = _limits(frame, list(centres.values()), null)
    handles: list[Artist] = []
    if null is None:
        _triangle(ax, next(iter(centres.values())), top)
    else:
        handles = _contours(ax, null, top, levels, low, high)
        ax.axvline(null, color=style.INK, lw=0.8, zorder=1)
    for i, (name, centre) in enumerate(centres.items()):
        dashes = (0, (4, 2)) if i == 0 else (0, (1, 1.5))
        words = style.plain(name)
        handles.append(ax.axvline(centre, color=POOLED, lw=1.3, ls=dashes, label=words, zorder=2))
    if curve is not None:
        handles += ax.plot(*curve, color=style.INK, lw=1.2, label="Regression", zorder=2)
    _scatter(ax, frame)
    ax.set_xlim(low, high)
    ax.set_ylim(top, 0)
    reader_ticks(ax.xaxis, transform, low, high)
    ax.set_xlabel(axis_name(measure, transform))
    ax.set_ylabel("Standard error")
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=min(4, len(handles)),
        fontsize=8,
        columnspacing=1.2,
        handlelength=1.8,
        frameon=False,
    )
    return ax


def _limits(frame: pd.DataFrame, centres: list[float], null: float | None) -> tuple[float, float]:
    reach = 1.96 * float(frame["std_error"].max())
    middle = centres[0] if null is None else null
    inner = [*frame["effect"], *centres, middle - reach, middle + reach]
    low, high = min(inner), max(inner)
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _contours(
    ax: Axes, null: float, top: float, levels: tuple[float, ...], low: float, high: float
) -> list[Artist]:
    se = np.array([0.0, top])
    ax.axvspan(low, high, color=SHADES[-1], lw=0, zorder=0)
    bounds = [0.0, *(float(critical(level)) for level in levels)]
    for (inner, outer), shade in zip(itertools.pairwise(bounds), SHADES, strict=False):
        for sign in (-1, 1):
            ax.fill_betweenx(
                se, null + sign * inner * se, null + sign * outer * se, color=shade, lw=0, zorder=0
            )
    tails = [f"{1 - level:.2g}" for level in levels]
    names = [f"p > {tails[0]}"]
    names += [f"{b} < p ≤ {a}" for a, b in itertools.pairwise(tails)]
    names.append(f"p ≤ {tails[-1]}")
    shades = [*SHADES[: len(levels)], SHADES[-1]]
    return [
        Patch(facecolor=shade, edgecolor=style.SOFT, lw=0.5, label=name)
        for shade, name in zip(shades, names, strict=True)
    ]


def _triangle(ax: Axes, centre: float, top: float) -> None:
    half = 1.959964 * top
    for sign in (-1, 1):
        ax.plot([centre, centre + sign * half], [0, top], color=style.SOFT, lw=0.9, ls=(0, (2, 2)))


def _scatter(ax: Axes, frame: pd.DataFrame) -> None:
    for kind, face in (("study", POINT), ("filled", "white")):
        part = frame.loc[frame["kind"] == kind]
        if len(part):
            ax.scatter(
                part["effect"], part["std_error"], s=26, facecolor=face, edgecolor=POINT, lw=1.0,
                zorder=4,
            )  # fmt: skip


@style.styled
def funnel_of_pet_peese(result: PetPeese, ax: Axes | None = None) -> Axes:
    """Draw a funnel plot with the regression that PET-PEESE chose."""
    return funnel_of_test(result.pet if result.chosen == "pet" else result.peese, ax=ax)
