"""Tests between groups: log-rank, Fleming-Harrington, max-combo, milestone differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin import _input
from metablin._frame import reads
from metablin._moved import Renamed, renamed
from metablin.errors import DataError
from metablin.numerics.inference import two_sided
from metablin.numerics.kaplan_meier import product_limit
from metablin.numerics.mvn import outside_cube
from metablin.options import Missing
from metablin.records import Record, json_dict
from metablin.survival._normal import normal_row
from metablin.survival.km import curve_of
from metablin.survival.patients import Groups, Patients, groups, patients, two_arms

__all__ = ["LogRank", "MaxCombo", "logrank", "max_combo", "milestone_difference"]

FloatArray = NDArray[np.float64]

RANK = 1e-10
"""Eigenvalues of the variance below this share of the largest are rounding."""

MAX_COMBO = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LogRank(Record):
    """A (weighted, stratified) log-rank test of k groups.

    Attributes
    ----------
    statistic : float
        Chi-squared.
    df : int
        k - 1.
    p_value : float
    labels : tuple of str
        Groups, control first.
    n : ndarray, shape (k,)
        Patients.
    observed, expected : ndarray, shape (k,)
        Weighted events.
    variance : ndarray, shape (k, k)
        Of observed - expected.
    fleming_harrington : tuple of float
        rho and gamma of the weight over time.
    stratified : bool
    """

    statistic: float
    df: int
    p_value: float
    labels: tuple[str, ...]
    n: FloatArray
    observed: FloatArray
    expected: FloatArray
    variance: FloatArray
    fleming_harrington: tuple[float, float]
    stratified: bool

    weights = Renamed("fleming_harrington")

    @property
    def z(self) -> float:
        """Signed statistic of two groups; negative when the treated have fewer events."""
        if len(self.labels) != 2:
            raise DataError("a signed statistic needs two groups", value=len(self.labels))
        return float((self.observed[1] - self.expected[1]) / np.sqrt(self.variance[1, 1]))

    def to_frame(self) -> pd.DataFrame:
        """Return patients, observed and expected events of each group."""
        return pd.DataFrame(
            {
                "group": self.labels,
                "n": self.n,
                "observed": self.observed,
                "expected": self.expected,
            }
        )

    def summary(self) -> str:
        """Return the test as text."""
        rho, gamma = self.fleming_harrington
        name = "log-rank" if rho == gamma == 0 else f"Fleming-Harrington({rho:g}, {gamma:g})"
        kind = f"stratified {name}" if self.stratified else name
        return f"{kind}: chi2 = {self.statistic:.4g} on {self.df} df, p = {self.p_value:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the test, ready for JSON."""
        return json_dict(
            {
                "statistic": self.statistic,
                "df": self.df,
                "p_value": self.p_value,
                "fleming_harrington": list(self.fleming_harrington),
                "stratified": self.stratified,
                "groups": self.to_frame(),
            }
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """At the m event times of one stratum: at risk and events by group, both (m, k), S(t-)."""

    n_risk: FloatArray
    n_event: FloatArray
    before: FloatArray


def _tables(p: Patients, codes: NDArray[np.intp], k: int) -> _Tables:
    times = np.unique(p.time[p.event == 1.0])
    m = times.size
    last = np.searchsorted(times, p.time, side="right") - 1
    cells = np.zeros((m + 1, k))
    np.add.at(cells, (last + 1, codes), p.w)
    n_risk = np.cumsum(cells[::-1], axis=0)[::-1][1:]
    if p.entry is not None:
        late = np.zeros((m + 1, k))
        np.add.at(late, (np.searchsorted(times, p.entry, side="right"), codes), p.w)
        n_risk = n_risk - np.cumsum(late[::-1], axis=0)[::-1][1:]
    n_event = np.zeros((m, k))
    had = p.event == 1.0
    np.add.at(n_event, (last[had], codes[had]), p.w[had])
    total, d = n_risk.sum(axis=1), n_event.sum(axis=1)
    before = np.r_[1.0, product_limit(d, total)[0][:-1]] if m else np.zeros(0)
    return _Tables(n_risk, n_event, before)


def _weight(before: FloatArray, rho: float, gamma: float) -> FloatArray:
    return np.asarray(before**rho * (1.0 - before) ** gamma)


def _moments(t: _Tables, w: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return observed, expected (r, k) and covariance (r, r, k, k) under r weights (r, m)."""
    n, d = t.n_risk.sum(axis=1), t.n_event.sum(axis=1)
    share = t.n_risk / n[:, None]
    spare = np.where(n > 1.0, d * (n - d) / np.maximum(n - 1.0, 1e-300), 0.0)
    observed = w @ t.n_event
    expected = w @ (d[:, None] * share)
    inner = spare[:, None, None] * (
        np.eye(share.shape[1])[None] * share[:, None, :] - share[:, :, None] * share[:, None, :]
    )
    return observed, expected, np.einsum("am,bm,mij->abij", w, w, inner)


def _all_moments(
    p: Patients,
    g: Groups,
    strata: Groups | None,
    pairs: Sequence[tuple[float, float]],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    parts = [np.ones(p.n, bool)] if strata is None else [strata.codes == s for s in range(strata.k)]
    r, k = len(pairs), g.k
    observed, expected, cov = np.zeros((r, k)), np.zeros((r, k)), np.zeros((r, r, k, k))
    for keep in parts:
        part = p.take(keep)
        if not part.event.any():
            continue
        t = _tables(part, g.codes[keep], k)
        o, e, v = _moments(t, np.array([_weight(t.before, *pair) for pair in pairs]))
        observed, expected, cov = observed + o, expected + e, cov + v
    return observed, expected, cov


def _check_pair(pair: object) -> tuple[float, float]:
    try:
        rho, gamma = (float(x) for x in _input.items("fleming_harrington", pair))
    except (TypeError, ValueError) as error:
        raise DataError(
            "not a pair",
            column="fleming_harrington",
            value=repr(pair),
            allowed="(rho, gamma)",
        ) from error
    if not (rho >= 0 and gamma >= 0 and np.isfinite(rho + gamma)):
        raise DataError(
            "not a weight", column="fleming_harrington", value=pair, allowed="at least 0"
        )
    return rho, gamma


@renamed(weights="fleming_harrington")
@reads("time", "event", "group", optional=("strata", "entry"))
def logrank(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    fleming_harrington: tuple[float, float] | None = None,
    *,
    strata: Iterable[Any] | None = None,
    control: object = None,
    entry: ArrayLike | None = None,
    data: Any = None,
    missing: Missing = "error",
) -> LogRank:
    r"""Test that k groups have one survival curve.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up and 1 event, 0 censored.
    group : iterable, length n
        Labels.
    fleming_harrington : (rho, gamma), optional
        Weight over time :math:`S(t-)^\rho (1 - S(t-))^\gamma`; (0, 0) is the log-rank test,
        (1, 0) stresses early and (0, 1) late differences. Called ``weights`` before version 0.2.
    strata : iterable, length n, optional
        Observed minus expected are added over strata; the weight is of each stratum's own curve.
    control : object, optional
        Reference group.
    entry : array-like, shape (n,), optional
        Late entry.

    Returns
    -------
    LogRank

    References
    ----------
    Mantel N (1966). Cancer Chemother Rep 50:163-170.

    Harrington DP, Fleming TR (1982). A class of rank test procedures for censored survival data.
    Biometrika 69:553-566. doi:10.1093/biomet/69.3.553

    Examples
    --------
    >>> test = logrank([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1], list("aaabbb"))
    >>> round(test.p_value, 4)
    0.0246
    """
    p = patients(time, event, entry)
    g = groups(group, p.n, control)
    s = None if strata is None else groups(strata, p.n, column="strata", minimum=1)
    pair = (0.0, 0.0) if fleming_harrington is None else _check_pair(fleming_harrington)
    _some_events(p)
    observed, expected, cov = _all_moments(p, g, s, [pair])
    difference, variance = (observed - expected)[0], cov[0, 0]
    # One row is redundant: the differences sum to zero. Groups never at risk with others drop.
    statistic, df = _quadratic(difference, variance)
    return LogRank(
        statistic=statistic,
        df=df,
        p_value=float(special.chdtrc(df, statistic)),
        labels=g.levels,
        n=np.bincount(g.codes, minlength=g.k).astype(np.float64),
        observed=observed[0],
        expected=expected[0],
        variance=variance,
        fleming_harrington=pair,
        stratified=s is not None,
    )


def _quadratic(x: FloatArray, v: FloatArray) -> tuple[float, int]:
    """Return x' V^- x and the rank of V."""
    values, vectors = np.linalg.eigh(v)
    keep = values > RANK * max(values.max(), RANK)
    return float(np.sum((x @ vectors[:, keep]) ** 2 / values[keep])), max(int(keep.sum()), 1)


def _some_events(p: Patients) -> None:
    if not p.event.any():
        raise DataError("no events", column="event", allowed="at least one event")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MaxCombo(Record):
    """The largest of several weighted log-rank statistics, tested jointly.

    Attributes
    ----------
    statistic : float
        Largest absolute z.
    p_value : float
        Two-sided, from the joint normal distribution.
    fleming_harrington : ndarray, shape (r, 2)
        rho and gamma of each test.
    z : ndarray, shape (r,)
        Negative when the treated have fewer events.
    correlation : ndarray, shape (r, r)
    labels : tuple of str
        Control, treatment.
    """

    statistic: float
    p_value: float
    fleming_harrington: FloatArray
    z: FloatArray
    correlation: FloatArray
    labels: tuple[str, ...]

    weights = Renamed("fleming_harrington")

    def to_frame(self) -> pd.DataFrame:
        """Return each weighted test with its own p-value."""
        return pd.DataFrame(
            {
                "term": [f"FH({rho:g}, {gamma:g})" for rho, gamma in self.fleming_harrington],
                "rho": self.fleming_harrington[:, 0],
                "gamma": self.fleming_harrington[:, 1],
                "statistic": self.z,
                "p_value": two_sided(self.z),
            }
        )

    def summary(self) -> str:
        """Return the test as text."""
        best = self.to_frame()["term"].iloc[int(np.argmax(np.abs(self.z)))]
        return f"max-combo: max |z| = {self.statistic:.4g} ({best}), p = {self.p_value:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the test, ready for JSON."""
        return json_dict(
            {
                "statistic": self.statistic,
                "p_value": self.p_value,
                "tests": self.to_frame(),
                "correlation": self.correlation,
            }
        )


@renamed(weights="fleming_harrington")
@reads("time", "event", "group", optional=("strata",))
def max_combo(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    fleming_harrington: Sequence[tuple[float, float]] = MAX_COMBO,
    *,
    strata: Iterable[Any] | None = None,
    control: object = None,
    data: Any = None,
    missing: Missing = "error",
) -> MaxCombo:
    """Test two groups by the largest of several Fleming-Harrington statistics.

    Parameters
    ----------
    time, event, group : array-like, shape (n,)
        As in `logrank`, with two groups.
    fleming_harrington : sequence of (rho, gamma)
        The tests to combine. Called ``weights`` before version 0.2.
    strata, control : optional
        As in `logrank`.

    Returns
    -------
    MaxCombo

    References
    ----------
    Karrison TG (2016). Versatile tests for comparing survival curves based on weighted log-rank
    statistics. Stata J 16:678-690. doi:10.1177/1536867X1601600308

    Lin RS, Lin J, Roychoudhury S, et al (2020). Alternative analysis methods for time to event
    endpoints under nonproportional hazards. Stat Biopharm Res 12:187-198.
    doi:10.1080/19466315.2019.1697738

    Examples
    --------
    >>> test = max_combo([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1], list("aaabbb"))
    >>> bool(test.p_value > test.to_frame()["p_value"].min())
    True
    """
    p = patients(time, event)
    g = two_arms(group, p.n, control)
    s = None if strata is None else groups(strata, p.n, column="strata", minimum=1)
    _some_events(p)
    pairs = [_check_pair(pair) for pair in _input.items("fleming_harrington", fleming_harrington)]
    if not pairs:
        raise DataError("no tests", column="fleming_harrington", allowed="pairs (rho, gamma)")
    observed, expected, cov = _all_moments(p, g, s, pairs)
    v = cov[:, :, 1, 1]
    keep = np.diag(v) > 1e-12
    if not keep.any():
        raise DataError("the groups are never at risk together", column="group")
    sd = np.sqrt(np.diag(v)[keep])
    z = (observed - expected)[keep, 1] / sd
    correlation = v[np.ix_(keep, keep)] / np.outer(sd, sd)
    top = float(np.max(np.abs(z)))
    return MaxCombo(
        statistic=top,
        p_value=outside_cube(top, correlation),
        fleming_harrington=np.array(pairs)[keep],
        z=z,
        correlation=correlation,
        labels=g.levels,
    )


@reads("time", "event", "group")
def milestone_difference(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    times: ArrayLike,
    *,
    control: object = None,
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Compare the survival of two groups at fixed times.

    The interval combines the arms' log-log limits (method of variance estimates recovery); the
    test compares log(-log S), which keeps its size in small samples.

    Parameters
    ----------
    time, event, group : array-like, shape (n,)
        As in `logrank`, with two groups.
    times : array-like, shape (m,)
        Milestones; both groups need follow-up that far.
    control : object, optional
        Reference group.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        ``term, time, estimate`` (treatment minus control), ``std_error`` (Greenwood),
        ``statistic, p_value`` (log-log; Greenwood's where a curve is at 0 or 1),
        ``conf_low, conf_high, conf_level``, and a ``note`` where there is no test.

    Raises
    ------
    DataError
        When a milestone lies beyond the follow-up of a group.

    References
    ----------
    Klein JP, Logan B, Harhoff M, Andersen PK (2007). Analyzing survival curves at a fixed point
    in time. Stat Med 26:4505-4519. doi:10.1002/sim.2864

    Zou GY, Donner A (2008). Construction of confidence limits about effect measures.
    Stat Med 27:1693-1702. doi:10.1002/sim.3095

    Examples
    --------
    >>> milestone_difference([1, 2, 3, 4], [1, 1, 1, 0], list("aabb"), [2.5])["estimate"].tolist()
    [1.0]
    """
    p = patients(time, event)
    g = two_arms(group, p.n, control)
    t = _input.numeric("times", times, minimum=0.0)
    confidence = _input.level(level)
    values = milestones(p, g, t, confidence)
    name = f"{g.levels[1]} vs {g.levels[0]}"
    rows = [
        _milestone(name, t[i], values[0][:, i], values[1][:, i], confidence) for i in range(t.size)
    ]
    return pd.DataFrame(rows)


def milestones(p: Patients, g: Groups, t: FloatArray, level: float) -> list[FloatArray]:
    """Return S, its standard error and limits at the times, (4, m) for each group."""
    values = []
    for i, name in enumerate(g.levels):
        curve = curve_of(p.take(g.codes == i), "log-log", level, name)
        for j in np.flatnonzero(curve.beyond(t)):
            raise DataError(
                f"beyond the follow-up of group {name}",
                row=int(j) + 1,
                column="times",
                value=f"{t[j]:g}",
            )
        values.append(curve.values_at(t))
    return values


def _milestone(
    name: str, at: float, control: FloatArray, treated: FloatArray, level: float
) -> dict[str, Any]:
    s0, se0, low0, high0 = settled(control)
    s1, se1, low1, high1 = settled(treated)
    term = f"survival difference at {at:g}: {name}"
    row = normal_row(term, s1 - s0, float(np.hypot(se0, se1)), level)
    row["conf_low"] = s1 - s0 - float(np.hypot(s1 - low1, high0 - s0))
    row["conf_high"] = s1 - s0 + float(np.hypot(high1 - s1, s0 - low0))
    if 0 < s0 < 1 and 0 < s1 < 1:
        spread = float(np.hypot(se0 / (s0 * np.log(s0)), se1 / (s1 * np.log(s1))))
        # log(-log S) falls as S rises: the sign is turned so that positive favours treatment.
        row["statistic"] = (np.log(-np.log(s0)) - np.log(-np.log(s1))) / spread
        row["p_value"] = float(two_sided(row["statistic"]))
    row["note"] = "" if row["std_error"] > 0 else "both curves at 0 or 1: no variance, no test"
    return {"term": row.pop("term"), "time": at, **row}


def settled(values: FloatArray) -> tuple[float, float, float, float]:
    """Return S, its error and limits; a curve at 0 or 1 has no error and no width."""
    s, se, low, high = (float(x) for x in values)
    return (s, 0.0, s, s) if s in (0.0, 1.0) else (s, se, low, high)
