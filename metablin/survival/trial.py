"""Everything a trial's patients say in one call: curves, landmarks, means, tests, models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from metablin import _input
from metablin.errors import ConvergenceError, DataError, warn
from metablin.options import ConfType
from metablin.records import Record, json_dict
from metablin.survival.comparison import logrank, max_combo, milestone_difference
from metablin.survival.cox import cox, proportional_hazards_test
from metablin.survival.km import KMCurve, kaplan_meier_by, reverse_kaplan_meier
from metablin.survival.parametric import ParametricComparison, compare_parametric
from metablin.survival.patients import Groups, Patients, groups, patients
from metablin.survival.rmst import RMST, rmst
from metablin.survival.ties import onto

__all__ = ["TrialSurvival", "analyse_trial"]

_AFTER_BASELINE = re.compile(r"respon|remission|\bmrd\b|mrd_|_mrd|\bcr\b")

LANDMARKS = (12.0, 24.0, 36.0, 60.0)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrialSurvival(Record):
    """Survival of one trial, by arm.

    Attributes
    ----------
    curves : dict of str to KMCurve
        Arms, control first.
    followup : dict of str to KMCurve
        Reverse Kaplan-Meier curves.
    landmarks : dict of str to DataFrame
        Survival at the landmark times.
    restricted : RMST
        Restricted means of the arms.
    comparison : dict
        Log-rank, max-combo, hazard ratio, test of proportional hazards, restricted-mean
        contrasts and milestone differences; empty with one arm.
    models : dict of str to ParametricComparison
        Fitted families by arm; empty when none were asked for.
    """

    curves: dict[str, KMCurve]
    followup: dict[str, KMCurve]
    landmarks: dict[str, pd.DataFrame]
    restricted: RMST
    comparison: dict[str, Any]
    models: dict[str, ParametricComparison]

    def to_frame(self) -> pd.DataFrame:
        """Return one row an estimate: ``group, term, estimate, conf_low, conf_high, ...``."""
        parts = []
        arms = self.restricted.arms()
        for i, (name, curve) in enumerate(self.curves.items()):
            rows = [curve.quantile(), self.landmarks[name], arms.iloc[2 * i : 2 * i + 2]]
            follow = self.followup[name].quantile().assign(term="median follow-up")
            part = pd.concat([*rows, follow], ignore_index=True)
            part.insert(0, "group", name)
            parts.append(part)
        for key in ("hazard_ratio", "rmst", "milestones"):
            found = self.comparison.get(key)
            if isinstance(found, pd.DataFrame):
                label = "hazard ratio: " if key == "hazard_ratio" else ""
                parts.append(found.assign(group="", term=label + found["term"]))
        frame = pd.concat(parts, ignore_index=True)
        # The group has its own column.
        frame["term"] = frame["term"].str.replace(r"^(RMST|RMTL): .*$", r"\1", regex=True)
        columns = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
        kept = ["group", "term", *[c for c in columns if c in frame.columns], "conf_level"]
        return frame[kept]

    def summary(self) -> str:
        """Return the analysis as text."""
        lines = [curve.summary() for curve in self.curves.values()]
        lines += ["", self._table().to_string(index=False, na_rep="")]
        for key in ("logrank", "max_combo"):
            if key in self.comparison:
                lines.append(self.comparison[key].summary())
        if "proportional_hazards" in self.comparison:
            p = float(self.comparison["proportional_hazards"]["p_value"].iloc[-1])
            lines.append(f"proportional hazards: p = {p:.4g}")
        if "note" in self.comparison:
            lines.append(self.comparison["note"])
        for name, found in self.models.items():
            lines += ["", f"Models, {name}", found.to_frame().to_string(index=False, na_rep="")]
        return "\n".join(lines)

    def _table(self) -> pd.DataFrame:
        frame = self.to_frame()
        frame = frame[~frame["term"].str.startswith("median")]
        return frame[["group", "term", "estimate", "conf_low", "conf_high"]].round(4)

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis, ready for JSON."""
        arms = self.restricted.arms().to_dict(orient="records")
        out: dict[str, Any] = {
            "n": sum(c.n for c in self.curves.values()),
            "events": sum(c.events for c in self.curves.values()),
            "tau": self.restricted.tau,
            "conf_level": self.restricted.level,
            "conf_type": next(iter(self.curves.values())).conf_type,
            "groups": {},
        }
        for i, (name, curve) in enumerate(self.curves.items()):
            out["groups"][name] = {
                "n": curve.n,
                "events": curve.events,
                "median": _triple(curve),
                "median_followup": _triple(self.followup[name]),
                "landmarks": self.landmarks[name],
                "rmst": _without_term(arms[2 * i]),
                "rmtl": _without_term(arms[2 * i + 1]),
            }
        if self.comparison:
            out["comparison"] = {
                key: value.to_dict() if hasattr(value, "summary") else value
                for key, value in self.comparison.items()
            }
        if self.models:
            out["models"] = {name: found.to_dict() for name, found in self.models.items()}
        return json_dict(out)


