"""Many meta-analyses at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._input import choice, whole
from metablin._input import level as check_level
from metablin.effects.sizes import LARGEST
from metablin.errors import DataError
from metablin.meta.core.options import CI_METHODS
from metablin.meta.normal.inverse import tau2_of
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, critical, hksj_factor, i2_h2, two_sided
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["fit_rows", "pool_many"]

FloatArray = NDArray[np.float64]

CHUNK_VALUES = 65_536
"""Effects handled at once. Some twenty arrays of this size are alive in a step: 10 MB, which the
caches of a processor hold. The chunks do not depend on the number of workers, so neither do the
results."""

MOST_JOBS = 4096  # worker processes
COLUMNS = (
    "estimate",
    "std_error",
    "statistic",
    "p_value",
    "conf_low",
    "conf_high",
    "conf_level",
    "pred_low",
    "pred_high",
    "k",
    "tau2",
    "i2",
    "h2",
    "q",
    "q_p",
)


def pool_many(
    yi: ArrayLike,
    vi: ArrayLike,
    tau2: str | float = "REML",
    ci: str = "hksj",
    level: float = 0.95,
    n_jobs: int = 1,
    client: Any = None,
) -> pd.DataFrame:
    """Fit m random-effects meta-analyses.

    Parameters
    ----------
    yi, vi : array-like, shape (m, k)
        Effects on the analysis scale and their variances, one meta-analysis per row. A study that
        a row does not have is NaN in both.
    tau2, ci, level
        As in :func:`metablin.pool`.
    n_jobs : int
        Processes (through joblib), at most one for every chunk; -1 for all cores.
    client : dask.distributed.Client, optional
        Spread the work over a cluster instead.

    Returns
    -------
    DataFrame
        m rows with ``estimate, std_error, statistic, p_value, conf_low, conf_high, conf_level,
        pred_low, pred_high, k, tau2, i2, h2, q, q_p``, all on the analysis scale; the same bytes
        for any number of workers. A row with one study has its own effect with a normal interval,
        tau2 = 0 and no prediction interval.

    Raises
    ------
    DataError
        Naming the first row and study with a missing value or a variance that is not positive, or
        the first row without a study.

    Notes
    -----
    Memory beyond input and result is bounded: rows are fitted in chunks of fixed size.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = pool_many(rng.normal(size=(100, 8)), np.full((100, 8), 0.2))
    >>> found.shape, bool((found["tau2"] > 0).any())
    ((100, 15), True)
    """
    y, v = _matrix("yi", yi), _matrix("vi", vi)
    if y.shape != v.shape:
        raise DataError(f"shape {v.shape} where yi has {y.shape}", column="vi")
    ci = choice("ci", ci, CI_METHODS)
    tau2_of(tau2)
    check_level(level)
    if not (isinstance(n_jobs, int) and n_jobs == -1):
        n_jobs = whole("n_jobs", n_jobs, minimum=1, maximum=MOST_JOBS)
    if client is not None and (not hasattr(client, "map") or hasattr(client, "__len__")):
        raise DataError("not a client of dask", column="client", value=repr(client),
                        allowed="distributed.Client(), or None")  # fmt: skip
    rows = max(1, CHUNK_VALUES // max(1, y.shape[1]))
    starts = range(0, len(y), rows)
    tasks = ((y[s : s + rows], v[s : s + rows], tau2, ci, level, s) for s in starts)
    out = np.empty((len(y), len(COLUMNS)))
    # a process without a chunk would be started for nothing
    n_jobs = 1 if len(starts) < 2 else min(n_jobs, len(starts))
    for s, part in zip(starts, _spread(tasks, n_jobs, client), strict=True):
        out[s : s + rows] = part
    frame = pd.DataFrame(out, columns=list(COLUMNS), copy=False)
    frame["k"] = frame["k"].astype(np.int64)
    return frame


def _matrix(name: str, values: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError("not numbers", column=name, allowed="an (m, k) array") from error
    if array.ndim != 2:
        raise DataError("not a matrix", column=name, value=f"shape {array.shape}", allowed="(m, k)")
    return array


Task = tuple[FloatArray, FloatArray, str | float, str, float, int]


def _spread(tasks: Iterator[Task], n_jobs: int, client: Any) -> Iterator[FloatArray]:
    """Yield the chunks' results in order, wherever they are computed."""
    if client is not None:
        for future in client.map(_chunk, list(tasks), pure=False):
            yield future.result()
        return
    if n_jobs == 1:
        yield from map(_chunk, tasks)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="2*n_jobs")
    yield from parallel(delayed(_chunk)(task) for task in tasks)


