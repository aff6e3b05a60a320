"""Why response varies between cohorts: moderators, influential cohorts, small-study effects."""

from __future__ import annotations

import pandas as pd

import metablin as mb
from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import RELAPSED, known_trials
from ..cohorts.responses import RESPONSES, WHOLE, candidates, one_a_cohort
from ..lines import effect_sizes
from .figures import funnel_of, left_out_of
from .rows import (
    features,
    influences,
    large_groups,
    left_out,
    moderators,
    small_study,
    split_moderators,
    subsets,
)


@analysis(reads=("trials", "proportions", "references", "screening"), order=15)
def response_checks(evidence: Evidence, words: Words) -> Outcome:
    """Regress response on cohort features; check influence and small-study effects."""
    found = candidates(evidence.load("proportions"), known_trials(evidence), RESPONSES)
    rows = one_a_cohort(found, WHOLE)
    rows = features(rows.loc[rows["population"].isin(RELAPSED)])
    fits = {p: mb.pool(effect_sizes(part)) for p, part in large_groups(rows)}
    return words.outcome(
        {
            "moderators": pd.concat([moderators(rows), split_moderators(found)], ignore_index=True),
            "influence": influences(fits),
            "leave_one_out": left_out(fits),
            "small_study": small_study(fits),
            "subsets": subsets(fits),
        },
        {
            **{f"funnel_{p}": funnel_of(fit) for p, fit in fits.items()},
            **{f"left_out_{p}": left_out_of(fit) for p, fit in fits.items()},
        },
    )
