"""Whether a reconstruction agrees with what was printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.numerics import kaplan_meier
from metablin.numerics.partial import log_hazard_ratio
from metablin.reconstruct.reading import READING_SD
from metablin.reconstruct.records import Check, PseudoIPD

__all__ = ["check_hazard_ratio", "half_digit", "printed_checks"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PRINTED = ("median", "median_ci", "landmarks", "events", "n")
CI_TOLERANCE = 0.15  # of the printed interval's width: methods for it differ between packages


def printed_checks(
    time: FloatArray, event: IntArray, printed: Mapping[str, Any]
) -> tuple[Check, ...]:
    """Compare with printed items: median, median_ci, landmarks ((time, S) pairs), events, n.

    Tolerances: half the last printed digit, and for landmarks at least one patient; the interval
    of the median may differ by 15 % of its width, as packages differ in how it is made.
    """
    if not isinstance(printed, Mapping):
        raise DataError("not printed items by name", column="printed", value=repr(printed),
                        allowed='such as {"median": 7.7, "events": 40}')  # fmt: skip
    unknown = set(printed) - set(PRINTED)
    if unknown:
        raise DataError(
            "unknown printed item", column="printed", value=min(map(str, unknown)),
            allowed=" | ".join(PRINTED),
        )  # fmt: skip
    km = kaplan_meier.steps(time, event)
    checks = []
    for item, found in (("events", event.sum()), ("n", time.size)):
        if item in printed:
            checks.append(Check(item, float(printed[item]), float(found), 0.0))
    if "median" in printed:
        value = float(printed["median"])
        checks.append(Check("median", value, kaplan_meier.median(km), _median_tolerance(value, km)))
    if "median_ci" in printed:
        low, high = (float(x) for x in printed["median_ci"])
        found_ci = kaplan_meier.median_interval(km)
        slack = CI_TOLERANCE * (high - low) if np.isfinite(high) else CI_TOLERANCE * low
        for name, want, got in zip(("lower", "upper"), (low, high), found_ci, strict=True):
            if np.isfinite(want):
                checks.append(Check(f"median {name} limit", want, got, slack))
    for t, s in printed.get("landmarks", ()):
        found_s = float(kaplan_meier.survival_at(km, np.array([float(t)]))[0])
        tolerance = max(1.0 / time.size, min(half_digit(float(s)), 0.005))
        checks.append(Check(f"S({float(t):g})", float(s), found_s, tolerance))
    return tuple(checks)


def _median_tolerance(value: float, km: kaplan_meier.Steps) -> float:
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
    found = log_hazard_ratio(time, event, arm)
    return Check("log HR", float(np.log(hr)), found, tolerance + rounding)
