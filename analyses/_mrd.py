"""Rows behind the MRD analysis: cohorts, responders against the rest, times and thresholds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

import metablin as mb
from metablin.mrd import ResponsePools, immortal_time_bounds, mixture_median

from ._selection import (
    EVALUABLE,
    IN_REMISSION,
    RESPONDER_PARTS,
    RESPONDERS,
    WHOLE,
    candidates,
    one_a_cohort,
)
from ._shared import POPULATIONS, join_ids, with_trials

WEEKS_A_MONTH = 365.25 / 12 / 7
DENOMINATORS = {
    "treated": "of all treated",
    "evaluable": "of those evaluable for MRD",
    "responders": "of haematological responders",
}
THRESHOLDS = {
    "mrd_response": "MRD response (below 1e-4 or as the trial defines it)",
    "complete_mrd_response": "complete MRD response (none detectable)",
}
ENDPOINTS = {
    "os": "Overall survival",
    "rfs": "Relapse-free survival",
}


def response_cohorts(
    rows: pd.DataFrame, trials: pd.DataFrame, outcomes: tuple[str, ...]
) -> pd.DataFrame:
    """Return one row a cohort and denominator; responder sets of one trial never twice."""
    found = candidates(rows, trials, outcomes)
    # who was chosen because a transplant followed says nothing of who responds
    found = found.loc[~found["window"].str.contains(r"^pre-H", regex=True)]
    kept = one_a_cohort(found, (*WHOLE, *IN_REMISSION, *RESPONDERS, *RESPONDER_PARTS, *EVALUABLE))
    # evaluable for efficacy means treated, not tested for MRD
    efficacy = kept["subgroup"] == "fda_evaluable=yes"
    kept = kept.assign(denominator=kept["denominator"].where(~efficacy, "treated"))
    again = kept["subgroup"].isin(RESPONDERS) & kept.duplicated(
        ["trial_id", "population", "denominator"]
    )
    whole = set(kept.loc[kept["subgroup"] == "all", "trial_id"])
    parts = kept["subgroup"].isin(IN_REMISSION) & kept["trial_id"].isin(whole)
    kept = kept.loc[~again & ~parts]
    return kept.assign(timepoint=[timepoint(w) for w in kept["window"]]).reset_index(drop=True)


def timepoint(window: str) -> str:
    """Return the time point of an MRD assessment as one of four words."""
    text = window.lower()
    if re.search(r"(cycle 1|first cycle|4 weeks)", text):
        return "first cycle"
    if re.search(r"(2 cycles|12 weeks)", text):
        return "first two cycles"
    return "later or any time" if text else "not stated"


def response_table(pools: ResponsePools, cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return pooled rates with keys, words for people and the evidence rows behind them."""
    frame = pools.to_frame()
    ids = [
        join_ids(cohorts.loc[np.logical_and.reduce(
            [cohorts[c] == v for c, v in zip(pools.by, key, strict=True)]), "row_id"])
        for key in pools.fits
    ]  # fmt: skip
    keys = [".".join(k.replace(" ", "_") for k in key) for key in pools.fits]
    outcomes = cohorts.set_index("row_id")["outcome"]
    words = {
        "definitions": [_definitions(outcomes[cell.split()]) for cell in ids],
        "group": frame["population"].map(POPULATIONS),
        "of_whom": frame["denominator"].map(DENOMINATORS),
    }
    frame = frame.assign(**words, row_ids=ids).drop(columns=["population", "denominator"])
    frame.insert(0, "key", keys)
    return frame


def _definitions(outcomes: pd.Series) -> str:
    count = outcomes.value_counts(sort=False)
    return ", ".join(f"{name.replace('_', ' ')}: {k}" for name, k in count.items())


def responder_rows(
    stratified: pd.DataFrame, trials: pd.DataFrame, all_trials: pd.DataFrame, survival: pd.DataFrame
) -> pd.DataFrame:
    """Return comparisons of responders with the rest, with the follow-up and median of the whole.

    Rows by baseline MRD load are no comparison of responders and stay out.
    """
    rows = with_trials(stratified.rename(columns={"population": "among"}), trials)
    rows = rows.loc[
        ~rows["mrd_timepoint"].str.contains("before") & rows["endpoint"].isin(list(ENDPOINTS))
    ]
    extra = all_trials.set_index("trial_id")
    whole = survival.loc[
        survival["subgroup"].isin(["all", "cr_crh=yes"]) & survival["median_months"].notna()
    ]
    # the comparison is among responders in relapsed disease, so their median comes first
    whole = whole.sort_values("subgroup", key=lambda s: s == "all", kind="stable")
    medians = whole.drop_duplicates(["trial_id", "endpoint"]).set_index(["trial_id", "endpoint"])
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
        median_all=[
            float(medians.at[p, "median_months"]) if p in medians.index else np.nan for p in pairs
        ],
        subset=rows["patient_set"].str.contains("allohsct"),
    ).reset_index(drop=True)