def _triple(curve: KMCurve) -> dict[str, float]:
    row = curve.quantile().iloc[0]
    return {k: float(row[k]) for k in ("estimate", "conf_low", "conf_high")}


def _without_term(row: dict[Any, Any]) -> dict[Any, Any]:
    return {k: v for k, v in row.items() if k != "term"}


def analyse_trial(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any] | None = None,
    *,
    tau: float | None = None,
    at: ArrayLike | None = None,
    models: Sequence[str] = (),
    control: object = None,
    conf_type: ConfType = "log-log",
    level: float = 0.95,
    group_name: str = "",
) -> TrialSurvival:
    """Analyse a trial: curves, landmarks, restricted means, tests, hazard ratio, models.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up and 1 event, 0 censored.
    group : iterable, length n, optional
        Arms.
    tau : float, optional
        Horizon of restricted means; the largest every arm supports when not given.
    at : array-like, optional
        Landmark times; 12, 24, 36 and 60 where follow-up reaches them when not given.
    models : sequence of str
        Families to fit to each arm, as in `fit_parametric`.
    control : object, optional
        Reference arm; the first in sorted order when not given.
    conf_type : {"log-log", "log", "plain"}
    level : float
    group_name : str
        Name of the grouping. One that speaks of a response reached after baseline (response,
        remission, MRD) draws a warning.

    Returns
    -------
    TrialSurvival

    Warns
    -----
    MetablinWarning
        When the groups look like a response after baseline (immortal time).

    Examples
    --------
    >>> found = analyse_trial([5, 8, 2, 3, 9, 4], [1, 1, 1, 1, 0, 1], list("abbaab"), at=[4])
    >>> found.to_dict()["comparison"]["logrank"]["df"]
    1
    """
    if _AFTER_BASELINE.search(group_name.lower()):
        warn(
            f"groups by {group_name!r} may have been formed after baseline: responders had to live "
            "until their response (immortal time); use landmark_analysis or simon_makuch"
        )
    p = patients(time, event)
    labels = ["all"] * p.n if group is None else group
    g = groups(labels, p.n, control, column=group_name or "group", minimum=1)
    names = np.array(g.levels)[g.codes]
    first = g.levels[0]
    curves = kaplan_meier_by(
        p.time, p.event, names, conf_type=conf_type, level=level, control=first
    )
    times = _landmarks(at, curves)
    parts = {name: p.take(g.codes == i) for i, name in enumerate(g.levels)}
    restricted = rmst(p.time, p.event, tau, None if g.k == 1 else names, control=first, level=level)
    return TrialSurvival(
        curves=curves,
        followup={
            name: reverse_kaplan_meier(q.time, q.event, level=level) for name, q in parts.items()
        },
        landmarks={name: curve.survival_at(times) for name, curve in curves.items()},
        restricted=restricted,
        comparison={} if g.k == 1 else _compare(p, g, names, restricted, times, level),
        models={name: _fitted(name, q, models, times, level) for name, q in parts.items()}
        if models
        else {},
    )


def _fitted(
    name: str, p: Patients, models: Sequence[str], times: np.ndarray[Any, Any], level: float
) -> ParametricComparison:
    try:
        return compare_parametric(p.time, p.event, models, times=times, level=level)
    except DataError as error:
        # Rows are counted within the arm here: the arm is named instead.
        raise DataError(
            error.message,
            column=error.column,
            value=error.value,
            allowed=error.allowed,
            study=None if name == "all" else name,
        ) from error


def _landmarks(at: ArrayLike | None, curves: dict[str, KMCurve]) -> np.ndarray[Any, Any]:
    if at is not None:
        return _input.numeric("at", at, minimum=0.0)
    last = min(float(c.time[-1]) for c in curves.values())
    marks = np.array(LANDMARKS)
    return marks[onto(marks, np.array([last])) <= last]


def _compare(
    p: Patients,
    g: Groups,
    names: np.ndarray[Any, Any],
    restricted: RMST,
    times: np.ndarray[Any, Any],
    level: float,
) -> dict[str, Any]:
    first = g.levels[0]
    out: dict[str, Any] = {"control": first}
    try:
        out["logrank"] = logrank(p.time, p.event, names, control=first)
        fit = cox(p.time, p.event, names, control=first, level=level)
        out["hazard_ratio"] = fit.to_frame()
        out["proportional_hazards"] = proportional_hazards_test(
            p.time, p.event, names, control=first
        )
    except (ConvergenceError, DataError) as error:
        out["note"] = str(error)
    out["rmst"] = restricted.contrasts()
    if g.k == 2:
        if "logrank" in out:
            out["max_combo"] = max_combo(p.time, p.event, names, control=first)
        last = min(float(p.time[g.codes == i].max()) for i in (0, 1))
        reached = times[onto(times, np.array([last])) <= last]
        if reached.size:
            out["milestones"] = milestone_difference(
                p.time, p.event, names, reached, control=first, level=level
            )
    return out
