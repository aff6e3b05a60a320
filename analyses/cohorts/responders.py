"""Comparisons of MRD responders with the rest: which rows, with the time of the whole cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .populations import with_trials

ENDPOINTS = {
    "os": "Overall survival",
    "rfs": "Relapse-free survival",
}


def responder_rows(
    stratified: pd.DataFrame, trials: pd.DataFrame, all_trials: pd.DataFrame, survival: pd.DataFrame
) -> pd.DataFrame:
    """Return comparisons of responders with the rest, with the follow-up and median of the whole.

    Rows by baseline MRD load are no comparison of responders and stay out.
    """
    rows = with_trials(stratified.rename(columns={"population": "among"}), trials)
    rows = rows.loc[
        ~rows["mrd_timepoint"].str.contains("before")
        & (rows["left_out"] == "")
        & rows["endpoint"].isin(list(ENDPOINTS))
    ]
    extra = all_trials.set_index("trial_id")
    whole = survival.loc[
        survival["subgroup"].isin(["all", "cr_crh=yes"]) & survival["median_months"].notna()
    ]
    # the comparison is among responders in relapsed disease, so their median comes first
    whole = whole.sort_values("subgroup", key=lambda s: s == "all", kind="stable")
    medians = whole.drop_duplicates(["trial_id", "endpoint"]).set_index(["trial_id", "endpoint"])
    middle = medians["median_months"]
    pairs = list(zip(rows["trial_id"], rows["endpoint"], strict=True))
    equal = rows["p_operator"].isin(["=", ""])
    return rows.assign(
        study=rows["label"],
        timing=rows["landmark"].map(timing),
        hr_low=rows["hr_ci_low"],
        hr_high=rows["hr_ci_high"],
        p_value=rows["p_value"].where(equal),
        followup=extra["median_followup_months"].reindex(rows["trial_id"]).to_numpy(float),
        dose=extra["dose"].reindex(rows["trial_id"]).to_numpy(),
        median_all=[float(middle[p]) if p in middle.index else np.nan for p in pairs],
        subset=rows["patient_set"].str.contains("allohsct"),
    ).reset_index(drop=True)


def timing(landmark: str) -> str:
    """Return how a comparison handled the time before response."""
    text = landmark.lower()
    if text.startswith("yes"):
        return "landmark"
    return "time-dependent" if "mantel-byar" in text else "not stated"
