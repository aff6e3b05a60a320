"""The randomised comparisons: hazard ratios of blinatumomab against chemotherapy."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.comparisons import ENDPOINTS, comparisons
from ..cohorts.populations import known_trials
from .figures import forest_by, left_out_of
from .rows import left_out, listing, pooled


@analysis(reads=("trials", "contrasts", "references"), order=20)
def randomised(evidence: Evidence, words: Words) -> Outcome:
    """Pool hazard ratios over all patients randomised, by endpoint, age group and line."""
    rows = comparisons(evidence.load("contrasts"), known_trials(evidence))
    return words.outcome(
        {"comparisons": listing(rows), "pooled": pooled(rows), "leave_one_out": left_out(rows)},
        {
            **{name: forest_by(rows, name) for name in ENDPOINTS},
            **{f"left_out_{name}": left_out_of(rows, name) for name in ENDPOINTS},
        },
    )
