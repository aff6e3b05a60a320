"""How often an adverse event happens: pooled rates, and what they mean for the next patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from metablin._input import choice, needed, one
from metablin._input import level as check_level
from metablin._moved import Renamed
from metablin.effects import proportions
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.cohorts import pool_cohorts
from metablin.numerics.inference import critical
from metablin.records import Row

__all__ = ["EventRate", "event_rate", "event_rates", "implausible_cells", "predicted_count"]

FloatArray = NDArray[np.float64]

NODES = 61
"""Gauss-Hermite points of the predictive distribution; a binomial of 100 needs far fewer."""


@dataclass(frozen=True, slots=True, repr=False)
class EventRate(Row):
    """The rate of one event in one group of patients.

    Attributes
    ----------
    term : str
    model : str
        ``bayes``, ``glmm``, ``beta-binomial``, ``random`` or ``exact`` (sum of the counts).
    k : int
        Trials.
    events, n : float
        Sums of their counts.
    estimate, conf_low, conf_high, level : float
    pred_low, pred_high : float
        Prediction interval for the rate in a new trial; NaN for ``exact``.
    tau2, i2 : float
        NaN for ``exact``.
    mean_logit, sd_logit : float
        Normal predictive distribution of a new trial's logit (of ``bayes`` the normal with its
        predictive limits); NaN for ``exact``.
    """

    term: str
    model: str
    k: int
    events: float
    n: float
    estimate: float
    conf_low: float
    conf_high: float
    level: float
    pred_low: float
    pred_high: float
    tau2: float
    i2: float
    mean_logit: float
    sd_logit: float

    conf_level = Renamed("level")


def event_rate(
    events: ArrayLike,
    n: ArrayLike,
    *,
    term: str = "",
    studies: Sequence[str] | None = None,
    model: str = "auto",
    level: float = 0.95,
) -> EventRate:
    """Return the rate of one adverse event over trials.

    Parameters
    ----------
    events, n : array-like of whole numbers, shape (k,)
        Patients with the event, and patients at risk.
    term : str
        Name of the event.
    studies : sequence of str, optional
        Labels.
    model : {"auto", "glmm", "beta-binomial", "random", "bayes", "exact"}
        ``auto`` gives one trial, and any number without an event or without a patient free of it,
        exact limits; otherwise it is the rule of :func:`metablin.pool_cohorts`.
    level : float
        Confidence level.

    Returns
    -------
    EventRate

    Raises
    ------
    DataError
        For impossible counts.

    References
    ----------
    Clopper CJ, Pearson ES (1934). Biometrika 26:404-413. doi:10.1093/biomet/26.4.404
    Stijnen T, Hamza TH, Ozdemir P (2010). Stat Med 29:3046-3067. doi:10.1002/sim.4040

    Examples
    --------
    >>> rate = event_rate([2], [40])
    >>> rate.model, round(rate.conf_low, 4), round(rate.conf_high, 4)
    ('exact', 0.0061, 0.1692)
    """
    chosen = choice("model", model, ("auto", "glmm", "beta-binomial", "random", "bayes", "exact"))
    level = check_level(level)
    e = proportions(events, n, studies=studies)
    if not e.k:
        raise DataError("no trial to count", allowed="at least one row")
    x, m = e.counts["events"], e.counts["n"]
    total, size = float(x.sum()), float(m.sum())
    if chosen == "auto" and (e.k == 1 or total in (0.0, size)):
        chosen = "exact"
    if chosen == "exact":
        low, high = _clopper_pearson(total, size, level)
        nan = float("nan")
        return EventRate(
            term, "exact", e.k, total, size, total / size, low, high, level,
            nan, nan, nan, nan, nan, nan,
        )  # fmt: skip
    if chosen == "auto":
        fit = pool_cohorts(e, level)
    else:
        fit = pool(e, model=chosen, level=level, ci="t" if chosen == "glmm" else None)
    spread = float(np.hypot(fit.analysis.std_error, fit.tau2**0.5))
    if fit.model == "bayes":  # the normal distribution with the posterior predictive limits
        width = fit.analysis.pred_high - fit.analysis.pred_low
        spread = float(width / (2 * critical(level)))
    return EventRate(
        term, fit.model, fit.k, total, size, fit.estimate, fit.conf_low, fit.conf_high, level,
        fit.pred_low, fit.pred_high, fit.tau2, fit.i2, fit.analysis.estimate, spread,
    )  # fmt: skip


def event_rates(
    data: pd.DataFrame,
    by: Sequence[str] = ("term", "grade"),
    *,
    model: str = "auto",
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the rate of every group of rows.

    Parameters
    ----------
    data : pandas.DataFrame
        ``study, events, n`` and the columns of `by`; one row a trial and group.
    by : sequence of str
        Columns that define a group, such as term and grade.
    model, level
        See :func:`event_rate`.

    Returns
    -------
    pandas.DataFrame
        The columns of `by`, then those of :class:`EventRate`.

    Raises
    ------
    DataError
        When a column is missing or a trial is twice in one group.

    Examples
    --------
    >>> rows = pd.DataFrame({"study": list("abc"), "term": "seizure", "events": [1, 0, 2],
    ...                      "n": [30, 25, 60]})
    >>> event_rates(rows, by=["term"])["k"].tolist()
    [3]
    """
    groups = [by] if isinstance(by, str) else list(by)
    needed(data, ("study", "events", "n", *groups), ("study", *groups))
    if data.empty:
        raise DataError("no row to count", allowed="at least one row")
    records = []
    for raw, part in data.groupby(groups, sort=False):
        key = raw if isinstance(raw, tuple) else (raw,)
        twice = part["study"][part["study"].duplicated()]
        if len(twice):
            raise DataError(
                "one trial twice in one group", column="study", value=twice.iloc[0],
                allowed="one row a trial", study=", ".join(str(k) for k in key),
            )  # fmt: skip
        rate = event_rate(part["events"], part["n"], studies=part["study"].tolist(), model=model,
                          level=level)  # fmt: skip
        group: dict[str, Any] = dict(zip(groups, key, strict=True))
        records.append(group | {n: getattr(rate, n) for n in EventRate.__slots__ if n != "term"})
    return pd.DataFrame(records).rename(columns={"level": "conf_level"})


