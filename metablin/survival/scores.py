"""Concordance and competing risks, by scikit-survival."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._extra import needs
from metablin._frame import reads
from metablin.errors import DataError
from metablin.options import Missing
from metablin.survival.km import curve_of
from metablin.survival.patients import groups, patients
from metablin.survival.ties import join

FloatArray = NDArray[np.float64]

__all__ = ["concordance", "cumulative_incidence"]


def concordance(time: ArrayLike, event: ArrayLike, risk: ArrayLike) -> float:
    """Return Harrell's concordance: how often the patient with the higher risk dies first.

    Parameters
    ----------
    time, event : array-like, shape (n,)
    risk : array-like, shape (n,)
        Higher means an earlier event.

    References
    ----------
    Harrell FE, Califf RM, Pryor DB, Lee KL, Rosati RA (1982). Evaluating the yield of medical
    tests. JAMA 247:2543-2546. doi:10.1001/jama.1982.03320430047030

    Examples
    --------
    >>> concordance([1, 2, 3, 4], [1, 1, 1, 0], [4, 3, 2, 1])
    1.0
    """
    p = patients(time, event)
    score = _input.numeric("risk", risk)
    _input.same_length(time=p.time, risk=score)
    if not p.event.any():
        raise DataError("no events", column="event", allowed="at least one event")
    metrics = needs("sksurv.metrics", "survival")
    return float(metrics.concordance_index_censored(p.event == 1.0, p.time, score)[0])


@reads("time", "event", optional=("group",))
def cumulative_incidence(
    time: ArrayLike,
    event: ArrayLike,
    level: float = 0.95,
    *,
    causes: Sequence[str] | None = None,
    group: Iterable[Any] | None = None,
    data: Any = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Estimate the cumulative incidence of competing events (Aalen-Johansen).

    Relapse against death in remission, say: where patients who die first can no longer relapse,
    one minus the Kaplan-Meier curve overstates how many do.

    Parameters
    ----------
    time : array-like, shape (n,)
        To the first event of any kind, or the end of follow-up.
    event : array-like, shape (n,)
        0 censored, 1, 2, ... the kind of event.
    level : float
        Confidence level of the log(-log) limits.
    causes : sequence of str, optional
        Names of the kinds 1, 2, ..., such as ``("relapse", "death in remission")``; the numbers
        when not given.
    group : iterable, length n, optional
        Labels of groups; each has curves of its own.

    Returns
    -------
    pandas.DataFrame
        ``cause, time, estimate, conf_low, conf_high, conf_level``, with ``group`` ahead of them
        where there are groups.

    References
    ----------
    Aalen OO, Johansen S (1978). An empirical transition matrix for non-homogeneous Markov chains
    based on censored observations. Scand J Stat 5:141-150.

    Examples
    --------
    >>> frame = cumulative_incidence([1, 2, 3, 4], [1, 2, 1, 0], causes=("relapse", "death"))
    >>> frame[frame["cause"] == "relapse"]["estimate"].tolist()[-1]
    0.5
    """
    t = _input.numeric("time", time, minimum=0.0)
    kind = _input.numeric("event", event, minimum=0.0, integer=True)
    if _input.same_length(time=t, event=kind) == 0:
        raise DataError("no patients", column="time", allowed="at least one row")
    (t,) = join(t)
    confidence = _input.level(level)
    names = _causes(kind, causes)
    if group is None:
        return _incidence(t, kind, names, confidence)
    g = groups(group, t.size, minimum=1)
    parts = []
    for i, label in enumerate(g.levels):
        part = g.codes == i
        frame = _incidence(t[part], kind[part], names, confidence)
        frame.insert(0, "group", label)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def _causes(kind: FloatArray, causes: Sequence[str] | None) -> list[Any]:
    """Return what the kinds of event are called."""
    found = np.unique(kind[kind > 0])
    if causes is not None:
        names = [str(c) for c in _input.items("causes", causes)]
        if found.size and found.max() > len(names):
            raise DataError("a kind of event without a name", column="causes", value=len(names),
                            allowed=f"{found.max():g} names")  # fmt: skip
        if len(set(names)) < len(names):
            raise DataError("two kinds of event of one name", column="causes")
        return names
    if found.size == 0 or found.max() != found.size:
        raise DataError(
            "kinds of event are not 1, 2, ... without gaps",
            column="event",
            value=", ".join(f"{x:g}" for x in found) or "none",
            allowed="0 for censored, then 1, 2, ...",
        )
    return list(range(1, found.size + 1))


def _incidence(
    t: FloatArray, kind: FloatArray, names: list[Any], confidence: float
) -> pd.DataFrame:
    """Return the curves of one group; a kind that did not happen in it stays at 0."""
    if kind.max() <= 1.0:  # no second kind of event here: the Kaplan-Meier curve, turned over
        curve = curve_of(patients(t, kind), "log-log", confidence, "")
        times, zero = curve.time, np.zeros(curve.time.size)
        curves = [(1.0 - curve.survival, 1.0 - curve.conf_high, 1.0 - curve.conf_low)]
    else:
        nonparametric = needs("sksurv.nonparametric", "survival")
        times, found, bands = nonparametric.cumulative_incidence_competing_risks(
            kind.astype(int), t, conf_type="log-log", conf_level=confidence
        )
        zero = np.zeros(len(times))
        curves = [(found[i], bands[i, 0], bands[i, 1]) for i in range(1, len(found))]
    curves += [(zero, zero, zero)] * (len(names) - len(curves))
    parts = [_rows(n, times, *c, confidence) for n, c in zip(names, curves, strict=True)]
    return pd.concat(parts, ignore_index=True)


def _rows(
    cause: Any,
    times: FloatArray,
    estimate: FloatArray,
    low: FloatArray,
    high: FloatArray,
    level: float,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cause": cause,
            "time": times,
            "estimate": estimate,
            "conf_low": low,
            "conf_high": high,
            "conf_level": level,
        }
    )
