"""Groups formed after treatment began, as responders are: compared fairly or not at all.

Whoever responds, or reaches a transplant, has survived until then. A comparison from the start of
treatment credits that survival to the response or the transplant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._input import choice, labels, numeric, same_length, within
from metablin._moved import Renamed
from metablin.errors import DataError, warn
from metablin.records import Row
from metablin.survival.cox import CoxFit, cox
from metablin.survival.km import KMCurve
from metablin.survival.landmark import simon_makuch as survival_by_response
from metablin.survival.ties import join, onto

__all__ = [
    "METHODS",
    "PostBaseline",
    "compare_counts_after_baseline",
    "compare_groups_after_baseline",
    "immortal_time_bounds",
    "simon_makuch",
]

FloatArray = NDArray[np.float64]

METHODS = ("time-dependent", "landmark", "naive")
REFUSAL = (
    "groups formed after treatment began cannot be compared from its start: whoever reached the "
    "later group had to survive until then (immortal time)"
)


@dataclass(frozen=True, slots=True, repr=False)
class PostBaseline(Row):
    """The hazard ratio of those who changed group over those who did not.

    Attributes
    ----------
    method : str
        ``time-dependent``, ``landmark`` or ``naive``.
    landmark : float
        Time from which the landmark comparison starts; NaN otherwise.
    log_hr, std_error, estimate, conf_low, conf_high, level : float
    n, n_changed, n_left_out : int
        Patients compared, those of them in the later group, and those left out because they had
        died or been censored by the landmark.
    immortal_time : bool
        True for the naive comparison only.
    """

    method: str
    landmark: float
    log_hr: float
    std_error: float
    estimate: float
    conf_low: float
    conf_high: float
    level: float
    n: int
    n_changed: int
    n_left_out: int
    immortal_time: bool

    conf_level = Renamed("level")


def compare_groups_after_baseline(
    time: ArrayLike,
    event: ArrayLike,
    changed_at: ArrayLike,
    *,
    method: str = "time-dependent",
    landmark: float | None = None,
    allow_naive: bool = False,
    level: float = 0.95,
) -> PostBaseline:
    """Compare patients who responded, or were transplanted, with those who were not.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up from the start of treatment and 1 event, 0 censored.
    changed_at : array-like, shape (n,)
        Time of response or transplant; NaN or empty where there was none.
    method : {"time-dependent", "landmark", "naive"}
        The change as a time-dependent covariate; groups as they stand at `landmark`, among those
        still followed; or ever against never from time zero.
    landmark : float, optional
        Needed for ``landmark``.
    allow_naive : bool
        Without it the naive comparison is refused.
    level : float
        Confidence level.

    Returns
    -------
    PostBaseline

    Raises
    ------
    DataError
        For a naive comparison that was not allowed in so many words, a landmark without a time or
        a time without a landmark, or bad data.
    ConvergenceError
        When a group has no events.

    Warns
    -----
    MetablinWarning
        When the naive comparison was allowed.

    References
    ----------
    Anderson JR, Cain KC, Gelber RD (1983). J Clin Oncol 1:710-719. doi:10.1200/JCO.1983.1.11.710
    Mantel N, Byar DP (1974). J Am Stat Assoc 69:81-86. doi:10.1080/01621459.1974.10480131

    Examples
    --------
    >>> found = compare_groups_after_baseline(
    ...     [3, 5, 9, 12, 20, 24], [1, 1, 1, 1, 0, 1], [None, 2, None, 4, 3, None],
    ...     method="landmark", landmark=4)
    >>> found.n, found.n_changed, found.n_left_out
    (5, 3, 1)
    """
    method = choice("method", method, METHODS)
    if landmark is not None and method != "landmark":
        raise DataError("only a landmark comparison has one", column="landmark", value=landmark,
                        allowed="method='landmark'")  # fmt: skip
    t, e, at = _checked(time, event, changed_at)
    if method == "naive":
        refuse_naive(allow_naive)
        fit = cox(t, e, (~np.isnan(at)).astype(int), level=level)
        return _result("naive", np.nan, fit, len(t), int((~np.isnan(at)).sum()), 0)
    if method == "landmark":
        if landmark is None:
            raise DataError("a landmark comparison needs a time", column="landmark")
        start = float(numeric("landmark", landmark, minimum=0)[0])
        keep = t > start
        group = at[keep] <= start
        fit = cox(t[keep] - start, e[keep], group.astype(int), level=level)
        left_out = int((~keep).sum())
        return _result("landmark", start, fit, int(keep.sum()), int(group.sum()), left_out)
    entry, exit_, failed, later = spells(t, e, at)
    fit = cox(exit_, failed, later, entry=entry, level=level)
    return _result("time-dependent", np.nan, fit, len(t), int(later.sum()), 0)


def refuse_naive(allowed: bool) -> None:
    """Raise unless a naive comparison was allowed in so many words; then warn."""
    if not allowed:
        raise DataError(
            REFUSAL, column="method", value="naive",
            allowed="time-dependent | landmark; or allow_naive=True to describe the bias",
        )  # fmt: skip
    warn(REFUSAL)


def compare_counts_after_baseline(
    events_changed: int,
    n_changed: int,
    events_unchanged: int,
    n_unchanged: int,
    *,
    allow_naive: bool = False,
) -> pd.DataFrame:
    """Set the outcome of two groups formed after baseline side by side, if allowed.

    Published counts (relapses among the transplanted and among the others) carry no times, so no
    fair comparison follows from them; without `allow_naive` the answer is a refusal. With it, the
    rates come back with exact intervals and no contrast.

    Returns
    -------
    pandas.DataFrame
        ``group, events, n, estimate, conf_low, conf_high, immortal_time``.

    Raises
    ------
    DataError
        Unless `allow_naive`, or for impossible counts.

    Warns
    -----
    MetablinWarning
        Always, when allowed.

    Examples
    --------
    >>> compare_counts_after_baseline(3, 10, 5, 12)
    Traceback (most recent call last):
    ...
    metablin.errors.DataError: column 'method', value naive: groups formed after treatment began \