def _clopper_pearson(x: float, n: float, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else float(stats.beta.ppf(tail, x, n - x + 1))
    high = 1.0 if x == n else float(stats.beta.ppf(1 - tail, x + 1, n - x))
    return low, high


def predicted_count(
    rate: EventRate, patients: int = 100, level: float = 0.95
) -> tuple[float, int, int]:
    """Return how many of the next patients will have the event, with a prediction interval.

    A new trial's logit is drawn from the normal predictive distribution of the pooled model
    (from a Jeffreys posterior for ``exact``), and the patients from a binomial with that rate, so
    the interval holds sampling, estimation and the difference between trials.

    Parameters
    ----------
    rate : EventRate
    patients : int
        Number of new patients.
    level : float
        Level of the prediction interval.

    Returns
    -------
    expected : float
        ``patients`` times the estimated rate.
    low, high : int
        Smallest and largest count of the central interval.

    Examples
    --------
    >>> predicted_count(event_rate([10], [50]))
    (20.0, 9, 35)
    """
    if not isinstance(rate, EventRate):
        raise DataError("not a rate", column="rate", value=type(rate).__name__,
                        allowed="the result of event_rate")  # fmt: skip
    m = int(one("patients", patients, minimum=1, integer=True))
    tail = (1 - check_level(level)) / 2
    counts = np.arange(m + 1)
    if rate.model == "exact":
        a, b = rate.events + 0.5, rate.n - rate.events + 0.5
        cdf = stats.betabinom.cdf(counts, m, a, b)
    else:
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        p = 1 / (1 + np.exp(-(rate.mean_logit + rate.sd_logit * nodes)))
        cdf = stats.binom.cdf(counts[:, None], m, p) @ (weights / weights.sum())
    low = int(np.searchsorted(cdf, tail))
    high = int(np.searchsorted(cdf, 1 - tail))
    return m * rate.estimate, low, min(high, m)


def implausible_cells(data: pd.DataFrame, *, share: float = 0.98) -> pd.DataFrame:
    """Flag counts that a table can hardly mean as printed.

    Parameters
    ----------
    data : pandas.DataFrame
        ``study, term, grade, events, n``.
    share : float
        A single term (not "any adverse event") in at least this share of patients is flagged.

    Returns
    -------
    pandas.DataFrame
        The flagged rows with ``reason``: a term in (nearly) every patient; more patients with a
        severe or serious grade than with any grade; a single term at least as frequent as any
        adverse event in the same arm.

    Examples
    --------
    >>> rows = pd.DataFrame({"study": "A", "term": ["fever", "rash"], "grade": "any",
    ...                      "events": [50, 10], "n": [50, 50]})
    >>> implausible_cells(rows)["term"].tolist()
    ['fever']
    """
    needed(data, ("study", "term", "grade", "events", "n"), ("study", "term", "grade"))
    if not 0 < one("share", share) <= 1:
        raise DataError("not a share", column="share", value=share, allowed="above 0, at most 1")
    single = ~data["term"].astype(str).str.startswith("any ")
    reasons = pd.Series("", index=data.index, dtype=object)
    full = single & (data["events"] >= share * data["n"]) & (data["n"] > 1)
    reasons[full] = "a single term in (nearly) every patient"
    arm = ["study", "arm"] if "arm" in data else ["study"]
    whole = data.loc[data["grade"] == "any"].drop_duplicates([*arm, "term", "n"])
    joined = data.merge(whole[[*arm, "term", "n", "events"]], on=[*arm, "term", "n"], how="left",
                        suffixes=("", "_any"))  # fmt: skip
    more = (joined["events"] > joined["events_any"]).to_numpy() & (
        data["grade"] != "any"
    ).to_numpy()
    reasons[more] = "more patients than with the same event of any grade"
    flagged = reasons != ""
    return data.loc[flagged].assign(reason=reasons[flagged]).reset_index(drop=True)
