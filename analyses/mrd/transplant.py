"""Transplant after response: how often, and what followed, with the caveat kept in code."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from metablin.errors import MetablinWarning
from metablin.mrd import compare_counts_after_baseline

from ..cohorts.populations import with_trials
from ..lines import records

YES = ("allohsct=yes", "allohsct_in_ccr=yes", "cr_crh=yes;allohsct=yes", "allohsct_after=yes")
NO = tuple(s.replace("=yes", "=no").replace("cr_crh=no", "cr_crh=yes") for s in YES)
OUTCOMES = {
    "relapse": "relapsed",
    "continuous_cr": "in continuous remission",
    "alive_relapse_free_5y": "alive and relapse-free at five years",
}


def outcomes_by_transplant(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return counts of outcomes with and without transplant; described, never contrasted."""
    found = with_trials(rows, trials)
    found = found.loc[found["arm"].str.contains("blinatumomab") & found["outcome"].isin(OUTCOMES)]
    found = found.loc[found[["events", "n"]].notna().all(axis=1)]
    records = []
    for (trial, outcome), part in found.groupby(["trial_id", "outcome"], sort=True):
        for yes, no in zip(YES, NO, strict=True):
            pair = [part.loc[part["subgroup"] == s] for s in (yes, no)]
            if not all(len(p) == 1 for p in pair):
                continue
            records += _pair(str(trial), str(outcome), pair[0].iloc[0], pair[1].iloc[0])
    return pd.DataFrame(records)


def _pair(
    trial: str, outcome: str, yes: pd.Series, no: pd.Series
) -> list[dict[str, object]]:  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetablinWarning)  # the caveat stands in the caption
        table = compare_counts_after_baseline(
            yes["events"], yes["n"], no["events"], no["n"], allow_naive=True
        )
    words = ("transplanted", "not transplanted")
    ids = (yes["row_id"], no["row_id"])
    return [
        {"key": f"{trial}.{outcome}.{'yes' if i == 0 else 'no'}", "study": yes["label"],
         "outcome": OUTCOMES[outcome], "group": words[i], **records(table.drop(columns="group"))[i],
         "row_ids": ids[i]}
        for i in range(2)
    ]  # fmt: skip


def survival_by_transplant(survival: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return printed survival with and without transplant, marked for immortal time."""
    found = with_trials(survival, trials)
    found = found.loc[
        found["arm"].str.contains("blinatumomab") & found["subgroup"].isin([*YES, *NO])
    ]
    both = found.groupby(["trial_id", "endpoint"])["subgroup"].transform(
        lambda s: s.isin(YES).any() and s.isin(NO).any()
    )
    found = found.loc[both.astype(bool)]
    return pd.DataFrame(
        {
            "key": found["row_id"].to_numpy(),
            "study": found["label"].to_numpy(),
            "endpoint": found["endpoint"].to_numpy(),
            "group": np.where(found["subgroup"].isin(YES), "transplanted", "not transplanted"),
            "n": found["n"].to_numpy(),
            "time_months": found["time_months"].to_numpy(),
            "survival": found["survival"].to_numpy(),
            "immortal_time": True,
            "row_ids": found["row_id"].to_numpy(),
        }
    )
