"""Haematological response to blinatumomab by population and definition."""

from __future__ import annotations

import pandas as pd

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..choices import choices_figure
from ..cohorts.populations import RELAPSED, SPLITS, known_trials, split
from ..cohorts.responses import RESPONSES, WHOLE, candidates, one_a_cohort, one_definition
from .figures import forest_by
from .rows import (
    SPLIT_LABELS,
    by_definition,
    by_population,
    cohorts,
    excluded,
    group_and_design,
    ordered,
    pooled,
    sensitivity,
)


@analysis(reads=("trials", "proportions", "references", "screening"), order=10)
def response(evidence: Evidence, words: Words) -> Outcome:
    """Pool haematological response by population and definition, with sensitivity analyses."""
    trials = known_trials(evidence)
    found = candidates(evidence.load("proportions"), trials, RESPONSES)
    haematological = one_a_cohort(found, WHOLE)
    haematological = haematological.loc[haematological["population"].isin(RELAPSED)]
    same = one_definition(found)
    splits = {name: split(same, levels) for name, levels in SPLITS.items()}
    parts = [pooled(part, "subgroup", SPLITS[name]) for name, part in splits.items()]
    drawn = ordered(one_definition(haematological))
    others = sensitivity(haematological)
    return words.outcome(
        {
            "cohorts": cohorts(haematological),
            "pooled": by_population(one_definition(haematological)),
            "by_definition": by_definition(haematological),
            "splits": pd.concat(parts, ignore_index=True),
            "sensitivity": others,
            "excluded": excluded(trials),
        },
        {
            "haematological": forest_by(drawn, group_and_design(drawn)),
            "choices": choices_figure(others),
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
