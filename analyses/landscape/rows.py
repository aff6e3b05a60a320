"""Tables of the trial programme."""

from __future__ import annotations

import pandas as pd

from metablin.pipeline import slug

from ..cohorts.populations import POPULATIONS, with_trials
from ..lines import join_ids

PHASES = ["1", "1/2", "2", "2/3", "3", "4", "unknown"]


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Return numbers of trials and planned patients by phase and in all."""
    groups = [("all", rows), *((p, rows.loc[rows["phase"] == p]) for p in PHASES)]
    return pd.DataFrame(
        [
            {
                "key": slug(f"phase {name}") if name != "all" else "all",
                "phase": name,
                "estimate": part["n_trials"].sum(),
                "n_trials": part["n_trials"].sum(),
                "n_patients": part["n_patients"].sum(),
                "without_patient_number": int(part["n_patients"].isna().sum()),
                "row_ids": join_ids(part["row_id"]),
            }
            for name, part in groups
        ]
    )


def cross(rows: pd.DataFrame) -> pd.DataFrame:
    """Return numbers of trials by phase and status."""
    grouped = rows.groupby(["phase", "status"], sort=False)
    out = grouped.agg(
        n_trials=("n_trials", "sum"), n_patients=("n_patients", "sum"), row_ids=("row_id", join_ids)
    ).reset_index()
    out.insert(
        0, "key", [slug(f"phase {p} {s}") for p, s in zip(out["phase"], out["status"], strict=True)]
    )
    return out


def evidence_base(trials: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return numbers of trials of blinatumomab by population and design, and of all others."""
    found = with_trials(trials[["trial_id", "arms"]], known)
    given = found["arms"].str.contains("blina") & (found["design"] != "meta_analysis")
    rows = found.loc[given]
    grouped = rows.groupby(["population", "design"], sort=True)
    parts = [
        {
            "key": f"{p}.{d}",
            "population": POPULATIONS[p],
            "design": d,
            "estimate": len(part),
            "patients": part["n_total"].sum(),
            "trials": join_ids(part["trial_id"]),
        }
        for (p, d), part in ((map(str, key), part) for key, part in grouped)
    ]
    whole = {
        "key": "all",
        "population": "All",
        "design": "all",
        "estimate": len(rows),
        "patients": rows["n_total"].sum(),
        "trials": "",
    }
    others = {
        "key": "for_comparison",
        "population": "Meta-analyses, and studies without blinatumomab",
        "design": "all",
        "estimate": len(found) - len(rows),
        "trials": join_ids(found.loc[~given, "trial_id"]),
    }
    return pd.DataFrame([whole, *parts, others])
