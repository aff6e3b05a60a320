"""``data=`` and column names: the second way to hand columns to a public function.

A function under :func:`reads` takes arrays, or a data frame as ``data=`` and names of its columns.
Names are matched without case and blanks. Any frame that narwhals reads will do (pandas, polars,
pyarrow), and so will a mapping of columns.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import choice, is_missing
from metablin.errors import DataError, warn
from metablin.options import Missing, words

__all__ = ["Dropped", "column_of", "frame_of", "names_of", "reads"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows that were left out because a value was missing.

    Attributes
    ----------
    kept : ndarray of int
        Zero-based rows that stay.
    n_rows : int
        Rows before.
    reasons : tuple of (row, text)
        Zero-based rows that went, and what they lack.
    """

    kept: NDArray[np.intp]
    n_rows: int
    reasons: tuple[tuple[int, str], ...]


def reads(
    *needed: str,
    optional: Sequence[str] = (),
    after: Callable[[Any, Dropped, Sequence[Any] | None], Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function read its columns from ``data=`` and drop rows with ``missing="drop"``.

    Parameters
    ----------
    *needed : str
        Parameters that hold one value a row; a row without one is dropped when asked for.
    optional : sequence of str
        Parameters that hold one value a row when they are given; labels and groups. A row without
        one is dropped too, but for ``studies``.
    after : callable, optional
        What becomes of the result, the dropped rows and the labels; without it a warning lists
        the rows.

    Returns
    -------
    callable
        A decorator; the function must declare ``data`` and ``missing``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            values = bound.arguments
            data = values.pop("data", None)
            drop = choice("missing", values.pop("missing", "error"), words(Missing)) == "drop"
            names = _resolve(values, data, (*needed, *optional))
            gone = _dropped(values, (*needed, *optional), names) if drop else None
            labels = values.get("studies")
            if gone is not None:
                for name in (*needed, *optional):
                    if values.get(name) is not None:
                        values[name] = _take(values[name], gone.kept)
            try:
                result = function(*bound.args, **bound.kwargs)
            except DataError as error:
                raise _renamed(error, names, gone) from None
            if gone is None:
                return result
            if after is not None:
                done: R = after(result, gone, labels)
                return done
            text = "; ".join(f"row {row + 1} ({why})" for row, why in gone.reasons)
            warn(f"left out: {text}")
            return result

        return call

    return decorate


def _resolve(values: dict[str, Any], data: Any, rows: Sequence[str]) -> dict[str, str]:
    """Put columns of `data` in the place of their names; return parameter -> column name."""
    names = {}
    for name in rows:
        given = values.get(name)
        if not isinstance(given, str):
            continue
        if data is None:
            raise DataError(
                "the name of a column without a table to find it in",
                column=name,
                value=repr(given),
                allowed="data=, or the values themselves",
            )
        names[name], values[name] = column_of(data, given)
    return names


def names_of(data: Any) -> list[str]:
    """Return the names of the columns of a frame or mapping."""
    if isinstance(data, Mapping | pd.DataFrame):
        return [str(name) for name in data]
    return [str(name) for name in _narwhal(data).columns]


def column_of(data: Any, name: str) -> tuple[str, Any]:
    """Return the column `name` of any kind of frame, matched without case and blanks.

    Returns
    -------
    (str, column)
        The column's own name, and a pandas Series or numpy array of its values.

    Raises
    ------
    DataError
        When there is no such column, or two of them, listing those there are.

    Examples
    --------
    >>> found, values = column_of({"Events ": [1, 2]}, "events")
    >>> found, list(values)
    ('Events ', [1, 2])
    """
    frame = data if isinstance(data, Mapping | pd.DataFrame) else _narwhal(data)
    available = list(frame) if isinstance(frame, Mapping) else list(frame.columns)
    exact = [c for c in available if c == name]
    found = exact or [c for c in available if _plain(c) == _plain(name)]
    if len(found) != 1:
        raise DataError(
            "two columns have this name" if found else "no such column in data",
            column=name,
            allowed=", ".join(str(c) for c in available),
        )
    values = frame[found[0]]
    return str(found[0]), values.to_numpy() if hasattr(values, "to_native") else values


def frame_of(data: Any) -> pd.DataFrame:
    """Return any kind of frame, or a mapping of columns, as a pandas frame.

    Raises
    ------
    DataError
        When it is no table.

    Examples
    --------
    >>> frame_of({"dose": [9, 28]})["dose"].tolist()
    [9, 28]
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, Mapping):
        columns = {k: v if np.ndim(v) else [v] for k, v in data.items()}
    else:
        frame = _narwhal(data)
        columns = {name: frame[name].to_numpy() for name in frame.columns}
    try:
        return pd.DataFrame(columns)
    except ValueError as error:
        raise DataError("columns of different lengths", column="data",
                        allowed="one length") from error  # fmt: skip


def _narwhal(data: Any) -> Any:
    """Return a frame of another library behind one face; pandas frames need no such help."""
    import narwhals.stable.v1 as nw

    try:
        return nw.from_native(data, eager_only=True)
    except TypeError as error:
        raise DataError(
            "not a table",
            column="data",
            value=type(data).__name__,
            allowed="a data frame (pandas, polars, pyarrow) or a mapping of columns",
        ) from error


def _plain(name: object) -> str:
    return "".join(str(name).split()).lower()


def _dropped(
    values: Mapping[str, Any], rows: Sequence[str], names: Mapping[str, str]
) -> Dropped | None:
    """Return what to drop, or None when every row is complete."""
    reasons: dict[int, list[str]] = {}
    length = None
    for name in rows:
        column = values.get(name)
        if column is None or name == "studies" or np.ndim(column) == 0:
            continue
        items = list(column)
        length = len(items) if length is None else length
        for i, item in enumerate(items):
            if is_missing(item):
                reasons.setdefault(i, []).append(names.get(name, name))
    if not reasons or length is None:
        return None
    kept = np.array([i for i in range(length) if i not in reasons], dtype=np.intp)
    lacks = tuple((i, f"{', '.join(reasons[i])} missing") for i in sorted(reasons))
    return Dropped(kept, length, lacks)


def _take(column: Any, kept: NDArray[np.intp]) -> Any:
    if np.ndim(column) == 0:
        return column
    items = list(column)
    return [items[i] for i in kept if i < len(items)]


def _renamed(error: DataError, names: Mapping[str, str], gone: Dropped | None) -> DataError:
    """Speak of the caller's own columns and rows."""
    row = error.row
    if row is not None and gone is not None and 0 < row <= len(gone.kept):
        row = int(gone.kept[row - 1]) + 1
    column = names.get(error.column or "", error.column)
    return DataError(
        error.message,
        row=row,
        column=column,
        value=error.value,
        allowed=error.allowed,
        study=error.study,
        also=error.also if gone is None else (),
    )
