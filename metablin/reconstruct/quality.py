"""How well a reconstruction fits its input, and whether it agrees with what was printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.reconstruct import _km
from metablin.reconstruct._fit import FUZZ, READING_SD, READING_TIME_SD, UNKNOWN_POWER
from metablin.reconstruct._grid import Curve
from metablin.reconstruct.records import Check, PseudoIPD, Quality

__all__ = ["check_hazard_ratio", "curve_quality", "printed_checks"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PRINTED = ("median", "median_ci", "landmarks", "events", "n")
CI_TOLERANCE = 0.15  # of the printed interval's width: methods for it differ between packages


def curve_quality(
    curve: Curve,
    source: str,
    clicks: tuple[FloatArray, FloatArray],
    time: FloatArray,
    event: IntArray,
    printed: Mapping[str, Any] | None = None,
) -> Quality:
    """Compare reconstructed patients with the clicks, the table, the total and print."""
    km = _km.steps(time, event)
    whole = bool(event.any()) and not (time[event == 1] % 1.0).any()
    error = _click_errors(km, clicks, curve.end, whole)
    at_risk = time.size - np.searchsorted(time, curve.starts, side="left")
    events = int(event.sum())
    return Quality(
        level=information_level(curve, source),
        grade="A" if curve.has_table and curve.events is not None else "B",
        n=int(time.size),
        events=events,
        n_source=source,
        censoring=censoring_text(curve),
        rmse=float(np.sqrt(np.mean(error**2))),
        max_abs_error=float(np.max(np.abs(error))),
        at_risk_error=int(np.max(np.abs(at_risk - curve.counts))),
        events_error=0 if curve.events is None else abs(events - curve.events),
        checks=printed_checks(time, event, printed or {}),
        times="whole units" if whole else "any",
    )


def _click_errors(
    km: _km.Steps, clicks: tuple[FloatArray, FloatArray], end: float, whole: bool
) -> FloatArray:
    """Differences of S to the clicks; where times are whole, a click may belong to a unit beside.

    A click read a little ahead of a drop shows S after it.
    """
    error = _km.survival_at(km, clicks[0]) - clicks[1]
    if not whole:
        return error
    unit = np.rint(clicks[0])
    beside = np.abs(unit - clicks[0]) < FUZZ * READING_TIME_SD * end
    other = np.where(beside, _km.survival_at(km, unit) - clicks[1], error)
    return np.where(np.abs(other) < np.abs(error), other, error)


def information_level(curve: Curve, source: str) -> str:
    """Say in words what the reconstruction used."""
    parts = ["curve"]
    if source in ("given", "numbers at risk at time 0"):
        parts.append("n")
    if curve.has_table:
        parts.append("at-risk")
    if curve.events is not None:
        parts.append("events")
    if curve.marks is not None:
        parts.append("censoring marks")
    return " + ".join(parts)


def censoring_text(curve: Curve) -> str:
    """State the censoring model that fills what the input leaves open."""
    within = "at the marks" if curve.marks is not None else "fitted within risk intervals"
    if curve.has_table:
        return f"{within}, given the numbers at risk"
    if curve.events is not None:
        return "1 - G(t) = (t/end)^p with p from the known events"
    if curve.marks is not None:
        return "at the marks, one patient each as a first guess"
    return f"assumed 1 - G(t) = (t/end)^{UNKNOWN_POWER:g}; draws vary its shape"


def printed_checks(
    time: FloatArray, event: IntArray, printed: Mapping[str, Any]
) -> tuple[Check, ...]:
    """Compare with printed items: median, median_ci, landmarks ((time, S) pairs), events, n.

    Tolerances: half the last printed digit, and for landmarks at least one patient; the interval
    of the median may differ by 15 % of its width, as packages differ in how it is made.
    """
    unknown = set(printed) - set(PRINTED)
    if unknown:
        raise DataError(
            "unknown printed item", column="printed", value=sorted(unknown)[0],
            allowed=" | ".join(PRINTED),
        )  # fmt: skip
    km = _km.steps(time, event)
    checks = []
    for item, found in (("events", event.sum()), ("n", time.size)):
        if item in printed:
            checks.append(Check(item, float(printed[item]), float(found), 0.0))
    if "median" in printed:
        value = float(printed["median"])
        checks.append(Check("median", value, _km.median(km), _median_tolerance(value, km)))
    if "median_ci" in printed:
        low, high = (float(x) for x in printed["median_ci"])
        found_ci = _km.median_interval(km)
        slack = CI_TOLERANCE * (high - low) if np.isfinite(high) else CI_TOLERANCE * low
        for name, want, got in zip(("lower", "upper"), (low, high), found_ci, strict=True):
            if np.isfinite(want):
                checks.append(Check(f"median {name} limit", want, got, slack))
    for t, s in printed.get("landmarks", ()):
        found_s = float(_km.survival_at(km, np.array([float(t)]))[0])
        tolerance = max(1.0 / time.size, min(half_digit(float(s)), 0.005))
        checks.append(Check(f"S({float(t):g})", float(s), found_s, tolerance))
    return tuple(checks)


def _median_tolerance(value: float, km: _km.Steps) -> float:
    """Half a printed digit, plus the time S takes to pass 1/2 by one patient and reading error."""
    t, s = km[0], km[1]
    if t.size == 0:
        return half_digit(value)
    reach = 1.0 / float(km[3][0]) + 2.0 * READING_SD
    inside = np.flatnonzero(np.abs(s - 0.5) <= reach)
    if inside.size == 0:
        return half_digit(value)
    last = min(int(inside[-1]) + 1, t.size - 1)
    return half_digit(value) + float(t[last] - t[inside[0]])


def half_digit(value: float) -> float:
    """Half a unit of the last digit of a printed number.

    Examples
    --------
    >>> half_digit(7.7), half_digit(0.31), half_digit(12.0)
    (0.05, 0.005, 0.5)
    """
    text = f"{value:.6f}".rstrip("0")
    return float(0.5 * 10.0 ** -len(text.split(".")[1]))


def check_hazard_ratio(
    treatment: PseudoIPD, control: PseudoIPD, hr: float, tolerance: float = 0.03
) -> Check:
    """Compare the Cox hazard ratio of two reconstructed arms with the printed one.

    Parameters
    ----------
    treatment, control : PseudoIPD
        The two arms; the ratio is treatment over control.
    hr : float
        Printed hazard ratio.
    tolerance : float
        Allowed difference of the log hazard ratio beyond printing, as print is often stratified
        or adjusted.

    Returns
    -------
    Check
        On the log scale, item ``log HR``.
    """
    if not hr > 0:
        raise DataError("not a hazard ratio", column="hr", value=hr, allowed="above 0")
    time = np.concatenate([treatment.time, control.time])
    event = np.concatenate([treatment.event, control.event])
    arm = np.repeat([1, 0], [treatment.time.size, control.time.size])
    rounding = half_digit(hr) / hr
    found = _km.log_hazard_ratio(time, event, arm)
    return Check("log HR", float(np.log(hr)), found, tolerance + rounding)
