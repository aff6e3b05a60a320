"""Everything a curve, a risk table and totals must satisfy before a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._input import numeric, same_length
from metablin.errors import DataError
from metablin.reconstruct.curve._grid import Curve
from metablin.reconstruct.curve._tidy import tidy, used_table

__all__ = ["Rows", "check_curve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_PATIENTS = 10_000_000
NOMINAL_N = 500  # patients when nobody says how many there were
OVER_ONE = 0.02  # reading error allowed above 1 and below 0
OUT_OF_ORDER = 0.01  # of the time axis
RISE = 0.05  # of survival: beyond reading noise, a curve does not rise
TOO_LONG, TOO_SHORT = 1.25, 0.2  # table against curve: beyond these the units differ
ABOVE_CURVE = 0.05  # numbers at risk over n may exceed S by reading error only


class Rows:
    """Row numbers for messages: 1, 2, ... or those of the file the curve comes from."""

    def __init__(
        self, clicks: IntArray | None = None, table: IntArray | None = None, label: str = ""
    ) -> None:
        self.clicks, self.table, self.label = clicks, table, label

    def click(self, i: int) -> int:
        """Row of click `i`."""
        return int(i + 1 if self.clicks is None else self.clicks[i])

    def risk(self, i: int) -> int:
        """Row of risk-table entry `i`."""
        return int(i + 1 if self.table is None else self.table[i])


def check_curve(
    time: ArrayLike,
    survival: ArrayLike,
    n: int | None,
    at_risk: tuple[ArrayLike, ArrayLike] | None,
    events: int | None,
    censor_times: ArrayLike | None,
    percent: bool,
    rows: Rows,
) -> tuple[Curve, str]:
    """Return the checked curve and where its number of patients comes from."""
    t = _numbers("time", time, rows.clicks, rows.label)
    y = _numbers("survival", survival, rows.clicks, rows.label)
    same_length(time=t, survival=y)
    if t.size < 2:
        raise DataError(
            f"{t.size} click{'s' if t.size != 1 else ''} is no curve",
            column="time",
            allowed="at least two clicks",
            study=rows.label or None,
        )
    t = _check_times(t, rows)
    y = _check_survival(y, percent, rows)
    size = None if n is None else _whole("n", n, 1, rows)
    starts, counts = _check_table(at_risk, size, float(t[-1]), rows)
    total = None if events is None else _whole("events", events, 0, rows)
    size, source = _size(size, starts, counts, total, t, y, rows)
    if starts.size == 0 or starts[0] > 0:
        starts = np.concatenate([[0.0], starts])
        counts = np.concatenate([[size], counts]).astype(np.int64)
    clean_t, clean_y = tidy(t, y, starts, counts)
    _check_against_curve(clean_t, clean_y, size, starts, counts, total, rows)
    starts, counts = used_table(starts, counts)
    marks = _check_marks(censor_times, float(clean_t[-1]))
    return Curve(clean_t, clean_y, size, starts, counts, total, marks), source


def _numbers(column: str, values: ArrayLike, numbers: IntArray | None, label: str) -> FloatArray:
    array = np.asarray(values)
    if array.ndim == 1 and array.dtype.kind == "i":
        return array.astype(np.float64)
    if array.dtype == np.float64 and array.ndim == 1 and np.isfinite(array).all():
        return array
    try:
        return numeric(column, values)
    except DataError as error:
        row = error.row
        if row is not None and numbers is not None:
            row = int(numbers[row - 1])
        raise DataError(
            error.message,
            row=row,
            column=error.column,
            value=error.value,
            allowed=error.allowed,
            study=label or None,
        ) from error


def _whole(column: str, value: float, minimum: int, rows: Rows) -> int:
    number = float(value)
    if not np.isfinite(number) or number != int(number) or number < minimum:
        raise DataError(
            "not allowed",
            column=column,
            value="missing" if np.isnan(number) else f"{value:g}",
            allowed=f"a whole number of at least {minimum}",
            study=rows.label or None,
        )
    if number > MOST_PATIENTS:
        raise DataError(
            "too many patients",
            column=column,
            value=f"{value:g}",
            allowed=f"at most {MOST_PATIENTS}",
            study=rows.label or None,
        )
    return int(number)


def _check_times(t: FloatArray, rows: Rows) -> FloatArray:
    axis = float(t.max())
    if axis <= 0:
        raise DataError(
            "no time after zero", row=rows.click(0), column="time", study=rows.label or None
        )
    low = np.flatnonzero(t < -OUT_OF_ORDER * axis)
    if low.size:
        raise DataError(
            "negative time",
            row=rows.click(int(low[0])),
            column="time",
            value=f"{t[low[0]]:g}",
            allowed="at least 0",
            study=rows.label or None,
        )
    back = np.flatnonzero(t[1:] < np.maximum.accumulate(t)[:-1] - OUT_OF_ORDER * axis)
    if back.size:
        i = int(back[0]) + 1
        raise DataError(
            "times out of order beyond reading noise",
            row=rows.click(i),
            column="time",
            value=f"{t[i]:g}",
            allowed=f"at least {t[:i].max():g} less 1 % of the axis",
            study=rows.label or None,
        )
    return np.maximum(t, 0.0)


def _check_survival(y: FloatArray, percent: bool, rows: Rows) -> FloatArray:
    scale = 100.0 if percent else 1.0
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
    y = np.minimum(np.maximum(y / scale, 0.0), 1.0)
    if y[0] == 0.0:
        raise DataError(
            "the curve starts at no survival (cumulative incidence must be given as 1 - S)",
            row=rows.click(0),
            column="survival",
            value="0",
            allowed=f"above 0 at the first click, {scale:g} at time 0",
            study=rows.label or None,
        )
    rise = np.flatnonzero(y > np.minimum.accumulate(y) + RISE)
    if rise.size:
        i = int(rise[0])
        raise DataError(
            "survival rises beyond reading noise (cumulative incidence must be given as 1 - S)",
            row=rows.click(i),
            column="survival",
            value=f"{y[i] * scale:g}",
            allowed=f"at most {y[: i + 1].min() * scale:g} plus {RISE * scale:g}",
            study=rows.label or None,
        )
    return np.asarray(y)


def _check_table(
    at_risk: tuple[ArrayLike, ArrayLike] | None, n: int | None, end: float, rows: Rows
) -> tuple[FloatArray, IntArray]:
    if at_risk is None:
        return np.empty(0), np.empty(0, dtype=np.int64)
    r = _numbers("time", at_risk[0], rows.table, rows.label)
    counts = _numbers("n_at_risk", at_risk[1], rows.table, rows.label)
    same_length(time=r, n_at_risk=counts)
    if r.size == 0:
        return r, counts.astype(np.int64)
    _table_rule(r < 0, r, "time", "negative time", "at least 0", rows)
    _table_rule(counts < 0, counts, "n_at_risk", "negative", "at least 0", rows)
    _table_rule(counts != np.floor(counts), counts, "n_at_risk", "not whole", "patients", rows)
    order, grows = np.zeros((2, r.size), dtype=bool)
    order[1:], grows[1:] = r[1:] <= r[:-1], counts[1:] > counts[:-1]
    _table_rule(order, r, "time", "table times must increase", "later than the row above", rows)
    _table_rule(grows, counts, "n_at_risk", "numbers at risk increase",
                "at most the number above", rows)  # fmt: skip
    if n is not None:
        _table_rule(counts > n, counts, "n_at_risk", "more at risk than patients",
                    f"at most n = {n}", rows)  # fmt: skip
        if r[0] == 0:
            _table_rule((r == 0) & (counts != n), counts, "n_at_risk",
                        "at time 0 everyone is at risk", f"n = {n}", rows)  # fmt: skip
    someone = r[counts > 0]
    if someone.size and someone[-1] > TOO_LONG * end:
        _table_rule(r == someone[-1], r, "time", "patients at risk long after the curve ends",
                    f"at most about {end:g}; are the units the same?", rows)  # fmt: skip
    if r.size >= 3 and r[-1] < TOO_SHORT * end:
        _table_rule(r == r[-1], r, "time", "the table ends long before the curve",
                    f"a table up to about {end:g}; are the units the same?", rows)  # fmt: skip
    return r, counts.astype(np.int64)


def _table_rule(
    bad: NDArray[np.bool_], values: FloatArray, column: str, message: str, allowed: str, rows: Rows
) -> None:
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise DataError(
            message,
            row=rows.risk(i),
            column=column,
            value=f"{values[i]:g}",
            allowed=allowed,
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
    n: int,
    starts: FloatArray,
    counts: IntArray,
    events: int | None,
    rows: Rows,
) -> None:
    """Numbers at risk stay below n S(t), events below n (1 - S(end))."""
    shift = 1 if starts.size and counts.size and starts[0] == 0 else 0
    before = np.searchsorted(t, starts - OUT_OF_ORDER * t[-1], side="left") - 1
    above = counts > n * (y[np.maximum(before, 0)] + ABOVE_CURVE) + 1.0
    if above.any():
        i = int(np.flatnonzero(above)[0])
        given = rows.table is not None and len(rows.table) == starts.size
        raise DataError(
            f"more patients at risk than the curve leaves alive (S = {y[max(before[i], 0)]:.3f})",
            row=rows.risk(i if given else i - (1 - shift)),
            column="n_at_risk",
            value=int(counts[i]),
            allowed=f"at most n times S at time {starts[i]:g}",
            study=rows.label or None,
        )
    if events is None:
        return
    most = n * (1.0 - float(y[-1]) + ABOVE_CURVE) + 1.0
    if events > most or (events == 0 and y[-1] < 1.0 - ABOVE_CURVE):
        raise DataError(
            f"events do not fit a curve of {n} patients that ends at {y[-1]:.3f}",
            column="events",
            value=events,
            allowed=f"at most {int(most)}" if events else "at least 1",
            study=rows.label or None,
        )
    if events > int(counts[0]):
        raise DataError("more events than patients", column="events", value=events)


def _check_marks(censor_times: ArrayLike | None, end: float) -> FloatArray | None:
    if censor_times is None:
        return None
    values: Sequence[float] | FloatArray = np.atleast_1d(np.asarray(censor_times, dtype=float))
    marks = numeric("censor_times", values, minimum=0.0, maximum=end * (1.0 + OUT_OF_ORDER))
    return np.minimum(np.sort(marks), end)
