"""Printed summaries of one arm: parsed, and checked against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin._input import numeric
from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.reconstruct.printed import half_digit

__all__ = ["Arm", "Landmark", "parse_arm"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_PATIENTS = 10_000_000
PRINTED_TO = 0.005  # survival is printed to two decimals or more
APART_DIGIT, APART = 0.3, 0.002  # of half a printed digit and of the median, the less of both
NARROW = 0.85  # printed standard error over the least possible one, allowing for rounding


@dataclass(frozen=True, slots=True)
class Landmark:
    """Printed survival at a time; `std_error` is NaN when not printed."""

    time: float
    survival: float
    tolerance: float
    std_error: float
    rounding: float = 0.0
    """Half a unit of the last digit of the printed limits, in standard errors."""

    @property
    def name(self) -> str:
        """As it appears in messages."""
        return f"S({self.time:g}) = {self.survival:g}"


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Checked summaries. NaN stands for what was not printed; limits not reached are infinite.

    `median` lies beside `printed_median`, within its rounding, when another item is printed for
    that very time: two events of the curve cannot be told apart then.
    """

    n: int
    events: int | None
    median: float
    median_low: float
    median_high: float
    landmarks: tuple[Landmark, ...]
    followup: float
    followup_min: float
    followup_max: float
    table: tuple[FloatArray, IntArray]
    level: float
    label: str
    printed_median: float

    @property
    def last(self) -> float:
        """Last time at which something is known."""
        times = [x.time for x in self.landmarks]
        times += [x for x in (self.median, self.median_low, self.median_high) if math.isfinite(x)]
        times += [x for x in (self.followup,) if math.isfinite(x)]
        times += self.table[0][self.table[1] > 0].tolist()
        return max(times)

    @property
    def grade(self) -> str:
        """C with two landmarks, or a median with interval and events; else D."""
        interval = math.isfinite(self.median_low)
        rich = not math.isnan(self.median) and interval and self.events is not None
        return "C" if len(self.landmarks) >= 2 or rich else "D"


def parse_arm(
    n: int,
    events: int | None,
    median: Any,
    landmarks: Mapping[float, Any] | Iterable[Sequence[float]] | None,
    followup: Any,
    at_risk: tuple[Any, Any] | None,
    level: float,
    label: str,
) -> Arm:
    """Return the checked arm, or raise naming the two items that contradict each other."""
    size = _whole("n", n, 1, label)
    if size > MOST_PATIENTS:
        raise _fail(label, "too many patients", "n", n, f"at most {MOST_PATIENTS}")
    if not (isinstance(level, int | float) and 0 < level < 1):
        raise _fail(label, "not a confidence level", "level", level, "between 0 and 1")
    total = None if events is None else _whole("events", events, 0, label)
    m, low, high = _triple("median", median, label)
    follow, shortest, longest = _triple("followup", followup, label)
    given = (_landmark(x, level, label) for x in _items(landmarks, label))
    marks = tuple(sorted(given, key=lambda x: x.time))
    arm = Arm(
        size, total, m, low, high, marks, follow, shortest, longest,
        _table(at_risk, label), level, label, m,
    )  # fmt: skip
    _consistent(arm)
    return replace(arm, median=_apart(arm))


def _apart(arm: Arm) -> float:
    """Return the median, moved within its rounding off the time of a landmark or a table entry.

    S is at most one half from the median on: a landmark of at most one half comes after it.
    """
    if not math.isfinite(arm.median):
        return arm.median
    step = min(APART_DIGIT * half_digit(arm.median), APART * arm.median)
    for x in arm.landmarks:
        if x.time == arm.median:
            return arm.median - step if x.survival <= 0.5 else arm.median + step
    return arm.median + step if arm.median in arm.table[0] else arm.median


def _fail(label: str, message: str, column: str, value: object, allowed: str = "") -> DataError:
    return DataError(
        message, column=column, value=value, allowed=allowed or None, study=label or None
    )


def _whole(column: str, value: Any, minimum: int, label: str) -> int:
    number = _number(column, value, label)
    if not math.isfinite(number) or number != math.floor(number) or number < minimum:
        raise _fail(label, "not allowed", column, value, f"a whole number of at least {minimum}")
    return int(number)


def _number(column: str, value: Any, label: str) -> float:
    if value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _fail(label, "not a number", column, repr(value), "a number") from error
    if math.isnan(number):
        raise _fail(label, "not a number", column, "NaN", "a number, or None where not printed")
    return number


