"""How far the intervals of drawn patients are from the printed ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from metablin.numerics import kaplan_meier
from metablin.numerics.inference import critical
from metablin.reconstruct.summary._input import Arm

__all__ = ["has_limits", "off_limits"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MEDIAN_SLACK = 0.15  # of the width of the printed interval: packages form it in several ways
ERROR_SLACK = 0.10  # of a printed standard error
HALF = 0.5 + 1e-9


def has_limits(arm: Arm) -> bool:
    """Whether an interval or standard error was printed."""
    errors = any(math.isfinite(x.std_error) and x.std_error > 0 for x in arm.landmarks)
    return errors or not math.isnan(arm.median_low) or not math.isnan(arm.median_high)


def off_limits(arm: Arm, time: FloatArray, event: IntArray) -> float:
    """Largest distance to a printed limit or standard error; up to 1 is as good as print.

    Limits of the median are formed on the log(-log), log and plain scale, all of which are in
    use, and the nearest counts (Brookmeyer and Crowley 1982, doi:10.2307/2530286).
    """
    km = kaplan_meier.steps(time, event)
    if km[0].size == 0:
        return 0.0
    error = kaplan_meier.product_limit(km[2], km[3])[1]
    worst = _off_median(arm, km, error)
    for x in arm.landmarks:
        i = int(np.searchsorted(km[0], x.time, side="right")) - 1
        if math.isfinite(x.std_error) and x.std_error > 0 and i >= 0:
            found = float(km[1][i] * error[i]) if km[1][i] > 0 else 0.0
            slack = ERROR_SLACK * x.std_error + x.rounding
            worst = max(worst, abs(found - x.std_error) / slack)
    return worst


def _off_median(arm: Arm, km: kaplan_meier.Steps, error: FloatArray) -> float:
    if math.isnan(arm.median_low) and math.isnan(arm.median_high):
        return 0.0
    low, high = arm.median_low, arm.median_high
    width = high - low if math.isfinite(high - low) else low
    if not math.isfinite(width):
        width = arm.median
    slack = MEDIAN_SLACK * width if math.isfinite(width) and width > 0 else math.inf
    off = []
    for found in _intervals(km, error, float(critical(arm.level))):
        parts = [0.0]
        for want, got in zip((low, high), found, strict=True):
            if math.isfinite(want):
                parts.append(abs(got - want) / slack if math.isfinite(got) else math.inf)
            elif math.isinf(want) and math.isfinite(got):
                parts.append(math.inf)
        off.append(max(parts))
    return min(off)


def _intervals(km: kaplan_meier.Steps, error: FloatArray, z: float) -> list[tuple[float, float]]:
    """Limits of the median on three scales; infinite where they are not reached."""
    t, s = km[0], km[1]
    alive = s > 0
    se = np.where(alive, error, 0.0)
    log_s = np.log(np.where(alive, s, 1.0))
    half = z * se / np.maximum(-log_s, 1e-12)
    power = np.exp(np.minimum(half, 50.0))
    pairs = (
        (np.exp(log_s * power), np.exp(log_s / power)),
        (np.exp(log_s - z * se), np.exp(log_s + z * se)),
        (s - z * s * se, s + z * s * se),
    )
    out = []
    for pair in pairs:
        first = [np.flatnonzero(np.where(alive, x, 0.0) <= HALF) for x in pair]
        low, high = (float(t[i[0]]) if i.size else math.inf for i in first)
        out.append((low, high))
    return out
