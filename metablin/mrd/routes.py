"""The log hazard ratio of responders over non-responders, from whatever a paper prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._input import level as check_level
from metablin._input import needed, numeric, within
from metablin.effects import EffectSizes, hazard_ratios_reported
from metablin.effects.sizes import build
from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.records import Record, json_dict
from metablin.survival.cox import CoxFit, cox

__all__ = [
    "ROUTES",
    "LogHR",
    "ResponderHR",
    "expected_events",
    "hr_from_medians",
    "hr_from_oe",
    "hr_from_p",
    "hr_from_patients",
    "responder_hazard_ratios",
]

FloatArray = NDArray[np.float64]

ROUTES = {
    "patients": "Cox regression of individual or reconstructed times",
    "hr_interval": "hazard ratio with its interval",
    "hr_p": "hazard ratio with its p-value",
    "p_events": "p-value and observed events",
    "p_medians": "ratio of medians with the standard error that gives the printed p-value",
    "p_expected_events": "p-value and events expected from medians and follow-up",
    "medians_events": "ratio of medians with observed events",
    "medians_expected_events": "ratio of medians with events expected from follow-up",
}
"""Routes from best to worst; those from `p_medians` on assume exponential survival somewhere."""

EXACT = ("patients", "hr_interval", "hr_p", "p_events")
PRINTED_AS = {
    "low": "hr_low", "high": "hr_high", "level": "hr_level",
    **{f"{c}_{a}": f"{c}_{b}" for c in ("events", "median")
       for a, b in (("treatment", "responders"), ("control", "nonresponders"))},
}  # fmt: skip
"""Columns of the general rules by their names in a table of responders, for error messages."""

SAFE_TIMING = ("landmark", "time-dependent")
OPTIONAL = (
    "hr", "hr_low", "hr_high", "p_value", "n_responders", "n_nonresponders",
    "events_responders", "events_nonresponders", "median_responders", "median_nonresponders",
    "followup", "median_all",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogHR:
    """A log hazard ratio with its standard error and the route it came by."""

    log_hr: float
    std_error: float
    route: str = ""
    note: str = ""


def hr_from_oe(o_minus_e: float, v: float) -> LogHR:
    """Return the log hazard ratio from a log-rank difference and its variance.

    Parameters
    ----------
    o_minus_e : float
        Observed minus expected events in the first group.
    v : float
        Hypergeometric variance of the difference.

    Returns
    -------
    LogHR
        ``log HR = (O - E) / V``, ``se = 1 / sqrt(V)``.

    Raises
    ------
    DataError
        When `v` is not positive.

    References
    ----------
    Tierney JF, Stewart LA, Ghersi D, Burdett S, Sydes MR (2007), Trials 8:16, section 1.
    doi:10.1186/1745-6215-8-16

    Examples
    --------
    >>> round(hr_from_oe(-10.0, 25.0).log_hr, 3)
    -0.4
    """
    return _reported("oe", observed_minus_expected=o_minus_e, variance=v)


def _reported(route: str, **printed: Any) -> LogHR:
    """Return what :func:`metablin.effects.hazard_ratios_reported` makes of one study."""
    e = hazard_ratios_reported({name: [value] for name, value in printed.items()})
    return LogHR(float(e.yi[0]), float(e.vi[0] ** 0.5), route)


def hr_from_p(
    p: float,
    events_first: float,
    events_second: float,
    *,
    favours_first: bool = True,
    sides: int = 2,
) -> LogHR:
    """Return the log hazard ratio from a p-value and the events of both groups.

    Parameters
    ----------
    p : float
        Log-rank (or Cox) p-value, strictly between 0 and 1.
    events_first, events_second : float
        Events in the group of interest and in the other.
    favours_first : bool
        Whether the first group did better, which gives the log hazard ratio its minus sign.
    sides : {2, 1}
        Sides of the test.

    Returns
    -------
    LogHR
        ``log HR = +-z / sqrt(V)`` with ``V = e1 e2 / (e1 + e2)``.

    Raises
    ------
    DataError
        When the p-value or a count is out of range.

    References
    ----------
    Parmar MKB, Torri V, Stewart L (1998), Stat Med 17:2815-2834, eqs 6, 8 and 9.
    Tierney JF and others (2007), Trials 8:16, sections 7 to 9. doi:10.1186/1745-6215-8-16

    Examples
    --------
    A trial of chemotherapy before surgery or radiotherapy for bladder cancer (Tierney 2007):
    229 and 256 deaths, p = 0.075, printed hazard ratio 0.85.

    >>> round(float(np.exp(hr_from_p(0.075, 229, 256).log_hr)), 2)
    0.85
    """
    return _reported(
        "p_events", p_value=p, sides=sides, events_treatment=events_first,
        events_control=events_second, favours="treatment" if favours_first else "control",
    )  # fmt: skip


def hr_from_medians(
    median_first: float, median_second: float, events_first: float, events_second: float
) -> LogHR:
    """Return the log hazard ratio of two exponential groups from their medians (approximate).

    Parameters
    ----------
    median_first, median_second : float
        Median survival, in one unit.
    events_first, events_second : float
        Events in both groups.

    Returns
    -------
    LogHR
        ``log HR = log(m2 / m1)``, ``se^2 = 1/e1 + 1/e2``. Hazards must be constant; a plateau or
        a late separation of the curves breaks the ratio of medians.

    Raises
    ------
    DataError
        When a value is not positive.

    References
    ----------
    Machin D, Cheung YB, Parmar MKB (2006), Survival Analysis, 2nd ed., ch. 4.
    doi:10.1002/0470034572

    Examples
    --------
    >>> fit = hr_from_medians(20.0, 10.0, 50, 50)
    >>> round(float(np.exp(fit.log_hr)), 2), round(fit.std_error, 2)
    (0.5, 0.2)
    """
    return _reported(
        "medians_events", median_treatment=median_first, median_control=median_second,
        events_treatment=events_first, events_control=events_second,
    )  # fmt: skip


def hr_from_patients(
    draws: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike]], *, level: float = 0.95
) -> LogHR:
    """Return the log hazard ratio of responders from individual or reconstructed times.

    Parameters
    ----------
    draws : iterable of (time, event, responder)
        One data set, or several reconstructions of the same curves; `responder` is 1 or 0. Time
        counts from the landmark the curves start at.
    level : float
        Confidence level handed to the regression.

    Returns
    -------
    LogHR
        The mean over draws, its variance by Rubin's rules.

    Raises
    ------
    DataError
        When there is no draw, or one lacks a group.
    ConvergenceError
        When a group has no events.

    References
    ----------
    Rubin DB (1987), Multiple Imputation for Nonresponse in Surveys, eqs 3.1.2 to 3.1.5.
    doi:10.1002/9780470316696

    Examples
    --------
    >>> one = ([5, 8, 12, 3, 4, 9], [1, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    >>> found = hr_from_patients([one, one])
    >>> found.log_hr < 0, found.std_error == hr_from_patients([one]).std_error
    (True, True)
    """
    fits = [_regression(i, draw, level) for i, draw in enumerate(draws, start=1)]
    if not fits:
        raise DataError("no data set", column="draws", allowed="at least one")
    estimates = np.array([f.log_hr[0] for f in fits])
    within = float(np.mean([f.std_error[0] ** 2 for f in fits]))
    between = float(estimates.var(ddof=1)) * (1 + 1 / len(fits)) if len(fits) > 1 else 0.0
    return LogHR(float(estimates.mean()), (within + between) ** 0.5, "patients")


def _regression(place: int, draw: Any, level: float) -> CoxFit:
    if len(draw) != 3:
        raise DataError("not one data set", column="draws", row=place, value=f"{len(draw)} arrays",
                        allowed="time, event, responder")  # fmt: skip
    time, event, responder = draw
    group = numeric("responder", responder, minimum=0, maximum=1, integer=True)
    return cox(time, event, group.astype(int), level=level)


def expected_events(n: float, median: float, followup: float) -> float:
    """Return events expected among `n` patients followed for `followup` with constant hazard.

    Examples
    --------
    >>> expected_events(40, 12.0, 24.0)
    30.0
    """
    for name, value in (("n", n), ("median", median), ("followup", followup)):
        numeric(name, value, above=0)
    return float(n * -np.expm1(-np.log(2) * followup / median))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResponderHR(Record):
    """Log hazard ratios of responders over non-responders, one row a comparison.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``study, endpoint, log_hr, std_error, estimate, conf_low, conf_high, conf_level, route,
        approximate, timing, immortal_time, note``. Rows without a usable number keep NaN and say
        why in `note`.
    """

    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the rows."""
        return self.frame.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the rows as JSON-ready Python types."""
        return json_dict({"comparisons": self.frame})

    def effects(
        self, endpoints: tuple[str, ...] | None = None, *, approximate: bool = True
    ) -> EffectSizes:
        """Return the usable rows of some endpoints as effect sizes, ready to pool.

        Parameters
        ----------
        endpoints : tuple of str, optional
            All by default.
        approximate : bool
            Keep rows whose route needs a distributional assumption.
        """
        rows = self.frame.loc[self.frame["log_hr"].notna()]
        if endpoints is not None:
            rows = rows.loc[rows["endpoint"].isin(list(endpoints))]
        if not approximate:
            rows = rows.loc[~rows["approximate"]]
        yi, vi = rows["log_hr"].to_numpy(float), rows["std_error"].to_numpy(float) ** 2
        counts = {c: rows[c].to_numpy(float) for c in ("estimate", "conf_low", "conf_high")}
        return build(yi, vi, tuple(rows["study"].astype(str)), "hr", "log", counts)


def responder_hazard_ratios(data: pd.DataFrame, *, level: float = 0.95) -> ResponderHR:
    """Return the hazard ratio of responders over non-responders of every row by its best route.

    Parameters
    ----------
    data : pandas.DataFrame
        ``study`` and, where known, ``endpoint, timing`` (``landmark``, ``time-dependent`` or
        anything else, which is flagged for immortal time), ``hr, hr_low, hr_high, hr_level,
        p_value, n_responders, n_nonresponders, events_responders, events_nonresponders,
        median_responders, median_nonresponders, median_all, followup`` (times in one unit) and
        ``median_responders_state, median_nonresponders_state`` (``NR`` or ``NE`` when open).
    level : float
        Confidence level of the result.

    Returns
    -------
    ResponderHR

    Raises
    ------
    DataError
        When `study` is missing or a number is impossible.

    Examples
    --------
    >>> rows = pd.DataFrame({"study": ["A"], "median_responders": [20.0],
    ...     "median_nonresponders": [10.0], "p_value": [0.05]})
    >>> found = responder_hazard_ratios(rows).to_frame()
    >>> found["route"][0], round(float(found["estimate"][0]), 2), bool(found["immortal_time"][0])
    ('p_medians', 0.5, True)
    """
    needed(data, ("study",), ("study",))
    names = data["study"].astype(str).tolist()
    columns = {c: numeric(c, data[c], missing=True, studies=names) for c in OPTIONAL if c in data}
    _within(columns, names)
    level = check_level(level)
    z = float(critical(level))
    records = []
    for i in range(len(data)):
        row = data.iloc[i]
        known = {c: float(x[i]) for c, x in columns.items() if not np.isnan(x[i])}
        if "hr_level" in data and not pd.isna(row["hr_level"]):
            known["hr_level"] = float(row["hr_level"])
        for group in ("responders", "nonresponders"):
            known[f"open_{group}"] = float(row.get(f"median_{group}_state") in ("NR", "NE"))
        found = _of_row(known, i + 1, names[i])
        timing = row.get("timing", "")
        timing = "not stated" if pd.isna(timing) or timing == "" else str(timing)
        records.append(
            {
                "study": str(row["study"]),
                "endpoint": str(row.get("endpoint", "")),
                "log_hr": found.log_hr,
                "std_error": found.std_error,
                "estimate": float(np.exp(found.log_hr)),
                "conf_low": float(np.exp(found.log_hr - z * found.std_error)),
                "conf_high": float(np.exp(found.log_hr + z * found.std_error)),
                "conf_level": level,
                "route": found.route,
                "approximate": found.route not in EXACT,
                "timing": timing,
                "immortal_time": timing not in SAFE_TIMING,
                "note": found.note,
            }
        )
    return ResponderHR(pd.DataFrame(records))


def _within(columns: Mapping[str, FloatArray], names: list[str]) -> None:
    """Check that no group has more events than patients."""
    for group in ("responders", "nonresponders"):
        events, n = (columns.get(f"{c}_{group}") for c in ("events", "n"))
        if events is None or n is None:
            continue
        within(f"events_{group}", events, n, names, f"n_{group}")


def _of_row(known: Mapping[str, float], row: int, study: str) -> LogHR:
    """Return the best route of a row; an error names that row."""
    for name, value in known.items():
        if (name.startswith("median_") or name == "followup") and value <= 0:
            raise DataError("not allowed", row=row, column=name, value=f"{value:g}",
                            allowed="greater than 0", study=study)  # fmt: skip
    try:
        return _best(known)
    except DataError as error:
        raise DataError(
            error.message, row=row, column=PRINTED_AS.get(str(error.column), error.column),
            value=error.value, allowed=error.allowed, study=study,
        ) from None  # fmt: skip


def _best(known: Mapping[str, float]) -> LogHR:
    for route, needs, run in _ORDER:
        if all(n in known for n in needs):
            found = run(known)
            if found is not None:
                return LogHR(found.log_hr, found.std_error, route, ROUTES[route])
    return LogHR(np.nan, np.nan, "", "nothing printed from which a hazard ratio follows")


def _interval(x: Mapping[str, float]) -> LogHR:
    level = x.get("hr_level", 0.95)
    return _reported("hr_interval", hr=x["hr"], low=x["hr_low"], high=x["hr_high"], level=level)


def _hr_p(x: Mapping[str, float]) -> LogHR | None:
    return None if x["hr"] == 1 else _reported("hr_p", hr=x["hr"], p_value=x["p_value"])


def _p_events(x: Mapping[str, float]) -> LogHR:
    return hr_from_p(
        x["p_value"], x["events_responders"], x["events_nonresponders"],
        favours_first=x.get("median_responders", np.inf) >= x.get("median_nonresponders", 0.0),
    )  # fmt: skip


def _p_medians(x: Mapping[str, float]) -> LogHR | None:
    """Test-based standard error: ``|log HR| / z`` (Miettinen 1976, Am J Epidemiol 103:226)."""
    ratio = x["median_nonresponders"] / x["median_responders"]
    return None if ratio == 1 else _reported("p_medians", hr=ratio, p_value=x["p_value"])


def _p_expected(x: Mapping[str, float]) -> LogHR | None:
    events = _expected_pair(x)
    return None if events is None else hr_from_p(x["p_value"], *events)


def _medians_events(x: Mapping[str, float]) -> LogHR:
    return hr_from_medians(
        x["median_responders"], x["median_nonresponders"],
        x["events_responders"], x["events_nonresponders"],
    )  # fmt: skip


def _medians_expected(x: Mapping[str, float]) -> LogHR | None:
    events = _expected_pair(x)
    if events is None:
        return None
    return hr_from_medians(x["median_responders"], x["median_nonresponders"], *events)


def _expected_pair(x: Mapping[str, float]) -> tuple[float, float] | None:
    """Return expected events of both groups.

    A group without a median gets the cohort's, but no more than half its patients when its own
    median was not reached.
    """
    found = []
    for group in ("responders", "nonresponders"):
        median = x.get(f"median_{group}", x.get("median_all"))
        if median is None:
            return None
        events = expected_events(x[f"n_{group}"], median, x["followup"])
        cap = x[f"n_{group}"] / 2 if x.get(f"open_{group}") else np.inf
        found.append(min(events, cap))
    return found[0], found[1]


_SIZES = ("n_responders", "n_nonresponders", "followup")
_MEDIANS = ("median_responders", "median_nonresponders")
_ORDER: tuple[tuple[str, tuple[str, ...], Callable[[Mapping[str, float]], LogHR | None]], ...] = (
    ("hr_interval", ("hr", "hr_low", "hr_high"), _interval),
    ("hr_p", ("hr", "p_value"), _hr_p),
    ("p_events", ("p_value", "events_responders", "events_nonresponders"), _p_events),
    ("p_medians", ("p_value", *_MEDIANS), _p_medians),
    ("p_expected_events", ("p_value", *_SIZES), _p_expected),
    ("medians_events", (*_MEDIANS, "events_responders", "events_nonresponders"), _medians_events),
    ("medians_expected_events", (*_MEDIANS, *_SIZES), _medians_expected),
)
