"""Tables of who is in which pool."""

from __future__ import annotations

import pandas as pd

from metablin.datasets import said
from metablin.pipeline import slug

from ..cohorts.arm_pools import POOLS
from ..mrd.rows import DENOMINATORS
from ..randomised.rows import GROUPS, TITLES
from ..response.rows import DEFINITIONS

PARTS: dict[str, str] = {
    **said("endpoint"),
    **DEFINITIONS,
    **{pool.name: pool.title for pool in POOLS},
    **GROUPS,
    **TITLES,
    **DENOMINATORS,
    **said("design"),
}
"""Every part of a pool's name in words."""


def pool_words(name: str) -> str:
    """Return the name of a pool in words: whom it counts, what, by which design.

    Parameters
    ----------
    name : str
        Codes with points between them.
    """
    first, *more = (PARTS[part] for part in name.split("."))
    return ", ".join([first, *(w if w[:2].isupper() else w[:1].lower() + w[1:] for w in more)])


def listed(found: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return one line a pool: its cohorts by name, their number and evidence rows."""
    labels = trials.set_index("trial_id")["label"]
    named = found.assign(label=found["trial_id"].map(labels))
    groups = named.groupby(["question", "pool", "role"], sort=False)
    frame = groups.agg(
        cohorts=("label", lambda s: ", ".join(dict.fromkeys(s))),
        estimate=("trial_id", "nunique"),
        designs=("design", lambda s: ", ".join(dict.fromkeys(s))),
        row_ids=("row_ids", " ".join),
    ).reset_index()
    frame.insert(0, "key", [f"{slug(q)}.{p}" for q, p in zip(frame["question"], frame["pool"],
                                                              strict=True)])  # fmt: skip
    frame.insert(2, "pool_words", frame["pool"].map(pool_words))
    return frame


def none_of(found: pd.DataFrame, trials: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    """Return the cohorts that no pool takes patients on blinatumomab from, with the reason."""
    used = set(found.loc[found["role"] == "blinatumomab", "trial_id"])
    rows = screening.loc[(screening["stage"] == "cohort") & ~screening["trial_id"].isin(used)]
    labels = trials.set_index("trial_id")["label"]
    controls = set(found["trial_id"]) - used
    return pd.DataFrame(
        {
            "key": rows["trial_id"].to_numpy(),
            "cohort": rows["trial_id"].map(labels).to_numpy(),
            "decision": rows["decision"].to_numpy(),
            "reason": rows["reason"].to_numpy(),
            "control": rows["trial_id"].isin(controls).to_numpy(),
            "row_ids": rows["row_id"].to_numpy(),
        }
    )