def _triple(column: str, value: Any, label: str) -> tuple[float, float, float]:
    """Read a number or (number, low, high); None in a triple of the median means not reached."""
    if isinstance(value, np.ndarray):
        value = value.tolist()  # of one number, too
    if value is None or not isinstance(value, list | tuple):
        number = _number(column, value, label)
        if number <= 0 or math.isinf(number):
            raise _fail(label, "not allowed", column, value, "above 0")
        return number, math.nan, math.nan
    if len(value) != 3:
        raise _fail(label, "not allowed", column, value, "a number, or (value, low, high)")
    blank = (math.inf, math.nan, math.inf) if column == "median" else (math.nan,) * 3
    first, low, high = (
        default if v is None else _number(column, v, label)
        for v, default in zip(value, blank, strict=True)
    )
    for name, x in (("value", first), ("lower limit", low), ("upper limit", high)):
        if x < 0:
            raise _fail(label, f"negative {name}", column, x, "at least 0")
    if low > first or first > high or low > high:
        raise _fail(label, "value outside its own limits", column, value, "low <= value <= high")
    return first, low, high


def _items(landmarks: Any, label: str) -> list[Sequence[float]]:
    """Return landmarks as tuples that start with the time; a mapping has times as its keys."""
    if landmarks is None:
        return []
    if isinstance(landmarks, Mapping):
        landmarks = [
            (t, *s) if isinstance(s, list | tuple) else (t, s) for t, s in landmarks.items()
        ]
    if isinstance(landmarks, np.ndarray):
        landmarks = landmarks.tolist()
    items = list(landmarks) if isinstance(landmarks, Iterable) else [landmarks]
    for item in items:
        if isinstance(item, str) or not isinstance(item, Sequence | np.ndarray):
            raise _fail(
                label, "not a landmark", "landmarks", repr(item), "(time, survival) and the like"
            )
    return items


def _landmark(item: Sequence[float], level: float, label: str) -> Landmark:
    values = [_number("landmarks", v, label) for v in item]
    if len(values) not in (2, 3, 4):
        raise _fail(
            label, "not a landmark", "landmarks", tuple(item),
            "(time, survival), (time, survival, std_error) or (time, survival, low, high)",
        )  # fmt: skip
    if any(v is None for v in item):
        raise _fail(label, "not a landmark", "landmarks", tuple(item), "a number in every place")
    t, s = values[0], values[1]
    if not t > 0 or math.isinf(t):
        raise _fail(label, "landmark time", "landmarks", t, "above 0")
    if not 0 <= s <= 1:
        raise _fail(label, "survival outside 0..1 (percent?)", "landmarks", s, "0..1")
    error = math.nan
    if len(values) == 3:
        error = values[2]
        if error < 0 or error > 0.5:
            raise _fail(label, "standard error", "landmarks", error, "0..0.5")
    elif len(values) == 4:
        low, high = values[2], values[3]
        if not 0 <= low <= s <= high <= 1:
            raise _fail(
                label, f"limits of S({t:g})", "landmarks", (low, s, high), "low <= S <= high"
            )
        error = error_of_limits(s, low, high, level)
    return Landmark(t, s, min(half_digit(s), PRINTED_TO), error, _rounding(values, level))


def error_of_limits(s: float, low: float, high: float, level: float) -> float:
    """Return the error of S behind printed limits, on the scale on which they lie evenly.

    The scales are plain, log and log(-log) (Kalbfleisch and Prentice 2002, section 1.4).

    Examples
    --------
    >>> round(error_of_limits(0.9333, 0.759, 0.983, 0.95), 4)  # log(-log) limits of 28 of 30
    0.0457
    """
    z = float(critical(level))
    plain = (high - low) / (2 * z)
    if low <= 0 or high >= 1 or low == high:
        return plain
    off = {plain: abs(0.5 * (low + high) - s)}
    error = s * math.log(high / low) / (2 * z)
    off[error] = s * abs(0.5 * math.log(high * low) - math.log(s))
    upper, middle, lower = (math.log(-math.log(x)) for x in (low, s, high))
    slope = -s * math.log(s)
    off[slope * (upper - lower) / (2 * z)] = slope * abs(0.5 * (upper + lower) - middle)
    return min(off, key=lambda x: off[x])


def _rounding(values: Sequence[float], level: float) -> float:
    """Half a unit of the last digit of what was printed, in standard errors."""
    if len(values) == 3:
        return half_digit(values[2])
    if len(values) == 4:
        digit = min(half_digit(x) for x in values[2:])
        return min(digit, PRINTED_TO) / float(critical(level))
    return 0.0


