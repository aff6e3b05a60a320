"""Patients as arrays: checked once at the door, then counted at each distinct time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import DataError
from metablin.records import freeze
from metablin.survival.ties import join

__all__ = ["Counts", "Groups", "Patients", "count", "groups", "patients", "two_arms"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)

LONGEST = 1e60
"""Largest time and weight: sums of their squares and products must stay below 1e308."""


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """Checked follow-up of n patients.

    Attributes
    ----------
    time : ndarray, shape (n,)
        End of follow-up, in the unit of the input (months by convention).
    event : ndarray, shape (n,)
        1 where follow-up ended with the event, 0 where it was censored.
    entry : ndarray, shape (n,), or None
        Start of observation (left truncation); None when everyone is seen from time 0.
    weights : ndarray, shape (n,), or None
        Case weights; None when all are 1.
    """

    time: FloatArray
    event: FloatArray
    entry: FloatArray | None
    weights: FloatArray | None

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.time.size)

    @property
    def w(self) -> FloatArray:
        """Weights, ones when none were given."""
        return np.ones(self.n) if self.weights is None else self.weights

    def take(self, keep: NDArray[Any]) -> Patients:
        """Return the patients a mask or an index selects."""
        return Patients(
            self.time[keep],
            self.event[keep],
            None if self.entry is None else self.entry[keep],
            None if self.weights is None else self.weights[keep],
        )


def patients(
    time: ArrayLike,
    event: ArrayLike,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Patients:
    """Check follow-up times, event indicators, entry times and weights.

    Times that differ by rounding become one time (`metablin.survival.ties.join`).

    Raises
    ------
    DataError
        Naming the first row with a negative or missing time, an event that is not 0 or 1, an
        entry at or after the end of follow-up, or a weight that is not positive.

    Examples
    --------
    >>> patients([5, 7], [1, 0]).n
    2
    """
    t = _input.numeric("time", time, minimum=0.0, maximum=LONGEST)
    if t.size == 0:
        raise DataError("no patients", column="time", allowed="at least one row")
    e = _input.numeric("event", event)
    start = None if entry is None else _input.numeric("entry", entry, minimum=0.0)
    w = None if weights is None else _input.numeric("weights", weights, above=0.0, maximum=LONGEST)
    _input.same_length(time=t, event=e, entry=start, weights=w)
    bad = np.flatnonzero((e != 0.0) & (e != 1.0))
    if bad.size:
        i = int(bad[0])
        raise DataError(
            "not an event indicator", row=i + 1, column="event", value=f"{e[i]:g}", allowed="0 or 1"
        )
    t, *rest = join(t) if start is None else join(t, start)
    if start is not None:
        start = rest[0]
        late = np.flatnonzero(start >= t)
        if late.size:
            i = int(late[0])
            raise DataError(
                "entry is not before the end of follow-up",
                row=i + 1,
                column="entry",
                value=f"{start[i]:g}",
                allowed=f"less than {t[i]:g}",
            )
        if not start.any():
            start = None
    return Patients(t, e, start, w)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Group membership: ``codes`` (n,) into ``levels``; code 0 is the reference."""

    codes: IntArray
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def k(self) -> int:
        """Number of groups."""
        return len(self.levels)


