"""How well a reconstruction fits its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct import kaplan_meier
from metablin.reconstruct.curve._fit import UNKNOWN_POWER
from metablin.reconstruct.curve._grid import Curve
from metablin.reconstruct.printed import printed_checks
from metablin.reconstruct.reading import FUZZ, READING_TIME_SD
from metablin.reconstruct.records import Quality

__all__ = ["curve_quality"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def curve_quality(
    curve: Curve,
    source: str,
    clicks: tuple[FloatArray, FloatArray],
    time: FloatArray,
    event: IntArray,
    printed: Mapping[str, Any] | None = None,
) -> Quality:
    """Compare reconstructed patients with the clicks, the table, the total and print."""
    km = kaplan_meier.steps(time, event)
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
    km: kaplan_meier.Steps, clicks: tuple[FloatArray, FloatArray], end: float, whole: bool
) -> FloatArray:
    """Differences of S to the clicks; where times are whole, a click may belong to a unit beside.

    A click read a little ahead of a drop shows S after it.
    """
    error = kaplan_meier.survival_at(km, clicks[0]) - clicks[1]
    if not whole:
        return error
    unit = np.rint(clicks[0])
    beside = np.abs(unit - clicks[0]) < FUZZ * READING_TIME_SD * end
    other = np.where(beside, kaplan_meier.survival_at(km, unit) - clicks[1], error)
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
