"""Trial-level surrogacy: effects on MRD response against effects on survival."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import known_trials
from ..cohorts.surrogacy import ENDPOINTS, pairs
from .figures import scatter
from .rows import LISTED, SETS, bivariate, correlations, fitted, left_out, lines, subset


@analysis(reads=("trials", "references", "screening", "proportions", "contrasts"), order=35)
def surrogacy(evidence: Evidence, words: Words) -> Outcome:
    """Relate effects on MRD response to effects on survival across randomised comparisons."""
    points = pairs(
        evidence.load("proportions"),
        evidence.load("proportions", all_rows=True),
        evidence.load("contrasts"),
        known_trials(evidence),
    )
    fits = {
        f"{group}.{name}": fitted(subset(points, group, name))
        for group in ENDPOINTS
        for name in SETS
    }
    return words.outcome(
        {
            "pairs": points[list(LISTED)],
            "lines": lines(fits, points),
            "bivariate": bivariate(points),
            "correlations": correlations(points),
            "left_out": left_out(fits),
        },
        {group: scatter(fits[f"{group}.both_drugs"]) for group in ENDPOINTS},
    )
