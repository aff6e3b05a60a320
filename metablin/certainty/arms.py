"""Absolute effects from two arms: curves or printed landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin import _input
from metablin.certainty.absolute import (
    AbsoluteEffect,
    area,
    checked_threshold,
    checked_times,
    effect_table,
)
from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.survival import KMCurve

__all__ = ["absolute_effect_arms"]

FloatArray = NDArray[np.float64]


def absolute_effect_arms(
    treatment: KMCurve | pd.DataFrame,
    control: KMCurve | pd.DataFrame,
    at: float | Sequence[float],
    threshold: float | None = None,
) -> AbsoluteEffect:
    """Compare two arms at times: survival by arm, difference, number needed to treat, months.

    Parameters
    ----------
    treatment, control : KMCurve or DataFrame
        Curves, or printed landmarks: ``time, survival, conf_low, conf_high``.
    at : float or sequence of float
        Times in months, in ascending order.
    threshold : float, optional
        Carried along; no probability in a new setting follows from one comparison.

    Returns
    -------
    AbsoluteEffect
        Limits of the difference by the method of variance estimates recovery from the limits of
        the arms, which need not be symmetric. Months with their limits from curves; from landmarks
        without, joined by constant hazards.

    Raises
    ------
    DataError
        For a time that an arm does not have, or survival outside 0 and 1.

    References
    ----------
    Zou GY, Donner A (2008). Construction of confidence limits about effect measures: a general
    approach. Stat Med 27:1693-1702. doi:10.1002/sim.3095

    Examples
    --------
    >>> arm = lambda s, low, high: pd.DataFrame(
    ...     {"time": [24], "survival": [s], "conf_low": [low], "conf_high": [high]})
    >>> effect = absolute_effect_arms(arm(0.6, 0.5, 0.7), arm(0.4, 0.3, 0.5), at=24)
    >>> effect.table[["points", "points_low", "points_high"]].round(1).values.tolist()
    [[20.0, 5.9, 34.1]]
    """
    times = checked_times(at, "arms", None)
    if not len(times):
        raise DataError("no time", column="at", allowed="one time or more")
    arms = [
        _arm(name, arm, times) for name, arm in (("treatment", treatment), ("control", control))
    ]
    (s1, l1, u1), (s0, l0, u0) = arms
    difference = s1 - s0
    low = difference - np.hypot(s1 - l1, u0 - s0)
    high = difference + np.hypot(u1 - s1, s0 - l0)
    wanted = checked_threshold(threshold)
    nothing = np.full((2, len(times)), np.nan)
    table = effect_table(times, 1 - s0, 1 - s1, np.array([-high, -low]), nothing)
    months, spread, notes = _months_of_arms(treatment, control, times, s1, s0)
    level = treatment.level if isinstance(treatment, KMCurve) else 0.95
    z = float(critical(level))
    return AbsoluteEffect(
        table, float(times[-1]), months, months - z * spread, months + z * spread,
        wanted, level, "arms", notes,
    )  # fmt: skip


def _arm(name: str, arm: Any, times: FloatArray) -> FloatArray:
    """Return survival and its limits at the times, (3, m)."""
    if isinstance(arm, KMCurve):
        values = arm.values_at(times)[[0, 2, 3]]
        if np.isnan(values[0]).any():
            raise DataError("beyond the follow-up of the curve", column=name,
                            value=f"{times[np.isnan(values[0])][0]:g}",
                            allowed=f"up to {arm.time[-1]:g}")  # fmt: skip
        return np.where(np.isnan(values), values[0], values)  # no limits where nobody is left
    wanted = ("time", "survival", "conf_low", "conf_high")
    frame = _input.needed(arm, wanted)
    columns = {c: _input.numeric(c, frame[c], minimum=0.0) for c in wanted}
    for c in wanted[1:]:
        _input.numeric(c, frame[c], minimum=0.0, maximum=1.0)
    rows = []
    for t in times:
        at = np.flatnonzero(np.isclose(columns["time"], t))
        if at.size != 1:
            raise DataError(f"{at.size} rows at this time", column=name, value=f"{t:g}",
                            allowed=" ".join(f"{x:g}" for x in columns["time"]))  # fmt: skip
        rows.append([columns[c][at[0]] for c in wanted[1:]])
    return np.array(rows).T


def _months_of_arms(
    treatment: Any, control: Any, times: FloatArray, s1: FloatArray, s0: FloatArray
) -> tuple[float, float, tuple[str, ...]]:
    """Return the difference of areas, its standard error (NaN from landmarks) and notes."""
    if isinstance(treatment, KMCurve) and isinstance(control, KMCurve):
        (a1, v1), (a0, v0) = (_restricted_mean(c, float(times[-1])) for c in (treatment, control))
        return a1 - a0, math.sqrt(v1 + v0), ()
    grid = np.r_[0.0, times]
    areas = [area(grid, np.r_[1.0, s], False) for s in (s1, s0)]
    note = "months from landmarks joined by constant hazards; landmarks carry no limits for them"
    return areas[0] - areas[1], math.nan, (note,)


def _restricted_mean(curve: KMCurve, tau: float) -> tuple[float, float]:
    """Return the area under a curve up to tau and its variance (Greenwood's)."""
    inside = curve.time < tau
    grid = np.r_[0.0, curve.time[inside], tau]
    pieces = np.diff(grid) * np.r_[1.0, curve.survival[inside]]
    rest = pieces.sum() - np.cumsum(pieces)[:-1]  # area from each time on
    d, n = curve.n_event[inside], curve.n_risk[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where((d > 0) & (n > d), rest**2 * d / (n * (n - d)), 0.0)
    return float(pieces.sum()), float(terms.sum())