def _table(at_risk: tuple[Any, Any] | None, label: str) -> tuple[FloatArray, IntArray]:
    if at_risk is None:
        return np.empty(0), np.empty(0, dtype=np.int64)
    if not isinstance(at_risk, tuple | list) or len(at_risk) != 2:
        raise _fail(label, "not numbers at risk", "at_risk", repr(at_risk), "(times, counts)")
    times, counts = numeric("at_risk", at_risk[0]), numeric("at_risk", at_risk[1], missing=True)
    if times.shape != counts.shape or not np.isfinite(times).all():
        raise _fail(label, "times and counts differ in length", "at_risk", times.size)
    bad = (counts < 0) | (counts != np.floor(counts)) | ~np.isfinite(counts)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise DataError(
            "not a count", row=i + 1, column="at_risk", allowed="whole numbers",
            value="missing" if np.isnan(counts[i]) else f"{counts[i]:g}", study=label or None,
        )  # fmt: skip
    if (np.diff(times) <= 0).any() or (np.diff(counts) > 0).any():
        raise _fail(label, "numbers at risk increase or times do not", "at_risk", counts.tolist())
    return times, counts.astype(np.int64)


def _consistent(arm: Arm) -> None:
    if arm.events is not None and arm.events > arm.n:
        raise _fail(arm.label, f"more events than n = {arm.n}", "events", arm.events)
    if not (arm.landmarks or math.isfinite(arm.median) or math.isfinite(arm.median_low)):
        raise _fail(arm.label, "nothing to reconstruct from", "median", None,
                    "a median or at least one landmark")  # fmt: skip
    _landmarks_agree(arm)
    _median_agrees(arm)
    _followup_agrees(arm)
    _intervals_hold(arm)
    times, counts = arm.table
    if (counts > arm.n).any():
        raise _fail(arm.label, f"more at risk than n = {arm.n}", "at_risk", int(counts.max()))
    for x in arm.landmarks:
        later = times >= x.time
        most = arm.n * (x.survival + max(x.tolerance, 0.5 / arm.n)) + 1
        if later.any() and counts[later].max() > most:
            raise _fail(arm.label, f"more at risk than {x.name} leaves alive", "at_risk",
                        int(counts[later].max()), f"at most {int(most)}")  # fmt: skip


def _landmarks_agree(arm: Arm) -> None:
    for a, b in zip(arm.landmarks, arm.landmarks[1:], strict=False):
        if a.time == b.time and a.survival != b.survival:
            raise _fail(arm.label, f"{a.name} contradicts {b.name}", "landmarks", b.survival)
        if b.survival > a.survival + a.tolerance + b.tolerance:
            raise _fail(arm.label, f"{b.name} exceeds {a.name}", "landmarks", b.survival)
    low = arm.landmarks[-1] if arm.landmarks else None
    if arm.events == 0 and low is not None and low.survival < 1 - low.tolerance:
        raise _fail(arm.label, f"no events, but {low.name}", "events", 0)


def _median_agrees(arm: Arm) -> None:
    for x in arm.landmarks:
        slack = max(x.tolerance, 0.5 / arm.n)
        if x.time < arm.median and x.survival < 0.5 - slack:
            shown = f"{arm.median:g}" if math.isfinite(arm.median) else "not reached"
            raise _fail(arm.label, f"{x.name} excludes a median of {shown}", "median", shown)
        if x.time > arm.median and x.survival > 0.5 + slack:
            raise _fail(arm.label, f"{x.name} excludes a median of {arm.median:g}", "median",
                        arm.median)  # fmt: skip
    if math.isfinite(arm.median) and arm.events == 0:
        raise _fail(arm.label, f"no events, but a median of {arm.median:g}", "events", 0)


def _followup_agrees(arm: Arm) -> None:
    longest = arm.followup_max
    if math.isnan(longest):
        return
    if math.isfinite(arm.median) and arm.median > longest:
        raise _fail(arm.label, f"median beyond the longest follow-up of {longest:g}", "median",
                    arm.median)  # fmt: skip
    for x in arm.landmarks:
        if x.time > longest:
            raise _fail(
                arm.label, f"{x.name} lies beyond the longest follow-up", "followup", longest
            )


def _intervals_hold(arm: Arm) -> None:
    """No interval can be narrower than without any censoring."""
    for x in arm.landmarks:
        least = math.sqrt(x.survival * (1 - x.survival) / arm.n)
        rounding = 0.3 * half_digit(x.survival)
        if x.std_error + rounding < NARROW * least:
            raise _fail(
                arm.label, f"the interval of {x.name} is too narrow for n = {arm.n}", "landmarks",
                round(x.std_error, 4), f"a standard error of at least {least:.4f}",
            )  # fmt: skip
