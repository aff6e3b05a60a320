"""Whether times were recorded in whole units of the axis, and how to keep to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.curve._drops import (
    chance_of_events,
    count_likelihood,
    regular,
    visible_gaps,
)
from metablin.reconstruct.curve._fit import TINY
from metablin.reconstruct.curve._grid import Grid
from metablin.reconstruct.curve.clicks import Curve
from metablin.reconstruct.reading import FUZZ

__all__ = ["clicked_at_units", "in_whole_units", "to_whole_units"]

FloatArray = NDArray[np.float64]

EVIDENCE = 5.0  # log likelihood ratio from which times count as whole units
ASTRAY = 0.02  # share of clicks that lie anywhere
TOO_FINE = 0.2  # reading errors of time, in units, from which units cannot be told apart
FEW_FALLS = 0.3  # of the falls expected by chance in gaps without a whole unit: more rule it out


def in_whole_units(curve: Curve, step: FloatArray, at_drops: bool) -> Curve:
    """Curve that knows whether drops lie at whole numbers of the time unit, then with clicks there.

    Clicks on drops are near whole numbers; of gaps between clicks at times of their own only
    those fall that hold a whole number. Both are likelihood ratios against times that lie
    anywhere; `step` is the fall of one patient in each gap, shape (clicks - 1,).
    """
    t, sd = curve.time, curve.reading.time_sd * curve.end
    if sd > TOO_FINE:
        return curve
    whole = (
        _near_units(t[1:-1], sd)
        if at_drops
        else _falls_at_units(t, curve.survival, step, sd, curve.reading.sd)
    )
    return _snapped(curve, sd, at_drops) if whole else curve


def clicked_at_units(curve: Curve, grid: Grid) -> bool:
    """Whether clicks lie at whole units though not at regular times: on drops, where drops are."""
    t, sd = curve.time, curve.reading.time_sd * curve.end
    return sd <= TOO_FINE and not regular(t[1:] - t[:-1], grid.time_sd) and _near_units(t[1:-1], sd)


def _near_units(t: FloatArray, sd: float) -> bool:
    away = (t - np.rint(t)) / sd
    density = np.exp(-0.5 * np.minimum(away**2, 60.0)) / (np.sqrt(2.0 * np.pi) * sd)
    return bool(np.log((1.0 - ASTRAY) * density + ASTRAY).sum() > EVIDENCE)


def _falls_at_units(
    t: FloatArray, survival: FloatArray, step: FloatArray, sd: float, sd_s: float
) -> bool:
    gap, fall = t[1:] - t[:-1], survival[:-1] - survival[1:]
    most, least = _units_within(t, FUZZ * sd), _units_within(t, -FUZZ * sd)
    free = most < 1.0
    expected = float(gap[free].sum()) / max(float(t[-1]), TINY) * float(fall.sum())
    noise = 2.0 * sd_s * float(np.sqrt(2.0 * free.sum()))
    if not free.any() or float(fall[free].sum()) > FEW_FALLS * expected + noise:
        return False
    seen = visible_gaps(step, gap, sd_s)
    if not (free & seen).any():
        return False
    step, gap, fall, most, least = (x[seen] for x in (step, gap, fall, most, least))
    normal = count_likelihood(fall, step, sd_s)
    mean = max(float((fall / step).sum() / gap.sum()), TINY)
    units = np.where(most == least, most, gap)  # a unit beside a click may be on either side
    whole = (normal * chance_of_events(np.maximum(mean * units, TINY))).sum(axis=0)
    anywhere = (normal * chance_of_events(mean * gap)).sum(axis=0)
    return bool(np.log((whole + TINY) / (anywhere + TINY)).sum() > EVIDENCE)


def _units_within(t: FloatArray, fuzz: float) -> FloatArray:
    """Whole units in each gap that is wider by `fuzz` at both ends, shape (clicks - 1,)."""
    return np.asarray(np.maximum(np.floor(t[1:] + fuzz) - np.ceil(t[:-1] - fuzz) + 1.0, 0.0))


def _snapped(curve: Curve, sd: float, at_drops: bool) -> Curve:
    """Move clicks on drops, and the end of the curve if it is near one, to whole units."""
    time = np.rint(curve.time) if at_drops else curve.time.copy()
    end, latest = float(curve.time[-1]), float(np.rint(curve.time[-1]))
    time[-1] = latest if abs(latest - end) < FUZZ * sd else end
    return replace(curve, time=np.minimum(time, time[-1]), whole=True)


def to_whole_units(
    grid: Grid, events: FloatArray, censored: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Move patients to whole units within their risk interval and, for events, their gap.

    Where an interval holds no whole unit its patients stay.
    """
    fuzz = 0.0 if grid.at_drops else FUZZ * grid.time_sd
    gap = np.minimum(np.searchsorted(grid.time, events, side="left"), grid.time.size - 1)
    left = grid.time[np.maximum(gap - 1, 0)] - fuzz
    after = np.floor(left) + 1.0
    upto = np.floor(grid.time[gap] + fuzz)
    whole = np.minimum(np.maximum(np.rint(events), np.minimum(after, upto)), upto)
    whole = np.maximum(whole, 1.0)  # nobody has an event at time zero
    return _within(grid, events, whole), _within(grid, censored, np.rint(censored))


def _within(grid: Grid, time: FloatArray, whole: FloatArray) -> FloatArray:
    """Whole times kept inside the risk interval of `time`; where it holds none, `time`."""
    k = np.searchsorted(grid.start[1:], time, side="right")
    low, high = np.ceil(grid.start[k]), np.ceil(grid.stop[k]) - 1.0
    last = k == grid.start.size - 1
    high = np.where(last, np.floor(grid.stop[-1]), high)
    return np.where(low <= high, np.minimum(np.maximum(whole, low), high), time)
