"""Many curves in one call: long tables in, one long table out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import whole
from metablin.errors import DataError
from metablin.reconstruct.curve._estimate import estimate
from metablin.reconstruct.curve._quality import curve_quality, mended_of
from metablin.reconstruct.curve._tables import Job, split_tables
from metablin.reconstruct.curve.clicks import (
    GUESSED,
    Checked,
    Given,
    Rows,
    check_curve,
    check_noise,
)
from metablin.reconstruct.reading import Kind
from metablin.reconstruct.records import Mended

__all__ = ["Batch", "reconstruct_batch", "reconstruct_many"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CHUNK = 32  # curves handed to a worker at a time; results do not depend on it


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Outcome of many curves: patients, quality per curve, errors and what was mended, by id."""

    ipd: pd.DataFrame
    quality: pd.DataFrame
    errors: dict[str, DataError]
    mended: dict[str, tuple[Mended, ...]]


@dataclass(frozen=True, slots=True)
class Options:
    """How the clicks of every curve are to be taken, and whether to measure the fit."""

    percent: bool
    failure: bool
    kind: Kind
    noise: float | Literal["exact"] | None
    quality: bool


_Looked = dict[str, Checked | DataError]
_Result = tuple[FloatArray, IntArray, dict[str, object], tuple[Mended, ...]]


def reconstruct_many(
    clicks: pd.DataFrame,
    at_risk: pd.DataFrame | None = None,
    totals: pd.DataFrame | None = None,
    jobs: int = 1,
    *,
    percent: bool = False,
    failure: bool = False,
    kind: Kind = "auto",
    noise: float | Literal["exact"] | None = None,
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
    percent, failure, noise
        As for `reconstruct_km`.
    kind : {"auto", "drops", "corners", "points"}
        What was clicked, as ``clicks`` of `reconstruct_km`.

    Returns
    -------
    DataFrame
        Columns ``id``, ``time``, ``event``; curves in order of first appearance.

    Raises
    ------
    DataError
        For the first bad curve, naming row and column, and for one whose number of patients is
        neither given nor printed at risk. `reconstruct_batch` keeps the good ones.

    Examples
    --------
    >>> clicks = pd.DataFrame({"id": "a", "time": [0, 3, 6], "survival": [1, 0.75, 0.5]})
    >>> totals = pd.DataFrame({"id": ["a"], "n": [4], "events": [2]})
    >>> reconstruct_many(clicks, totals=totals)["event"].tolist()
    [1, 1, 0, 0]
    """
    options = Options(percent, failure, kind, noise, quality=False)
    looked = _look(split_tables(clicks, at_risk, totals), jobs, options)
    for found in looked.values():
        if isinstance(found, DataError):
            raise found
    return _batch(looked, jobs, options).ipd


def reconstruct_batch(
    clicks: pd.DataFrame,
    at_risk: pd.DataFrame | None = None,
    totals: pd.DataFrame | None = None,
    jobs: int = 1,
    *,
    percent: bool = False,
    failure: bool = False,
    kind: Kind = "auto",
    noise: float | Literal["exact"] | None = None,
    quality: bool = False,
) -> Batch:
    """Reconstruct every curve and report the bad ones beside the good ones.

    Parameters
    ----------
    clicks, at_risk, totals, jobs, percent, failure, kind, noise
        As for `reconstruct_many`.
    quality : bool
        Also measure the fit of every curve.

    Returns
    -------
    Batch
        `ipd`, `quality` (one row per curve, empty unless asked for), `errors` and what was
        `mended`, by id.

    Raises
    ------
    DataError
        When a table lacks a column or an id is missing; what is wrong with one curve is in
        `errors`.
    """
    options = Options(percent, failure, kind, noise, quality)
    return _batch(_look(split_tables(clicks, at_risk, totals), jobs, options), jobs, options)


def _look(work: Sequence[Job], jobs: int, options: Options) -> _Looked:
    """Check all curves, which takes a moment, before the first is fitted."""
    check_noise(options.noise, options.kind)
    _workers(jobs)
    return {w.label: _checked(w, options) for w in work}


def _checked(work: Job, options: Options) -> Checked | DataError:
    if work.error is not None:
        return work.error
    rows = Rows(work.rows, work.table_rows, work.label)
    try:
        checked = check_curve(_given(work, options), rows)
        _need_patients(checked, work)
    except DataError as error:
        return error
    return checked


def _batch(looked: _Looked, jobs: int, options: Options) -> Batch:
    errors = {label: found for label, found in looked.items() if isinstance(found, DataError)}
    able = {label: found for label, found in looked.items() if isinstance(found, Checked)}
    results = _run(list(able.values()), jobs, options)
    ids = np.repeat(np.array(list(able), dtype=object), [r[0].size for r in results])
    joined = [np.concatenate([r[i] for r in results]) if able else np.empty(0) for i in (0, 1)]
    ipd = pd.DataFrame({"id": ids, "time": joined[0], "event": joined[1].astype(np.int64)})
    good = list(zip(able, results, strict=True))
    rows = [{"id": label, **r[2]} for label, r in good] if options.quality else []
    mended = {label: r[3] for label, r in good if r[3]}
    return Batch(ipd, pd.DataFrame(rows), errors, mended)


def _run(curves: Sequence[Checked], jobs: int, options: Options) -> list[_Result]:
    jobs = _workers(jobs)
    if jobs == 1 or len(curves) <= CHUNK:
        return _some(curves, options)
    from joblib import Parallel, delayed

    parts = [curves[i : i + CHUNK] for i in range(0, len(curves), CHUNK)]
    done = Parallel(n_jobs=jobs)(delayed(_some)(part, options) for part in parts)
    return [result for part in done for result in part]


def _workers(jobs: int) -> int:
    return jobs if isinstance(jobs, int) and jobs == -1 else whole("jobs", jobs, minimum=1)


def _some(curves: Sequence[Checked], options: Options) -> list[_Result]:
    return [_one(checked, options) for checked in curves]


def _one(checked: Checked, options: Options) -> _Result:
    fitted = estimate(checked.curve)
    mended = mended_of(checked, fitted)
    fit: dict[str, object] = {}
    if options.quality:
        fit = curve_quality(checked, fitted).to_dict(checks=False)
        fit.pop("verdict")
    return fitted.time, fitted.event, fit, mended


def _given(work: Job, options: Options) -> Given:
    return Given(
        work.time, work.survival, work.n, work.table, work.events, None, options.percent,
        options.failure, options.kind, options.noise,
    )  # fmt: skip


def _need_patients(checked: Checked, work: Job) -> None:
    """Refuse to make up how many patients there were."""
    if checked.source in GUESSED:
        raise DataError(
            "no number of patients",
            column="n",
            allowed="n in the totals (--n, --totals) or numbers at risk (--at-risk)",
            study=work.label or None,
        )
