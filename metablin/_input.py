"""The one door for data: arrays and options are checked here, once, before any numerics."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin.errors import DataError, visible
from metablin.options import SPELLINGS

__all__ = [
    "MISSING",
    "choice",
    "is_missing",
    "items",
    "labels",
    "level",
    "needed",
    "numeric",
    "one",
    "same_length",
    "seed",
    "text",
    "whole",
]

FloatArray = NDArray[np.float64]

MISSING = frozenset({"", "na", "n/a", "nan", "<na>", "nr", "ne", ".", "-", "–", "—", "−", "?"})
"""What stands for a missing value in a cell, whatever its case: the one list of the project."""

EDGE = 1e-9
"""Confidence levels closer to 0 or 1 than this are lost among the digits of a double."""

LARGEST_WHOLE = 2.0**53
"""Beyond this a float no longer tells one whole number from the next."""


def is_missing(item: object) -> bool:
    """Tell whether a cell holds no value: None, NaN, or one of the codes in :data:`MISSING`.

    Examples
    --------
    >>> [is_missing(x) for x in (None, float("nan"), " NR ", "n/a", "0", "none")]
    [True, True, True, True, False, False]
    """
    if item is None or item is pd.NaT or item is pd.NA:
        return True
    if isinstance(item, str):
        return item.strip().lower() in MISSING
    return isinstance(item, float | np.floating) and bool(np.isnan(item))


def numeric(
    column: str,
    values: ArrayLike,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    integer: bool = False,
    missing: bool = False,
    studies: Sequence[str] | None = None,
) -> FloatArray:
    """Return `values` as a new one-dimensional float array after checking every entry.

    Parameters
    ----------
    column : str
        Name used in errors.
    values : array-like, shape (k,)
        Numbers; a scalar becomes an array of length one.
    minimum, maximum : float, optional
        Closed limits.
    above : float, optional
        Open lower limit.
    integer : bool
        Only whole numbers are allowed.
    missing : bool
        Allow NaN; infinite values are never allowed.
    studies : sequence of str, optional
        Labels for error messages.

    Returns
    -------
    ndarray of float64, shape (k,)

    Raises
    ------
    DataError
        Naming the first offending row, the value and what is allowed.

    Examples
    --------
    >>> numeric("events", [1, 2], minimum=0, integer=True)
    array([1., 2.])
    """
    array = _as_floats(column, values)
    # a missing value breaks none of the rules of size, whose comparisons with NaN are false
    rules: list[tuple[NDArray[np.bool_], str]] = [
        (np.isinf(array) if missing else ~np.isfinite(array), "a finite number")
    ]
    if integer:
        rules.append(((array != np.floor(array)) & ~np.isnan(array), "a whole number"))
        rules.append((np.abs(array) > LARGEST_WHOLE, f"at most {LARGEST_WHOLE:g}"))
    if minimum is not None:
        rules.append((array < minimum, f"at least {minimum:g}"))
    if maximum is not None:
        rules.append((array > maximum, f"at most {maximum:g}"))
    if above is not None:
        rules.append((array <= above, f"greater than {above:g}"))
    for bad, allowed in rules:
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            shown = "missing" if np.isnan(array[i]) else f"{array[i]:g}"
            raise DataError(
                "not allowed",
                row=i + 1,
                column=column,
                value=shown,
                allowed=allowed,
                study=str(studies[i]) if studies is not None and i < len(studies) else None,
            )
    return array


def _as_floats(column: str, values: ArrayLike) -> FloatArray:
    try:
        raw = np.atleast_1d(np.asarray(values))
    except ValueError as error:
        raise DataError("must be one-dimensional", column=column, value="nested lists") from error
    if raw.ndim != 1:
        raise DataError("must be one-dimensional", column=column, value=f"shape {raw.shape}")
    hidden: NDArray[np.bool_] | None = None
    if isinstance(values, np.ma.MaskedArray):
        hidden = np.atleast_1d(np.ma.getmaskarray(values))
    if raw.dtype.kind in "fiub":
        floats = raw.astype(np.float64, order="C")
        return floats if hidden is None else np.where(hidden, np.nan, floats)
    out = np.empty(raw.shape[0])
    for i, item in enumerate(raw):
        _no_clock(column, i + 1, item)
        try:
            gone = is_missing(item) or (hidden is not None and hidden[i])
            out[i] = np.nan if gone else _as_float(item)
        except (TypeError, ValueError, OverflowError) as error:
            shown = repr(item.item() if isinstance(item, np.generic) else item)
            raise DataError(
                "not a number", row=i + 1, column=column, value=shown, allowed="a number"
            ) from error
    return out


def _no_clock(column: str, row: int, item: Any) -> None:
    """Refuse dates and durations, which numpy would turn into nanoseconds."""
    if isinstance(item, np.timedelta64 | datetime.timedelta):
        raise DataError(
            "a duration has no unit here", row=row, column=column, value=str(item),
            allowed="numbers: divide by the unit first, `/ pd.Timedelta(days=30.4375)` for months",
        )  # fmt: skip
    if isinstance(item, np.datetime64 | datetime.date):
        raise DataError(
            "a date is no number", row=row, column=column, value=str(item),
            allowed="numbers: subtract the start, then `/ pd.Timedelta(days=30.4375)` for months",
        )  # fmt: skip


def _as_float(item: Any) -> float:
    """Return a number as other programs would read it.

    Python alone takes ``1_0`` for 10 and digits of other scripts, and numpy drops the imaginary
    part of a complex number.
    """
    if isinstance(item, complex) or (isinstance(item, str) and ("_" in item or not item.isascii())):
        raise ValueError(item)
    return float(item)


def one(column: str, value: ArrayLike, **rules: Any) -> float:
    """Return a single number after the checks of :func:`numeric`.

    Raises
    ------
    DataError
        When it is not one number, or breaks a rule.

    Examples
    --------
    >>> one("share", 0.5, minimum=0)
    0.5
    """
    try:
        array = numeric(column, value, **rules)
    except DataError as error:
        # An option has no rows.
        raise DataError(
            error.message, column=error.column, value=error.value, allowed=error.allowed
        ) from error
    if len(array) != 1:
        raise DataError("not one number", column=column, value=f"{len(array)} values",
                        allowed="a single number")  # fmt: skip
    return float(array[0])


def whole(
    column: str,
    value: ArrayLike,
    *,
    minimum: float,
    maximum: float | None = None,
    what: str = "",
) -> int:
    """Return a single whole number; `what` it counts is said in errors.

    Raises
    ------
    DataError
        When it is not one, or outside the limits.

    Examples
    --------
    >>> whole("draws", 20, minimum=1)
    20
    >>> whole("draws", -1, minimum=0, what="number of draws")
    Traceback (most recent call last):
    metablin.errors.DataError: column 'draws', value -1: not a number of draws; allowed: at least 0
    """
    try:
        return int(one(column, value, integer=True, minimum=minimum, maximum=maximum))
    except DataError as error:
        if not what:
            raise
        allowed = error.allowed or f"a whole number of at least {minimum:g}"
        raise DataError(f"not a {what}", column=column, value=error.value, allowed=allowed,
                        row=error.row) from error  # fmt: skip


def seed(value: object) -> int:
    """Return a seed of random numbers, a whole number of any size from 0 on.

    Raises
    ------
    DataError
        When it is anything else.

    Examples
    --------
    >>> seed(1)
    1
    """
    number = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    if not number or int(value) < 0:  # type: ignore[call-overload]
        raise DataError("not a seed", column="seed", value=repr(value),
                        allowed="a whole number of at least 0")  # fmt: skip
    return int(value)  # type: ignore[call-overload, no-any-return]


def flag(argument: str, value: object) -> bool:
    """Return a yes or no.

    Raises
    ------
    DataError
        When it is neither.

    Examples
    --------
    >>> flag("percent", True)
    True
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise DataError("not a yes or no", column=argument, value=repr(value), allowed="True or False")


