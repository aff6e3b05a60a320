"""The trial programme: how many trials, in which phase, how far, for how many patients."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import known_trials
from .figures import programme
from .rows import cross, evidence_base, totals


@analysis(reads=("landscape", "trials", "references", "screening"), order=80)
def landscape(evidence: Evidence, words: Words) -> Outcome:
    """Count registered trials by phase and status, and the trials of the evidence base."""
    rows = evidence.load("landscape")
    by_status = cross(rows)
    return words.outcome(
        {
            "totals": totals(rows),
            "by_status": by_status,
            "evidence": evidence_base(evidence.load("trials"), known_trials(evidence)),
        },
        {"programme": programme(by_status)},
    )
