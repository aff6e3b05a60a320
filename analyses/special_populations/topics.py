"""Which rows belong to which group: rules, not hand-picked rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Whole = Literal["trials", "rows"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A group of patients or an outcome of its own.

    Attributes
    ----------
    key : str
    words : str
        For people.
    trials : str
        Expression over the columns of trials: whose rows over all patients belong here. Empty:
        none.
    subgroup, outcome : str
        Patterns of rows of any trial that belong here. Empty: none.
    lead : tuple of str
        Outcomes and endpoints that a sentence names, the first that a study has.
    """

    key: str
    words: str
    trials: str = ""
    subgroup: str = ""
    outcome: str = ""
    lead: tuple[str, ...] = ("os", "cr", "cr_crh")


TOPICS = (
    Topic(
        "first_line_adults", "First line, adults, Ph-negative",
        trials="population == 'first_line' and age_group == 'adult' and ph_status == 'negative'",
    ),
    Topic(
        "first_line_ph_positive", "First line, Ph-positive",
        trials="population == 'first_line_ph_positive'",
    ),
    Topic(
        "older_adults", "Older adults, from 55 years on",
        trials="patients.str.contains('age >=(?:55|60|65)') and age_group == 'adult'",
        subgroup=r"(?:^|;)age=>=?(?:55|60|65)(?:;|$)",
        lead=("os", "cr_crh", "cr"),
    ),
    Topic(
        "infants", "Infants",
        trials="population == 'first_line_infants'",
    ),
    Topic(
        "down_syndrome", "Down syndrome",
        trials="patients.str.startswith('Down syndrome')",
        subgroup=r"down",
    ),
    Topic(
        "extramedullary", "Extramedullary disease",
        subgroup=r"relapse_site|extramedullary=",
        outcome=r"^relapse_(?:cns_em|other_em|extramedullary.*)$",
        lead=("relapse_extramedullary_only", "relapse_extramedullary", "relapse_cns_em", "os"),
    ),
    Topic(
        "cd19_negative", "CD19-negative relapse",
        outcome=r"^cd19_negative_relapse$",
        lead=("cd19_negative_relapse",),
    ),
    Topic(
        "transplant_landmark", "Transplant after MRD response, from a landmark or by arm",
        subgroup=r"^mrd_response=(?:yes|no);allohsct=yes$|^allohsct=yes$|^allohsct=cr1$",
        lead=("os", "rfs", "continuous_cr"),
    ),
)  # fmt: skip


def of_trials(topic: Topic, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of a topic; meta-analyses are no trials."""
    own = trials.loc[trials["design"] != "meta_analysis"].fillna({"age_range": "", "patients": ""})
    return own.query(topic.trials, engine="python") if topic.trials else own.iloc[:0]
