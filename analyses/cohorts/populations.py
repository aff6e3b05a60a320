"""What several analyses share: who the patients are, and how a pooled result becomes a row."""

from __future__ import annotations

import pandas as pd

from metablin.datasets import said
from metablin.pipeline import Evidence
from metablin.report.words import trial_labels

POPULATIONS = said("population", "results")
PROSPECTIVE = ("rct", "single_arm")
"""Designs in which patients were followed from a plan, not found in records."""
RELAPSED = ("adult_rr_ph_negative", "adult_rr_ph_positive", "paediatric_rr")
SPLITS = {
    "blasts": ("blasts=<50", "blasts=>=50"),
    "prior_hsct": ("prior_hsct=no", "prior_hsct=yes"),
}


def population(trial: pd.Series) -> str:
    """Return the population of a trial from its disease status, age group and Ph status."""
    status, age = str(trial["disease_status"]), str(trial["age_group"])
    if status == "newly_diagnosed":
        return _first_line(trial)
    if status == "first_relapse":
        return status
    if status == "mrd_positive":
        return mrd_positive(age)
    if status != "relapsed_refractory":
        return "other"
    if age == "adult":
        return f"adult_rr_ph_{'positive' if trial['ph_status'] == 'positive' else 'negative'}"
    return "paediatric_rr"


def _first_line(trial: pd.Series) -> str:
    if str(trial["ph_status"]) == "positive":
        return "first_line_ph_positive"
    infants = str(trial.get("age_range", "")).startswith("<1 ")
    return "first_line_infants" if infants else "first_line"


def mrd_positive(age_group: str) -> str:
    """Return the population of patients in remission with MRD."""
    return "mrd_positive" if age_group == "adult" else "mrd_positive_young"


def known_trials(evidence: Evidence) -> pd.DataFrame:
    """Return every trial with its label, design, population, patients, and why it is left out.

    The label is the acronym or name or, without one, first author and year. ``left_out`` is empty
    for a cohort whose patients may enter pools; which they are says the table ``screening``.
    """
    trials = evidence.load("trials", all_rows=True)
    labels = trials["trial_id"].map(trial_labels(trials, evidence.load("references")))
    columns = ["trial_id", "design", "age_group", "ph_status", "disease_status", "n_total"]
    reasons = left_out(evidence.load("screening"))
    return trials[columns].assign(
        population=trials.apply(population, axis=1),
        label=labels,
        left_out=trials["trial_id"].map(reasons).fillna(""),
    )


def left_out(screening: pd.DataFrame) -> dict[str, str]:
    """Return why cohorts are left out of every pool of patients on blinatumomab, by trial."""
    rows = screening.loc[(screening["stage"] == "cohort") & (screening["decision"] == "left_out")]
    return dict(zip(rows["trial_id"], rows["reason"], strict=True))


def with_trials(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return evidence rows joined to what :func:`known_trials` says of their trial."""
    return rows.merge(trials, on="trial_id", how="inner", validate="many_to_one")


def split(found: pd.DataFrame, levels: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of trials that report response at every level of a subgroup."""
    rows = found.loc[found["subgroup"].isin(levels)].sort_values(["trial_id", "subgroup", "rank"])
    rows = rows.drop_duplicates(["trial_id", "subgroup"])
    complete = rows.groupby("trial_id")["subgroup"].transform("nunique") == len(levels)
    return rows.loc[complete].assign(study=rows["label"]).reset_index(drop=True)
