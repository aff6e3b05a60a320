"""Patients alive without relapse at five years: counted, not modelled."""

from __future__ import annotations

import pandas as pd

import metablin as mb

from ..cohorts.populations import with_trials
from ..lines import join_ids

OUTCOME = "alive_relapse_free_5y"
WHO = {"allohsct_in_ccr=yes": "transplanted in remission", "allohsct_in_ccr=no": "not transplanted"}
ALL = "all"


def observed(proportions: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return counts by transplant and their sum, with exact intervals.

    The parts are different patients of one trial, so that their counts add up.
    """
    rows = with_trials(proportions, trials)
    rows = rows.loc[
        (rows["outcome"] == OUTCOME) & rows["subgroup"].isin(list(WHO)) & (rows["left_out"] == "")
    ]
    lines = []
    for trial, part in rows.groupby("trial_id", sort=True):
        groups = {s: part.loc[part["subgroup"] == s] for s in WHO}
        if all(len(g) == 1 for g in groups.values()):
            groups = {ALL: part, **groups}
        for name, group in groups.items():
            lines.append(_line(str(trial), name, group))
    return pd.DataFrame(lines)


def _line(trial: str, name: str, rows: pd.DataFrame) -> dict[str, object]:
    events, n = float(rows["events"].sum()), float(rows["n"].sum())
    exact = mb.exact_intervals([events], [n]).iloc[0]
    suffix = "" if name == ALL else f".{name.rpartition('=')[2]}"
    return {
        "key": f"{trial}.{OUTCOME}{suffix}",
        "study": rows["label"].iloc[0],
        "who": WHO.get(name, "all"),
        "events": events,
        "n": n,
        "estimate": events / n,
        "conf_low": exact["conf_low"],
        "conf_high": exact["conf_high"],
        "row_ids": join_ids(rows["row_id"]),
    }
