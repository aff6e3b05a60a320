"""Everything a curve, a risk table and totals must satisfy before a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._input import flag, numeric, same_length
from metablin.errors import DataError
from metablin.reconstruct.curve.clicks._curve import Curve
from metablin.reconstruct.curve.clicks._mend import NOTED, put_in_order
from metablin.reconstruct.curve.clicks._noise import (
    alternates,
    at_corners,
    check_noise,
    collapsed,
    estimated_reading,
    falls_between,
    follows_falls,
)
from metablin.reconstruct.curve.clicks._rows import Rows, as_numbers
from metablin.reconstruct.curve.clicks._table import (
    CLOSE,
    MOST_PATIENTS,
    check_table,
    used_table,
    with_origin,
)
from metablin.reconstruct.reading import Kind
from metablin.reconstruct.records import Mended

__all__ = ["GUESSED", "Checked", "Given", "check_curve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NOMINAL_N = 500  # patients when nobody says how many there were
GUESSED = ("nominal", "events over the fall of the curve")  # sources of n that are no number
OVER_ONE = 0.05  # reading error allowed above 1 and below 0
BELOW_ZERO = 0.01  # of the time axis: reading error ahead of time zero
ABOVE_CURVE = 0.05  # numbers at risk over n may exceed S by reading error only,
CUT = 0.3  # of survival: an axis that does not start at zero may end a curve there
ERRORS = 6.0  # or by so many of them


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A curve as it came, with what is known beside it."""

    time: ArrayLike
    survival: ArrayLike
    n: float | None = None
    at_risk: tuple[ArrayLike, ArrayLike] | None = None
    events: float | None = None
    censor_times: ArrayLike | None = None
    percent: bool = False
    failure: bool = False
    clicks: Kind = "auto"
    noise: float | str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A curve ready for the fit, where its n comes from, its own clicks and what was mended."""

    curve: Curve
    source: str
    clicks: tuple[FloatArray, FloatArray]
    mended: tuple[Mended, ...]


def check_curve(given: Given, rows: Rows) -> Checked:
    """Return the checked curve; what can be read is mended, the rest refused.

    Raises
    ------
    DataError
        For what cannot be read: survival that rises or is out of range, a table that increases or
        contradicts the curve, totals above n, fewer than two clicks, missing values.
    """
    check_noise(given.noise, given.clicks)
    t, y, mended = _read(given, rows)
    clicks = put_in_order(t, y, rows)
    _starts_high(clicks.survival, given.failure, rows)
    t, y, mended = clicks.time, clicks.survival, (*mended, *clicks.mended)
    own = t, y
    size = None if given.n is None else _whole("n", given.n, 1, rows)
    starts, counts, size, notes = check_table(given.at_risk, size, float(t[-1]), rows)
    total = None if given.events is None else _whole("events", given.events, 0, rows)
    size, source = _size(size, starts, counts, total, t, y, rows)
    if size == NOMINAL_N and source == "nominal":
        notes = (*notes, Mended("n", 1, f"no number of patients: a nominal {NOMINAL_N}"))
    if starts.size == 0 or starts[0] > 0:
        starts = np.concatenate([[0.0], starts])
        counts = np.concatenate([[size], counts]).astype(np.int64)
    t, y = with_origin(t, y, starts, counts)
    kind, upright = _kind(given.clicks, t, y)
    step = np.maximum(y, 1.0 / size) / np.maximum(np.interp(t, starts, counts), 1.0)
    reading = estimated_reading(t, y, size, step, given.noise, kind, upright)
    _check_against_curve(t, y, (size, total), (starts, counts), reading.sd, rows)
    starts, counts = used_table(starts, counts)
    if upright is not None:
        t, y = collapsed(t, y, upright)
        reading = replace(reading, kind="corners")
    marks = _check_marks(given.censor_times, float(t[-1]))
    beyond = _beyond(t, y, size, starts, total)
    curve = Curve(t, y, size, starts, counts, total, marks, reading=reading, beyond=beyond)
    return Checked(curve, source, own, (*mended, *notes))


def _kind(kind: Kind, t: FloatArray, y: FloatArray) -> tuple[Kind, BoolArray | None]:
    """Kind of the clicks where verticals tell it, and which gaps are vertical at corners."""
    if kind not in ("auto", "corners"):
        return kind, None
    upright = at_corners(t, y)
    if kind == "corners":
        return kind, upright
    if upright is not None and alternates(upright) and not falls_between(y, upright):
        return kind, upright
    return ("points" if follows_falls(t, y) else kind), None


def _read(given: Given, rows: Rows) -> tuple[FloatArray, FloatArray, tuple[Mended, ...]]:
    """Return times from 0 and survival in 0..1, reading errors beyond the axes taken off."""
    t = as_numbers("time", given.time, rows.clicks, rows.label)
    y = as_numbers("survival", given.survival, rows.clicks, rows.label)
    same_length(time=t, survival=y)
    if t.size < 2:
        raise DataError(
            f"{t.size} click{'s' if t.size != 1 else ''} is no curve",
            column="time",
            allowed="at least two clicks",
            study=rows.label or None,
        )
    flag("failure", given.failure)
    rows.scale = 100.0 if flag("percent", given.percent) else 1.0
    t = _check_times(t, rows)
    y = _check_survival(y, given.percent, given.failure, rows)
    out = int((y > 1.0 + NOTED).sum() + (y < -NOTED).sum())
    note = (Mended("range", out, f"{out} values of survival outside 0 to 1 moved to it"),)
    return t, np.minimum(np.maximum(y, 0.0), 1.0), note if out else ()


def _whole(column: str, value: float, minimum: int, rows: Rows) -> int:
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    except (TypeError, ValueError):
        number = np.nan
    if number > MOST_PATIENTS:
        shown, allowed = (
            "beyond 1e308" if np.isinf(number) else f"{number:g}",
            f"at most {MOST_PATIENTS}",
        )
        raise DataError("too many patients", column=column, value=shown, allowed=allowed,
                        study=rows.label or None)  # fmt: skip
    if np.isnan(number) or number != int(number) or number < minimum:
        raise DataError(
            "not allowed",
            column=column,
            value="missing" if np.isnan(number) else f"{number:g}",
            allowed=f"a whole number of at least {minimum}",
            study=rows.label or None,
        )
    return int(number)


def _check_times(t: FloatArray, rows: Rows) -> FloatArray:
    axis = float(t.max())
    if axis <= 0:
        raise DataError(
            "no time after zero", row=rows.click(0), column="time", study=rows.label or None
        )
    low = np.flatnonzero(t < -BELOW_ZERO * axis)
    if low.size:
        raise DataError(
            "negative time",
            row=rows.click(int(low[0])),
            column="time",
            value=f"{t[low[0]]:g}",
            allowed="at least 0",
            study=rows.label or None,
        )
    return np.maximum(t, 0.0)


def _check_survival(y: FloatArray, percent: bool, failure: bool, rows: Rows) -> FloatArray:
    """Survival in 0..1 but for reading error; 1 less the value for cumulative incidence."""
    scale = rows.scale
    top = float(y.max())
    if percent and top <= 1.0 + OVER_ONE:
        raise DataError(
            "survival was announced in percent but never exceeds 1",
            row=rows.click(int(y.argmax())),
            column="survival",
            value=f"{top:g}",
            allowed="0..100, or percent=False for 0..1",
            study=rows.label or None,
        )
    for bad in (y > scale * (1.0 + OVER_ONE), y < -scale * OVER_ONE):
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            hint = "" if percent or y[i] < 0 else "; 0..100 with percent=True or --percent"
            raise DataError(
                "survival outside its range",
                row=rows.click(i),
                column="survival",
                value=f"{y[i]:g}",
                allowed=f"0..{scale:g}{hint}",
                study=rows.label or None,
            )
    return np.asarray(1.0 - y / scale if failure else y / scale)


def _starts_high(y: FloatArray, failure: bool, rows: Rows) -> None:
    """Refuse a first click at which nobody is left: the curve is the other way up."""
    if y[0] > 0.0:
        return
    raise DataError(
        "the curve starts at no survival"
        if not failure
        else "cumulative incidence starts at its largest",
        column="survival",
        value=f"{rows.scale if failure else 0:g}",
        allowed="survival, or cumulative incidence without failure=True"
        if failure
        else f"above 0 at the first click, {rows.scale:g} at time 0; for cumulative incidence give "
        "failure=True or --failure",
        study=rows.label or None,
    )


def _size(
    n: int | None,
    starts: FloatArray,
    counts: IntArray,
    events: int | None,
    t: FloatArray,
    y: FloatArray,
    rows: Rows,
) -> tuple[int, str]:
    """Return the number of patients and its source: given, read off the table, or nominal."""
    if events is not None and n is not None and events > n:
        raise DataError(
            "more events than patients",
            column="events",
            value=events,
            allowed=f"at most n = {n}",
            study=rows.label or None,
        )
    if n is not None:
        return n, "given"
    if starts.size and starts[0] == 0:
        return _at_least(events, int(counts[0]), rows), "numbers at risk at time 0"
    if starts.size:
        s = max(float(np.interp(starts[0], t, y)), 0.05)
        return max(round(int(counts[0]) / s), events or 1), "first number at risk over S there"
    if events is not None:
        fall = max(1.0 - float(y.min()), 0.05)
        return max(round(events / fall * 1.3), events, 2), "events over the fall of the curve"
    return NOMINAL_N, "nominal"


def _at_least(events: int | None, n: int, rows: Rows) -> int:
    if n < 1 or (events is not None and events > n):
        raise DataError(
            "more events than patients at time 0" if n else "nobody at risk at time 0",
            column="events" if n else "n_at_risk",
            value=events if n else n,
            allowed=f"at most {n}" if n else "at least 1",
            study=rows.label or None,
        )
    return n


def _check_against_curve(
    t: FloatArray,
    y: FloatArray,
    totals: tuple[int, int | None],
    table: tuple[FloatArray, IntArray],
    error: float,
    rows: Rows,
) -> None:
    """Numbers at risk stay below n S(t), events below n (1 - S(end)) and those not seen."""
    (n, events), (starts, counts) = totals, table
    slack = max(ABOVE_CURVE, ERRORS * error)
    before = np.searchsorted(t, starts - CLOSE * t[-1], side="left") - 1
    above = counts > n * (y[np.maximum(before, 0)] + slack) + 1.0
    if above.any():
        i = int(np.flatnonzero(above)[0])
        raise DataError(
            f"more patients at risk than the curve leaves alive (S = {y[max(before[i], 0)]:.3f})",
            row=rows.risk(i - (starts.size - rows.entries)),
            column="n_at_risk",
            value=int(counts[i]),
            allowed=f"at most n times S at time {starts[i]:g}",
            study=rows.label or None,
        )
    if events is None:
        return
    later = counts[starts > t[-1]]
    most = n * (1.0 - float(y[-1]) + slack) + 1.0 + (float(later[0]) if later.size else 0.0)
    if y[-1] <= CUT and later.size == 0:
        most = float(n)
    if events > most or (events == 0 and y[-1] < 1.0 - slack):
        raise DataError(
            f"events do not fit a curve of {n} patients that ends at {y[-1]:.3f}",
            column="events",
            value=events,
            allowed=f"at most {int(most)}" if events else "at least 1",
            study=rows.label or None,
        )
    if events > int(counts[0]):
        raise DataError("more events than patients", column="events", value=events)


def _beyond(t: FloatArray, y: FloatArray, n: int, starts: FloatArray, events: int | None) -> float:
    """Time up to which events must lie after a curve that was cut at its foot, else 0.

    So long that the hazard of the curve suits the events that it does not show.
    """
    end, left = float(t[-1]), float(y[-1])
    if events is None or starts[-1] > end or not 0.0 < left <= CUT:
        return 0.0
    hidden = (events - n * (1.0 - left)) / (n * left)
    if hidden * n * left < 1.0:
        return 0.0
    hazard = -math.log(left) / end
    return end + min(-math.log(max(1.0 - hidden, 0.5 / n)) / hazard, end)


def _check_marks(censor_times: ArrayLike | None, end: float) -> FloatArray | None:
    if censor_times is None:
        return None
    marks = numeric("censor_times", censor_times, minimum=0.0, maximum=end * (1.0 + BELOW_ZERO))
    return np.minimum(np.sort(marks), end)
