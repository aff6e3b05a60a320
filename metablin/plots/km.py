"""Kaplan-Meier curves with the numbers at risk as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike, NDArray

from metablin.plots import style
from metablin.plots._survival import group_colours, survival_axis, time_ticks
from metablin.plots._svg import CURVE_AREA

if TYPE_CHECKING:
    from metablin.meta.survival.curves import PooledCurve
    from metablin.survival import KMCurve, ResponseComparison, TrialSurvival

__all__ = [
    "draw_km",
    "draw_log_log",
    "draw_pooled_curve",
    "km",
    "km_frame",
    "log_log",
    "log_log_frame",
    "pooled_curve",
    "risk_frame",
]

ROWS = {"n_risk": "At risk", "n_event": "Events", "n_censored": "Censored"}
ROW_HEIGHT = 0.16
"""Inches of one row of the table."""

LABEL_GAP, DIGIT = 8.0, 2.6
"""Points between a group's name and the first column of its counts, and half of one digit."""


def km_frame(curves: Sequence[KMCurve]) -> pd.DataFrame:
    """Return the steps of the curves, with a first row at time 0.

    Returns
    -------
    pandas.DataFrame
        ``group, time, survival, conf_low, conf_high, n_risk, n_event, n_censored``.
    """
    parts = []
    for curve in curves:
        frame = curve.to_frame().drop(columns="group", errors="ignore")
        first = pd.DataFrame(
            {
                "time": [0.0],
                "survival": [1.0],
                "conf_low": [1.0],
                "conf_high": [1.0],
                "n_risk": [curve.at_risk([0.0])["n_risk"].iloc[0]],
                "n_event": [0.0],
                "n_censored": [0.0],
            }
        )
        part = pd.concat([first, frame[list(first.columns)]], ignore_index=True)
        part.insert(0, "group", curve.label or "all")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def risk_frame(curves: Sequence[KMCurve], times: ArrayLike | None = None) -> pd.DataFrame:
    """Return the number-at-risk table of the curves.

    Patients at risk are counted just before each time; events and censorings are those since the
    row before (see :meth:`metablin.survival.KMCurve.at_risk`).

    Parameters
    ----------
    curves : sequence of KMCurve
    times : array-like, optional
        Round times over the longest follow-up when not given.

    Returns
    -------
    pandas.DataFrame
        ``group, time, n_risk, n_event, n_censored, n_entered, cumulative_events``.
    """
    if times is None:
        times = time_ticks(max(float(c.time[-1]) for c in curves))
    parts = []
    for curve in curves:
        part = curve.at_risk(times)
        part.insert(0, "group", curve.label or "all")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@style.styled
def km(
    curves: Sequence[KMCurve],
    ax: Axes | None = None,
    *,
    times: ArrayLike | None = None,
    rows: Sequence[str] = ("n_risk",),
    band: bool = True,
    unit: str = "months",
) -> Axes:
    """Draw Kaplan-Meier curves over their number-at-risk table.

    Parameters
    ----------
    curves : sequence of KMCurve
    ax : matplotlib.axes.Axes, optional
    times : array-like, optional
        Times of the table and ticks of the axis.
    rows : sequence of {"n_risk", "n_event", "n_censored"}
        What the table shows for each group.
    band : bool
        Whether to shade the pointwise interval.
    unit : str
        Of time.

    Returns
    -------
    matplotlib.axes.Axes
        The table hangs below the axes; save with ``bbox_inches="tight"``.
    """
    if ax is None:
        _, ax = style.figure(5.2, 3.2)
    return draw_km(km_frame(curves), risk_frame(curves, times), ax, rows=rows, band=band, unit=unit)


@style.styled
def draw_km(
    frame: pd.DataFrame,
    risk: pd.DataFrame,
    ax: Axes,
    *,
    rows: Sequence[str] = ("n_risk",),
    band: bool = True,
    unit: str = "months",
) -> Axes:
    """Draw the tables of `km_frame` and `risk_frame`."""
    names = list(dict.fromkeys(frame["group"]))
    colours = group_colours(names)
    for name in names:
        part = frame[frame["group"] == name]
        t, s = part["time"].to_numpy(), part["survival"].to_numpy()
        ax.step(t, s, where="post", color=colours[name], lw=1.6, label=style.plain(name))
        if band:
            low, high = (part[c].ffill().to_numpy() for c in ("conf_low", "conf_high"))
            ax.fill_between(t, low, high, step="post", color=colours[name], alpha=0.13, lw=0)
        ticks = part[part["n_censored"] > 0]
        ax.plot(ticks["time"], ticks["survival"], "|", color=colours[name], ms=5, mew=0.8)
    survival_axis(ax)
    ax.patch.set_gid(CURVE_AREA)
    at = np.unique(risk["time"])
    ax.set_xticks(at)
    ax.set_xlim(0.0, max(float(frame["time"].max()), float(at[-1])))
    ax.set_xlabel(f"Time ({style.plain(unit)})")
    if names != ["all"]:
        ax.legend(loc="upper right", frameon=False, handlelength=1.6)
    _draw_table(risk, ax, names, colours, rows)
    return ax


