"""Concordance and competing risks, by scikit-survival."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._extra import needs
from metablin.errors import DataError
from metablin.survival.km import curve_of
from metablin.survival.patients import patients
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


def cumulative_incidence(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Estimate the cumulative incidence of competing events (Aalen-Johansen).

    Parameters
    ----------
    time : array-like, shape (n,)
    event : array-like, shape (n,)
        0 censored, 1, 2, ... the kind of event.
    level : float

    Returns
    -------
    pandas.DataFrame
        ``cause, time, estimate, conf_low, conf_high, conf_level``.

    References
    ----------
    Aalen OO, Johansen S (1978). An empirical transition matrix for non-homogeneous Markov chains
    based on censored observations. Scand J Stat 5:141-150.

    Examples
    --------
    >>> frame = cumulative_incidence([1, 2, 3, 4], [1, 2, 1, 0])
    >>> frame[frame["cause"] == 1]["estimate"].tolist()[-1]
    0.5
    """
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    (t,) = join(_input.numeric("time", time, minimum=0.0))
    kind = _input.numeric("event", event, minimum=0.0, integer=True)
    _input.same_length(time=t, event=kind)
    found = np.unique(kind[kind > 0])
    if found.size == 0 or found.max() != found.size:
        raise DataError(
            "kinds of event are not 1, 2, ... without gaps",
            column="event",
            value=", ".join(f"{x:g}" for x in found) or "none",
            allowed="0 for censored, then 1, 2, ...",
        )
    confidence = _input.level(level)
    if found.size == 1:
        curve = curve_of(patients(t, kind), "log-log", confidence, "")
        return _rows(
            1,
            curve.time,
            1.0 - curve.survival,
            1.0 - curve.conf_high,
            1.0 - curve.conf_low,
            confidence,
        )
    times, curves, bands = cumulative_incidence_competing_risks(
        kind.astype(int), t, conf_type="log-log", conf_level=confidence
    )
    parts = [
        _rows(cause, times, curves[cause], bands[cause, 0], bands[cause, 1], confidence)
        for cause in range(1, found.size + 1)
    ]
    return pd.concat(parts, ignore_index=True)


def _rows(
    cause: int,
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
