"""Randomised comparisons of blinatumomab with chemotherapy: which hazard ratios."""

from __future__ import annotations

import pandas as pd

from .populations import POPULATIONS, with_trials

ENDPOINTS = {
    "os": ("os",),
    "event_free": ("efs", "dfs", "rfs"),
}
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")


def comparisons(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return hazard ratios with intervals of whole randomised comparisons with blinatumomab."""
    found = with_trials(rows, trials)
    kept = found.loc[
        (found["design"] == "rct")
        & (found["measure"] == "hr")
        & found["arm_treatment"].isin(BLINATUMOMAB)
        & (found["arm_control"] == "chemotherapy")
        & found["subgroup"].str.fullmatch(r"all(;.*)?")
        & found[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
    ]
    group = {e: name for name, endpoints in ENDPOINTS.items() for e in endpoints}
    kept = kept.assign(group=kept["endpoint"].map(group))
    order = list(POPULATIONS)
    kept = kept.assign(order=kept["population"].map(order.index))
    return kept.sort_values(["group", "order", "trial_id"], kind="stable").reset_index(drop=True)
