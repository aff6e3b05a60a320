"""How well a reconstruction fits its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.numerics import kaplan_meier
from metablin.reconstruct.curve._estimate import Fitted
from metablin.reconstruct.curve._fit import UNKNOWN_POWER
from metablin.reconstruct.curve.clicks import Checked, Curve
from metablin.reconstruct.printed import printed_checks
from metablin.reconstruct.reading import FUZZ
from metablin.reconstruct.records import Mended, Quality

__all__ = ["curve_quality", "mended_of"]

FloatArray = NDArray[np.float64]

UNSEEN = 0.01  # of the time axis: a table that goes on for longer says what was not seen


def curve_quality(
    checked: Checked, fitted: Fitted, printed: Mapping[str, Any] | None = None
) -> Quality:
    """Compare reconstructed patients with the clicks, the table, the total and print."""
    curve, time, event = fitted.curve, fitted.time, fitted.event
    km = kaplan_meier.steps(time, event)
    whole = bool(event.any()) and not (time[event == 1] % 1.0).any()
    error = _click_errors(km, checked.clicks, curve, whole)
    at_risk = time.size - np.searchsorted(time, curve.starts, side="left")
    events = int(event.sum())
    return Quality(
        level=information_level(curve, checked.source),
        grade="A" if curve.has_table and curve.events is not None else "B",
        n=int(time.size),
        events=events,
        n_source=checked.source,
        censoring=censoring_text(curve),
        rmse=float(np.sqrt(np.mean(error**2))),
        max_abs_error=float(np.max(np.abs(error))),
        at_risk_error=int(np.max(np.abs(at_risk - curve.counts))),
        events_error=0 if curve.events is None else abs(events - curve.events),
        checks=printed_checks(time, event, {} if printed is None else printed),
        times="whole units" if whole else "any",
        clicks=curve.reading.kind,
        noise=curve.reading.sd,
        mended=mended_of(checked, fitted),
    )


def mended_of(checked: Checked, fitted: Fitted) -> tuple[Mended, ...]:
    """Return what was mended, and what lies after the last click."""
    curve = checked.curve
    seen = float(curve.time[-1])
    if curve.end <= seen * (1.0 + UNSEEN):
        return checked.mended
    late = int((fitted.event[np.searchsorted(fitted.time, seen, side="right") :]).sum())
    text = (
        f"clicks end at {seen:g}, follow-up goes on to {curve.end:g} or later: "
        f"{late} of the events lie where S was not seen"
    )
    return (*checked.mended, Mended("not seen", late, text))


def _click_errors(
    km: kaplan_meier.Steps, clicks: tuple[FloatArray, FloatArray], curve: Curve, whole: bool
) -> FloatArray:
    """Differences of S to the clicks.

    Of clicks one above the other at a fall any S between its top and its foot is right. Where
    times are whole, a click may belong to a unit beside: one read a little ahead of a drop shows
    S after it.
    """
    t, y = clicks
    error = kaplan_meier.survival_at(km, t) - y
    fuzz = FUZZ * curve.reading.time_sd * curve.end
    near = t[1:] - t[:-1] <= fuzz
    if near.any():
        falls = near & (y[:-1] - y[1:] > 2.0 * curve.reading.sd)
        beside = np.append(falls, False) | np.append(False, falls)
        top = kaplan_meier.survival_at(km, t[beside] - fuzz * (1.0 + 1e-9))
        foot = kaplan_meier.survival_at(km, t[beside] + fuzz)
        error[beside] = np.minimum(np.maximum(y[beside], foot), top) - y[beside]
    if not whole:
        return error
    unit = np.rint(t)
    other = np.where(np.abs(unit - t) < fuzz, kaplan_meier.survival_at(km, unit) - y, error)
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
