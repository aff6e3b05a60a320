"""What several analyses share: who the patients are, and how a pooled result becomes a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pandas as pd

import metablin as mb
from metablin.pipeline import Evidence
from metablin.report.words import trial_labels

POPULATIONS = {
    "adult_rr_ph_negative": "Adults, relapsed/refractory, Ph-negative or mixed",
    "adult_rr_ph_positive": "Adults, relapsed/refractory, Ph-positive",
    "paediatric_rr": "Children, relapsed/refractory",
    "mrd_positive": "Adults in remission, MRD-positive",
    "mrd_positive_young": "Children and young adults in remission, MRD-positive",
    "first_relapse": "First relapse, children and young adults",
    "first_line": "First line",
    "other": "After transplantation, or several states of disease",
}

RELAPSED = ("adult_rr_ph_negative", "adult_rr_ph_positive", "paediatric_rr")
SPLITS = {
    "blasts": ("blasts=<50", "blasts=>=50"),
    "prior_hsct": ("prior_hsct=no", "prior_hsct=yes"),
}


def population(trial: pd.Series) -> str:
    """Return the population of a trial from its disease status, age group and Ph status."""
    status, age = str(trial["disease_status"]), str(trial["age_group"])
    if status == "newly_diagnosed":
        return "first_line"
    if status == "first_relapse":
        return status
    if status == "mrd_positive":
        return mrd_positive(age)
    if status != "relapsed_refractory":
        return "other"
    if age == "adult":
        return f"adult_rr_ph_{'positive' if trial['ph_status'] == 'positive' else 'negative'}"
    return "paediatric_rr"


def mrd_positive(age_group: str) -> str:
    """Return the population of patients in remission with MRD."""
    return "mrd_positive" if age_group == "adult" else "mrd_positive_young"


def known_trials(evidence: Evidence) -> pd.DataFrame:
    """Return every trial with its label, design, population and number of patients.

    The label is the acronym or name or, without one, first author and year.
    """
    trials = evidence.load("trials", all_rows=True)
    labels = trials["trial_id"].map(trial_labels(trials, evidence.load("references")))
    columns = ["trial_id", "design", "age_group", "ph_status", "disease_status", "n_total"]
    return trials[columns].assign(population=trials.apply(population, axis=1), label=labels)


def with_trials(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return evidence rows joined to what :func:`known_trials` says of their trial."""
    return rows.merge(trials, on="trial_id", how="inner", validate="many_to_one")


def split(found: pd.DataFrame, levels: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of trials that report response at every level of a subgroup."""
    rows = found.loc[found["subgroup"].isin(levels)].sort_values(["trial_id", "subgroup", "rank"])
    rows = rows.drop_duplicates(["trial_id", "subgroup"])
    complete = rows.groupby("trial_id")["subgroup"].transform("nunique") == len(levels)
    return rows.loc[complete].assign(study=rows["label"]).reset_index(drop=True)


def effect_sizes(rows: pd.DataFrame, transform: str = "logit") -> mb.EffectSizes:
    """Return the proportions of evidence rows on an analysis scale."""
    return mb.proportions(
        rows["events"], rows["n"], transform=transform, studies=rows["study"].tolist()
    )


def by_group(rows: pd.DataFrame, groups: pd.Series) -> mb.MetaFit:
    """Return the fit of all rows with that of every group as its subgroups.

    Groups are fitted by :func:`metablin.pool_cohorts`; the test between them is that of the
    inverse-variance model.
    """
    names = groups.tolist()
    whole = mb.pool(effect_sizes(rows), model="glmm", ci="t")
    test = mb.pool(effect_sizes(rows), by=names).subgroup_test
    parts = {
        name: mb.pool_cohorts(effect_sizes(rows.loc[groups == name]))
        for name in dict.fromkeys(names)
    }
    return dataclasses.replace(whole, subgroups=parts, subgroup_test=test)


def join_ids(ids: Iterable[object]) -> str:
    """Return evidence row ids as one cell."""
    return " ".join(str(i) for i in ids)


def unit_of(term: str) -> str:
    """Return how an item of a survival curve is printed: a median in months, else a share."""
    return "months" if term == "median" else "proportion"


def pooled_row(key: str, fit: mb.MetaFit, rows: pd.DataFrame, **more: Any) -> dict[str, Any]:
    """Return one line of a result table from a pooled fit and the evidence rows behind it."""
    return {
        "key": key,
        **more,
        "k": fit.k,
        "estimate": fit.estimate,
        "conf_low": fit.conf_low,
        "conf_high": fit.conf_high,
        "pred_low": fit.pred_low,
        "pred_high": fit.pred_high,
        "tau2": fit.tau2,
        "i2": fit.i2,
        "q_p": fit.q_p,
        "p_value": fit.p_value,
        "model": fit.model,
        "tau2_method": fit.tau2_method,
        "ci_method": fit.ci_method,
        "row_ids": join_ids(rows["row_id"]),
    }
