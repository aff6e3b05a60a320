"""Long tables of many curves, taken apart by their id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._frame import frame_of
from metablin.errors import DataError

__all__ = ["Job", "split_tables"]

IntArray = NDArray[np.int64]

SHOWN = 40  # characters of what was given instead of a table


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Input of one curve, as arrays with the rows they came from."""

    label: str
    time: NDArray[np.generic]
    survival: NDArray[np.generic]
    rows: IntArray
    table: tuple[NDArray[np.generic], NDArray[np.generic]] | None
    table_rows: IntArray | None
    n: float | None
    events: float | None
    error: DataError | None = None


def split_tables(
    clicks: pd.DataFrame, at_risk: pd.DataFrame | None, totals: pd.DataFrame | None
) -> list[Job]:
    clicks = _table(clicks, ("time", "survival"), "clicks")
    if len(clicks) == 0:
        raise DataError("no clicks", column="time", allowed="at least two clicks per curve")
    groups = _groups(clicks, "clicks")
    tables = {}
    if at_risk is not None:
        at_risk = _table(at_risk, ("time", "n_at_risk"), "at-risk table")
        tables = _groups(at_risk, "at-risk table")
    sizes = {}
    if totals is not None:
        totals = _table(totals, ("n",), "totals", ("events",))
        sizes = _groups(totals, "totals")
    known = (
        {} if totals is None else {x: totals[x].to_numpy() for x in ("n", "events") if x in totals}
    )
    t, y = clicks["time"].to_numpy(), clicks["survival"].to_numpy()
    r = None if at_risk is None else at_risk["time"].to_numpy()
    k = None if at_risk is None else at_risk["n_at_risk"].to_numpy()
    lines = _lines(clicks)
    table_lines = np.empty(0, dtype=np.int64) if at_risk is None else _lines(at_risk)
    out = []
    for label, rows in groups.items():
        own = tables.get(label)
        table = None if own is None or r is None or k is None else (r[own], k[own])
        n, events, error = None, None, None
        try:
            n, events = _totals(known, sizes.get(label), label)
        except DataError as bad:
            error = bad
        table_rows = None if own is None else table_lines[own]
        out.append(Job(label, t[rows], y[rows], lines[rows], table, table_rows, n, events, error))
    return out + [_stray(label, rows) for label, rows in {**sizes, **tables}.items()
                  if label not in groups]  # fmt: skip


def _stray(label: str, rows: IntArray) -> Job:
    """Stand in for the missing curve of an id of the at-risk table or the totals."""
    error = DataError(
        "no curve has this id", row=int(rows[0]) + 1, column="id", value=label,
        allowed="an id of the clicks", study=label or None,
    )  # fmt: skip
    none = np.empty(0)
    return Job(label, none, none, rows + 1, None, None, None, None, error)


def _lines(frame: pd.DataFrame) -> IntArray:
    """Rows for errors: those of the file a reader took the frame from, or 1, 2, ..."""
    return np.asarray(frame.attrs.get("rows", range(1, len(frame) + 1)), dtype=np.int64)


def _table(
    data: Any, columns: tuple[str, ...], name: str, others: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Return any kind of frame with the names of columns in lower case, as they are asked for."""
    try:
        given = frame_of(data)
    except DataError as error:
        raise DataError(
            f"the {name} are no table", column=name, value=repr(data)[:SHOWN],
            allowed=f"a data frame with {', '.join(('id (optional)', *columns))}",
        ) from error  # fmt: skip
    known = {"id", *columns, *others} - set(given.columns)
    plain = {c: str(c).strip().lower() for c in given.columns}
    frame = given.rename(columns={c: p for c, p in plain.items() if p in known})
    for column in ("id", *columns, *others):
        if list(frame.columns).count(column) > 1:
            raise DataError(f"the {name} have this column twice", column=column,
                            allowed="one column of a name")  # fmt: skip
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"the {name} lack this column",
                column=column,
                allowed=", ".join(str(c) for c in ("id (optional)", *columns)),
            )
    return frame


def _groups(frame: pd.DataFrame, name: str) -> dict[str, IntArray]:
    """Row positions of each id, in order of first appearance; one unnamed curve without ids."""
    if "id" not in frame.columns:
        return {"": np.arange(len(frame))}
    missing = frame["id"].isna().to_numpy()
    if missing.any():
        raise DataError(f"missing id in the {name}", row=int(missing.argmax()) + 1, column="id")
    values, found = pd.factorize(frame["id"])
    same, labels = pd.factorize(np.array([str(x) for x in found], dtype=object))
    codes = same[values]  # 1 and "1" are one id
    order = np.argsort(codes, kind="stable")
    cuts = np.cumsum(np.bincount(codes, minlength=len(labels)))[:-1]
    return dict(zip(labels.tolist(), np.split(order, cuts), strict=True))


def _totals(
    totals: dict[str, NDArray[np.generic]], rows: IntArray | None, label: str
) -> tuple[float | None, float | None]:
    if rows is None:
        return None, None
    if rows.size > 1:
        raise DataError(
            "duplicate id", row=int(rows[1]) + 1, column="id", value=label,
            allowed="one row of totals per curve", study=label or None,
        )  # fmt: skip
    values = []
    for column in ("n", "events"):
        raw = totals[column][rows[0]] if column in totals else None
        try:
            value = None if raw is None or pd.isna(raw) or raw == "" else float(raw)
        except (TypeError, ValueError) as error:
            raise DataError(
                "not a number", row=int(rows[0]) + 1, column=column, value=repr(raw),
                study=label or None,
            ) from error  # fmt: skip
        values.append(value)
    return values[0], values[1]
