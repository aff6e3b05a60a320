"""Haematological response to blinatumomab by population and definition."""

from __future__ import annotations

import pandas as pd

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import RELAPSED, SPLITS, known_trials, split
from ..cohorts.responses import RESPONSES, WHOLE, candidates, one_a_cohort, one_definition
from .figures import forest_by
from .rows import (
    SPLIT_LABELS,
    by_definition,
    cohorts,
    excluded,
    group_and_definition,
    ordered,
    pooled,
    sensitivity,
)


@analysis(reads=("trials", "proportions", "references"), order=10)
def response(evidence: Evidence, words: Words) -> Outcome:
    """Pool haematological response by population and definition, with sensitivity analyses."""
    found = candidates(evidence.load("proportions"), known_trials(evidence), RESPONSES)
    haematological = one_a_cohort(found, WHOLE)
    haematological = haematological.loc[haematological["population"].isin(RELAPSED)]
    same = one_definition(found)
    splits = {name: split(same, levels) for name, levels in SPLITS.items()}
    parts = [pooled(part, "subgroup", SPLITS[name]) for name, part in splits.items()]
    drawn = ordered(haematological)
    return words.outcome(
        {
            "cohorts": cohorts(haematological),
            "pooled": pooled(one_definition(haematological), "population", RELAPSED),
            "by_definition": by_definition(haematological),
            "splits": pd.concat(parts, ignore_index=True),
            "sensitivity": sensitivity(haematological),
            "excluded": excluded(),
        },
        {
            "haematological": forest_by(drawn, group_and_definition(drawn)),
            **{
                name: forest_by(
                    part,
                    part["subgroup"].map(SPLIT_LABELS),
                    overall=part["trial_id"].nunique() > 1,
                )
                for name, part in splits.items()
            },
        },
    )
