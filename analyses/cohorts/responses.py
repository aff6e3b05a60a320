"""Which evidence rows answer which question: one row a cohort, chosen by rules, not by hand."""

from __future__ import annotations

import re

import pandas as pd

from ..lines import records
from .populations import POPULATIONS, mrd_positive, with_trials

# Response is CR/CRh where a trial reports it; otherwise the nearest definition it does report.
RESPONSES = ("cr_crh", "cr_crh_cri", "cr_cri", "cr")
MAIN_RESPONSE = "cr_crh"
MRD_RESPONSES = ("mrd_response", "complete_mrd_response")

# Subgroups that make up the whole of a cohort of relapsed or refractory patients.
WHOLE = (
    "all",
    "disease_status=relapsed_refractory",
    "blasts=>=5",
    "matched=yes",
    "phase=1b",
    "phase=2",
    "ph=negative",
    "ph=positive",
    "population=relapsed",
)
# Subgroups that are in remission with MRD when blinatumomab starts.
IN_REMISSION = (
    "disease_status=mrd_positive",
    "disease_status=cr_mrd_positive",
    "indication=mrd",
    "blasts=<5",
    "population=cr1_mrd_positive",
    "mrd_baseline=positive",
    "pre_blina_mrd=positive",
)
# In order of preference, where a trial gives more than one.
RESPONDERS = ("cr_crh=yes", "cr_crh_cri=yes", "cr=yes", "blasts=>=5;cr=yes", "response=m1")
# Responders of two parts of a trial: different patients, so both count.
RESPONDER_PARTS = (
    "phase=1b;cr_crh=yes;mrd_evaluable=yes",
    "phase=2;cr_crh=yes;mrd_evaluable=yes",
)
EVALUABLE = ("fda_evaluable=yes",)
WORDS = {
    "ph=negative": "Ph-negative",
    "ph=positive": "Ph-positive",
    "phase=1b": "phase 1b",
    "phase=2": "phase 2",
    "phase=1b;cr_crh=yes;mrd_evaluable=yes": "phase 1b",
    "phase=2;cr_crh=yes;mrd_evaluable=yes": "phase 2",
    "disease_status=mrd_positive": "MRD-positive",
    "disease_status=cr_mrd_positive": "MRD-positive",
    "disease_status=relapsed_refractory": "relapsed/refractory",
    "blasts=<5": "blasts < 5%",
    "blasts=>=5": "blasts 5% or more",
}


def candidates(rows: pd.DataFrame, trials: pd.DataFrame, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """Return counted blinatumomab rows of the outcomes, with trial, population and denominator.

    Cohorts that `screening` leaves out give none.
    """
    counted = rows["events"].notna() & rows["n"].notna()
    asked = rows["outcome"].isin(outcomes) & rows["arm"].str.contains("blinatumomab")
    found = with_trials(rows.loc[counted & asked], trials)
    found = found.loc[found["left_out"] == ""]
    lines = records(found)
    return found.assign(
        population=[_population(line) for line in lines],
        rank=found["outcome"].map({name: i for i, name in enumerate(outcomes)}),
        denominator=[_denominator(line) for line in lines],
    )


def _population(row: dict[str, str]) -> str:
    """Return the population of a row: its trial's, unless its subgroup says otherwise."""
    subgroup, population = row["subgroup"], row["population"]
    if subgroup in IN_REMISSION and population != "first_relapse":
        # a conversion within first-line treatment is not the response of MRD-positive disease
        first = population.startswith("first_line")
        return "first_line_mrd" if first else mrd_positive(row["age_group"])
    if subgroup == "population=relapsed":
        return "adult_rr_ph_negative"
    if population.startswith("adult_rr") and subgroup == "ph=positive":
        return "adult_rr_ph_positive"
    return population


def _denominator(row: dict[str, str]) -> str:
    text = f"{row['subgroup']} {row['definition']} {row['note']}".lower()
    if row["subgroup"] in (*RESPONDERS, *RESPONDER_PARTS):
        return "responders"
    return "evaluable" if "evaluable" in text else "treated"


def one_a_cohort(rows: pd.DataFrame, subgroups: tuple[str, ...]) -> pd.DataFrame:
    """Return one row a cohort: the best-ranked outcome; parts only where there is no whole."""
    kept = rows.loc[rows["subgroup"].isin(subgroups)]
    kept = kept.assign(choice=kept["subgroup"].map(_responder_rank))
    kept = kept.sort_values(["trial_id", "choice", "subgroup", "rank"], kind="stable")
    kept = kept.drop_duplicates(["trial_id", "subgroup", "denominator"])
    again = kept["subgroup"].isin(RESPONDERS) & kept.duplicated(["trial_id", "denominator"])
    kept = kept.loc[~again]
    whole = set(kept.loc[kept["subgroup"] == "all", "trial_id"])
    parts = (kept["subgroup"] != "all") & kept["trial_id"].isin(whole)
    kept = kept.loc[~(parts & kept["subgroup"].isin(WHOLE))]
    order = list(POPULATIONS)
    kept = kept.assign(study=_labels(kept), order=kept["population"].map(order.index))
    return kept.sort_values(["order", "label"], kind="stable").reset_index(drop=True)


def one_definition(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the cohorts that report response as the registration trials define it."""
    return rows.loc[rows["outcome"] == MAIN_RESPONSE].reset_index(drop=True)


def marrow_cohorts(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cohort: its haematological response, by whichever definition."""
    return one_a_cohort(candidates(rows, trials, RESPONSES), WHOLE)


def mrd_cohorts(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return one MRD response a cohort and denominator."""
    return response_cohorts(rows, trials, MRD_RESPONSES)


def _responder_rank(subgroup: str) -> int:
    return RESPONDERS.index(subgroup) if subgroup in RESPONDERS else len(RESPONDERS)


def _labels(rows: pd.DataFrame) -> list[str]:
    """Return study labels, with the subgroup where a trial gives more than one cohort."""
    several = rows["trial_id"].duplicated(keep=False)
    return [
        f"{label} ({WORDS[subgroup]})" if many and subgroup in WORDS else str(label)
        for label, subgroup, many in zip(rows["label"], rows["subgroup"], several, strict=True)
    ]


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


def transplant_cohorts(rows: pd.DataFrame, trials: pd.DataFrame, current: set[str]) -> pd.DataFrame:
    """Return one transplant rate a cohort, of trials that are not part of another one."""
    kept = response_cohorts(rows, trials, ("allohsct",))
    return kept.loc[kept["trial_id"].isin(current)].reset_index(drop=True)