def text(value: object) -> str:
    """Return a label as text: whole numbers without a decimal point, nothing a terminal obeys.

    Examples
    --------
    >>> text(9.0), text("A")
    ('9', 'A')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return visible(str(value))


def needed(data: Any, columns: Iterable[str], filled: Iterable[str] = ()) -> pd.DataFrame:
    """Return a data frame after checking that columns are there and some have no empty cell.

    Raises
    ------
    DataError
        Naming the column that is missing, or the row of the empty cell.

    Examples
    --------
    >>> needed(pd.DataFrame({"study": ["A"]}), ["study"], ["study"])["study"].tolist()
    ['A']
    """
    if not isinstance(data, pd.DataFrame):
        raise DataError("not a table", value=type(data).__name__, allowed="a pandas DataFrame")
    for column in columns:
        if column not in data:
            raise DataError("no such column", column=column,
                            allowed=" | ".join(map(str, data.columns)))  # fmt: skip
    for column in filled:
        empty = np.flatnonzero(data[column].isna().to_numpy() | (data[column] == "").to_numpy())
        if empty.size:
            raise DataError("must be filled", row=int(empty[0]) + 1, column=column,
                            value="missing")  # fmt: skip
    return data


def same_length(**arrays: Sequence[Any] | NDArray[Any] | None) -> int:
    """Return the common length of the given arrays (``None`` is passed over).

    Raises
    ------
    DataError
        Naming the first two arguments whose lengths differ.

    Examples
    --------
    >>> same_length(events=[1, 2], n=[10, 20], studies=None)
    2
    """
    lengths = {name: len(a) for name, a in arrays.items() if a is not None}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise DataError(
                f"{length} values where {first!r} has {lengths[first]}",
                column=name,
                allowed="columns of one length",
            )
    return lengths[first]


def within(
    column: str, events: FloatArray, n: FloatArray, studies: Sequence[str] = (), size: str = "n"
) -> None:
    """Refuse more events than patients, naming the first such row.

    Parameters
    ----------
    column, size : str
        Names of the events and of the patients, for the error.
    events, n : ndarray, shape (k,)
    studies : sequence of str
        Labels, or none.

    Examples
    --------
    >>> within("events", np.array([3.0]), np.array([2.0]))
    Traceback (most recent call last):
    ...
    metablin.errors.DataError: row 1, column 'events', value 3: more events than patients; \