cannot be compared from its start: whoever reached the later group had to survive until then \
(immortal time); allowed: time-dependent | landmark; or allow_naive=True to describe the bias
    """
    from statsmodels.stats.proportion import proportion_confint

    x = numeric("events", [events_changed, events_unchanged], minimum=0, integer=True)
    n = numeric("n", [n_changed, n_unchanged], minimum=1, integer=True)
    within("events", x, n)
    refuse_naive(allow_naive)
    low, high = proportion_confint(x, n, method="beta")
    return pd.DataFrame({
        "group": ["changed", "unchanged"], "events": x, "n": n, "estimate": x / n,
        "conf_low": np.where(x == 0, 0.0, low), "conf_high": np.where(x == n, 1.0, high),
        "immortal_time": True,
    })  # fmt: skip


def simon_makuch(
    time: ArrayLike, event: ArrayLike, changed_at: ArrayLike, *, landmark: float = 0.0
) -> tuple[KMCurve, KMCurve]:
    """Return the curves of :func:`metablin.simon_makuch`, which took the place of this function."""
    warn(
        "metablin.mrd.simon_makuch is now metablin.simon_makuch(...).curves; the old name goes "
        "with version 0.2",
        DeprecationWarning,
    )
    curves = survival_by_response(time, event, changed_at, landmark).curves
    return curves["responder"], curves["non-responder"]


def immortal_time_bounds(
    hr: float,
    hazard_unchanged: float,
    window: float,
    followup: float,
    share: float,
) -> tuple[float, float]:
    """Return the range of the hazard ratio once immortal time is taken out.

    With constant hazards, a naive comparison divides the events of the changed by their time
    since baseline, of which up to `window` a patient could not hold an event. Moving ``w`` of it
    per changed patient to the unchanged, ``w`` between 0 and `window`, multiplies the ratio by
    ``T_c / (T_c - w) * (T_u + w p / (1 - p)) / T_u`` with T the mean time at risk.

    Parameters
    ----------
    hr : float
        Hazard ratio as compared from baseline, changed over unchanged.
    hazard_unchanged : float
        Hazard of the unchanged, per unit of time.
    window : float
        Latest time of the change.
    followup : float
        Potential follow-up.
    share : float
        Share p of the changed among all; strictly between 0 and 1.

    Returns
    -------
    low, high : float
        ``hr`` itself (all changed at once) and the ratio with every change at `window`.

    Raises
    ------
    DataError
        When a value is out of range or `window` exceeds the mean time at risk of the changed.

    References
    ----------
    Suissa S (2008). Immortal time bias in pharmacoepidemiology. Am J Epidemiol 167:492-499.
    doi:10.1093/aje/kwm324

    Examples
    --------
    >>> low, high = immortal_time_bounds(0.5, 0.05, window=2.0, followup=24.0, share=0.5)
    >>> low, round(high, 3)
    (0.5, 0.643)
    """
    named = {"hr": hr, "hazard_unchanged": hazard_unchanged, "followup": followup}
    h, u, f = (float(numeric(n, v, above=0)[0]) for n, v in named.items())
    w, p = float(numeric("window", window, minimum=0)[0]), float(numeric("share", share)[0])
    if not 0 < p < 1:
        raise DataError("not a share", column="share", value=p, allowed="between 0 and 1")
    t_changed, t_unchanged = (-np.expm1(-rate * f) / rate for rate in (h * u, u))
    if w >= t_changed:
        raise DataError("longer than the mean time at risk", column="window", value=w,
                        allowed=f"less than {t_changed:.3g}")  # fmt: skip
    factor = t_changed / (t_changed - w) * (t_unchanged + w * p / (1 - p)) / t_unchanged
    return h, float(h * factor)


def _checked(
    time: ArrayLike, event: ArrayLike, changed_at: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    t, e = numeric("time", time, minimum=0), numeric("event", event, minimum=0, maximum=1)
    at = numeric("changed_at", changed_at, minimum=0, missing=True)
    names = labels(None, same_length(time=t, event=e, changed_at=at))
    t, at = join(t)[0], onto(at, np.unique(t))
    late = np.flatnonzero(at > t)
    if late.size:
        i = int(late[0])
        raise DataError("changed group after the end of follow-up", row=i + 1, column="changed_at",
                        value=at[i], allowed=f"at most {t[i]:g}", study=names[i])  # fmt: skip
    return t, e, at


def spells(
    t: FloatArray, e: FloatArray, at: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.intp]]:
    """Split follow-up at the change: entry, exit, event and group of every spell of some length."""
    change = ~np.isnan(at)
    before_exit = np.where(change, at, t)
    entry = np.concatenate([np.zeros(len(t)), at[change]])
    exit_ = np.concatenate([before_exit, t[change]])
    failed = np.concatenate([np.where(change, 0.0, e), e[change]])
    later = np.concatenate([np.zeros(len(t)), np.ones(int(change.sum()))]).astype(np.intp)
    keep = exit_ > entry
    return entry[keep], exit_[keep], failed[keep], later[keep]


def _result(
    method: str, landmark: float, fit: CoxFit, n: int, changed: int, left_out: int
) -> PostBaseline:
    row = fit.to_frame().iloc[0]
    return PostBaseline(
        method, landmark, float(fit.log_hr[0]), float(fit.std_error[0]), fit.hr,
        float(row["conf_low"]), float(row["conf_high"]), fit.level, n, changed, left_out,
        method == "naive",
    )  # fmt: skip