def _chunk(task: Task) -> FloatArray:
    y, v, tau2, ci, level, first = task
    y, v = _checked(y, v, first)
    many = np.isfinite(v).sum(-1) > 1
    if many.all():
        return _columns(fit_rows(y, v, tau2, ci, level), level)
    out = np.empty((len(y), len(COLUMNS)))
    if many.any():
        out[many] = _columns(fit_rows(y[many], v[many], tau2, ci, level), level)
    out[~many] = _columns(_lone(y[~many], v[~many], level), level)
    return out


def _checked(y: FloatArray, v: FloatArray, first: int) -> tuple[FloatArray, FloatArray]:
    """Return effects and variances with absent studies as effect 0 and variance infinity."""
    absent = np.isnan(y) & np.isnan(v)
    rules: list[tuple[str, FloatArray, NDArray[np.bool_], str]] = [
        ("yi", y, ~np.isfinite(y), "a finite number, or NaN in both yi and vi"),
        ("vi", v, ~(np.isfinite(v) & (v > 0)), "greater than 0, or NaN in both yi and vi"),
        ("yi", y, np.abs(y) > LARGEST, f"up to {LARGEST:g} in size"),
        ("vi", v, (v > LARGEST) | (v < 1 / LARGEST), f"{1 / LARGEST:g} to {LARGEST:g}"),
    ]
    for name, values, bad, allowed in rules:
        for i, j in np.argwhere(bad & ~absent)[:1]:
            raise DataError(
                "not allowed",
                row=first + int(i) + 1,
                column=name,
                value=f"{values[i, j]:g}",
                allowed=allowed,
                study=f"study {j + 1}",
            )
    for i in np.flatnonzero(absent.all(-1))[:1]:
        raise DataError("no study in this row", row=first + int(i) + 1, column="yi")
    if not absent.any():
        return np.ascontiguousarray(y), np.ascontiguousarray(v)
    return np.where(absent, 0.0, y), np.where(absent, np.inf, v)


def _columns(fields: dict[str, FloatArray], level: float) -> FloatArray:
    fields["conf_level"] = np.full_like(fields["estimate"], level)
    return np.stack([fields[name] for name in COLUMNS], axis=-1)


def fit_rows(
    y: FloatArray, v: FloatArray, tau2: str | float, ci: str, level: float
) -> dict[str, FloatArray]:
    """Return the fits of checked rows, each with two studies or more.

    Parameters
    ----------
    y, v : ndarray, shape (m, k)
        An absent study has effect 0 and variance infinity.
    tau2, ci, level
        As in :func:`pool_many`.

    Returns
    -------
    dict of str to ndarray, shape (m,)
    """
    name, given = tau2_of(tau2)
    k = np.isfinite(v).sum(-1).astype(np.float64)
    df = k - 1
    t2 = estimate_tau2(name, y, v) if given is None else np.full(len(y), given)
    fit = gls(y, 1 / (v + t2[:, None]))
    variance = fit.cov[:, 0, 0]
    if ci.startswith("hksj"):
        variance = variance * hksj_factor(fit.rss, df, ci == "hksj-adhoc")
    i2, h2 = i2_h2(v, t2)
    q = gls(y, 1 / v).rss
    reference = np.full_like(df, np.inf) if ci == "z" else df
    crit = critical(level, reference)
    fields = _intervals(fit.beta[:, 0], variance, t2, crit, reference)
    return fields | {"k": k, "tau2": t2, "i2": i2, "h2": h2, "q": q, "q_p": chi2_tail(q, df)}


def _intervals(
    estimate: FloatArray, variance: FloatArray, tau2: FloatArray, crit: FloatArray, df: FloatArray
) -> dict[str, FloatArray]:
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    half, wide = crit * se, crit * np.sqrt(variance + tau2)
    return {
        "estimate": estimate,
        "std_error": se,
        "statistic": statistic,
        "p_value": two_sided(statistic, df),
        "conf_low": estimate - half,
        "conf_high": estimate + half,
        "pred_low": estimate - wide,
        "pred_high": estimate + wide,
    }


def _lone(y: FloatArray, v: FloatArray, level: float) -> dict[str, FloatArray]:
    """Return the answer for rows with one study."""
    m, at = len(y), np.argmin(v, axis=-1)
    zero, one, nan = np.zeros(m), np.ones(m), np.full(m, np.nan)
    df = np.full(m, np.inf)
    lone = (np.arange(m), at)
    fields = _intervals(y[lone], v[lone], zero, critical(level, df), df)
    fields |= {"pred_low": nan, "pred_high": nan, "k": one, "tau2": zero, "i2": zero}
    return fields | {"h2": one, "q": zero, "q_p": one}
