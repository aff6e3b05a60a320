"""Pairs of effects: MRD response and survival in the same randomised comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd

import metablin as mb
from metablin.effects import two_by_two

from .populations import with_trials

ENDPOINTS = {"os": ("os",), "event_free": ("efs", "dfs", "rfs", "pfs")}
DRUGS = ("blinatumomab", "inotuzumab")


def pairs(
    proportions: pd.DataFrame,
    every: pd.DataFrame,
    contrasts: pd.DataFrame,
    trials: pd.DataFrame,
) -> pd.DataFrame:
    """Return log odds ratios of MRD response and log hazard ratios of randomised trials.

    MRD response counts among all randomised (to the analysed set), so that patients without
    remission or without a sample count as not cleared in either arm.
    """
    marker = mrd_effects(proportions, every, trials)
    return pd.concat([_endpoint(name, marker, contrasts) for name in ENDPOINTS], ignore_index=True)


def mrd_effects(
    proportions: pd.DataFrame, every: pd.DataFrame, trials: pd.DataFrame
) -> pd.DataFrame:
    """Return a log odds ratio of MRD response for every randomised trial that gives both arms.

    Sizes of the randomised sets come from `every`, all rows, preferred or not.
    """
    rows = with_trials(proportions, trials)
    rows = rows.loc[(rows["design"] == "rct") & rows["n"].notna()]
    base = rows["subgroup"].str.replace(r";?(cr_crh_cri|cr_crh|cr_cri|cr)=yes", "", regex=True)
    rows = rows.assign(base=base.replace("", "all"))
    whole = every.loc[every["n"].notna()].rename(columns={"subgroup": "base"})
    size = whole.groupby(["trial_id", "arm", "base"])["n"].max()
    found = rows.loc[
        (rows["outcome"] == "mrd_response")
        & rows["events"].notna()
        & rows["base"].isin(["all", "itt218=yes"])
    ]
    records = []
    for trial, part in found.groupby("trial_id", sort=True):
        arms = part.set_index("arm")
        drug = [d for d in DRUGS if d in arms.index]
        if len(drug) != 1 or "chemotherapy" not in arms.index:
            continue
        counts = [
            (float(arms["events"][a]), float(size[(trial, a, arms["base"][a])]))
            for a in (drug[0], "chemotherapy")
        ]
        (a, n1), (c, n2) = counts
        e = two_by_two([a], [n1], [c], [n2], measure="or")
        records.append(
            {"trial_id": trial, "study": part["label"].iloc[0], "drug": drug[0],
             "events_treatment": a, "n_treatment": n1, "events_control": c, "n_control": n2,
             "x": float(e.yi[0]), "vx": float(e.vi[0]),
             "mrd_rows": " ".join(arms.loc[[drug[0], "chemotherapy"], "row_id"])}
        )  # fmt: skip
    return pd.DataFrame(records)


def _endpoint(name: str, marker: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    rows = contrasts.loc[
        (contrasts["measure"] == "hr")
        & contrasts["endpoint"].isin(ENDPOINTS[name])
        & contrasts["arm_treatment"].isin(DRUGS)
        & (contrasts["arm_control"] == "chemotherapy")
        & contrasts["subgroup"].str.fullmatch(r"all(;.*)?")
        & contrasts[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
    ]
    joined = marker.merge(rows, on="trial_id", how="inner", validate="one_to_many")
    joined = joined.drop_duplicates("trial_id")
    e = mb.hazard_ratios(
        joined["estimate"], joined["ci_low"], joined["ci_high"],
        level=joined["ci_level"].fillna(0.95), studies=joined["study"].tolist(),
    )  # fmt: skip
    kept = joined[
        ["trial_id", "study", "drug", "events_treatment", "n_treatment", "events_control",
         "n_control", "x", "vx"]
    ]  # fmt: skip
    return kept.assign(
        key=[f"{name}.{t}" for t in kept["trial_id"]],
        group=name,
        endpoint=joined["endpoint"].to_numpy(),
        y=e.yi,
        vy=e.vi,
        odds_ratio=np.exp(kept["x"]),
        hazard_ratio=np.exp(e.yi),
        row_ids=[f"{m} {r}" for m, r in zip(joined["mrd_rows"], joined["row_id"], strict=True)],
    )