def _draw_table(
    risk: pd.DataFrame,
    ax: Axes,
    names: Sequence[str],
    colours: dict[str, str],
    rows: Sequence[str],
) -> None:
    height = ax.get_window_extent().height / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    step, y = ROW_HEIGHT / height, -0.46 / height
    across = ax.get_xaxis_transform()
    gap = -LABEL_GAP - DIGIT * max(len(_count(n)) for key in rows for n in risk[key])
    for key in rows:
        y -= step
        ax.text(0.0, y, ROWS[key], transform=ax.transAxes, fontsize=8, weight="bold", va="center")
        for name in names:
            y -= step
            part = risk[risk["group"] == name]
            ax.annotate(style.plain(name), (0.0, y), xycoords="axes fraction", xytext=(gap, 0.0),
                        textcoords="offset points", fontsize=8, ha="right", va="center",
                        color=colours[name], annotation_clip=False)  # fmt: skip
            for t, n in zip(part["time"], part[key], strict=True):
                ax.text(t, y, _count(n), transform=across, fontsize=8, ha="center", va="center",
                        clip_on=False)  # fmt: skip


def _count(n: float) -> str:
    return f"{n:.0f}" if float(n).is_integer() else f"{n:.1f}"


def log_log_frame(curves: Sequence[KMCurve]) -> pd.DataFrame:
    """Return ``group, time, log_time, log_log`` where log(-log S) is finite.

    Parallel lines speak for proportional hazards, straight ones for Weibull distributions.
    """
    parts = []
    for curve in curves:
        use = (curve.n_event > 0) & (curve.survival > 0) & (curve.time > 0)
        parts.append(
            pd.DataFrame(
                {
                    "group": curve.label or "all",
                    "time": curve.time[use],
                    "log_time": np.log(curve.time[use]),
                    "log_log": np.log(-np.log(curve.survival[use])),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@style.styled
def log_log(curves: Sequence[KMCurve], ax: Axes | None = None, *, unit: str = "months") -> Axes:
    """Draw log(-log S) against log time."""
    if ax is None:
        _, ax = style.figure(4.4, 3.2)
    return draw_log_log(log_log_frame(curves), ax, unit=unit)


@style.styled
def draw_log_log(frame: pd.DataFrame, ax: Axes, *, unit: str = "months") -> Axes:
    """Draw the table of `log_log_frame`."""
    colours = group_colours(list(dict.fromkeys(frame["group"])))
    for name, part in frame.groupby("group", sort=False):
        ax.step(part["time"], part["log_log"], where="post", color=colours[str(name)],
                lw=1.4, label=style.plain(str(name)))  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_xlabel(f"Time ({style.plain(unit)}, log scale)")
    ax.set_ylabel("log(-log survival)")
    if len(colours) > 1:
        ax.legend(loc="upper left", frameon=False)
    return ax


@style.styled
def pooled_curve(
    curve: PooledCurve,
    ax: Axes | None = None,
    *,
    trials: Sequence[KMCurve] = (),
    name: str = "treatment",
    unit: str = "months",
) -> Axes:
    """Draw a pooled curve with the bands of its mean and of a new trial, over the trials' own.

    Parameters
    ----------
    curve : PooledCurve
    ax : matplotlib.axes.Axes, optional
    trials : sequence of KMCurve
        Drawn thin behind.
    name : str
        Arm or population, for the colour.
    unit : str
        Of time.
    """
    if ax is None:
        _, ax = style.figure(5.2, 3.2)
    parts = [km_frame([c]).assign(group=str(i)) for i, c in enumerate(trials)]
    steps = pd.concat(parts, ignore_index=True) if parts else None
    return draw_pooled_curve(curve.to_frame(), ax, steps=steps, name=name, unit=unit)


@style.styled
def draw_pooled_curve(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    steps: pd.DataFrame | None = None,
    name: str = "treatment",
    unit: str = "months",
) -> Axes:
    """Draw the frame of a pooled curve; log-linear between its times."""
    for _, part in () if steps is None else steps.groupby("group"):
        ax.step(part["time"], part["survival"], where="post", color=style.SOFT, lw=0.6, alpha=0.6)
    shade = group_colours([name])[name]
    knots = np.r_[0.0, frame["time"]]
    t = np.linspace(0.0, float(knots[-1]), 200)

    def dense(column: str) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            logs = np.log(np.r_[1.0, frame[column].to_numpy()])
        return np.asarray(np.exp(np.interp(t, knots, logs)))

    # With fewer than three trials there is no band for a new one, here or from some time on.
    if frame["pred_low"].notna().any():
        ax.fill_between(t, dense("pred_low"), dense("pred_high"), color=shade, alpha=0.12, lw=0,
                        label="new trial")  # fmt: skip
    ax.fill_between(t, dense("conf_low"), dense("conf_high"), color=shade, alpha=0.3, lw=0,
                    label="mean, interval")  # fmt: skip
    ax.plot(t, dense("survival"), color=shade, lw=1.8, label="mean")
    survival_axis(ax)
    ax.patch.set_gid(CURVE_AREA)
    ax.set_xlim(0.0, float(knots[-1]))
    ax.set_xlabel(f"Time ({style.plain(unit)})")
    ax.legend(loc="upper right", frameon=True, facecolor="white", edgecolor="none", framealpha=0.85)
    return ax


@style.styled
def of_curve(curve: KMCurve, ax: Axes | None = None, *, unit: str = "months") -> Axes:
    """Draw one curve with its band and numbers at risk."""
    return km([curve], ax=ax, unit=unit)


@style.styled
def of_groups(
    result: ResponseComparison | TrialSurvival, ax: Axes | None = None, *, unit: str = "months"
) -> Axes:
    """Draw the curves of a result that compares groups."""
    return km(list(result.curves.values()), ax=ax, unit=unit)
