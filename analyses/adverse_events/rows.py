"""Tables of adverse events by trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from metablin.pipeline import slug

from ..lines import join_ids

TRIALS = {"tower": "TOWER", "alcantara": "ALCANTARA", "blast": "BLAST"}
REVIEW = "mocquot2022"


def rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's rate with its exact interval, one line a trial, grade and term."""
    events, n = rows["events"].to_numpy(float), rows["n"].to_numpy(float)
    low, high = proportion_confint(events, n, method="beta")
    return pd.DataFrame(
        {
            "key": [
                f"{g}.{slug(t)}.{i}"
                for g, t, i in zip(rows["grade"], rows["term"], rows["trial_id"], strict=True)
            ],
            "grade": rows["grade"].to_numpy(),
            "term": rows["term"].to_numpy(),
            "trial_id": rows["trial_id"].to_numpy(),
            "events": events,
            "n": n,
            "estimate": events / n,
            "conf_low": np.where(events == 0, 0.0, low),
            "conf_high": np.where(events == n, 1.0, high),
            "row_ids": rows["row_id"].to_numpy(),
        }
    )


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Return sums over the trials for every grade and term, most frequent first."""
    grouped = rows.groupby(["grade", "term"], sort=False)
    out = grouped.agg(
        events=("events", "sum"),
        n=("n", "sum"),
        k=("trial_id", "nunique"),
        row_ids=("row_id", join_ids),
    ).reset_index()
    low, high = proportion_confint(out["events"], out["n"], method="beta")
    out = out.assign(rate=out["events"] / out["n"], conf_low=low, conf_high=high)
    out["estimate"] = out["rate"]
    keys = [f"{g}.{slug(t)}" for g, t in zip(out["grade"], out["term"], strict=True)]
    out.insert(0, "key", keys)
    return out.sort_values(["grade", "events"], ascending=[False, False], kind="stable")


def listed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the counts that a review took from the register for the three trials."""
    return rows.loc[
        (rows["source_key"] == REVIEW)
        & rows["trial_id"].isin(list(TRIALS))
        & rows["grade"].isin(["serious", "any"])
    ]