allowed: at most n = 2
    """
    for i in np.flatnonzero(events > n)[:1]:
        raise DataError(
            "more events than patients",
            row=int(i) + 1,
            column=column,
            value=f"{events[i]:g}",
            allowed=f"at most {size} = {n[i]:g}",
            study=studies[i] if len(studies) else None,
        )


def items(column: str, values: object) -> list[Any]:
    """Return labels as a list; a word is one label, not many, and a number is none.

    Raises
    ------
    DataError
        When `values` cannot be gone through one by one.

    Examples
    --------
    >>> items("studies", ("A", "B"))
    ['A', 'B']
    """
    single = isinstance(values, str | bytes) or (isinstance(values, np.ndarray) and not values.ndim)
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        hidden = np.ma.getmaskarray(values)
        return [None if gone else x for x, gone in zip(values.data, hidden, strict=True)]
    if isinstance(values, Iterable) and not single:
        return list(values)
    raise DataError("not a list of labels", column=column, value=repr(values),
                    allowed="one label a row")  # fmt: skip


def labels(studies: Iterable[Any] | None, k: int) -> tuple[str, ...]:
    """Return `k` study labels: those given, or ``study 1`` to ``study k``.

    Raises
    ------
    DataError
        When the number of labels is not `k`.

    Examples
    --------
    >>> labels(None, 2)
    ('study 1', 'study 2')
    """
    if studies is None:
        return tuple(f"study {i + 1}" for i in range(k))
    names = tuple(visible(str(s)) for s in items("studies", studies))
    if len(names) != k:
        raise DataError(f"{len(names)} labels for {k} rows", column="studies")
    return names


def choice(argument: str, value: object, allowed: Iterable[str]) -> Any:
    """Return the one of the `allowed` options that `value` means.

    Upper and lower case are one, and R's words for the same thing are understood
    (:data:`metablin.options.SPELLINGS`).

    Raises
    ------
    DataError
        Listing the allowed options.

    Examples
    --------
    >>> choice("tau2", "reml", ["DL", "REML"]), choice("ci", "knha", ["z", "hksj"])
    ('REML', 'hksj')
    """
    options = list(allowed)
    if isinstance(value, str):
        if value in options:
            return value
        word = value.strip().lower()
        word = SPELLINGS.get(argument, {}).get(word, word)
        for option in options:
            if option.lower() == word:
                return option
    raise DataError(
        "unknown option", column=argument, value=repr(value), allowed=" | ".join(options)
    )


def level(value: float) -> float:
    """Return a confidence level after checking that it lies strictly between 0 and 1.

    Raises
    ------
    DataError
        When it does not.

    Examples
    --------
    >>> level(0.95)
    0.95
    """
    number = isinstance(value, int | float | np.number)
    if not (number and EDGE <= value <= 1 - EDGE):
        near = number and 0 < value < 1
        raise DataError(
            "not a confidence level", column="level", value=repr(value) if near else value,
            allowed=f"between 0 and 1, {EDGE:g} or more from both" if near else "between 0 and 1",
        )  # fmt: skip
    return float(value)
