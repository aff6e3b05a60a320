"""Kaplan-Meier curves with quantiles, landmarks and numbers at risk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._frame import reads
from metablin.numerics.kaplan_meier import limits, product_limit, ratio
from metablin.options import ConfType, Missing, words
from metablin.records import Record, json_dict
from metablin.survival.patients import Patients, count, groups, patients
from metablin.survival.ties import onto

__all__ = [
    "KMCurve",
    "kaplan_meier",
    "kaplan_meier_by",
    "reverse_kaplan_meier",
]

FloatArray = NDArray[np.float64]

CONF_TYPES = words(ConfType)

FLAT = 1.5e-8
"""A curve this close to 1 - p counts as equal to it (the square root of the machine epsilon)."""


FLAT_END = "the curve is flat at {:g} to its end: the first time it is there"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KMCurve(Record):
    """A Kaplan-Meier curve at the m distinct follow-up times.

    Attributes
    ----------
    time : ndarray, shape (m,)
        Distinct follow-up times, censored ones included.
    n_risk, n_event, n_censored : ndarray, shape (m,)
        Weighted counts; at risk means just before the time.
    survival : ndarray, shape (m,)
        S(t), right-continuous.
    std_error : ndarray, shape (m,)
        Greenwood's standard error of S(t); NaN where S(t) is 0, where it is not defined.
    conf_low, conf_high : ndarray, shape (m,)
        Pointwise limits; NaN where S(t) is 0.
    cumulative_hazard, std_error_hazard : ndarray, shape (m,)
        Nelson-Aalen estimate and its standard error (Aalen's).
    conf_type : str
        ``log-log``, ``log`` or ``plain``.
    level : float
        Confidence level.
    n, events : float
        Weighted patients and events.
    entry, entry_weights : ndarray, shape (n,) or (0,)
        Sorted late entries and their weights; empty when everyone is seen from time 0.
    label : str
        Name of the group.
    """

    time: FloatArray
    n_risk: FloatArray
    n_event: FloatArray
    n_censored: FloatArray
    survival: FloatArray
    std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    cumulative_hazard: FloatArray
    std_error_hazard: FloatArray
    conf_type: str
    level: float
    n: float
    events: float
    entry: FloatArray
    entry_weights: FloatArray
    label: str = ""

    @property
    def median(self) -> float:
        """Median survival time; infinite when the curve does not reach one half.

        That of a curve flat at one half is explained at `quantile`.
        """
        found = quantile_of(self.time, self.survival, 0.5)
        return np.inf if np.isnan(found) else found

    def quantile(self, p: ArrayLike = 0.5) -> pd.DataFrame:
        """Return quantiles of the event time with Brookmeyer-Crowley limits.

        The limits are where the limits of S(t) cross 1 - p. When a curve is flat at exactly
        1 - p and falls later, the quantile is the middle of the flat stretch. When it stays flat
        to the end of follow-up, it is the start of the stretch, as the median that R's survival
        prints, and ``note`` says so: its middle would move with the last censoring.

        Parameters
        ----------
        p : array-like
            Shares of patients with the event, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            ``term, p, estimate, conf_low, conf_high, conf_level, note``; infinite where not
            reached. A
            lower limit is NaN when the curve falls to 0 at once, where no limit is defined. Limits
            that rise again (late entries, weights) count where they first cross.

        References
        ----------
        Brookmeyer R, Crowley J (1982). A confidence interval for the median survival time.
        Biometrics 38:29-41. doi:10.2307/2530286

        Examples
        --------
        >>> kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0]).quantile()["estimate"].tolist()
        [2.5]
        """
        shares = _input.numeric("p", p, above=0.0)
        _input.numeric("p", 1.0 - shares, above=0.0)
        rows = []
        for share in shares:
            estimate, low, high = self.quantile_values(share)
            name = "median" if share == 0.5 else f"quantile {share:g}"
            note = (
                FLAT_END.format(1.0 - share)
                if abs(self.survival[-1] - (1.0 - share)) <= FLAT
                else ""
            )
            rows.append((name, share, estimate, low, high, self.level, note))
        return pd.DataFrame(
            rows, columns=["term", "p", "estimate", "conf_low", "conf_high", "conf_level", "note"]
        )

    def quantile_values(self, p: float) -> tuple[float, float, float]:
        """Return one quantile and its limits as numbers; see `quantile`.

        Examples
        --------
        >>> kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0]).quantile_values(0.5)[0]
        2.5
        """
        values = [
            quantile_of(self.time, y, p) for y in (self.survival, self.conf_low, self.conf_high)
        ]
        estimate, low, high = (np.inf if np.isnan(v) else v for v in values)
        # The lower limit is not defined where the curve is 0.
        return estimate, np.nan if low > estimate else low, high

    def survival_at(self, times: ArrayLike) -> pd.DataFrame:
        """Return survival at landmark times.

        Returns
        -------
        pandas.DataFrame
            ``term, time, estimate, std_error, conf_low, conf_high, conf_level, n_risk, note``.
            Beyond the last follow-up of a curve that has not reached 0 the estimate is NaN and
            ``note`` says so.
        """
        t = _input.numeric("times", times, minimum=0.0)
        estimate, std_error, low, high = self.values_at(t)
        return pd.DataFrame(
            {
                "term": [f"survival at {x:g}" for x in t],
                "time": t,
                "estimate": estimate,
                "std_error": std_error,
                "conf_low": low,
                "conf_high": high,
                "conf_level": self.level,
                "n_risk": self.n_risk_at(t),
                "note": np.where(self.beyond(t), "beyond follow-up", ""),
            }
        )

    def beyond(self, t: FloatArray) -> NDArray[np.bool_]:
        """Return where times lie past the last follow-up of a curve that has not reached 0."""
        return np.asarray((onto(t, self.time) > self.time[-1]) & (self.survival[-1] > 0))

    def values_at(self, t: FloatArray) -> FloatArray:
        """Return S(t), its standard error and limits, (4, m); NaN beyond follow-up."""
        i = np.searchsorted(self.time, onto(t, self.time), side="right") - 1
        rows = np.array([self.survival, self.std_error, self.conf_low, self.conf_high])
        out = np.where(i < 0, np.array([[1.0], [0.0], [1.0], [1.0]]), rows[:, np.maximum(i, 0)])
        out[:, self.beyond(t)] = np.nan
        return out

    def at_risk(self, times: ArrayLike) -> pd.DataFrame:
        """Return numbers at risk, with what happened since the row before.

        The convention: ``n_risk`` is just before the time, so an event or censoring at exactly
        that time is still counted; ``n_event``, ``n_censored`` and ``n_entered`` are of the
        interval from the previous row's time (included) to this one (excluded). Each row is the
        one before, less events and censorings, plus entries.

        Returns
        -------
        pandas.DataFrame
            ``time, n_risk, n_event, n_censored, n_entered, cumulative_events``.
        """
        t = np.sort(_input.numeric("times", times, minimum=0.0))
        i = np.searchsorted(self.time, onto(t, self.time), side="left")
        events = np.r_[0.0, np.cumsum(self.n_event)][i]
        censored = np.r_[0.0, np.cumsum(self.n_censored)][i]
        risk = self.n_risk_at(t)
        entered = risk + events + censored
        return pd.DataFrame(
            {
                "time": t,
                "n_risk": risk,
                "n_event": np.diff(events, prepend=0.0),
                "n_censored": np.diff(censored, prepend=0.0),
                "n_entered": np.diff(entered, prepend=0.0),
                "cumulative_events": events,
            }
        )

    def n_risk_at(self, times: FloatArray) -> FloatArray:
        """Return the numbers at risk just before times, (m,), as numbers; see `at_risk`.

        Examples
        --------
        >>> kaplan_meier([1, 2, 3, 4], [1, 1, 0, 1]).n_risk_at(np.array([0.0, 2.0])).tolist()
        [4.0, 3.0]
        """
        t = onto(times, self.time)
        i = np.searchsorted(self.time, t, side="left")
        left = np.r_[0.0, np.cumsum(self.n_event + self.n_censored)][i]
        entered = np.full(t.shape, self.n)
        if self.entry.size:
            late = np.r_[0.0, np.cumsum(self.entry_weights)]
            index = np.searchsorted(self.entry, onto(t, self.entry), side="left")
            entered = self.n - late[-1] + late[index]
        # Rounding of fractional weights must not leave a negative count.
        return np.asarray(np.maximum(entered - left, 0.0))

    def to_frame(self) -> pd.DataFrame:
        """Return the curve, one row a distinct time."""
        names = [
            "time",
            "n_risk",
            "n_event",
            "n_censored",
            "survival",
            "std_error",
            "conf_low",
            "conf_high",
            "cumulative_hazard",
            "std_error_hazard",
        ]
        frame = pd.DataFrame({name: getattr(self, name) for name in names})
        if self.label:
            frame.insert(0, "group", self.label)
        return frame

    def summary(self) -> str:
        """Return patients, events and the median as text."""
        q = self.quantile().iloc[0]
        name = f"{self.label}: " if self.label else ""
        return (
            f"{name}{self.n:g} patients, {self.events:g} events, median "
            f"{_reached(q['estimate'])} ({self.level:.0%} CI {_reached(q['conf_low'])} to "
            f"{_reached(q['conf_high'])}; {self.conf_type})" + (q["note"] and f"; {q['note']}")
        )

    def to_dict(self) -> dict[str, Any]:
        """Return counts, the median and the curve, ready for JSON."""
        q = self.quantile().iloc[0]
        curve = {c: self.to_frame()[c].to_numpy() for c in self.to_frame().columns if c != "group"}
        return json_dict(
            {
                "n": self.n,
                "events": self.events,
                "conf_type": self.conf_type,
                "conf_level": self.level,
                "median": {k: q[k] for k in ("estimate", "conf_low", "conf_high")},
                "curve": curve,
            }
        )


def _reached(value: float) -> str:
    if np.isnan(value):
        return "not defined"
    return "not reached" if np.isinf(value) else f"{value:.4g}"


@reads("time", "event", optional=("entry", "weights"))
def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    conf_type: ConfType = "log-log",
    level: float = 0.95,
    label: str = "",
    data: Any = None,
    missing: Missing = "error",
) -> KMCurve:
    """Estimate a survival curve by the product-limit method.

    Parameters
    ----------
    time : array-like, shape (n,)
        Follow-up, in months by convention, at least 0.
    event : array-like, shape (n,)
        1 event, 0 censored.
    entry : array-like, shape (n,), optional
        Start of observation (left truncation), less than `time`.
    weights : array-like, shape (n,), optional
        Positive case weights.
    conf_type : {"log-log", "log", "plain"}
        Scale of the pointwise interval.
    level : float
        Confidence level.
    label : str
        Name of the group, for tables and figures.

    Returns
    -------
    KMCurve

    Raises
    ------
    DataError
        Naming row, column and value.

    References
    ----------
    Kaplan EL, Meier P (1958). Nonparametric estimation from incomplete observations.
    J Am Stat Assoc 53:457-481, eqs 2b, 6e. doi:10.1080/01621459.1958.10501452

    Kalbfleisch JD, Prentice RL (2002). The Statistical Analysis of Failure Time Data, section
    1.4 (log-log interval). doi:10.1002/9781118032985

    Examples
    --------
    >>> kaplan_meier([1, 2, 3, 4], [1, 0, 1, 1]).survival
    array([0.75 , 0.75 , 0.375, 0.   ])
    """
    p = patients(time, event, entry, weights)
    conf_type = _input.choice("conf_type", conf_type, CONF_TYPES)
    return curve_of(p, conf_type, _input.level(level), label)


@reads("time", "event", "group", optional=("entry", "weights"))
def kaplan_meier_by(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    conf_type: ConfType = "log-log",
    level: float = 0.95,
    control: object = None,
    data: Any = None,
    missing: Missing = "error",
) -> dict[str, KMCurve]:
    """Estimate a survival curve for each group, in the order of the groups (control first).

    Parameters are those of `kaplan_meier`; `control` is the label of the reference group.

    Examples
    --------
    >>> list(kaplan_meier_by([1, 2, 3], [1, 1, 0], ["b", "a", "b"]))
    ['a', 'b']
    """
    p = patients(time, event, entry, weights)
    g = groups(group, p.n, control, minimum=1)
    conf_type = _input.choice("conf_type", conf_type, CONF_TYPES)
    return {
        name: curve_of(p.take(g.codes == i), conf_type, _input.level(level), name)
        for i, name in enumerate(g.levels)
    }


@reads("time", "event")
def reverse_kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    *,
    conf_type: ConfType = "log-log",
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> KMCurve:
    """Estimate the distribution of follow-up: censoring is the event, death censors.

    The median of the returned curve is the median follow-up.

    References
    ----------
    Schemper M, Smith TL (1996). A note on quantifying follow-up in studies of failure time.
    Control Clin Trials 17:343-346. doi:10.1016/0197-2456(96)00075-X

    Examples
    --------
    >>> reverse_kaplan_meier([1, 2, 3, 4], [1, 0, 1, 0]).median
    4.0
    """
    p = patients(time, event)
    turned = Patients(p.time, 1.0 - p.event, None, None)
    conf_type = _input.choice("conf_type", conf_type, CONF_TYPES)
    return curve_of(turned, conf_type, _input.level(level), "follow-up")


def curve_of(p: Patients, conf_type: str, level: float, label: str) -> KMCurve:
    """Return the curve of checked patients."""
    c = count(p)
    survival, se_log = product_limit(c.n_event, c.n_risk)
    # Between events nothing changes: the limits are computed at events and carried on.
    steps = c.n_event > 0
    carried = np.cumsum(steps)
    low, high = (
        np.concatenate(([1.0], side))[carried]
        for side in limits(survival[steps], se_log[steps], conf_type, level)
    )
    with np.errstate(invalid="ignore"):
        std_error = survival * se_log
    late = np.zeros(0) if p.entry is None else p.entry[p.entry > 0.0]
    order = np.argsort(late)
    return KMCurve(
        time=c.time,
        n_risk=c.n_risk,
        n_event=c.n_event,
        n_censored=c.n_censored,
        survival=survival,
        std_error=std_error,
        conf_low=low,
        conf_high=high,
        cumulative_hazard=np.cumsum(ratio(c.n_event, c.n_risk)),
        std_error_hazard=np.sqrt(np.cumsum(ratio(c.n_event, c.n_risk**2))),
        conf_type=conf_type,
        level=level,
        n=float(p.w.sum()),
        events=float(c.n_event.sum()),
        entry=late[order],
        entry_weights=np.zeros(0) if p.entry is None else p.w[p.entry > 0.0][order],
        label=_input.text(label),
    )


def quantile_of(time: FloatArray, curve: FloatArray, p: float) -> float:
    """Return the first time a falling curve is at 1 - p or below; NaN when it never is.

    The middle of a stretch that is flat at 1 - p, if the curve falls after it.
    """
    target = 1.0 - p
    below = np.flatnonzero(curve <= target + FLAT)
    if below.size == 0:
        return np.nan
    i = int(below[0])
    if curve[i] < target - FLAT:
        return float(time[i])
    under = np.flatnonzero(curve < target - FLAT)
    end = time[int(under[0])] if under.size else time[i]
    return float((time[i] + end) / 2.0)