def groups(
    values: Iterable[Any], n: int, control: object = None, column: str = "group", minimum: int = 2
) -> Groups:
    """Turn labels into codes, with the control first.

    Parameters
    ----------
    values : iterable, length n
        Labels; numbers that are whole are written without a decimal point.
    n : int
        Expected length.
    control : object, optional
        Label of the reference group; the first in sorted order when not given.
    column : str
        Name used in errors.
    minimum : int
        Least number of distinct groups.

    Raises
    ------
    DataError
        For missing labels, a wrong length, too few groups or an unknown control.

    Examples
    --------
    >>> groups(["b", "a", "b"], 3, control="b").levels
    ('b', 'a')
    """
    raw = (
        np.asarray(values)
        if isinstance(values, np.ndarray | pd.Series)
        else np.array(_input.items(column, values), dtype=object)
    )
    if raw.size != n:
        raise DataError(f"{raw.size} labels for {n} patients", column=column)
    first, labels = pd.factorize(raw)
    missing = np.array([_input.is_missing(v) for v in labels], dtype=bool)
    bad = np.flatnonzero((first < 0) | np.r_[missing, False][first])
    if bad.size:
        raise DataError("missing", row=int(bad[0]) + 1, column=column, allowed="a group label")
    distinct = sorted(labels.tolist(), key=_sort_key)
    names = list(dict.fromkeys(_input.text(v) for v in distinct))
    if control is not None:
        wanted = _input.text(control)
        if wanted not in names:
            raise DataError(
                "no such group", column="control", value=repr(control), allowed=" | ".join(names)
            )
        names.remove(wanted)
        names.insert(0, wanted)
    if len(names) < minimum:
        raise DataError(
            f"{len(names)} distinct group", column=column, allowed=f"at least {minimum} groups"
        )
    lookup = {name: i for i, name in enumerate(names)}
    order = np.array([lookup[_input.text(v)] for v in labels.tolist()], dtype=np.intp)
    return Groups(order[first], tuple(names))


def two_arms(values: Iterable[Any], n: int, control: object = None) -> Groups:
    """Return `groups` after checking that there are exactly two."""
    found = groups(values, n, control)
    if found.k != 2:
        raise DataError(
            f"{found.k} groups: {', '.join(found.levels)}", column="group", allowed="two groups"
        )
    return found


def _sort_key(value: Any) -> tuple[int, float, str]:
    """Sort numbers before words, also those a table brought as text: 9 before 28."""
    try:
        number = (
            float(value) if not isinstance(value, str) or _NUMBER.fullmatch(value) else math.nan
        )
    except (TypeError, ValueError):
        number = math.nan
    return (1, 0.0, str(value)) if math.isnan(number) else (0, number, str(value))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Weighted counts at the m distinct follow-up times, in increasing order.

    Attributes
    ----------
    time : ndarray, shape (m,)
    n_risk : ndarray, shape (m,)
        At risk just before each time: entered before it, still followed at it.
    n_event, n_censored : ndarray, shape (m,)
        At each time. A patient censored at the time of an event was at risk for it.
    """

    time: FloatArray
    n_risk: FloatArray
    n_event: FloatArray
    n_censored: FloatArray

    def __post_init__(self) -> None:
        freeze(self)


def count(p: Patients) -> Counts:
    """Count events, censorings and patients at risk at each distinct time.

    Examples
    --------
    >>> count(patients([1, 2, 2, 3], [1, 1, 0, 0])).n_risk
    array([4., 3., 1.])
    """
    order = np.argsort(p.time)
    t = p.time[order]
    first = np.flatnonzero(np.concatenate(([True], t[1:] != t[:-1])))
    if p.weights is None:
        total = np.diff(first, append=t.size).astype(np.float64)
        events = np.add.reduceat(p.event[order], first)
    else:
        w = p.weights[order]
        total = np.add.reduceat(w, first)
        events = np.add.reduceat(w * p.event[order], first)
    times = t[first]
    n_risk = np.cumsum(total[::-1])[::-1].copy()
    if p.entry is not None:
        n_risk -= later_entries(p, times)
    return Counts(times, n_risk, events, total - events)


def later_entries(p: Patients, times: FloatArray) -> FloatArray:
    """Return the weight of patients whose entry is at or after each of `times`."""
    assert p.entry is not None
    order = np.argsort(p.entry)
    above = np.r_[np.cumsum(p.w[order][::-1])[::-1], 0.0]
    # Zero means seen from the start: never a late entry.
    index = np.searchsorted(p.entry[order], times, side="left")
    late: FloatArray = above[index]
    if times.size and times[0] == 0.0:
        late = np.where(times == 0.0, p.w[p.entry > 0.0].sum(), late)
    return late