def timing(landmark: str) -> str:
    """Return how a comparison handled the time before response."""
    text = landmark.lower()
    if text.startswith("yes"):
        return "landmark"
    return "time-dependent" if "mantel-byar" in text else "not stated"


def cycle_months(doses: pd.Series) -> float:
    """Return the usual length of a cycle, in months, from the schedules the trials state."""
    weeks = [
        sum(int(n) for n in found.groups())
        for text in doses
        if (found := re.search(r"([0-9]+) weeks on\s*/?\s*([0-9]+) weeks off", str(text)))
    ]
    return float(np.median(weeks)) / WEEKS_A_MONTH


def bias_bounds(rows: pd.DataFrame, found: pd.DataFrame, doses: pd.Series) -> pd.DataFrame:
    """Return the range of every flagged hazard ratio once immortal time is taken out."""
    cycle = cycle_months(doses)
    records = []
    flagged = found["immortal_time"] & found["log_hr"].notna()
    for i in np.flatnonzero(flagged):
        row, line = rows.iloc[i], found.iloc[i]
        window = cycle * (1 if "cycle 1" in row["mrd_timepoint"] else 2)
        low = half = high = np.nan
        why = ""
        if np.isnan(row["n_responders"] + row["n_nonresponders"]):
            why = "numbers of responders and others not printed"
        elif np.isnan(row["median_nonresponders"] + row["followup"]):
            why = "median of the others or follow-up not printed"
        else:
            share = row["n_responders"] / (row["n_responders"] + row["n_nonresponders"])
            hazard = np.log(2) / row["median_nonresponders"]
            given = (line["estimate"], hazard)
            low, high = immortal_time_bounds(*given, window, row["followup"], share)
            half = immortal_time_bounds(*given, window / 2, row["followup"], share)[1]
        records.append(
            {"key": row["row_id"], "study": row["study"], "endpoint": row["endpoint"],
             "window_months": window, "naive": line["estimate"], "low": low, "half_window": half,
             "high": high,
             "why_not": why, "row_ids": row["row_id"]}
        )  # fmt: skip
    return pd.DataFrame(records)


def consistency_of_medians(rows: pd.DataFrame) -> pd.DataFrame:
    """Check printed medians of the whole against those of its responders and the rest."""
    sizes = rows.loc[~rows["subset"]].groupby("trial_id")[["n_responders", "n_nonresponders"]].max()
    filled = rows.assign(
        **{c: rows[c].fillna(rows["trial_id"].map(sizes[c])) for c in sizes.columns}
    )
    known = filled.loc[
        filled[["median_responders", "median_nonresponders", "median_all", "n_responders",
              "n_nonresponders"]].notna().all(axis=1)
    ]  # fmt: skip
    records = []
    for row in known.to_dict(orient="records"):
        share = row["n_responders"] / (row["n_responders"] + row["n_nonresponders"])
        pair = (row["median_responders"], row["median_nonresponders"])
        records.append(
            {"key": row["row_id"], "study": row["study"], "endpoint": row["endpoint"],
             "responders": pair[0], "nonresponders": pair[1], "share": share,
             "whole": row["median_all"], "between": min(pair) <= row["median_all"] <= max(pair),
             "whole_if_exponential": mixture_median(*pair, share), "row_ids": row["row_id"]}
        )  # fmt: skip
    columns = ["key", "study", "endpoint", "responders", "nonresponders", "share", "whole",
               "between", "whole_if_exponential", "row_ids"]  # fmt: skip
    return pd.DataFrame(records, columns=columns)


def anchors(contrasts: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return published ratios of MRD-negative over MRD-positive patients, never pooled in.

    Ratios printed the other way round are turned.
    """
    rows = with_trials(contrasts, trials)
    rows = rows.loc[
        (rows["measure"] == "hr")
        & rows["arm_treatment"].str.startswith("mrd_")
        & ~rows["subgroup"].str.contains("treatment_")
        & rows[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
        & ~rows["design"].isin(["single_arm"])
    ]
    turned = rows["arm_treatment"].str.contains("positive")
    e = mb.hazard_ratios(
        rows["estimate"], rows["ci_low"], rows["ci_high"], level=rows["ci_level"].fillna(0.95)
    )
    sign = np.where(turned, -1.0, 1.0)
    half = 1.959963984540054 * e.vi**0.5
    return pd.DataFrame(
        {
            "key": rows["row_id"].to_numpy(),
            "study": rows["label"].to_numpy(),
            "endpoint": rows["endpoint"].to_numpy(),
            "subgroup": rows["subgroup"].to_numpy(),
            "estimate": np.exp(sign * e.yi),
            "conf_low": np.exp(sign * e.yi - half),
            "conf_high": np.exp(sign * e.yi + half),
            "turned": turned.to_numpy(),
            "row_ids": rows["row_id"].to_numpy(),
        }
    )
