"""Rows behind the safety analysis: which counts, which comparisons, which exposure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metablin.datasets import said
from metablin.safety import (
    implausible_cells,
)

from .populations import PROSPECTIVE, with_trials

GRADES = said("grade")
# Words different reports use for one thing.
SAME = {
    "neurotoxicity": "neurologic event",
    "platelet count decreased": "thrombocytopenia",
    "neutrophil count decreased": "neutropenia",
}
POOLED_TERMS = (
    "cytokine release syndrome",
    "neurologic event",
    "any adverse event",
    "treatment-related adverse event",
    "pyrexia",
    "febrile neutropenia",
    "neutropenia",
    "anaemia",
    "thrombocytopenia",
    "infection",
    "sepsis",
    "pneumonia",
    "headache",
    "tremor",
    "seizure",
)
# A pooled report and the trials in it; the report gives way where a trial speaks for itself.
PARTS = {"mt103_206_211_pooled": ("mt103_206", "mt103_211")}
ALLOCATED = "rct"
REVIEW = "mocquot2022"
FIRST = " (cycle 1)"
ONE_COURSE = r"(?:cycle 1|block 3)\b"
"""How the note of a count over one course of treatment begins: a first cycle, or the block of
chemotherapy in whose place blinatumomab was given."""
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")


def counts(rows: pd.DataFrame, trials: pd.DataFrame, discrepancies: pd.DataFrame) -> pd.DataFrame:
    """Return counted rows with population, period, one word for one event, and doubtful cells.

    Doubtful are single terms in every patient, severe counts above the same term of any grade, and
    any-grade counts of a review that a listed disagreement names.
    """
    found = with_trials(rows, trials.rename(columns={"left_out": "left_out_cohort"}))
    found = found.loc[found["events"].notna() & found["n"].notna() & (found["grade"] != "")]
    found = found.assign(term=_one_word(found), study=found["label"])
    found = found.sort_values("row_id", kind="stable")
    found = found.drop_duplicates(["trial_id", "arm", "term", "grade"])
    flagged = implausible_cells(found)
    named = {i for ids in discrepancies["row_ids"] for i in str(ids).split()}
    listed = (
        found["row_id"].isin(named)
        & (found["source_key"] == REVIEW)
        & (found["trial_id"] == "blast")
        & (found["grade"] == "any")
    )
    reason = found["row_id"].map(dict(zip(flagged["row_id"], flagged["reason"], strict=True)))
    reason = reason.where(reason.notna() | ~listed, "any-grade count equal to the serious one")
    in_first = found["term"].str.endswith(FIRST) | found["note"].str.match(ONE_COURSE)
    return found.assign(
        reason=reason.fillna(""),
        left_out=reason.notna() & (found["grade"] == "any"),
        period=np.where(in_first, "first cycle", "whole treatment"),
        event=found["term"].str.removesuffix(FIRST),
    ).reset_index(drop=True)


def _one_word(rows: pd.DataFrame) -> pd.Series:
    """Return one word for one event; a trial that uses both words means two things by them."""
    base = rows["term"].str.removesuffix(FIRST)
    other = base.replace(SAME)
    own = set(zip(rows["trial_id"], base, strict=True))
    both = np.array([pair in own for pair in zip(rows["trial_id"], other, strict=True)], bool)
    words: pd.Series = rows["term"].where(both, rows["term"].replace(SAME))
    return words


def cohorts(found: pd.DataFrame) -> pd.DataFrame:
    """Return blinatumomab arms of prospective trials: no doubtful cell, no patient twice.

    Counts of one course alone would pull a rate over the whole treatment down and stay out.
    """
    kept = found.loc[
        found["arm"].isin(BLINATUMOMAB)
        & (found["left_out_cohort"] == "")
        & found["term"].isin(POOLED_TERMS)
        & found["grade"].isin(list(GRADES))
        & found["design"].isin(PROSPECTIVE)
        & ~found["left_out"]
        & (found["period"] == "whole treatment")
        & ~found["note"].str.contains("unit is|cycles", regex=True)
    ]
    keys = set(zip(kept["trial_id"], kept["term"], kept["grade"], strict=True))
    covered = [
        any((part, term, grade) in keys for part in PARTS.get(trial, ()))
        for trial, term, grade in zip(kept["trial_id"], kept["term"], kept["grade"], strict=True)
    ]
    return kept.loc[~np.array(covered)].reset_index(drop=True)


def randomised(found: pd.DataFrame) -> pd.DataFrame:
    """Return both arms of every term a randomised trial reports, one line a term."""
    rows = found.loc[
        (found["design"] == ALLOCATED)
        & found["grade"].isin(["any", "grade3plus"])
        & (found["source_key"] != REVIEW)
    ]
    by = ["trial_id", "event", "grade", "period"]
    drug = rows.loc[rows["arm"].isin(BLINATUMOMAB)].set_index(by)
    control = rows.loc[rows["arm"] == "chemotherapy"].set_index(by)
    joined = drug.join(control[["events", "n", "row_id"]], rsuffix="_control", how="inner")
    joined = joined.reset_index()
    return joined.assign(row_ids=joined["row_id"] + " " + joined["row_id_control"])
