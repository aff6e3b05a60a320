"""Many curves in one call: long tables in, one long table out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.reconstruct._checks import Rows, check_curve
from metablin.reconstruct._estimate import estimate
from metablin.reconstruct.curve import given_clicks
from metablin.reconstruct.quality import curve_quality

__all__ = ["Batch", "reconstruct_batch", "reconstruct_many"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CHUNK = 32  # curves handed to a worker at a time; results do not depend on it


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Outcome of many curves: patients, quality per curve, and the error of each failed one."""

    ipd: pd.DataFrame
    quality: pd.DataFrame
    errors: dict[str, DataError]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
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


_Result = tuple[FloatArray, IntArray, dict[str, object]] | DataError


def reconstruct_many(
    clicks: pd.DataFrame,
    at_risk: pd.DataFrame | None = None,
    totals: pd.DataFrame | None = None,
    jobs: int = 1,
    *,
    percent: bool = False,
) -> pd.DataFrame:
    """Reconstruct every curve of a long table.

    Parameters
    ----------
    clicks : DataFrame
        Columns ``id`` (optional for a single curve), ``time``, ``survival``.
    at_risk : DataFrame, optional
        Columns ``id``, ``time``, ``n_at_risk``.
    totals : DataFrame, optional
        Columns ``id``, ``n``, ``events``; either number may be missing.
    jobs : int
        Worker processes; the result is the same for any number.
    percent : bool
        Survival is in percent.

    Returns
    -------
    DataFrame
        Columns ``id``, ``time``, ``event``; curves in order of first appearance.

    Raises
    ------
    DataError
        For the first bad curve, naming row and column. `reconstruct_batch` keeps the good ones.

    Examples
    --------
    >>> clicks = pd.DataFrame({"id": "a", "time": [0, 3, 6], "survival": [1, 0.75, 0.5]})
    >>> totals = pd.DataFrame({"id": ["a"], "n": [4], "events": [2]})
    >>> reconstruct_many(clicks, totals=totals)["event"].tolist()
    [1, 1, 0, 0]
    """
    batch = reconstruct_batch(clicks, at_risk, totals, jobs, percent=percent)
    for error in batch.errors.values():
        raise error
    return batch.ipd


def reconstruct_batch(
    clicks: pd.DataFrame,
    at_risk: pd.DataFrame | None = None,
    totals: pd.DataFrame | None = None,
    jobs: int = 1,
    *,
    percent: bool = False,
    quality: bool = False,
) -> Batch:
    """Reconstruct every curve and report the bad ones beside the good ones.

    Parameters
    ----------
    clicks, at_risk, totals, jobs, percent
        As for `reconstruct_many`.
    quality : bool
        Also measure the fit of every curve.

    Returns
    -------
    Batch
        `ipd`, `quality` (one row per curve, empty unless asked for) and `errors` by id.

    Raises
    ------
    DataError
        When a table lacks a column or an id is missing; what is wrong with one curve is in
        `errors`.
    """
    work = _split(clicks, at_risk, totals)
    results = _run(work, jobs, percent, quality)
    good = [(w.label, r) for w, r in zip(work, results, strict=True) if isinstance(r, tuple)]
    errors = {w.label: r for w, r in zip(work, results, strict=True) if isinstance(r, DataError)}
    sizes = [r[0].size for _, r in good]
    ids = np.repeat(np.array([label for label, _ in good], dtype=object), sizes)
    joined = [np.concatenate([r[i] for _, r in good]) if good else np.empty(0) for i in (0, 1)]
    ipd = pd.DataFrame({"id": ids, "time": joined[0], "event": joined[1].astype(np.int64)})
    fit = pd.DataFrame([{"id": label, **r[2]} for label, r in good]) if quality else pd.DataFrame()
    return Batch(ipd, fit, errors)


def _run(work: Sequence[_Job], jobs: int, percent: bool, quality: bool) -> list[_Result]:
    if jobs == 1 or len(work) <= CHUNK:
        return [_one(w, percent, quality) for w in work]
    from joblib import Parallel, delayed

    parts = [work[i : i + CHUNK] for i in range(0, len(work), CHUNK)]
    done = Parallel(n_jobs=jobs)(delayed(_some)(part, percent, quality) for part in parts)
    return [result for part in done for result in part]


def _some(work: Sequence[_Job], percent: bool, quality: bool) -> list[_Result]:
    return [_one(w, percent, quality) for w in work]


def _one(work: _Job, percent: bool, quality: bool) -> _Result:
    if work.error is not None:
        return work.error
    rows = Rows(work.rows, work.table_rows, work.label)
    try:
        curve, source = check_curve(
            work.time,
            work.survival,
            work.n,  # type: ignore[arg-type]  # checked to be whole inside
            work.table,
            work.events,  # type: ignore[arg-type]
            None,
            percent,
            rows,
        )
    except DataError as error:
        return error
    time, event = estimate(curve)
    fit: dict[str, object] = {}
    if quality:
        clicks = given_clicks(work.time, work.survival, percent)
        fit = curve_quality(curve, source, clicks, time, event).to_dict(checks=False)
        fit.pop("verdict")
    return time, event, fit


def _split(
    clicks: pd.DataFrame, at_risk: pd.DataFrame | None, totals: pd.DataFrame | None
) -> list[_Job]:
    _need(clicks, ("time", "survival"), "clicks")
    if len(clicks) == 0:
        raise DataError("no clicks", column="time", allowed="at least two clicks per curve")
    groups = _groups(clicks, "clicks")
    tables = {}
    if at_risk is not None:
        _need(at_risk, ("time", "n_at_risk"), "at-risk table")
        tables = _groups(at_risk, "at-risk table")
    sizes = {}
    if totals is not None:
        _need(totals, ("n",), "totals")
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
        out.append(_Job(label, t[rows], y[rows], lines[rows], table, table_rows, n, events, error))
    return out + [_stray(label, rows) for label, rows in {**sizes, **tables}.items()
                  if label not in groups]  # fmt: skip


def _stray(label: str, rows: IntArray) -> _Job:
    """Stand in for the missing curve of an id of the at-risk table or the totals."""
    error = DataError(
        "no curve has this id", row=int(rows[0]) + 1, column="id", value=label,
        allowed="an id of the clicks", study=label or None,
    )  # fmt: skip
    none = np.empty(0)
    return _Job(label, none, none, rows + 1, None, None, None, None, error)


def _lines(frame: pd.DataFrame) -> IntArray:
    """Rows for errors: those of the file a reader took the frame from, or 1, 2, ..."""
    return np.asarray(frame.attrs.get("rows", range(1, len(frame) + 1)), dtype=np.int64)


def _need(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"the {name} lack this column",
                column=column,
                allowed=", ".join(str(c) for c in ("id (optional)", *columns)),
            )


def _groups(frame: pd.DataFrame, name: str) -> dict[str, IntArray]:
    """Row positions of each id, in order of first appearance; one unnamed curve without ids."""
    if "id" not in frame.columns:
        return {"": np.arange(len(frame))}
    missing = frame["id"].isna().to_numpy()
    if missing.any():
        raise DataError(f"missing id in the {name}", row=int(missing.argmax()) + 1, column="id")
    codes, labels = pd.factorize(frame["id"])
    order = np.argsort(codes, kind="stable")
    cuts = np.cumsum(np.bincount(codes, minlength=len(labels)))[:-1]
    return {str(x): part for x, part in zip(labels, np.split(order, cuts), strict=True)}


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
