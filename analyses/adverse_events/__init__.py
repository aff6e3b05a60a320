"""Adverse events of the three registration trials: sums, and per-trial rates with exact limits."""

from __future__ import annotations

from metablin.pipeline import Drawn, Evidence, Outcome, Words, analysis

from .figures import dots
from .rows import listed, rates, totals


@analysis(reads=("safety",), order=60)
def adverse_events(evidence: Evidence, words: Words) -> Outcome:
    """Add up the registry counts of three trials and give each trial's rate."""
    rows = listed(evidence.load("safety", all_rows=True))
    per_trial, total = rates(rows), totals(rows)
    return words.outcome(
        {"totals": total, "rates": per_trial},
        {g: Drawn(dots(per_trial, total, g)) for g in ("serious", "any")},
    )
